//! Checks the git program, which records the changes of runs.

use std::{
    ffi::OsStr,
    time::{Duration, Instant},
};

use super::check::Check;
use process::git::{self, GitError, OLDEST, Setting};

/// Maximum time that git gets to report its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the git program that `environment` finds for its version; `wanted` is the setting `record_changes`.
#[must_use]
pub fn check<'a>(environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>, wanted: bool) -> Check {
    if !wanted {
        return Check::ok("git", "not used: defaults.record_changes is false");
    }
    let setting = Setting::new(environment, Instant::now() + PATIENCE);
    judge(git::version(&setting))
}

fn judge(version: Result<(String, Option<(u32, u32)>), GitError>) -> Check {
    let lost = "the changes of runs are not recorded, and `run-agent diff` has nothing to show";
    let install =
        format!("install git {}.{} or later, or set defaults.record_changes: false", OLDEST.0, OLDEST.1);
    match version {
        Ok((words, Some(numbers))) if numbers < OLDEST => {
            Check::warn("git", format!("version {words} is too old: {lost}"), install)
        }
        Ok((words, _)) => Check::ok("git", format!("version {words}: what runs change is recorded")),
        Err(GitError::NotInstalled) => {
            Check::warn("git", format!("not installed, or not in $PATH: {lost}"), install)
        }
        Err(e) => Check::warn("git", format!("does not work ({e}): {lost}"), install),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_git_that_is_missing_old_or_broken_is_a_warning() {
        let version = |words: &str, numbers| Ok((words.to_owned(), numbers));
        for (found, state, words) in [
            (version("2.39.5", Some((2, 39))), State::Ok, "version 2.39.5"),
            (version("odd", None), State::Ok, "version odd"),
            (version("2.30.2", Some((2, 30))), State::Warn, "2.30.2 is too old"),
            (Err(GitError::NotInstalled), State::Warn, "not installed"),
            (Err(GitError::Answer("version")), State::Warn, "does not work"),
        ] {
            let check = judge(found);
            assert!(check.state == state && check.what.contains(words), "{check:?}");
            assert_eq!(check.hint.is_some(), state != State::Ok, "{check:?}");
        }
    }
}
