//! The few calls that have no safe wrapper: fork with a held exec, `wait4`, handling of inherited state, the exit
//! status behind a pidfd, and the registration of a descriptor with the reactor.
#![expect(unsafe_code, reason = "the only file with unsafe code: each block is one call")]

use std::{
    ffi::{CString, c_char},
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    process::Command,
    time::Duration,
};

use tokio::io::{Interest, unix::AsyncFd};

/// Everything that `execve` needs. It is built before the fork, because the child must not allocate.
#[derive(Debug)]
pub(super) struct ExecPlan {
    pub(super) program: CString,
    pub(super) argv: Vec<CString>,
    pub(super) envp: Vec<CString>,
    pub(super) cwd: CString,
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    pub(super) session: Session,
    /// The soft limit of open files, if it differs from that of this process.
    pub(super) open_files: Option<u64>,
}

/// The session of a process, which determines its terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    /// A session of its own, without a terminal.
    Own,
    /// The session of the process that starts it.
    Ours,
}

/// A forked process that waits for the permission to exec. If this process dies, the held process ends without having
/// done anything. Dropping it ends the process, too.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) pid: i32,
    /// `None` after the permission was given.
    go: Option<OwnedFd>,
    failure: OwnedFd,
}

/// The reason why a held process could not become the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExecFailure {
    pub(super) stage: ExecStage,
    pub(super) errno: i32,
}

/// The operation that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExecStage {
    /// Entering the working folder.
    Chdir,
    /// Executing the program.
    Exec,
}

/// Result of looking for a child that has ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reap {
    /// This child has ended, and is reaped.
    Ended(Reaped),
    /// There are children, but none has ended.
    NoneYet,
    /// There is no child, and so no process below us: a process that loses its parent becomes a child of its subreaper.
    NoChild,
}

/// A child that has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reaped {
    pub(super) pid: i32,
    /// Its status in the form of wait(2).
    pub(super) status: i32,
    pub(super) user: Duration,
    pub(super) system: Duration,
    pub(super) max_rss_bytes: u64,
}

const STAGE_CHDIR: u8 = 1;
const STAGE_EXEC: u8 = 2;
/// From linux/sched.h; the constant of `libc` is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// Size of a set of signals in the kernel.
const SIGSET_BYTES: usize = 8;

/// Forks a process that becomes the program after it is [released](Held::release), inside a control group if one is
/// given.
pub(super) fn fork_held(plan: &ExecPlan, group: Option<BorrowedFd<'_>>) -> io::Result<Held> {
    let (go_read, go_write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (failure_read, failure_write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let argv = pointers(&plan.argv);
    let envp = pointers(&plan.envp);
    // SAFETY: this process has one thread, and the child makes async-signal-safe calls only, on memory made above.
    match unsafe { fork(group) } {
        -1 => Err(io::Error::last_os_error()),
        0 => child(plan, &argv, &envp, [&go_read, &go_write, &failure_write]),
        pid => Ok(Held { pid, go: Some(go_write), failure: failure_read }),
    }
}

/// Forks, directly into a control group if one is given: moving a process there later can take the kernel 10 ms.
///
/// # Safety
/// The child may make async-signal-safe calls only: the C library does not know that it is another process.
unsafe fn fork(group: Option<BorrowedFd<'_>>) -> libc::pid_t {
    let Some(group) = group else {
        // SAFETY: the caller's promise covers everything that fork(2) requires.
        return unsafe { libc::fork() };
    };
    // SAFETY: an all-zero clone_args is a valid value of that plain struct.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = CLONE_INTO_CGROUP;
    args.exit_signal = libc::SIGCHLD.cast_unsigned().into();
    args.cgroup = group.as_raw_fd().cast_unsigned().into();
    // SAFETY: the call takes a pointer to such a struct and its size; no memory is shared with the child.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
    libc::pid_t::try_from(pid).unwrap_or(-1)
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|t| t.as_ptr()).chain([std::ptr::null()]).collect()
}

fn child(plan: &ExecPlan, argv: &[*const c_char], envp: &[*const c_char], pipes: [&OwnedFd; 3]) -> ! {
    let [go_read, go_write, failure] = pipes.map(AsRawFd::as_raw_fd);
    let mut byte = 0_u8;
    // SAFETY: async-signal-safe calls on valid descriptors, strings and arrays that end in null; the child never returns.
    unsafe {
        libc::close(go_write);
        if libc::read(go_read, (&raw mut byte).cast(), 1) != 1 {
            // Not an exit code: a process that watches a pidfd would mistake it for the agent's.
            libc::kill(libc::getpid(), libc::SIGKILL);
        }
        if plan.session == Session::Own {
            libc::setsid();
        }
        if let Some(soft) = plan.open_files {
            let mut limit: libc::rlimit = std::mem::zeroed();
            libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
            limit.rlim_cur = soft.min(limit.rlim_max);
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
        let mut stage = STAGE_CHDIR;
        if libc::chdir(plan.cwd.as_ptr()) == 0 {
            stage = STAGE_EXEC;
            libc::dup2(plan.stdin.as_raw_fd(), 0);
            libc::dup2(plan.stdout.as_raw_fd(), 1);
            libc::dup2(plan.stderr.as_raw_fd(), 2);
            // Ignored and blocked signals would be inherited through exec. This uses the kernel's own call, with its
            // all-zero `SIG_DFL`, because the C library refuses to change the two signals that it reserves for itself.
            let default = [0_u64; 8];
            for signal in 1..=64 {
                libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), 0, SIGSET_BYTES);
            }
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            libc::execve(plan.program.as_ptr(), argv.as_ptr(), envp.as_ptr());
        }
        let errno = (*libc::__errno_location()).to_ne_bytes();
        let report = [stage, errno[0], errno[1], errno[2], errno[3]];
        libc::write(failure, report.as_ptr().cast(), report.len());
        libc::_exit(127);
    }
}

impl Held {
    /// Lets the process exec. Returns after it has, or with the reason why it could not.
    ///
    /// A process that was killed in the meantime gives no reason: its end is reaped like any other.
    pub(super) fn release(mut self) -> Option<ExecFailure> {
        if let Some(go) = self.go.take() {
            let _ = rustix::io::write(&go, &[1]);
        }
        let mut report = [0; 5];
        let n = loop {
            match rustix::io::read(&self.failure, &mut report) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result.unwrap_or(0),
            }
        };
        if n != report.len() {
            return None;
        }
        self.reap();
        let stage = if report[0] == STAGE_CHDIR { ExecStage::Chdir } else { ExecStage::Exec };
        Some(ExecFailure { stage, errno: i32::from_ne_bytes([report[1], report[2], report[3], report[4]]) })
    }

    fn reap(&self) {
        let pid = nix::unistd::Pid::from_raw(self.pid);
        while nix::sys::wait::waitpid(pid, None) == Err(nix::errno::Errno::EINTR) {}
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.go.take().is_some() {
            self.reap();
        }
    }
}

/// Closes the descriptors that the parent process forgot to close, because the agent would inherit them, too.
pub(super) fn close_inherited() {
    // SAFETY: called before this process has opened anything, so that nothing of ours holds these descriptors.
    unsafe {
        if libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) != 0 {
            // Linux before 5.9 does not have the call.
            for fd in 3..1024 {
                libc::close(fd);
            }
        }
    }
}

/// Adopts a descriptor that the previous program in this process has left open for us.
pub(super) fn adopt(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the call reads a number; the descriptor that it returns is new and has no other owner.
    let new = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if new < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above; the old number was passed to this process for its own use, and nothing here holds it.
    Ok(unsafe {
        libc::close(number);
        OwnedFd::from_raw_fd(new)
    })
}

/// Makes the kernel kill a program when the thread that starts it ends, even if that thread is killed.
pub(super) fn end_with_us(command: &mut Command) {
    let end = || Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?);
    // SAFETY: the closure runs between fork and exec, and makes one system call.
    unsafe { command.pre_exec(end) };
}

/// Undoes an inherited "ignore SIGCHLD", because with it the end of a child cannot be waited for, wait(2).
pub(super) fn heed_children() {
    // SAFETY: an all-zero sigaction is a valid value of that plain struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live value of the right type; the default action runs no code of ours.
    unsafe {
        libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action);
        if action.sa_sigaction == libc::SIG_IGN {
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        }
    }
}

/// Forks and continues in the child, without a parent. The process that was started exits here, successfully.
pub(super) fn detach() -> io::Result<()> {
    // SAFETY: called at the start of a process with one thread; the parent ends at once.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(()),
        // SAFETY: ends this process without running anything more.
        _ => unsafe { libc::_exit(0) },
    }
}

/// Forks. Returns the child's pid to the parent and `None` to the child. This process must have one thread.
pub(super) fn split() -> io::Result<Option<i32>> {
    // SAFETY: no other thread holds a lock that the child would find taken for ever.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some(pid)),
    }
}

/// Reaps one child that has ended, our own or an adopted one.
pub(super) fn reap_any() -> Reap {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid value of that plain struct.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the right types.
    let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG | libc::__WALL, &raw mut usage) };
    match pid {
        -1 if io::Error::last_os_error().raw_os_error() == Some(libc::ECHILD) => Reap::NoChild,
        ..=0 => Reap::NoneYet,
        pid => Reap::Ended(Reaped {
            pid,
            status,
            user: duration(usage.ru_utime),
            system: duration(usage.ru_stime),
            // Linux counts in KiB, getrusage(2).
            max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        }),
    }
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

/// Returns the wait status of an ended process behind a pidfd, on Linux 6.15 and later.
pub(super) fn pidfd_exit_status(fd: BorrowedFd<'_>) -> Option<i32> {
    // SAFETY: an all-zero pidfd_info is a valid value of that plain struct.
    let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
    info.mask = u64::from(libc::PIDFD_INFO_EXIT);
    // SAFETY: the request takes a pointer to a pidfd_info, which this is.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) };
    (result == 0 && info.mask & u64::from(libc::PIDFD_INFO_EXIT) != 0).then_some(info.exit_code)
}

/// Sends SIGKILL to the process group that the process behind a pidfd leads, pidfd_send_signal(2). Fails with EINVAL on
/// Linux before 6.9.
pub(super) fn kill_group_of(fd: BorrowedFd<'_>) -> io::Result<()> {
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the call takes numbers, and a null pointer where the kernel fills in the usual siginfo itself.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            fd.as_raw_fd(),
            libc::SIGKILL,
            info,
            libc::PIDFD_SIGNAL_PROCESS_GROUP,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes the C library give memory back to the system as soon as it can.
///
/// By default it keeps a heap for each of up to eight threads per processor, and blocks of up to 32 MiB in them once such a
/// block was freed. A few large answers then stay in memory for ever.
#[cfg(target_env = "gnu")]
pub(super) fn tune_memory() {
    /// Blocks from this size on are mappings of their own, which end when they are freed.
    const OWN_MAPPING: libc::c_int = 128 * 1024;
    /// Free memory at the end of a heap that is kept.
    const KEPT: libc::c_int = 1024 * 1024;
    /// Number of heaps.
    const HEAPS: libc::c_int = 4;
    // SAFETY: the calls set numbers, before this process has other threads.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
    }
}

/// Gives free memory within the heaps back to the system.
#[cfg(target_env = "gnu")]
pub(super) fn trim_memory() {
    // SAFETY: the call takes a number, and locks the heaps itself.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
pub(super) fn tune_memory() {}

#[cfg(not(target_env = "gnu"))]
pub(super) fn trim_memory() {}

/// Registers a descriptor with the reactor, to wait until it is readable.
pub(super) fn watch_readable(fd: BorrowedFd<'_>) -> io::Result<AsyncFd<BorrowedFd<'_>>> {
    // SAFETY: the borrow keeps the descriptor open and unchanged for as long as the registration lives.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::{
        sys::{
            signal::Signal,
            wait::{WaitStatus, waitpid},
        },
        unistd::Pid,
    };

    #[test]
    fn a_process_that_is_never_let_go_does_not_look_like_a_success() {
        let text = |text: &str| CString::new(text).unwrap();
        let null = || rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty());
        let plan = ExecPlan {
            program: text("/bin/true"),
            argv: vec![text("true")],
            envp: Vec::new(),
            cwd: text("/"),
            stdin: null().unwrap(),
            stdout: null().unwrap(),
            stderr: null().unwrap(),
            session: Session::Own,
            open_files: None,
        };
        let mut held = fork_held(&plan, None).unwrap();
        held.go = None;
        let pid = Pid::from_raw(held.pid);
        assert_eq!(waitpid(pid, None), Ok(WaitStatus::Signaled(pid, Signal::SIGKILL, false)));
    }
}
