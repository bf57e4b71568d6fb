//! The failure of a verb: a message, a hint, and an exit code.

use std::{error::Error, process::ExitCode};

use agents::{AgentError, replay::RecordingError};
use base::{fsx::FsError, record::BadRecord};
use config::{ConfigError, ConfigErrorKind};
use engine::runner::RunnerError;
use tree::{FsErrorKind, TreeError, archive::BundleError, ids::BadId};

/// Result of a verb.
pub type CliResult<T> = Result<T, CliError>;

/// The hint for a file of the user's that does not exist.
pub(super) const CHECK_PATH: &str = "check the path; a relative path starts from the current folder";

/// A failure of a verb.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    kind: Kind,
    message: String,
    hint: Option<String>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Kinds of failure, as a script distinguishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The reader of our output has gone. No message is printed, since nothing would read it.
    OutputClosed,
    /// The run failed, or another failure happened that has no code of its own.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The named thing does not exist.
    NotFound,
    /// The thing already exists, or another process holds it.
    Conflict,
    /// The daemon does not answer.
    Unreachable,
    /// The daemon refuses the key.
    Unauthorised,
    /// A text is not a valid identifier.
    BadId,
    /// The root is a file, or it is not writable.
    RootUnusable,
    /// The disk is full.
    DiskFull,
    /// No agent has that name, or none is named and the choice is not clear.
    UnknownAgent,
    /// The agent's program is not installed.
    ProgramMissing,
    /// The configuration is invalid.
    BadConfig,
    /// An agent has no credentials, or its token file is missing or empty.
    BadToken,
    /// A file of the tree is corrupt.
    Corrupt,
    /// A file was written by a newer version.
    Newer,
    /// The input is refused.
    Refused,
    /// The tree has findings that are more than notes.
    Findings,
    /// Part of the work was skipped and reported as such.
    Partial,
    /// An awaited event did not happen in time.
    TimedOut,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Kind {
    /// Every kind, in the order of its code.
    pub const ALL: [Self; 22] = [
        Self::OutputClosed,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Conflict,
        Self::Unreachable,
        Self::Unauthorised,
        Self::BadId,
        Self::RootUnusable,
        Self::DiskFull,
        Self::UnknownAgent,
        Self::ProgramMissing,
        Self::BadConfig,
        Self::BadToken,
        Self::Corrupt,
        Self::Newer,
        Self::Refused,
        Self::Findings,
        Self::Partial,
        Self::TimedOut,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The exit code, as in the table of `docs/exit-codes.md`.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Unreachable => 5,
            Self::Unauthorised => 6,
            Self::BadId => 7,
            Self::RootUnusable => 8,
            Self::DiskFull => 9,
            Self::UnknownAgent => 10,
            Self::ProgramMissing => 11,
            Self::BadConfig => 12,
            Self::BadToken => 13,
            Self::Corrupt => 14,
            Self::Newer => 15,
            Self::Refused => 16,
            Self::Findings => 17,
            Self::Partial => 18,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The next step for the user, if the kind alone determines it.
    #[must_use]
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Self::OutputClosed | Self::Failed | Self::Interrupted | Self::Terminated => None,
            Self::Usage => Some("`run-agent --help` lists the verbs, `run-agent VERB --help` their flags"),
            Self::NotFound => Some("`run-agent list` shows what is there"),
            Self::Conflict => Some("wait until it is free, or choose another id"),
            Self::Unreachable => Some("start the daemon with `run-agent serve`"),
            Self::Unauthorised => Some("give the key with --api-key-file or $CONDUCTOR_API_KEY"),
            Self::BadId => {
                Some("an id has letters, digits, '-' and '_' only, and starts with a letter or digit")
            }
            Self::RootUnusable => Some("choose another folder with --root or $CONDUCTOR_ROOT"),
            Self::DiskFull => Some("make room on the disk and try again; nothing was lost"),
            Self::UnknownAgent => Some("`run-agent config show` lists the agents that are known"),
            Self::ProgramMissing => {
                Some("install it, or say where it is with agents.NAME.command in config.yaml")
            }
            Self::BadConfig => Some("correct it; `run-agent config reference` explains every key"),
            Self::BadToken => Some(
                "write the token into the file, or set $CONDUCTOR_AGENT_<NAME>_TOKEN, or remove token_file",
            ),
            Self::Corrupt => {
                Some("the file was left unchanged; `run-agent fsck` says whether it can be repaired")
            }
            Self::Newer => Some("the file was left unchanged; use the newer version of run-agent"),
            Self::Refused => Some("correct the input and try again; nothing was written"),
            Self::Findings => Some("`run-agent fsck --repair` repairs what can be repaired"),
            Self::Partial => {
                Some("fix the listed problems and import again; existing tasks and runs stay as they are")
            }
            Self::TimedOut => Some("the task continues; wait again with a longer --timeout"),
        }
    }
}

impl CliError {
    /// Creates a failure without a cause.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    /// Creates a failure with its cause.
    #[must_use]
    pub fn caused(
        kind: Kind,
        message: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), hint: None, source: Some(source.into()) }
    }

    /// Replaces the hint of the kind with a more specific one.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Converts a clap error; `None` if help or the version was asked for.
    pub(super) fn of_usage(error: &clap::Error) -> Option<Self> {
        if !error.use_stderr() {
            return None;
        }
        if let Some(bad) = error.source().and_then(|s| s.downcast_ref::<BadId>()) {
            return Some(bad.clone().into());
        }
        let text = error.render().to_string();
        let lines = text.lines().take_while(|l| !l.starts_with("Usage:") && !l.starts_with("For more"));
        let lines: Vec<&str> = lines.map(str::trim).filter(|l| !l.is_empty()).collect();
        Some(Self::new(Kind::Usage, lines.join("; ").trim_start_matches("error: ")))
    }

    /// Converts the error of a file outside the tree.
    pub(super) fn of_outside(error: FsError) -> Self {
        let error = Self::from(TreeError::from(error));
        match error.kind {
            Kind::NotFound => error.with_hint(CHECK_PATH),
            _ => error,
        }
    }

    /// Converts any error that makes a root unusable.
    pub(super) fn of_root(error: TreeError) -> Self {
        let mut error = Self::from(error);
        if error.kind != Kind::DiskFull {
            error.kind = Kind::RootUnusable;
        }
        error
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The next step for the user.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref().or(self.kind.hint())
    }

    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.code())
    }

    /// The message and its causes, as one text.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut at = self.source();
        while let Some(error) = at {
            text.push_str(": ");
            text.push_str(&error.to_string());
            at = error.source();
        }
        text
    }

    /// Keeps the error's own text and chain, under the given kind.
    fn wrap(kind: Kind, error: &(impl Error + Send + Sync + 'static)) -> Self {
        let mut causes = Vec::new();
        let mut at = error.source();
        while let Some(cause) = at {
            causes.push(cause.to_string());
            at = cause.source();
        }
        let source = (!causes.is_empty()).then(|| causes.join(": ").into());
        Self { kind, message: error.to_string(), hint: None, source }
    }
}

impl From<TreeError> for CliError {
    fn from(error: TreeError) -> Self {
        let kind = match &error {
            TreeError::Fs(e) => kind_of_disk(e.kind()),
            TreeError::BadId(_) | TreeError::BadPath(_) => Kind::BadId,
            TreeError::Record(BadRecord::Corrupt { .. }) => Kind::Corrupt,
            TreeError::Record(BadRecord::Newer { .. }) => Kind::Newer,
            TreeError::NotFound { .. } => Kind::NotFound,
            TreeError::Exists { .. } | TreeError::Locked { .. } => Kind::Conflict,
            TreeError::Invalid(_) => Kind::Refused,
        };
        let failure = Self::wrap(kind, &error);
        match error {
            TreeError::Fs(e) if e.kind() == FsErrorKind::OnlyShown => {
                failure.with_hint("name its own tree with --root")
            }
            _ => failure,
        }
    }
}

fn kind_of_disk(kind: FsErrorKind) -> Kind {
    match kind {
        FsErrorKind::NotFound => Kind::NotFound,
        FsErrorKind::Full => Kind::DiskFull,
        FsErrorKind::Denied | FsErrorKind::NotAFolder | FsErrorKind::NotAFile | FsErrorKind::Moved => {
            Kind::RootUnusable
        }
        FsErrorKind::Escapes | FsErrorKind::TooLarge => Kind::Corrupt,
        FsErrorKind::OnlyShown => Kind::Refused,
        FsErrorKind::TooManyOpen | FsErrorKind::Other => Kind::Failed,
    }
}

impl From<BundleError> for CliError {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::Fs(e) => Self::of_outside(e),
            BundleError::Tree(e) => e.into(),
            e @ (BundleError::Archive { .. } | BundleError::Refused { .. }) => Self::wrap(Kind::Refused, &e)
                .with_hint("`run-agent bundle` makes bundles; ask for a new copy of the file"),
        }
    }
}

impl From<RecordingError> for CliError {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::Fs(e) => TreeError::from(e).into(),
            RecordingError::Tree(e) => e.into(),
            e @ RecordingError::Unplayable { .. } => {
                Self::wrap(Kind::Refused, &e).with_hint("`run-agent list PROJECT/TASK` shows the task's runs")
            }
            e @ RecordingError::Print(_) => Self::wrap(Kind::Failed, &e),
        }
    }
}

impl From<BadId> for CliError {
    fn from(error: BadId) -> Self {
        Self::wrap(Kind::BadId, &error)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let kind = match error.kind() {
            ConfigErrorKind::Invalid => Kind::BadConfig,
            ConfigErrorKind::Token => Kind::BadToken,
            ConfigErrorKind::ApiKey => {
                return Self::wrap(Kind::BadToken, &error).with_hint(
                    "`(umask 077; openssl rand -hex 24 > FILE)` makes a key that only you can read",
                );
            }
        };
        Self::wrap(kind, &error)
    }
}

impl From<RunnerError> for CliError {
    fn from(error: RunnerError) -> Self {
        match error {
            RunnerError::Tree(e) => e.into(),
            RunnerError::Agent(e) => e.into(),
            RunnerError::Config(e) => e.into(),
            e @ RunnerError::WorkFolder { .. } => {
                Self::wrap(Kind::NotFound, &e).with_hint("create the folder, or name another one with --cwd")
            }
            RunnerError::TaskFolder { ref config, .. } => {
                let hint =
                    format!("create the folder again, or name another one as `cwd` in {}", config.display());
                Self::wrap(Kind::NotFound, &error).with_hint(hint)
            }
            e @ RunnerError::OtherFolder { .. } => {
                Self::wrap(Kind::Conflict, &e).with_hint("omit the folder: an existing task works in its own")
            }
            e @ RunnerError::PromptByHand { .. } => Self::wrap(Kind::Conflict, &e)
                .with_hint("omit the prompt to use that file, or move it away first"),
            e @ RunnerError::OtherHome { .. } => {
                Self::wrap(Kind::Conflict, &e).with_hint("name another project with --project")
            }
            e @ RunnerError::NoParent { .. } => Self::wrap(Kind::Refused, &e).with_hint(
                "name a run that is at work; without --parent-run-id and $JRUN_ID the task is one of its own",
            ),
            e @ RunnerError::TooDeep { .. } => Self::wrap(Kind::Refused, &e)
                .with_hint("let the agent do this work itself, or start the task from a higher level"),
            e @ RunnerError::Cycle(_) => {
                Self::wrap(Kind::Conflict, &e).with_hint("remove one of the dependencies of this cycle")
            }
            e @ RunnerError::Unanswerable { .. } => {
                Self::wrap(Kind::Conflict, &e).with_hint("name a message of type QUESTION or FACT")
            }
            e @ RunnerError::Reused { .. } => Self::wrap(Kind::Conflict, &e),
            e @ RunnerError::Refused(_) => Self::wrap(Kind::Refused, &e),
            e @ RunnerError::Shim { .. } => Self::wrap(Kind::Failed, &e),
        }
    }
}

impl From<AgentError> for CliError {
    fn from(error: AgentError) -> Self {
        let hint = error.hint();
        let kind = match &error {
            AgentError::Unknown { .. } | AgentError::NoChoice { .. } => Kind::UnknownAgent,
            AgentError::PromptTooLong { .. } | AgentError::NoConversation { .. } => Kind::Refused,
            AgentError::BadToken { .. } | AgentError::NoCredentials(_) => Kind::BadToken,
            AgentError::Missing { .. } | AgentError::NoCommand { .. } => Kind::ProgramMissing,
        };
        Self { hint, ..Self::wrap(kind, &error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_kind_with_its_hint() {
        let page = include_str!("../../docs/exit-codes.md");
        let mut codes = Vec::new();
        for row in page.lines().filter_map(|l| l.strip_prefix("| ")) {
            if let Some(code) = row.split(" |").next().and_then(|c| c.parse::<u8>().ok()) {
                codes.push((code, row));
            }
        }
        let bug = 101;
        let mut kinds: Vec<u8> = Kind::ALL.iter().map(|k| k.code()).chain([bug]).collect();
        kinds.sort_unstable();
        assert_eq!(codes.iter().map(|(code, _)| *code).collect::<Vec<_>>(), kinds);
        for kind in Kind::ALL {
            let row = codes.iter().find(|(code, _)| *code == kind.code()).map(|(_, row)| *row).unwrap();
            let hint = kind.hint().map_or("| |".to_owned(), |hint| format!("| {hint} |"));
            assert!(row.ends_with(&hint), "{kind:?}: {row}");
        }
    }

    #[test]
    fn an_error_says_each_cause_once() {
        let cause = std::io::Error::other("the disk is gone");
        let error = CliError::caused(Kind::Failed, "cannot do it", cause);
        assert_eq!(error.chain(), "cannot do it: the disk is gone");
        let error = CliError::from("a b".parse::<tree::ids::TaskId>().unwrap_err());
        assert_eq!(error.kind(), Kind::BadId);
        assert_eq!(error.chain().matches("is not a valid task id").count(), 1, "{}", error.chain());
        assert_eq!(error.with_hint("do this").hint(), Some("do this"));
    }
}
