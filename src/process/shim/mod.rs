//! The shim: one small process per run that owns the run from the claim to `exit.json`.
//!
//! It has one thread, one poll loop and no runtime. It depends on no other process: the daemon and the command line may
//! come and go. It writes `claim.json`, `exit.json` and `log-times.jsonl`, and nothing else. The driver decides the
//! meaning of the end.

mod ending;
mod ladder;
mod launch;
mod log_times;
mod memory;
mod pump;
mod signals;
mod supervise;
mod watch;

use std::{
    fmt::Display,
    io::Read as _,
    os::fd::{AsFd, OwnedFd},
};

use rustix::fs::{Mode, OFlags};

use super::{
    cgroup,
    spec::{LaunchSpec, ShimReport},
    sys,
    tree::SHIM_NAME,
};

/// Runs the shim. It reads the launch spec from standard input and writes its report to standard output.
///
/// Returns the exit code of the process that was started. The shim itself continues as a child of that process.
#[must_use]
pub fn main() -> u8 {
    sys::close_inherited();
    sys::heed_children();
    let spec = match read_spec() {
        Ok(spec) => spec,
        Err(why) => return report(&ShimReport::Failed(why)),
    };
    if let Err(e) = sys::detach() {
        return report(&ShimReport::Failed(format!("cannot fork: {e}")));
    }
    let settled = settle();
    match settled.and_then(|()| launch::launch(&spec)) {
        Ok(launch::Launched::Running(agent)) => {
            report(&ShimReport::Claimed);
            let end = supervise::supervise(&spec, agent);
            ending::publish(end)
        }
        Ok(launch::Launched::Never(end)) => {
            let code = ending::publish(end);
            report(&ShimReport::Claimed);
            code
        }
        Ok(launch::Launched::AlreadyClaimed) => report(&ShimReport::AlreadyClaimed),
        Err(why) => report(&ShimReport::Failed(why)),
    }
}

/// Makes this process independent of its parent, and the reaper of all processes that the agent leaves behind.
fn settle() -> Result<(), String> {
    let say = |what: &'static str| move |e: nix::errno::Errno| format!("cannot {what}: {e}");
    nix::unistd::setsid().map_err(say("open a session"))?;
    nix::sys::prctl::set_child_subreaper(true).map_err(say("become subreaper"))?;
    let name = std::ffi::CString::new(SHIM_NAME).map_err(|e| e.to_string())?;
    nix::sys::prctl::set_name(&name).map_err(say("take a name"))?;
    let null = null().map_err(|e| e.to_string())?;
    rustix::stdio::dup2_stdin(&null).map_err(|e| e.to_string())?;
    cgroup::leave_run();
    Ok(())
}

fn read_spec() -> Result<LaunchSpec, String> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|e| format!("cannot read the launch spec: {e}"))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("the launch spec is not readable: {e}"))
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

/// Formats an error as the text of a report.
fn text(e: impl Display) -> String {
    e.to_string()
}
