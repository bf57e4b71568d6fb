//! The names and paths of the files of runs and tasks.

use std::str::FromStr;

use base::{fsx::RelPath, names};
use tree::{
    FsErrorKind, Result, Tree,
    refs::{RunRef, TaskRef},
};

/// A file of a run that may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunFile {
    /// The answer.
    Output,
    /// The agent's standard output.
    Stdout,
    /// The agent's standard error.
    Stderr,
    /// The prompt of the run.
    Prompt,
    /// The agent's stream in one format for all agents.
    Events,
    /// The run's changes in its working folder.
    Patch,
    /// The run's record.
    Info,
}

/// A file of a task that may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskFile {
    /// The prompt.
    Prompt,
    /// The agent's own notes about its progress.
    State,
}

/// The name in a request, the name on disk, and the label for users.
type Names = (&'static str, &'static str, &'static str);

impl RunFile {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 7] =
        [Self::Output, Self::Stdout, Self::Stderr, Self::Prompt, Self::Events, Self::Patch, Self::Info];

    /// The names in requests.
    pub const NAMES: &[&str] = &{
        let mut names = [""; Self::ALL.len()];
        let mut n = 0;
        while n < names.len() {
            names[n] = Self::ALL[n].names().0;
            n += 1;
        }
        names
    };

    const fn names(self) -> Names {
        match self {
            Self::Output => (names::run::OUTPUT, names::run::OUTPUT, "Answer"),
            Self::Stdout => ("stdout", names::run::STDOUT, "Standard output"),
            Self::Stderr => ("stderr", names::run::STDERR, "Standard error"),
            Self::Prompt => ("prompt", names::run::PROMPT, "Prompt"),
            Self::Events => (names::run::EVENTS, names::run::EVENTS, "Events"),
            Self::Patch => (names::run::PATCH, names::run::PATCH, "Changes"),
            Self::Info => (names::run::INFO, names::run::INFO, "Record"),
        }
    }

    /// The name in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.names().0
    }

    /// The name in the folder of a run.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        self.names().1
    }

    /// The label for users.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.names().2
    }

    /// Returns the present files of a run, with their sizes.
    ///
    /// # Errors
    /// If its folder cannot be read.
    pub fn there(tree: &Tree, run: &RunRef) -> Result<Vec<(Self, u64)>> {
        let mut there = Vec::new();
        for file in Self::ALL {
            match tree.root().stat(&file.of(run)) {
                Ok(Some(stat)) => there.push((file, stat.len)),
                Ok(None) => {}
                // A link, or a folder in the place of a file, hides the run's other files from no reader.
                Err(e) if matches!(e.kind(), FsErrorKind::Escapes | FsErrorKind::NotAFile) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(there)
    }

    /// The path of the file.
    #[must_use]
    pub fn of(self, run: &RunRef) -> RelPath {
        let dir = run.dir();
        match self {
            Self::Output => dir.output(),
            Self::Stdout => dir.stdout(),
            Self::Stderr => dir.stderr(),
            Self::Prompt => dir.prompt(),
            Self::Events => dir.events(),
            Self::Patch => dir.patch(),
            Self::Info => dir.info(),
        }
    }
}

impl TaskFile {
    const ALL: [Self; 2] = [Self::Prompt, Self::State];

    /// The names in requests.
    pub const NAMES: &[&str] = &[Self::Prompt.name(), Self::State.name()];

    /// The name in requests and on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prompt => names::task::PROMPT,
            Self::State => names::task::STATE,
        }
    }

    /// The path of the file.
    #[must_use]
    pub fn of(self, task: &TaskRef) -> RelPath {
        match self {
            Self::Prompt => task.dir().prompt(),
            Self::State => task.dir().state(),
        }
    }
}

impl FromStr for RunFile {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let named = |f: &Self| text == f.names().0 || text == f.names().1;
        Self::ALL.into_iter().find(named).ok_or_else(|| none_of(text, Self::NAMES))
    }
}

impl FromStr for TaskFile {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Self::ALL.into_iter().find(|f| f.name() == text).ok_or_else(|| none_of(text, Self::NAMES))
    }
}

fn none_of(text: &str, names: &[&str]) -> String {
    let shown: String = text.chars().take(40).collect();
    format!("'{}' is not one of {}", shown.escape_debug(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_either_name_and_nothing_else_is() {
        let task = TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() };
        let run = task.run("r".parse().unwrap());
        for file in RunFile::ALL {
            assert_eq!(file.name().parse(), Ok(file));
            assert_eq!(file.of(&run).name().parse(), Ok(file), "its name on disk");
        }
        for bad in
            ["", "../TASK.md", "task.lock", "/etc/passwd", "output.md/", "claim.json", "launch-secrets.json"]
        {
            assert!(bad.parse::<RunFile>().unwrap_err().contains("output.md, stdout"), "{bad}");
            assert!(bad.parse::<TaskFile>().is_err(), "{bad}");
        }
        assert_eq!(TaskFile::Prompt.of(&task).name(), "TASK.md");
    }
}
