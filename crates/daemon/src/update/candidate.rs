//! Checks if a candidate can replace this program: it reads the same files, and reports which formats it understands.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io,
    ops::RangeInclusive,
    path::Path,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use base::record::Record;
use engine::runner::Result;
use process::{
    bounded::{self, BoundedError, Bounds},
    command::{CommandSpec, Lifetime},
    handoff,
};
use tree::{
    Tree,
    daemon_info::DaemonInfo,
    run_info::RunInfo,
    self_update::SelfUpdate,
    task::TaskConfig,
    task_end::TaskEnd,
    ticket::{Ticket, TicketFolder},
};

/// The name by which a program of ours is recognised.
const PROGRAM: &str = "run-agent";
/// The version of the handover that a program up to 0.1.0 asks for by equality. This program takes that message, too.
const FIRST_HANDOFF: u64 = 1;
/// Maximum size of a candidate's output, in bytes.
const LONGEST: u64 = 64 * 1024;
/// Maximum time for which a program may be "busy" because a process that was just forked still has it open for
/// writing.
const BUSY: Duration = Duration::from_secs(2);

/// The report of a program's check of itself: `run-agent self-check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfReport {
    /// `run-agent`.
    pub program: String,
    /// Its version.
    pub version: String,
    /// The version of the message that programs up to 0.1.0 hand their place over with, if it takes that one.
    pub handoff: u64,
    /// The versions of that message that it takes; absent: the one above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoffs: Option<RangeInclusive<u64>>,
    /// The newest version of each file that it understands.
    pub formats: BTreeMap<String, u64>,
    /// Number of live tasks that it has read.
    pub live: usize,
}

/// Reads the files that a daemon reads at its start, and changes nothing.
///
/// # Errors
/// If one of them cannot be read.
pub fn report(tree: &Tree) -> Result<SelfReport> {
    let mut live = 0;
    for folder in [TicketFolder::Queue, TicketFolder::Live] {
        for file in tree.tickets(folder)? {
            let ticket = file.ticket?;
            if folder == TicketFolder::Live {
                tree.run_info(&ticket.run())?;
                live += 1;
            }
        }
    }
    tree.daemon()?;
    tree.self_update()?;
    Ok(SelfReport {
        program: PROGRAM.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        handoff: FIRST_HANDOFF,
        handoffs: Some(handoff::OLDEST..=handoff::NEWEST),
        formats: formats(),
        live,
    })
}

fn formats() -> BTreeMap<String, u64> {
    [
        ("daemon", DaemonInfo::VERSION),
        ("run-info", RunInfo::VERSION),
        ("self-update", SelfUpdate::VERSION),
        ("task-config", TaskConfig::VERSION),
        ("task-end", TaskEnd::VERSION),
        ("ticket", Ticket::VERSION),
    ]
    .map(|(name, version)| (name.to_owned(), version))
    .into()
}

/// Has a candidate check itself. Returns its version.
pub(super) fn check(
    candidate: &Path,
    command: &CommandSpec,
    limit: Duration,
) -> std::result::Result<String, String> {
    let mut spec = CommandSpec { program: candidate.to_owned(), ..command.clone() };
    spec.args = ["self-check", "--"].map(Into::into).into_iter().chain(spec.args).collect();
    spec.env.remove(OsStr::new(handoff::VARIABLE));
    let began = Instant::now();
    let bounds = Bounds { deadline: began + limit, output: LONGEST, life: Lifetime::EndsWithUs };
    let answer = loop {
        match bounded::output(&spec, b"", bounds) {
            Err(BoundedError::Start { source, .. })
                if source.kind() == io::ErrorKind::ExecutableFileBusy && began.elapsed() < BUSY =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            answer => break answer,
        }
    };
    let (finished, said) = match answer {
        Ok(answer) => answer,
        Err(BoundedError::TimedOut(_)) => {
            return Err(format!("`self-check` took longer than {} s", limit.as_secs_f64()));
        }
        Err(BoundedError::TooMuch(_)) => {
            return Err("its output during `self-check` is too long".to_owned());
        }
        Err(BoundedError::Start { source, .. }) => return Err(format!("it cannot be started: {source}")),
    };
    if !finished.status.success() {
        let words = finished.words.lines().map(str::trim).filter(|line| !line.is_empty());
        let words = words.take(3).collect::<Vec<_>>().join("; ");
        let words = if words.is_empty() { "it printed nothing".to_owned() } else { words };
        return Err(format!("`self-check` failed ({}): {words}", finished.status));
    }
    let report: SelfReport = serde_json::from_slice(&said)
        .map_err(|_| "it is not a run-agent: its answer to `self-check` is not valid".to_owned())?;
    judge(&report)?;
    Ok(report.version)
}

fn judge(report: &SelfReport) -> std::result::Result<(), String> {
    if report.program != PROGRAM {
        return Err(format!("it is not a run-agent but {}", report.program));
    }
    let takes = report.handoffs.clone().unwrap_or(report.handoff..=report.handoff);
    if !takes.contains(&handoff::NEWEST) {
        return Err(format!(
            "version {} needs another kind of handover: stop this daemon and start that version",
            report.version
        ));
    }
    for (name, ours) in formats() {
        let theirs = report.formats.get(&name).copied().unwrap_or(0);
        if theirs < ours {
            return Err(format!(
                "version {} understands {name} files up to version {theirs}, and there are some of version {ours}",
                report.version
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{clock::Clock, fsx};

    #[test]
    fn one_that_does_not_understand_our_files_is_refused() {
        let good = SelfReport {
            program: PROGRAM.into(),
            version: "2.0".into(),
            handoff: FIRST_HANDOFF,
            handoffs: Some(1..=handoff::NEWEST + 1),
            formats: formats().into_iter().map(|(name, version)| (name, version + 1)).collect(),
            live: 0,
        };
        assert_eq!(judge(&good), Ok(()));
        let mut old = good.clone();
        old.formats.insert("ticket".into(), 0);
        assert!(judge(&old).unwrap_err().contains("understands ticket files up to version 0"));
        old.formats.remove("ticket");
        assert!(judge(&old).is_err());
        assert!(judge(&SelfReport { program: "cp".into(), ..good.clone() }).is_err());
        let unable = |handoffs| judge(&SelfReport { handoffs, ..good.clone() }).unwrap_err();
        for handoffs in [None, Some(1..=1), Some(handoff::NEWEST + 1..=handoff::NEWEST + 2)] {
            assert!(unable(handoffs).contains("needs another kind of handover"));
        }
    }

    /// The program of commit 2494e7a takes a candidate only if its handoff is 1, and reads no field beside those.
    #[test]
    fn the_program_before_takes_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), fsx::Durability::Never, Clock::default()).unwrap();
        let said = serde_json::to_value(report(&tree).unwrap()).unwrap();
        assert_eq!((said["handoff"].as_u64(), said["program"].as_str()), (Some(1), Some("run-agent")));
    }
}
