//! Asks the agents' programs for their versions and remembers what they say, away from every launch.

use std::{path::Path, sync::Arc};

use super::core::Core;
use crate::{
    agents::{self, Installed, Said},
    blocking,
    runner::Runner,
    tree::{
        Result,
        known_programs::{KnownProgram, KnownPrograms},
    },
};

/// Which programs are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask<'a> {
    /// Those that are new, or another file than before.
    Changed,
    /// All of them.
    All,
    /// That of the agent with this name; of the others is told what is known.
    Only(&'a str),
}

/// What an agent's program says of itself.
#[derive(Debug)]
pub struct Looked<'a> {
    /// The agent and its program.
    pub agent: Installed<'a>,
    /// Its version, where it is one to be asked; else our own, or nothing.
    pub said: Option<Said>,
}

impl Looked<'_> {
    /// The version, where the program has said one.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        match &self.said {
            Some(Said::Version(version)) => Some(version),
            Some(Said::Nothing(_)) | None => None,
        }
    }
}

/// Finds the agents' programs, asks those that `ask` says, and writes down what is known of all.
///
/// # Errors
/// If the record cannot be written.
pub fn look_at_programs<'a>(runner: &'a Runner, ask: Ask<'_>) -> Result<Vec<Looked<'a>>> {
    let path = runner.search_path();
    let found = agents::installed(&runner.config, &runner.program, &path, Path::new("/"));
    // What cannot be read is written anew.
    let known = runner.tree.known_programs().unwrap_or_default();
    let mut next: Vec<KnownProgram> = Vec::new();
    let mut looked = Vec::new();
    for agent in found {
        let said = match &agent.program {
            Ok(program) if agent.answers() => {
                let anew = match ask {
                    Ask::Changed => Anew::IfChanged,
                    Ask::All => Anew::Always,
                    Ask::Only(name) if name == agent.name => Anew::Always,
                    Ask::Only(_) => Anew::Never,
                };
                said_by(runner, &known, program, anew, &mut next)
            }
            _ => None,
        };
        looked.push(Looked { agent, said });
    }
    if next != known.programs {
        runner.tree.remember_programs(next)?;
    }
    Ok(looked)
}

/// Whether a program is asked again of which something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anew {
    IfChanged,
    Always,
    Never,
}

fn said_by(
    runner: &Runner,
    known: &KnownPrograms,
    program: &Path,
    anew: Anew,
    next: &mut Vec<KnownProgram>,
) -> Option<Said> {
    let said_before = |p: &KnownProgram| match &p.program_version {
        Some(version) => Said::Version(version.clone()),
        None => Said::Nothing("does not print its version".to_owned()),
    };
    // Two agents may have one program.
    if let Some(asked) = next.iter().find(|p| p.path == *program) {
        return Some(said_before(asked));
    }
    // Before it is asked: should it be replaced meanwhile, it is asked again.
    let Some(file) = agents::file_mark(program) else { return Some(Said::Nothing("is gone".to_owned())) };
    if let (Anew::IfChanged | Anew::Never, Some(before)) = (anew, known.of(program, file)) {
        next.push(before.clone());
        return Some(said_before(before));
    }
    if anew == Anew::Never {
        return None;
    }
    let said = agents::ask_version(program, &runner.environment);
    let program_version = match &said {
        Said::Version(version) => Some(version.clone()),
        Said::Nothing(_) => None,
    };
    let asked_at = runner.tree.clock().now();
    next.push(KnownProgram { path: program.to_owned(), file, program_version, asked_at });
    Some(said)
}

impl Core {
    /// Looks at the agents' programs once, in the background: nothing waits for it, and it holds up no end.
    pub async fn look_at_programs(self: Arc<Self>) {
        let core = self.clone();
        let look = blocking::run(move || look_at_programs(&core.runner, Ask::Changed).map(drop));
        tokio::select! {
            () = self.shutdown.token().cancelled() => {}
            looked = look => if let Err(e) = looked {
                tracing::warn!(error = %e, "what the agents' programs say of their versions cannot be written down");
            }
        }
    }
}
