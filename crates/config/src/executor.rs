//! Settings of an executor: the commands that start the shims of runs somewhere else.

use std::{collections::BTreeMap, time::Duration};

use super::section::Section;

/// The names that records give to the executors of this program.
const TAKEN: [&str; 2] = ["local", "imported"];

/// The usual limit for the start of a job. A queue of a cluster may well take hours, and a job that has not started after a
/// day is more likely lost, or asks for something that the cluster does not have.
const START_TIMEOUT: Duration = Duration::from_hours(24);

/// The only kind of executor so far: three commands submit, find and cancel a job.
const COMMAND: &str = "command";

/// Settings of one executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorSettings {
    /// The command that submits. The command line of the shim is appended to it.
    pub submit: Vec<String>,
    /// The command that finds. The name of the job is appended to it.
    pub find: Vec<String>,
    /// The command that cancels. The name of the job is appended to it.
    pub cancel: Vec<String>,
    /// Time between two questions about a job.
    pub poll: Duration,
    /// Maximum time from the submission of a job to the claim of its run; `None` for no limit.
    pub start_timeout: Option<Duration>,
}

/// Reads `executors`.
pub(super) fn executors(mut section: Section<'_, '_>) -> BTreeMap<String, ExecutorSettings> {
    let mut executors = BTreeMap::new();
    for name in section.names() {
        let spelled = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if name.is_empty() || !spelled {
            section.reject(&name, "is not a valid executor name; letters, digits, '-' and '_' are");
        }
        if TAKEN.contains(&name.as_str()) {
            section.reject(&name, "is the name of an executor of run-agent itself; choose another one");
        }
        let settings = executor(section.section(&name));
        executors.insert(name, settings);
    }
    executors
}

fn executor(mut section: Section<'_, '_>) -> ExecutorSettings {
    if section.get("type", COMMAND.to_owned()) != COMMAND {
        section.reject("type", format!("is an unknown kind; the only kind is {COMMAND}"));
    }
    let read = ExecutorSettings {
        submit: section.find("submit").unwrap_or_default(),
        find: section.find("find").unwrap_or_default(),
        cancel: section.find("cancel").unwrap_or_default(),
        poll: section.get("poll", Duration::from_secs(5)),
        start_timeout: section.get("start_timeout", Some(START_TIMEOUT)),
    };
    for (key, command) in [("submit", &read.submit), ("find", &read.find), ("cancel", &read.cancel)] {
        if command.is_empty() {
            section.reject(key, "is missing; it is a program and its arguments");
        }
    }
    if read.poll.is_zero() {
        section.reject("poll", "must be longer than 0");
    }
    section.finish();
    read
}
