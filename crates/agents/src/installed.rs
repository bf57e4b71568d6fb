//! The programs of the configured agents on this machine, and their versions.
//!
//! Finding a program only searches `$PATH`. Asking for its version starts it, which takes up to seconds, so the answer
//! is fetched ahead of time and remembered ([`tree::known_programs`]); a launch only looks it up.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{AGENTS, Program, error::AgentError, find::program, of_type};
use config::{AgentSettings, Config, Environment};
use process::{
    bounded::{self, BoundedError, Bounds},
    command::{CommandSpec, Lifetime},
};
use tree::{Tree, known_programs::FileMark};

/// Maximum time that a program gets to print its version.
const PATIENCE: Duration = Duration::from_secs(20);
/// Maximum size of its answer, in bytes.
const LONGEST_ANSWER: u64 = 64 * 1024;
/// The variables of our own environment that a program needs to print its version.
const INHERITED: [&str; 5] = ["HOME", "PATH", "LANG", "LC_ALL", "TMPDIR"];
/// Keeps programs from looking for newer versions of themselves, in addition to each agent's own variables
/// (`Agent::quiet`).
const QUIET: [(&str, &str); 2] = [("NO_COLOR", "1"), ("NO_UPDATE_NOTIFIER", "1")];

/// A configured agent, and its program as far as it was found.
#[derive(Debug)]
pub struct Installed<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its settings.
    pub settings: &'a AgentSettings,
    /// Its program.
    pub program: Result<PathBuf, AgentError>,
}

impl Installed<'_> {
    /// Returns true if it is a `command` agent without a command, which only a task can give it.
    #[must_use]
    pub fn needs_command(&self) -> bool {
        matches!(self.program, Err(AgentError::NoCommand { .. }))
    }

    /// Returns true if the program can be asked for its version: not our own (its version is known), nor an unknown
    /// program.
    #[must_use]
    pub fn answers(&self) -> bool {
        let usual = of_type(self.settings.agent_type).program();
        // A wrapper with arguments of its own would also receive ours.
        matches!(usual, Program::Installed { .. }) && self.settings.command.len() <= 1
    }
}

/// The agents of a configuration with their programs, by name.
#[must_use]
pub fn installed<'a>(config: &'a Config, own_program: &Path, path: &OsStr, cwd: &Path) -> Vec<Installed<'a>> {
    let locate = |name: &str, settings: &AgentSettings| {
        let agent_type = settings.agent_type;
        match (settings.command.first(), of_type(agent_type).program()) {
            (Some(command), _) => program(name, agent_type, command, path, cwd),
            (None, Program::Own(_)) => Ok(own_program.to_owned()),
            (None, Program::Any) => Err(AgentError::NoCommand { agent: name.to_owned() }),
            (None, Program::Installed { .. }) => program(name, agent_type, agent_type.as_str(), path, cwd),
        }
    };
    let agents = config.agents.iter();
    agents.map(|(name, settings)| Installed { name, settings, program: locate(name, settings) }).collect()
}

/// Returns the mark that distinguishes the program at `path` from a later one in its place; `None` if there is no
/// program.
#[must_use]
pub fn file_mark(path: &Path) -> Option<FileMark> {
    let meta = path.metadata().ok()?;
    let modified_ns = meta.mtime().checked_mul(1_000_000_000)?.checked_add(meta.mtime_nsec())?;
    Some(FileMark { inode: meta.ino(), modified_ns, size: meta.len() })
}

/// The version of a program, if it was asked before and is still the same file. Starts nothing.
#[must_use]
pub fn version_of(tree: &Tree, program: &Path) -> Option<String> {
    let mark = file_mark(program)?;
    // An unreadable record counts as none.
    tree.known_programs().ok()?.of(program, mark)?.program_version.clone()
}

/// The answer of a program that was asked for its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionReply {
    /// Its version.
    Version(String),
    /// No version, for this reason; worded to follow "the program".
    Nothing(String),
}

/// Starts a program with `--version` and waits for its answer, at most 20 seconds.
#[must_use]
pub fn ask_version(program: &Path, environment: &Environment) -> VersionReply {
    let inherited = INHERITED.iter().filter_map(|&name| Some((name, environment.get_os(name)?)));
    let quiet = AGENTS
        .iter()
        .flat_map(|agent| agent.quiet())
        .chain(&QUIET)
        .map(|&(name, value)| (name, OsStr::new(value)));
    let env: BTreeMap<OsString, OsString> =
        inherited.chain(quiet).map(|(name, value)| (name.into(), value.into())).collect();
    let cwd = Some(Path::new("/").to_owned());
    let command = CommandSpec { program: program.to_owned(), args: vec!["--version".into()], env, cwd };
    let bounds =
        Bounds { deadline: Instant::now() + PATIENCE, output: LONGEST_ANSWER, life: Lifetime::EndsWithUs };
    match bounded::output(&command, b"", bounds) {
        Err(BoundedError::Start { source, .. }) => {
            VersionReply::Nothing(format!("cannot be started: {source}"))
        }
        Err(BoundedError::TimedOut(_)) => {
            VersionReply::Nothing(format!("does not answer --version within {} s", PATIENCE.as_secs()))
        }
        Err(BoundedError::TooMuch(_)) => VersionReply::Nothing("does not print its version".to_owned()),
        Ok((finished, _)) if !finished.status.success() => {
            VersionReply::Nothing(format!("fails with --version: {}", finished.status))
        }
        Ok((_, stdout)) => match version_in(&String::from_utf8_lossy(&stdout)) {
            Some(version) => VersionReply::Version(version),
            None => VersionReply::Nothing("does not print its version".to_owned()),
        },
    }
}

/// Returns the first word that is a version: `codex-cli 0.169.0`, `2.1.330 (Claude Code)`, `v1.2`.
fn version_in(text: &str) -> Option<String> {
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    let words = text.split_whitespace().take(20).map(|word| word.strip_prefix('v').unwrap_or(word));
    let word = words.map(|word| word.trim_end_matches([',', ')', ';'])).find(is_version)?;
    (word.len() <= 64).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_among_words() {
        for (text, version) in [
            ("2.1.330 (Claude Code)\n", Some("2.1.330")),
            ("codex-cli 0.169.0\n", Some("0.169.0")),
            ("0.61.0\n", Some("0.61.0")),
            ("v1.2.3-rc.1, built today", Some("1.2.3-rc.1")),
            ("aider 0.50.1)", Some("0.50.1")),
            ("usage: x [-h]", None),
            ("", None),
        ] {
            assert_eq!(version_in(text).as_deref(), version, "{text}");
        }
    }

    #[test]
    fn only_a_word_of_the_program_itself_is_its_version() {
        let nothing = Environment::default();
        let VersionReply::Nothing(why) = ask_version(Path::new("/bin/false"), &nothing) else { panic!() };
        assert!(why.contains("fails with --version"), "{why}");
        let VersionReply::Nothing(why) = ask_version(Path::new("/proc/nonexistent"), &nothing) else {
            panic!()
        };
        assert!(why.contains("cannot be started"), "{why}");
        assert!(matches!(ask_version(Path::new("/bin/ls"), &nothing), VersionReply::Version(_)));
    }
}
