//! Finding an agent by its name, and its program on this machine.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::{Program, error::AgentError, of_type};
use config::{AgentSettings, AgentType, Config};

/// The settings of an agent.
///
/// # Errors
/// [`AgentError::Unknown`] lists the names that there are.
pub fn find<'a>(config: &'a Config, name: &str) -> Result<&'a AgentSettings, AgentError> {
    config.agents.get(name).ok_or_else(|| AgentError::Unknown {
        name: name.to_owned(),
        known: config.agents.keys().cloned().collect(),
    })
}

/// The absolute path of a program, as `execvp` would find it in `path`.
///
/// # Errors
/// [`AgentError::Missing`] says how to install it.
pub fn program(
    agent: &str,
    agent_type: AgentType,
    name: &str,
    path: &OsStr,
    cwd: &Path,
) -> Result<PathBuf, AgentError> {
    let missing_with = |problem: &str, hint: String| AgentError::Missing {
        agent: agent.to_owned(),
        program: name.to_owned(),
        problem: problem.to_owned(),
        hint,
    };
    let missing = |problem: &str| missing_with(problem, install_hint(agent_type, name));
    if name.contains('/') {
        let file: PathBuf = cwd.join(name).components().collect();
        let missing = |problem: &str| missing_with(problem, path_hint(agent_type, &file));
        return match rustix::fs::access(&file, rustix::fs::Access::EXISTS) {
            Err(_) => Err(missing("does not exist")),
            Ok(()) if is_executable(&file) => Ok(file),
            Ok(()) => Err(missing("is not executable")),
        };
    }
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
        .ok_or_else(|| missing("is not installed (looked in $PATH)"))
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The hint for a program that is named by its path. The user may expect another folder as the base of a relative one.
fn path_hint(agent_type: AgentType, file: &Path) -> String {
    let checked = format!(
        "check the path: {} was looked for; a relative path starts from the agent's folder",
        file.display()
    );
    match of_type(agent_type).program() {
        Program::Installed { install } => format!("{checked}; to install the program: {install}"),
        Program::Own(_) | Program::Any => checked,
    }
}

fn install_hint(agent_type: AgentType, name: &str) -> String {
    match of_type(agent_type).program() {
        Program::Installed { install } => install.to_owned(),
        Program::Own(_) | Program::Any => format!(
            "install {name}, or give its absolute path where the command stands: after --, or in agents.NAME.command"
        ),
    }
}
