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
    command::{CommandSpec, Lifetime},
};

/// Largest size of a list that is read from git, in bytes.
const LIST: u64 = 64 * 1024 * 1024;

/// Settings of every call: git starts no program that the repository configures, syncs nothing and fetches nothing.
const SETTINGS: &[&str] = &[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.splitIndex=false",
    "core.untrackedCache=false",
    "core.preloadIndex=true",
    "core.fsync=none",
    "core.safecrlf=false",
    "core.quotePath=false",
    "core.looseCompression=0",
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

/// Variables that are passed on: where programs are, which settings apply, and where the search for a repository ends.
const PASSED_ON: &[&str] = &["PATH", "HOME", "XDG_CONFIG_HOME", "GIT_CEILING_DIRECTORIES", "TMPDIR"];

/// The reason why a call of git failed.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Git could not be started, took too long or printed too much.
    #[error(transparent)]
    Bounded(BoundedError),
    /// Git refused.
    #[error("git {verb}: {words}")]
    Refused {
        /// The verb of the call.
        verb: String,
        /// The last line of its error output.
        words: String,
    },
    /// The output of git has an unknown form.
    #[error("cannot understand the output of git {0}")]
    Answer(&'static str),
    /// Git is not installed.
    #[error("git is not installed")]
    NotInstalled,
    /// The folder for the call does not exist any more.
    #[error("the folder {0} no longer exists")]
    FolderGone(String),
    /// An error in Conductor's own files for the call.
    #[error(transparent)]
    Fs(#[from] base::fsx::FsError),
}

impl GitError {
    /// Tells a missing program from a missing folder, because the kernel returns the same error for both.
    fn of_call(error: BoundedError, folder: &Path) -> Self {
        match &error {
            BoundedError::Start { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                if folder.is_dir() {
                    Self::NotInstalled
                } else {
                    Self::FolderGone(folder.display().to_string())
                }
            }
            _ => Self::Bounded(error),
        }
    }

    /// Returns true if git was killed because it took too long.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Bounded(BoundedError::TimedOut(_)))
    }
}

/// Settings that several calls share.
#[derive(Debug, Clone)]
pub struct Setting {
    env: BTreeMap<OsString, OsString>,
    deadline: Instant,
    /// Further git settings: they disable the filters of the repository.
    pub(super) more: Vec<String>,
}

impl Setting {
    /// Creates a setting for calls that end by `deadline`. Only the variables that git needs are passed on from
    /// `environment`.
    pub fn new<'a>(environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>, deadline: Instant) -> Self {
        let passed = |name: &OsStr| PASSED_ON.iter().any(|p| *p == name);
        let mut env: BTreeMap<OsString, OsString> = environment
            .filter(|(name, _)| passed(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        env.extend(VARIABLES.iter().map(|(name, value)| (name.into(), value.into())));
        Self { env, deadline, more: Vec::new() }
    }

    /// Adds a variable.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Returns the time at which half of the time from now to the deadline has passed.
    pub(super) fn half_time(&self) -> Instant {
        let now = Instant::now();
        now + self.deadline.saturating_duration_since(now) / 2
    }

    /// Returns the folders above which git does not search for a repository.
    pub(super) fn ceilings(&self) -> impl Iterator<Item = std::path::PathBuf> {
        let value = self.env.get(OsStr::new("GIT_CEILING_DIRECTORIES"));
        value.map(std::env::split_paths).into_iter().flatten().filter(|p| p.is_absolute())
    }

    /// Calls git. A refusal by git is not an error here.
    pub(super) fn try_call(
        &self,
        folder: &Path,
        args: &[&str],
        stdin: &[u8],
    ) -> Result<(Finished, Vec<u8>), GitError> {
        let bounds = Bounds { deadline: self.deadline, output: LIST, life: Lifetime::ItsOwn };
        bounded::output(&self.command(folder, args), stdin, bounds).map_err(|e| GitError::of_call(e, folder))
    }

    /// Calls git and returns its output. A refusal is an error.
    pub(super) fn call(&self, folder: &Path, args: &[&str], stdin: &[u8]) -> Result<Vec<u8>, GitError> {
        let (finished, answer) = self.try_call(folder, args, stdin)?;
        accepted(args, &finished)?;
        Ok(answer)
    }

    /// Calls git and writes its output, at most `most` bytes, to a file.
    pub(super) fn call_to(
        &self,
        folder: &Path,
        args: &[&str],
        to: &OwnedFd,
        most: u64,
    ) -> Result<(), GitError> {
        let bounds = Bounds { deadline: self.deadline, output: most, life: Lifetime::ItsOwn };
        let finished = bounded::run(&self.command(folder, args), b"", to, bounds);
        accepted(args, &finished.map_err(|e| GitError::of_call(e, folder))?)
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

/// The oldest version of git that supports every option used here: `rev-parse --path-format`.
pub const OLDEST: (u32, u32) = (2, 31);

/// Returns the version of the git program as text, with its first two numbers if it has any.
///
/// # Errors
/// [`GitError::NotInstalled`], or another error if git does not answer.
pub fn version(setting: &Setting) -> Result<(String, Option<(u32, u32)>), GitError> {
    let answer = setting.call(Path::new("/"), &["version"], b"")?;
    let words = String::from_utf8_lossy(&answer).trim().trim_start_matches("git version ").to_owned();
    let numbers = numbers(&words);
    Ok((words, numbers))
}

/// Returns (2, 39) for "2.39.5 (Apple Git-154)".
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Returns an error with git's own message if git refused.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn versions_are_understood() {
        for (words, expected) in [
            ("2.39.5", Some((2, 39))),
            ("2.30.1 (Apple Git-130)", Some((2, 30))),
            ("3.0.rc1", Some((3, 0))),
            ("unknown", None),
        ] {
            assert_eq!(numbers(words), expected, "{words}");
        }
        assert!(Some((2, 30)) < Some(OLDEST) && Some((3, 0)) > Some(OLDEST));
    }

    #[test]
    fn a_missing_program_and_a_missing_folder_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("bin");
        let environment = [(OsStr::new("PATH"), empty.as_os_str())];
        let setting = Setting::new(environment.into_iter(), Instant::now() + Duration::from_secs(20));
        let missing = setting.call(folder.path(), &["version"], b"").unwrap_err();
        assert!(matches!(missing, GitError::NotInstalled), "{missing:?}");
        let gone = setting.call(&folder.path().join("gone"), &["version"], b"").unwrap_err();
        assert!(gone.to_string().contains("gone no longer exists"), "{gone}");
    }
}
