//! What an adapter is asked, and what it answers: arguments, variables, where the prompt goes.

use std::{ffi::OsStr, path::Path};

use crate::config::AgentSettings;

/// Longest single argument of a program on Linux (MAX_ARG_STRLEN: 32 pages), its end included; execve(2).
pub(super) const LONGEST_ARGUMENT: usize = 32 * 4096;

/// How the program is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentCommand {
    /// Absolute path of the program, and its arguments.
    pub argv: Vec<String>,
    /// Where the prompt comes from.
    pub prompt: PromptSource,
    /// Variables that the agent needs to be called like this.
    pub env: Vec<(&'static str, String)>,
    /// A file that the agent needs, where it takes a setting in no other way.
    pub file: Option<RunFile>,
}

/// A file of the run's folder that has to be there before the agent starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFile {
    /// Its name.
    pub name: &'static str,
    /// All that is in it.
    pub content: String,
    /// The variable that is to hold its absolute path.
    pub variable: &'static str,
}

/// Where an agent's program finds the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptSource {
    /// On standard input, which is the prompt's file.
    Stdin,
    /// In its arguments; standard input is `/dev/null`.
    Arguments,
}

/// As whom the agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// As root, whom some agents refuse all permissions.
    Root,
    /// As anybody else.
    Other,
}

/// What a plan is made for.
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
    /// Where programs are looked for.
    pub path: &'a OsStr,
    /// Against which relative programs are taken.
    pub cwd: &'a Path,
    /// The model to ask for; absent: the agent's own choice.
    pub model: Option<&'a str>,
    /// The agent's own name of the conversation to go on with; absent: a new one.
    pub resume: Option<&'a str>,
    /// The variable with the agent's key that will be in its environment, if one is.
    pub key: Option<&'static str>,
    /// As whom it will run.
    pub user: User,
}

/// What an adapter puts behind its program.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(&'static str, String)>,
    pub(super) file: Option<RunFile>,
}

impl Call {
    /// A call that begins with these arguments.
    pub(super) fn of(args: &[&str]) -> Self {
        Self { args: args.iter().map(|&a| a.to_owned()).collect(), ..Self::default() }
    }

    /// More arguments.
    pub(super) fn args(&mut self, args: &[&str]) {
        self.args.extend(args.iter().map(|&a| a.to_owned()));
    }

    /// A flag with a value, if there is one.
    pub(super) fn flag(&mut self, flag: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.args(&[flag, value]);
        }
    }

    /// One more variable.
    pub(super) fn variable(&mut self, name: &'static str, value: impl Into<String>) {
        self.env.push((name, value.into()));
    }
}
