//! A reused pid: no process signals it, and none takes it for the agent.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use process::{
    claim::Claim,
    identity::{ProcStat, ProcessId},
    liveness::{self, Liveness},
    pidfd::PidFd,
    tree::signal_all,
};

const NEXT_PID: &str = "/proc/sys/kernel/ns_last_pid";

/// A process that is ended with the test.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().expect("sleep can be started"))
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts processes until one has this pid. The kernel is asked to assign it next, but other processes may be faster.
fn reuse(pid: i32) -> Option<Sleeper> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        fs::write(NEXT_PID, (pid - 1).to_string()).ok()?;
        let next = Sleeper::start();
        if next.pid() == pid {
            return Some(next);
        }
    }
    None
}

#[test]
fn heavy_a_reused_pid_is_nobody_of_ours() {
    if fs::read_to_string(NEXT_PID).ok().and_then(|pid| fs::write(NEXT_PID, pid.trim()).ok()).is_none() {
        println!("skipped: {NEXT_PID} cannot be written here");
        return;
    }
    let trials = if std::env::var_os("CONDUCTOR_SOAK").is_some() { 100 } else { 10 };
    for _ in 0..trials {
        let gone = {
            let first = Sleeper::start();
            ProcStat::of(first.pid()).expect("a live process").id
        };
        // Start times are counted in ticks of 10 ms; the kernel does not reuse a pid within one tick by itself.
        thread::sleep(Duration::from_millis(20));
        let mut foreign = reuse(gone.pid).expect("the pid comes again");
        let stranger = ProcStat::of(gone.pid).expect("a live process");
        assert_ne!(stranger.id, gone);

        assert!(!gone.is_alive());
        assert!(PidFd::open(gone).is_none(), "no handle on a stranger");
        let remembered = ProcStat { id: gone, ..stranger.clone() };
        signal_all(&[&remembered], Signal::SIGKILL);
        let claim = Claim { shim: Some(gone), ..claim_of(gone) };
        assert_eq!(liveness::of(&claim), Liveness::Gone, "a stranger keeps no run alive");
        thread::sleep(Duration::from_millis(5));
        assert!(foreign.0.try_wait().expect("a child").is_none(), "a foreign process was signalled");
    }
}

/// After another boot the same numbers mean nothing, even if a process has them.
#[test]
fn a_claim_of_another_boot_names_nobody() {
    let living = Sleeper::start();
    let id = ProcStat::of(living.pid()).expect("a live process").id;
    assert_eq!(liveness::of(&claim_of(id)), Liveness::Agent(id));
    let before = Claim { boot_id: "another".to_owned(), ..claim_of(id) };
    assert_eq!(liveness::of(&before), Liveness::Gone);
    let elsewhere = Claim { host: "another".to_owned(), ..claim_of(id) };
    assert_eq!(liveness::of(&elsewhere), Liveness::Elsewhere, "only the host itself can say");
}

fn claim_of(agent: ProcessId) -> Claim {
    let claim = Claim::by_shim(agent, None, chrono::Utc::now());
    Claim { shim: None, ..claim }
}
