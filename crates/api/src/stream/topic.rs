//! The topics that a page may follow, as spelled in a request: `bus:<project>/<task>?tail=100`.

use std::{fmt, str::FromStr};

use tree::{
    bus::BusOwner,
    ids::{ProjectId, RunId, TaskId},
    refs::TaskRef,
};
use view::{files::RunFile, index::Part};

/// Maximum number of last messages that a stream may begin with.
pub(crate) const MOST_LAST: usize = 5000;

/// One thing to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    /// As requested, without the start.
    pub(crate) name: String,
    pub(crate) subject: Subject,
    pub(crate) begin: Begin,
}

/// The followed thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Projects and tasks.
    Tree(Part),
    /// Changes of any run.
    Runs,
    /// The output of a run.
    Run(RunName),
    /// The output of all runs of a task.
    Log(TaskRef),
    /// One bus.
    Bus(BusOwner),
    /// A project's bus and those of its tasks.
    Buses(ProjectId),
    /// A file of a run.
    File(RunName, RunFile),
}

/// A run by its id, and its task if the request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunName {
    pub(crate) task: Option<TaskRef>,
    pub(crate) run: RunId,
}

/// The start of a topic for which the stream has no position yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// At its beginning.
    First,
    /// At its end: this many bytes or messages.
    Tail(u64),
    /// At this byte.
    From(u64),
}

/// A text that is not a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a topic: {why}", topic.escape_debug())]
pub(crate) struct BadTopic {
    topic: String,
    why: String,
}

impl FromStr for Topic {
    type Err = BadTopic;

    fn from_str(text: &str) -> Result<Self, BadTopic> {
        let bad = |why: String| BadTopic { topic: text.chars().take(80).collect(), why };
        let (name, begin) = text.split_once('?').map_or((text, None), |(name, begin)| (name, Some(begin)));
        let subject = subject(name).map_err(bad)?;
        let begin = begin.map_or(Ok(Begin::First), |text| begin_of(&subject, text)).map_err(bad)?;
        Ok(Self { name: name.to_owned(), subject, begin })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn subject(name: &str) -> Result<Subject, String> {
    let (kind, of) = name.split_once(':').map_or((name, None), |(kind, of)| (kind, Some(of)));
    let names: Vec<&str> = of.map(|of| of.split('/').collect()).unwrap_or_default();
    Ok(match (kind, names.as_slice()) {
        ("tree", []) => Subject::Tree(Part::Whole),
        ("tree", [project]) => Subject::Tree(Part::Project(id(project)?)),
        ("tree", [project, task]) => Subject::Tree(Part::Task(task_ref(project, task)?)),
        ("runs", []) => Subject::Runs,
        ("run", run) if !run.is_empty() => Subject::Run(run_name(run)?),
        ("log", [project, task]) => Subject::Log(task_ref(project, task)?),
        ("bus", [project]) => Subject::Bus(BusOwner::Project(id(project)?)),
        ("bus", [project, "*"]) => Subject::Buses(id(project)?),
        ("bus", [project, task]) => Subject::Bus(BusOwner::Task(task_ref(project, task)?)),
        ("file", [run @ .., file]) if !run.is_empty() => Subject::File(run_name(run)?, file.parse()?),
        ("tree" | "runs" | "run" | "log" | "bus" | "file", _) => {
            return Err(format!("{kind} is spelled {}", spelling(kind)));
        }
        _ => return Err("it must be tree, runs, run:…, log:…, bus:… or file:…".to_owned()),
    })
}

fn spelling(kind: &str) -> &'static str {
    match kind {
        "tree" => "tree, tree:<project> or tree:<project>/<task>",
        "runs" => "runs",
        "run" => "run:<run_id>",
        "log" => "log:<project>/<task>",
        "bus" => "bus:<project>, bus:<project>/<task> or bus:<project>/*",
        _ => "file:<run_id>/<name>",
    }
}

fn id<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|e: T::Err| e.to_string())
}

fn task_ref(project: &str, task: &str) -> Result<TaskRef, String> {
    Ok(TaskRef { project: id::<ProjectId>(project)?, task: id::<TaskId>(task)? })
}

fn run_name(names: &[&str]) -> Result<RunName, String> {
    match names {
        [run] => Ok(RunName { task: None, run: id(run)? }),
        [project, task, run] => Ok(RunName { task: Some(task_ref(project, task)?), run: id(run)? }),
        _ => Err("a run is named by its id, or by project, task and id".to_owned()),
    }
}

fn begin_of(subject: &Subject, text: &str) -> Result<Begin, String> {
    let (key, number) = text.split_once('=').unwrap_or((text, ""));
    let number: u64 = number.parse().map_err(|_| format!("{key}= needs a number"))?;
    match (subject, key) {
        (Subject::Bus(_) | Subject::Buses(_), "tail") if number > MOST_LAST as u64 => {
            Err(format!("tail is at most {MOST_LAST}"))
        }
        (
            Subject::Run(_) | Subject::Log(_) | Subject::File(..) | Subject::Bus(_) | Subject::Buses(_),
            "tail",
        ) => Ok(Begin::Tail(number)),
        (Subject::File(..), "from") => Ok(Begin::From(number)),
        _ => Err(format!("it takes no {}", key.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_understood_and_others_say_why_not() {
        let task = TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() };
        let run = |task| RunName { task, run: "r".parse().unwrap() };
        for (text, subject, begin) in [
            ("tree", Subject::Tree(Part::Whole), Begin::First),
            ("tree:p", Subject::Tree(Part::Project("p".parse().unwrap())), Begin::First),
            ("tree:p/t", Subject::Tree(Part::Task(task.clone())), Begin::First),
            ("runs", Subject::Runs, Begin::First),
            ("run:r?tail=7", Subject::Run(run(None)), Begin::Tail(7)),
            ("run:p/t/r", Subject::Run(run(Some(task.clone()))), Begin::First),
            ("log:p/t", Subject::Log(task.clone()), Begin::First),
            ("log:p/t?tail=9", Subject::Log(task.clone()), Begin::Tail(9)),
            ("bus:p", Subject::Bus(BusOwner::Project("p".parse().unwrap())), Begin::First),
            ("bus:p/t?tail=5000", Subject::Bus(BusOwner::Task(task.clone())), Begin::Tail(5000)),
            ("bus:p/*", Subject::Buses("p".parse().unwrap()), Begin::First),
            ("file:r/stdout?from=9", Subject::File(run(None), RunFile::Stdout), Begin::From(9)),
            ("file:p/t/r/output.md", Subject::File(run(Some(task)), RunFile::Output), Begin::First),
        ] {
            let topic: Topic = text.parse().unwrap();
            assert_eq!((topic.subject, topic.begin), (subject, begin), "{text}");
            assert_eq!(topic.name, text.split('?').next().unwrap());
        }
        for (text, why) in [
            ("", "must be tree"),
            ("Tree", "must be tree"),
            ("tree:", "it is empty"),
            ("tree:p/t/r", "tree is spelled"),
            ("runs:p", "runs is spelled"),
            ("run", "run is spelled"),
            ("run:a/b", "by its id, or by project"),
            ("bus", "bus is spelled"),
            ("bus:../x", "only letters"),
            ("bus:p?tail=5001", "at most 5000"),
            ("bus:p?tail=-1", "a number"),
            ("bus:p?from=1", "takes no from"),
            ("tree?tail=1", "takes no tail"),
            ("file:r/task.lock", "one of output.md"),
            ("file:r", "file is spelled"),
            ("log:p", "log is spelled"),
            ("log:p/t?from=1", "takes no from"),
        ] {
            let error = text.parse::<Topic>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("is not a topic"), "{text}: {error}");
        }
    }
}
