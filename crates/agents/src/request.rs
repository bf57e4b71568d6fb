//! The request to an agent's folder, and its answer: arguments, variables, the place of the prompt.

use std::{ffi::OsStr, path::Path};

use config::AgentSettings;
use tree::kinds::Protocol;

/// Maximum length of one argument of a program on Linux (MAX_ARG_STRLEN: 32 pages), its end included; execve(2).
pub(super) const LONGEST_ARGUMENT: usize = 32 * 4096;

/// The call of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentCommand {
    /// Absolute path of the program, and its arguments.
    pub argv: Vec<String>,
    /// The place of the prompt.
    pub prompt: PromptSource,
    /// Variables that belong to this call.
    pub env: Vec<(&'static str, String)>,
    /// A file that the agent needs, if it takes a setting in no other way.
    pub file: Option<RunFile>,
}

/// A file of the run's folder that must exist before the agent starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFile {
    /// Its name.
    pub name: &'static str,
    /// Its whole content.
    pub content: String,
    /// The variable that holds its absolute path.
    pub variable: &'static str,
}

/// The place where an agent's program finds the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PromptSource {
    /// On standard input, which is the prompt's file.
    #[default]
    Stdin,
    /// In its arguments; standard input is `/dev/null`.
    Arguments,
    /// In messages on standard input, which stays open for more.
    Messages,
}

/// The user that an agent runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// Root, for which some agents refuse to bypass permissions.
    Root,
    /// Any other user.
    Other,
}

/// The case that a plan is made for.
#[derive(Debug, Clone, Copy)]
pub struct PlanFor<'a> {
    /// Name of the agent.
    pub agent: &'a str,
    /// Its settings.
    pub settings: &'a AgentSettings,
    /// A command given for this task alone.
    pub command: &'a [String],
    /// Our own program.
    pub own_program: &'a Path,
    /// The folders of programs, as in `$PATH`.
    pub path: &'a OsStr,
    /// The folder that relative programs start at.
    pub cwd: &'a Path,
    /// The model to ask for; absent: the agent's own choice.
    pub model: Option<&'a str>,
    /// The agent's own name of the conversation to resume; absent: a new one.
    pub resume: Option<&'a str>,
    /// The variable of its environment that will hold the agent's key, if one does.
    pub key: Option<&'static str>,
    /// The user that it will run as.
    pub user: User,
    /// The protocol of the run.
    pub protocol: &'a Protocol,
    /// The file of the prompt and its words; absent: the command is only checked.
    pub prompt: Option<(&'a Path, &'a str)>,
}

/// The answer of an agent's folder: the call without the program.
#[derive(Debug, Default)]
pub struct Call {
    /// Arguments behind the program.
    pub args: Vec<String>,
    /// The place of the prompt.
    pub prompt: PromptSource,
    /// Variables that belong to this call.
    pub env: Vec<(&'static str, String)>,
    /// A file that the agent needs, if it takes a setting in no other way.
    pub file: Option<RunFile>,
}

impl Call {
    /// A call that begins with these arguments.
    pub(super) fn of(args: &[&str]) -> Self {
        Self { args: args.iter().map(|&a| a.to_owned()).collect(), ..Self::default() }
    }

    /// Appends arguments.
    pub(super) fn args(&mut self, args: &[&str]) {
        self.args.extend(args.iter().map(|&a| a.to_owned()));
    }

    /// Appends a flag with its value, if there is one.
    pub(super) fn flag(&mut self, flag: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.args(&[flag, value]);
        }
    }

    /// Sets a variable.
    pub(super) fn variable(&mut self, name: &'static str, value: impl Into<String>) {
        self.env.push((name, value.into()));
    }
}
