//! One call of the `git` program.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::fd::OwnedFd,
    path::Path,
    time::Instant,
};

use super::super::{
    bounded::{self, BoundedError, Bounds, Finished},
    command::{CommandSpec, Life},
};

/// So many bytes of lists are read.
const LIST: u64 = 64 * 1024 * 1024;

/// Settings of every call: nothing of the repository's own is started, nothing is synced, nothing comes from afar.
const SETTINGS: &[&str] = &[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.splitIndex=false",
    "core.untrackedCache=false",
    "core.preloadIndex=true",
    "core.fsync=none",
    "core.safecrlf=false",
    "core.quotePath=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    "diff.ignoreSubmodules=dirty",
];

/// Variables of every call.
const VARIABLES: &[(&str, &str)] = &[
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_LITERAL_PATHSPECS", "1"),
    ("LC_ALL", "C"),
];

/// Variables that are passed on: where programs are, whose settings hold, and where a repository ends.
const PASSED_ON: &[&str] = &["PATH", "HOME", "XDG_CONFIG_HOME", "GIT_CEILING_DIRECTORIES", "TMPDIR"];

/// Why git did not answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It could not be started, took too long or printed too much.
    #[error(transparent)]
    Bounded(#[from] BoundedError),
    /// It refused.
    #[error("git {verb}: {words}")]
    Refused {
        /// What was asked for.
        verb: String,
        /// Its last words.
        words: String,
    },
    /// It said something that is not understood.
    #[error("git {0} gave an answer that is not understood")]
    Answer(&'static str),
    /// Our own files beside it.
    #[error(transparent)]
    Fs(#[from] crate::fsx::FsError),
}

impl GitError {
    /// Whether there is no such program.
    #[must_use]
    pub fn is_missing_program(&self) -> bool {
        matches!(self, Self::Bounded(BoundedError::Start { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound)
    }
}

/// What holds for several calls.
#[derive(Debug, Clone)]
pub struct Setting {
    env: BTreeMap<OsString, OsString>,
    deadline: Instant,
    /// Further settings: filters of the repository that are not to run.
    pub(super) more: Vec<String>,
}

impl Setting {
    /// Calls that end by `deadline`; of `environment` only what git needs is passed on.
    pub fn new<'a>(environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>, deadline: Instant) -> Self {
        let passed = |name: &OsStr| PASSED_ON.iter().any(|p| *p == name);
        let mut env: BTreeMap<OsString, OsString> = environment
            .filter(|(name, _)| passed(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        env.extend(VARIABLES.iter().map(|(name, value)| (name.into(), value.into())));
        Self { env, deadline, more: Vec::new() }
    }

    /// The same with another variable.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// The folders above which no repository is looked for.
    pub(super) fn ceilings(&self) -> impl Iterator<Item = std::path::PathBuf> {
        let value = self.env.get(OsStr::new("GIT_CEILING_DIRECTORIES"));
        value.map(std::env::split_paths).into_iter().flatten().filter(|p| p.is_absolute())
    }

    /// Calls git, which may refuse.
    pub(super) fn try_call(
        &self,
        folder: &Path,
        args: &[&str],
        stdin: &[u8],
    ) -> Result<(Finished, Vec<u8>), GitError> {
        let bounds = Bounds { deadline: self.deadline, output: LIST, life: Life::ItsOwn };
        Ok(bounded::output(&self.command(folder, args), stdin, bounds)?)
    }

    /// Calls git, and takes its answer.
    pub(super) fn call(&self, folder: &Path, args: &[&str], stdin: &[u8]) -> Result<Vec<u8>, GitError> {
        let (finished, answer) = self.try_call(folder, args, stdin)?;
        accepted(args, &finished)?;
        Ok(answer)
    }

    /// Calls git, whose answer goes to a file and may have `most` bytes.
    pub(super) fn call_to(
        &self,
        folder: &Path,
        args: &[&str],
        to: &OwnedFd,
        most: u64,
    ) -> Result<(), GitError> {
        let bounds = Bounds { deadline: self.deadline, output: most, life: Life::ItsOwn };
        accepted(args, &bounded::run(&self.command(folder, args), b"", to, bounds)?)
    }

    fn command(&self, folder: &Path, args: &[&str]) -> CommandSpec {
        let settings = SETTINGS.iter().copied().chain(self.more.iter().map(String::as_str));
        let settings = settings.flat_map(|s| ["-c", s]);
        let args = std::iter::once("--no-pager").chain(settings).chain(args.iter().copied());
        CommandSpec {
            program: "git".into(),
            args: args.map(OsString::from).collect(),
            env: self.env.clone(),
            cwd: Some(folder.to_owned()),
        }
    }
}

/// What git says when it refuses, as an error.
pub(super) fn accepted(args: &[&str], finished: &Finished) -> Result<(), GitError> {
    if finished.status.success() {
        return Ok(());
    }
    let said = |line: &&str| !line.trim().is_empty() && !line.starts_with("hint:");
    let words = finished.words.lines().rev().find(|l| l.starts_with("fatal:"));
    let words = words.or_else(|| finished.words.lines().rev().find(said)).unwrap_or("it refused");
    let verb = args.first().copied().unwrap_or_default().to_owned();
    Err(GitError::Refused { verb, words: words.trim_start_matches("fatal: ").chars().take(300).collect() })
}
