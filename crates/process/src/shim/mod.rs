//! The shim: one small process per run that owns the run from the claim to `exit.json`.
//!
//! It has one thread, one poll loop and no runtime. It depends on no other process: the daemon and the command line may
//! come and go. It writes `claim.json`, `exit.json`, `log-times.jsonl` and, where it is asked to, `heartbeat`, and nothing
//! else. The driver decides the meaning of the end.

mod ending;
mod exit_watch;
mod heartbeat;
mod ladder;
mod launch;
mod log_times;
mod memory;
mod pump;
mod source;
mod supervise;
mod watch;

use std::{
    ffi::OsString,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use nix::errno::Errno;
use rustix::fs::{Mode, OFlags};

use super::{
    cgroup,
    launch_files::Env,
    spec::{FROM_FOLDER, LaunchSpec, ShimReport},
    sys,
    tree::SHIM_NAME,
};
use source::Source;

/// Runs the shim, with the arguments that follow the verb: the run's folder, and [`FROM_FOLDER`] if an executor starts it.
/// It reads the launch spec and writes its report to standard output.
///
/// Returns the exit code of the process that was started. Started by a driver, the shim itself continues as a child of that
/// process; started by an executor, it is that process, because the executor's job lasts as long as it.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    sys::close_inherited();
    sys::heed_children();
    let mut args = args.into_iter();
    let (run_dir, mode) = (args.next().unwrap_or_default(), args.next());
    let source = if mode.is_some_and(|mode| mode == FROM_FOLDER) { Source::Folder } else { Source::Driver };
    let (spec, env) = match source.read(Path::new(&run_dir)) {
        Ok(Some(launch)) => launch,
        Ok(None) => return report(&ShimReport::AlreadyClaimed),
        Err(why) => return report(&ShimReport::Failed(why)),
    };
    if source == Source::Driver
        && let Err(e) = sys::detach()
    {
        return report(&ShimReport::Failed(format!("cannot fork: {e}")));
    }
    run(&spec, env, source)
}

fn run(spec: &LaunchSpec, env: Env, source: Source) -> u8 {
    let launched = settle().and_then(|()| launch::launch(spec, env, source));
    match launched {
        Ok(launch::Launched::Running(agent)) => {
            report(&ShimReport::Claimed);
            let end = supervise::supervise(spec, agent);
            ending::publish(end)
        }
        Ok(launch::Launched::Never(end)) => {
            let code = ending::publish(end);
            report(&ShimReport::Claimed);
            code
        }
        Ok(launch::Launched::AlreadyClaimed) => {
            source.forget(spec);
            report(&ShimReport::AlreadyClaimed)
        }
        Err(why) => report(&ShimReport::Failed(why)),
    }
}

/// Makes this process independent of its parent, and the reaper of all processes that the agent leaves behind.
fn settle() -> Result<(), String> {
    let say = |what: &'static str| move |e: Errno| format!("cannot {what}: {e}");
    match nix::unistd::setsid() {
        // An executor has made it the leader of a session or of a group already.
        Ok(_) | Err(Errno::EPERM) => {}
        Err(e) => return Err(say("open a session")(e)),
    }
    nix::sys::prctl::set_child_subreaper(true).map_err(say("become subreaper"))?;
    let name = std::ffi::CString::new(SHIM_NAME).map_err(|e| e.to_string())?;
    nix::sys::prctl::set_name(&name).map_err(say("take a name"))?;
    let null = null().map_err(|e| e.to_string())?;
    rustix::stdio::dup2_stdin(&null).map_err(|e| e.to_string())?;
    cgroup::leave_run();
    Ok(())
}

/// Writes the report and releases standard output, because the parent may wait for it to be closed.
fn report(report: &ShimReport) -> u8 {
    let mut line = serde_json::to_vec(report).unwrap_or_default();
    line.push(b'\n');
    // If the parent is gone, the report has no reader.
    let _ = rustix::io::write(std::io::stdout().as_fd(), &line);
    if let Ok(null) = null() {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
    u8::from(*report != ShimReport::Claimed)
}

fn null() -> rustix::io::Result<OwnedFd> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}
