//! Rules for the values of a run's record: those that no run can have, and those that the shim's files contradict.

use chrono::{DateTime, TimeDelta, Utc};

use base::names;
use process::{
    claim::{Claim, ClaimBy},
    exit::ExitRecord,
};
use tree::run_info::{RunInfo, RunStatus};

/// Maximum distance between a time in the record and the same time in the shim's files. Older versions recorded the
/// start of the process instead of the claim.
const SAME: TimeDelta = TimeDelta::minutes(1);

/// Returns a sentence about a value that no run can have.
pub(super) fn impossible(info: &RunInfo) -> Option<String> {
    let status = info.status.as_str();
    let at_odds = match info.status {
        RunStatus::Completed => info.signal.is_some() || info.exit_code.is_some_and(|code| code != 0),
        RunStatus::Created | RunStatus::Running => {
            info.end_time.is_some() || info.exit_code.is_some() || info.signal.is_some()
        }
        _ => info.signal.is_some() && info.exit_code.is_some(),
    };
    let cost = info.usage.as_ref().and_then(|usage| usage.cost_usd);
    [
        (info.version == 0).then(|| "its version is 0".to_owned()),
        (info.attempt == 0).then(|| "its attempt is 0".to_owned()),
        info.pid.filter(|pid| *pid <= 0).map(|pid| format!("its pid is {pid}")),
        info.pgid.filter(|pgid| *pgid <= 0).map(|pgid| format!("its pgid is {pgid}")),
        info.exit_code
            .filter(|code| !(0..=255).contains(code))
            .map(|code| format!("its exit code is {code}")),
        info.signal
            .filter(|signal| !(1..=64).contains(signal))
            .map(|signal| format!("its signal is {signal}")),
        cost.filter(|cost| cost.is_nan() || *cost < 0.0).map(|cost| format!("its cost is {cost}")),
        at_odds.then(|| format!("it is {status}, which does not fit its end, exit code or signal")),
    ]
    .into_iter()
    .flatten()
    .next()
}

/// Returns a sentence about times of an ended run that cannot be right.
pub(super) fn bad_times(info: &RunInfo, claim: Option<&Claim>, exit: Option<&ExitRecord>) -> Option<String> {
    let Some(end) = info.end_time else { return Some("the run has ended, at no time".to_owned()) };
    if end < info.start_time {
        return Some("the run ends before it starts".to_owned());
    }
    // A run without a process has the time of its creation.
    let claimed = claim.filter(|_| info.pid.is_some()).map(|claim| claim.claimed_at);
    // The driver moves an end before the start to the start.
    let ended = exit.map(|exit| exit.ended_at.max(info.start_time));
    differs("starts", info.start_time, names::run::CLAIM, claimed)
        .or_else(|| differs("ends", end, names::run::EXIT, ended))
}

fn differs(verb: &str, recorded: DateTime<Utc>, file: &str, other: Option<DateTime<Utc>>) -> Option<String> {
    let other = other.filter(|other| (*other - recorded).abs() > SAME)?;
    Some(format!("the run {verb} at {recorded}, and at {other} in {file}"))
}

/// Returns a sentence about a process in the record that is not that of the claim.
pub(super) fn other_process(info: &RunInfo, claim: &Claim) -> Option<String> {
    let agent = claim.agent.filter(|_| claim.by == ClaimBy::Shim)?;
    let (pid, started) = (info.pid?, info.pid_started.unwrap_or(agent.started));
    if (pid, started) == (agent.pid, agent.started) && info.host.as_ref().is_none_or(|h| *h == claim.host) {
        return None;
    }
    let host = info.host.as_deref().unwrap_or_default();
    Some(format!(
        "it names process {pid} on {host}, and claim.json process {} on {}, or one with another start",
        agent.pid, claim.host
    ))
}
