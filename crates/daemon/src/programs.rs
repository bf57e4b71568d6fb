//! Asks the agents' programs for their versions and remembers the answers, independently of launches.

use std::path::Path;

use super::parts::Parts;
use agents::{Installed, VersionReply};
use base::blocking;
use engine::runner::Runner;
use tree::{
    Result,
    known_programs::{KnownProgram, KnownPrograms},
};

/// The programs that are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask<'a> {
    /// The new programs, and those with a changed file.
    Changed,
    /// All of them.
    All,
    /// The program of the agent with this name; for the others the known facts are returned.
    Only(&'a str),
}

/// The facts about an agent's program.
#[derive(Debug)]
pub struct AgentProgram<'a> {
    /// The agent and its program.
    pub agent: Installed<'a>,
    /// Its version, if the program can be asked; else our own version, or nothing.
    pub reply: Option<VersionReply>,
}

impl AgentProgram<'_> {
    /// The version, if the program has reported one.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        match &self.reply {
            Some(VersionReply::Version(version)) => Some(version),
            Some(VersionReply::Nothing(_)) | None => None,
        }
    }
}

/// Finds the agents' programs, asks those that `ask` selects, and records the known facts about all.
///
/// # Errors
/// If the record cannot be written.
pub fn check_programs<'a>(runner: &'a Runner, ask: Ask<'_>) -> Result<Vec<AgentProgram<'a>>> {
    let path = runner.search_path();
    let found = agents::installed(&runner.config, &runner.program, &path, Path::new("/"));
    // An unreadable record is replaced.
    let known = runner.tree.known_programs().unwrap_or_default();
    let mut next: Vec<KnownProgram> = Vec::new();
    let mut checked = Vec::new();
    for agent in found {
        let reply = match &agent.program {
            Ok(program) if agent.answers() => {
                let anew = match ask {
                    Ask::Changed => AskAgain::IfChanged,
                    Ask::All => AskAgain::Always,
                    Ask::Only(name) if name == agent.name => AskAgain::Always,
                    Ask::Only(_) => AskAgain::Never,
                };
                version_reply(runner, &known, program, anew, &mut next)
            }
            _ => None,
        };
        checked.push(AgentProgram { agent, reply });
    }
    if next != known.programs {
        runner.tree.remember_programs(next)?;
    }
    Ok(checked)
}

/// States if a known program is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AskAgain {
    IfChanged,
    Always,
    Never,
}

fn version_reply(
    runner: &Runner,
    known: &KnownPrograms,
    program: &Path,
    anew: AskAgain,
    next: &mut Vec<KnownProgram>,
) -> Option<VersionReply> {
    let said_before = |p: &KnownProgram| match &p.program_version {
        Some(version) => VersionReply::Version(version.clone()),
        None => VersionReply::Nothing("does not print its version".to_owned()),
    };
    // Two agents may have the same program.
    if let Some(asked) = next.iter().find(|p| p.path == *program) {
        return Some(said_before(asked));
    }
    // The mark is taken before the program is asked: if the file is replaced meanwhile, it will be asked again.
    let Some(file) = agents::file_mark(program) else {
        return Some(VersionReply::Nothing("is gone".to_owned()));
    };
    if let (AskAgain::IfChanged | AskAgain::Never, Some(before)) = (anew, known.of(program, file)) {
        next.push(before.clone());
        return Some(said_before(before));
    }
    if anew == AskAgain::Never {
        return None;
    }
    let reply = agents::ask_version(program, &runner.environment);
    let program_version = match &reply {
        VersionReply::Version(version) => Some(version.clone()),
        VersionReply::Nothing(_) => None,
    };
    let asked_at = runner.tree.clock().now();
    next.push(KnownProgram { path: program.to_owned(), file, program_version, asked_at });
    Some(reply)
}

/// Looks at the agents' programs once, in the background. Nothing waits for it, and it does not delay the shutdown.
pub(super) async fn look_in_background(parts: Parts) {
    let runner = parts.runner.clone();
    let look = blocking::run(move || check_programs(&runner, Ask::Changed).map(drop));
    tokio::select! {
        () = parts.shutdown.token().cancelled() => {}
        checked = look => if let Err(e) = checked {
            tracing::warn!(error = %e, "cannot record the versions of the agents' programs");
        }
    }
}
