//! Finds the bus for a poster that does not name one, from the poster's environment and folder.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::handle::BusOwner;
use crate::{
    ids::{BadId, ProjectId, RunId, TaskId},
    refs::{RunRef, TaskRef},
};

/// The facts that a poster's process knows. The caller asks the system; this module only decides.
#[derive(Debug, Clone, Copy)]
pub struct Hints<'a> {
    /// The project that was named.
    pub project: Option<&'a ProjectId>,
    /// The task that was named.
    pub task: Option<&'a TaskId>,
    /// The root that was named.
    pub root: Option<&'a Path>,
    /// The root that the settings name.
    pub default_root: &'a Path,
    /// `JRUN_MESSAGE_BUS`: absolute path of the bus of an agent's task.
    pub message_bus: Option<&'a str>,
    /// `JRUN_PROJECT_ID`.
    pub project_id: Option<&'a str>,
    /// `JRUN_TASK_ID`.
    pub task_id: Option<&'a str>,
    /// `JRUN_ID`.
    pub run_id: Option<&'a str>,
    /// The current folder, absolute.
    pub folder: &'a Path,
}

/// The bus that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The root of its tree.
    pub root: PathBuf,
    /// The project or task that owns the bus.
    pub owner: BusOwner,
    /// The fact that decided.
    pub why: SelectionReason,
    /// The run that the poster belongs to, if it is in the same tree.
    pub poster: Option<RunRef>,
}

/// The fact that decided which bus is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectionReason {
    /// The bus was named.
    Named,
    /// `JRUN_MESSAGE_BUS`.
    MessageBus,
    /// `JRUN_PROJECT_ID` and, for a task, `JRUN_TASK_ID`.
    Ids,
    /// The current folder is the project's or task's folder, or below it.
    Folder,
}

/// Prints text for people, which fits after "because of".
impl fmt::Display for SelectionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named => "what was named",
            Self::MessageBus => "JRUN_MESSAGE_BUS",
            Self::Ids => "JRUN_PROJECT_ID and JRUN_TASK_ID",
            Self::Folder => "the present folder",
        })
    }
}

/// The reason why no bus was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undiscovered {
    /// `JRUN_MESSAGE_BUS` names some other file.
    #[error("JRUN_MESSAGE_BUS is '{}', which is not the bus of a project or task", .0.escape_debug())]
    NoBus(String),
    /// A variable with an id has an invalid value.
    #[error("cannot use {variable}")]
    BadId {
        /// Name of the variable.
        variable: &'static str,
        /// The problem with its value.
        source: BadId,
    },
    /// A task without a project.
    #[error("cannot find the project of task {0}")]
    NoProject(TaskId),
    /// No fact names a bus.
    #[error("no project is named, and neither the environment nor the current folder determines one")]
    Nothing,
}

/// Finds the bus that the poster means.
///
/// 1. A named project means its bus, together with a named task the bus of that task. A task without a project
///    belongs to the project that the other facts name.
/// 2. Otherwise the file that `JRUN_MESSAGE_BUS` names, which also determines the root.
/// 3. Otherwise `JRUN_PROJECT_ID` and `JRUN_TASK_ID`.
/// 4. Otherwise the project or task that the current folder belongs to.
///
/// If a root is named, an environment that belongs to another root is ignored.
///
/// # Errors
/// If no fact names a bus, or a variable has an invalid value: a guess could post to an unrelated task.
pub fn discover(hints: &Hints<'_>) -> Result<Discovered, Undiscovered> {
    let named_file = match hints.message_bus.filter(|v| !v.is_empty()) {
        Some(text) => {
            let named = parse_bus_path(Path::new(text));
            Some(named.ok_or_else(|| Undiscovered::NoBus(text.to_owned()))?)
        }
        None => None,
    };
    let foreign = matches!((&named_file, hints.root), (Some((of, _)), Some(named)) if of != named);
    let file = named_file.filter(|_| !foreign);
    let ids = if foreign { Ids::default() } else { Ids::parse(hints)? };
    let env_root = file.as_ref().map(|(root, _)| root.as_path());
    let root = hints.root.or(env_root).unwrap_or(hints.default_root).to_owned();
    let around = if let Some((_, owner)) = file {
        Some((owner, SelectionReason::MessageBus))
    } else if let Some(project) = ids.project.clone() {
        Some((BusOwner::new(project, ids.task.clone()), SelectionReason::Ids))
    } else {
        from_folder(&root, hints.folder).map(|owner| (owner, SelectionReason::Folder))
    };
    let (owner, why) = match (hints.project, hints.task, around) {
        (Some(project), task, _) => (BusOwner::new(project.clone(), task.cloned()), SelectionReason::Named),
        (None, Some(task), Some((around, _))) => {
            (BusOwner::new(around.project().clone(), Some(task.clone())), SelectionReason::Named)
        }
        (None, Some(task), None) => return Err(Undiscovered::NoProject(task.clone())),
        (None, None, Some(around)) => around,
        (None, None, None) => return Err(Undiscovered::Nothing),
    };
    Ok(Discovered { root, owner, why, poster: ids.poster() })
}

/// The ids in the environment.
#[derive(Default)]
struct Ids {
    project: Option<ProjectId>,
    task: Option<TaskId>,
    run: Option<RunId>,
}

impl Ids {
    fn parse(hints: &Hints<'_>) -> Result<Self, Undiscovered> {
        fn id<T: FromStr<Err = BadId>>(
            variable: &'static str,
            value: Option<&str>,
        ) -> Result<Option<T>, Undiscovered> {
            let id = value.filter(|v| !v.is_empty()).map(str::parse).transpose();
            id.map_err(|source| Undiscovered::BadId { variable, source })
        }
        Ok(Self {
            project: id("JRUN_PROJECT_ID", hints.project_id)?,
            task: id("JRUN_TASK_ID", hints.task_id)?,
            run: id("JRUN_ID", hints.run_id)?,
        })
    }

    fn poster(self) -> Option<RunRef> {
        Some(TaskRef { project: self.project?, task: self.task? }.run(self.run?))
    }
}

/// Returns the root and the owner of a bus file, from its absolute path.
fn parse_bus_path(path: &Path) -> Option<(PathBuf, BusOwner)> {
    fn name<T: FromStr>(dir: &Path) -> Option<T> {
        dir.file_name()?.to_str()?.parse().ok()
    }
    let dir = path.parent().filter(|_| path.is_absolute())?;
    let above = dir.parent()?;
    let task = || Some((above.parent()?, BusOwner::new(name(above)?, Some(name(dir)?))));
    let project = || Some((above, BusOwner::new(name(dir)?, None)));
    let is_it = |(root, owner): &(&Path, BusOwner)| root.join(owner.path().as_path()) == path;
    let (root, owner) = task().filter(is_it).or_else(|| project().filter(is_it))?;
    Some((root.to_owned(), owner))
}

/// Returns the project, and the task in it, that a folder below the root belongs to.
fn from_folder(root: &Path, folder: &Path) -> Option<BusOwner> {
    let mut names = folder.strip_prefix(root).ok()?.components().map(|c| c.as_os_str().to_str());
    let project = names.next()??.parse().ok()?;
    Some(BusOwner::new(project, names.next().flatten().and_then(|n| n.parse().ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `JRUN_MESSAGE_BUS`, `JRUN_PROJECT_ID`, `JRUN_TASK_ID`, folder, and what is named: root, project, task.
    type Case = ([&'static str; 4], [&'static str; 3]);

    fn run((env, named): Case) -> Result<String, String> {
        let project = (!named[1].is_empty()).then(|| named[1].parse().unwrap());
        let task = (!named[2].is_empty()).then(|| named[2].parse().unwrap());
        let found = discover(&Hints {
            project: project.as_ref(),
            task: task.as_ref(),
            root: (!named[0].is_empty()).then(|| Path::new(named[0])),
            default_root: Path::new("/home/run-agent"),
            message_bus: Some(env[0]),
            project_id: Some(env[1]),
            task_id: Some(env[2]),
            run_id: Some("r"),
            folder: Path::new(env[3]),
        });
        let shown = |d: Discovered| {
            let poster = d.poster.map_or_else(String::new, |run| format!(", posted by {run}"));
            format!("{} in {} by {}{poster}", d.owner, d.root.display(), d.why)
        };
        found.map(shown).map_err(|e| e.to_string())
    }

    #[test]
    fn the_nearest_hint_wins() {
        const BUS: &str = "/r/p/t/TASK-MESSAGE-BUS.jsonl";
        const HOME: &str = "/home/run-agent";
        let cases: &[(Case, &str)] = &[
            // An agent's environment alone.
            (([BUS, "", "", "/"], ["", "", ""]), "task p/t in /r by JRUN_MESSAGE_BUS"),
            (
                (["/r/p/PROJECT-MESSAGE-BUS.jsonl", "x", "y", "/"], ["", "", ""]),
                "project p in /r by JRUN_MESSAGE_BUS, posted by x/y/r",
            ),
            (
                (["", "p", "t", "/"], ["", "", ""]),
                "task p/t in /home/run-agent by JRUN_PROJECT_ID and JRUN_TASK_ID, posted by p/t/r",
            ),
            ((["", "p", "", "/"], ["/q", "", ""]), "project p in /q by JRUN_PROJECT_ID and JRUN_TASK_ID"),
            // A folder below the root.
            (
                (["", "", "", "/home/run-agent/p"], ["", "", ""]),
                "project p in /home/run-agent by the present folder",
            ),
            (
                (["", "", "", "/home/run-agent/p/t/runs/x"], ["", "", ""]),
                "task p/t in /home/run-agent by the present folder",
            ),
            ((["", "", "", "/q/p/t"], ["/q", "", ""]), "task p/t in /q by the present folder"),
            // Something named.
            (([BUS, "", "", "/"], ["", "", "u"]), "task p/u in /r by what was named"),
            (([BUS, "", "", "/"], ["", "p", ""]), "project p in /r by what was named"),
            (([BUS, "", "", "/"], ["", "o", "u"]), "task o/u in /r by what was named"),
            ((["", "", "", HOME], ["", "o", ""]), "project o in /home/run-agent by what was named"),
            // Another root than the environment's.
            (([BUS, "p", "t", "/q/a/b"], ["/q", "", ""]), "task a/b in /q by the present folder"),
            (([BUS, "p", "t", "/"], ["/r", "", ""]), "task p/t in /r by JRUN_MESSAGE_BUS, posted by p/t/r"),
            (([BUS, "p", "t", "/"], ["", "o", ""]), "project o in /r by what was named, posted by p/t/r"),
        ];
        for (case, expected) in cases {
            assert_eq!(run(*case).as_deref(), Ok(*expected), "{case:?}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        const NOTHING: &str =
            "no project is named, and neither the environment nor the current folder determines one";
        let cases: &[(Case, &str)] = &[
            ((["", "", "", "/tmp"], ["", "", ""]), NOTHING),
            ((["", "", "", "/home/run-agent"], ["", "", ""]), NOTHING),
            ((["", "", "", "/home/run-agent/_planner/live"], ["", "", ""]), NOTHING),
            ((["/r/p/t/TASK-MESSAGE-BUS.jsonl", "p", "t", "/"], ["/q", "", ""]), NOTHING),
            ((["", "", "t", "/tmp"], ["", "", "u"]), "cannot find the project of task u"),
            (
                (["/r/p/t/notes.txt", "p", "t", "/"], ["", "", ""]),
                "JRUN_MESSAGE_BUS is '/r/p/t/notes.txt', which is not the bus of a project or task",
            ),
            (
                (["p/t/TASK-MESSAGE-BUS.jsonl", "", "", "/"], ["", "", ""]),
                "JRUN_MESSAGE_BUS is 'p/t/TASK-MESSAGE-BUS.jsonl', which is not the bus of a project or task",
            ),
            (
                (["/r/_x/t/TASK-MESSAGE-BUS.jsonl", "", "", "/"], ["", "", ""]),
                "JRUN_MESSAGE_BUS is '/r/_x/t/TASK-MESSAGE-BUS.jsonl', which is not the bus of a project or task",
            ),
            ((["", "../p", "t", "/"], ["", "", ""]), "cannot use JRUN_PROJECT_ID"),
            ((["", "p", "a/b", "/"], ["", "", ""]), "cannot use JRUN_TASK_ID"),
        ];
        for (case, expected) in cases {
            assert_eq!(run(*case), Err((*expected).to_owned()), "{case:?}");
        }
    }
}
