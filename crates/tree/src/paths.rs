//! Paths of all files below the root. `names` spells the names themselves.

use super::ids::{ProjectId, RunId, TaskId, TicketId};
use base::{fsx::RelPath, names};

/// Folders and files of the root that belong to no project.
pub mod top {
    use super::{RelPath, TicketId, names};

    /// The log of accepted submissions, redacted.
    #[must_use]
    pub fn audit() -> RelPath {
        RelPath::top().join(names::top::AUDIT).join(names::top::SUBMISSIONS)
    }
    /// The folder of the daemon's own files.
    #[must_use]
    pub fn daemon() -> RelPath {
        RelPath::top().join(names::top::DAEMON)
    }
    /// The folder of waiting notifications.
    #[must_use]
    pub fn outbox() -> RelPath {
        daemon().join(names::top::OUTBOX)
    }
    /// The folder of tasks and runs that are being deleted.
    #[must_use]
    pub fn trash() -> RelPath {
        daemon().join(names::top::TRASH)
    }
    /// The folder of the tickets and their lock.
    #[must_use]
    pub fn planner() -> RelPath {
        RelPath::top().join(names::top::PLANNER)
    }
    /// The lock that is held while the gate reads the facts and moves one ticket.
    #[must_use]
    pub fn planner_lock() -> RelPath {
        planner().join(names::top::PLANNER_LOCK)
    }
    /// The folder of accepted tickets.
    #[must_use]
    pub fn queue() -> RelPath {
        planner().join(names::top::QUEUE)
    }
    /// The folder of admitted tickets.
    #[must_use]
    pub fn live() -> RelPath {
        planner().join(names::top::LIVE)
    }
    /// The file of a ticket within `queue` or `live`.
    #[must_use]
    pub fn ticket(folder: &RelPath, id: &TicketId) -> RelPath {
        folder.join(format!("{id}.yaml"))
    }
}

/// A project's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectDir(RelPath);

/// A task's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDir(RelPath);

/// A run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir(RelPath);

macro_rules! files {
    ($dir:ident { $($(#[$doc:meta])* $fn:ident = $name:path;)* }) => {
        impl $dir {
            /// All known file names of this folder.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// Returns the folder itself.
            #[must_use]
            pub fn path(&self) -> &RelPath {
                &self.0
            }
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $fn(&self) -> RelPath {
                    self.0.join($name)
                }
            )*
        }
    };
}

impl ProjectDir {
    /// Returns the folder of this project.
    #[must_use]
    pub fn new(project: &ProjectId) -> Self {
        Self(RelPath::top().join(project))
    }
}

impl TaskDir {
    /// Returns the folder of this task.
    #[must_use]
    pub fn new(project: &ProjectId, task: &TaskId) -> Self {
        Self(ProjectDir::new(project).0.join(task))
    }

    /// Returns the folder of one of its runs.
    #[must_use]
    pub fn run(&self, run: &RunId) -> RunDir {
        RunDir(self.runs().join(run))
    }
}

impl RunDir {
    /// Returns the folder of this run.
    #[must_use]
    pub fn new(project: &ProjectId, task: &TaskId, run: &RunId) -> Self {
        TaskDir::new(project, task).run(run)
    }
}

files!(ProjectDir {
    /// Absolute path of the project's work folder.
    root_marker = names::project::ROOT_MARKER;
    /// Policy and defaults of the project.
    settings = names::project::SETTINGS;
    /// The project's message bus.
    bus = names::project::BUS;
});

files!(TaskDir {
    /// The prompt.
    prompt = names::task::PROMPT;
    /// Agent, settings, dependencies, restart policy.
    config = names::task::CONFIG;
    /// The task's message bus.
    bus = names::task::BUS;
    /// The message of another task that this task answers.
    thread_link = names::task::THREAD_LINK;
    /// The agent's own notes about its progress.
    state = names::task::STATE;
    /// Marker: the task is finished.
    done = names::task::DONE;
    /// Marker: stop the task, and do not restart it.
    stop = names::task::STOP;
    /// The end of its last loop.
    end = names::task::END;
    /// Held by the driver of this task's loop.
    lock = names::task::LOCK;
    /// The folder of its runs.
    runs = names::task::RUNS;
    /// The commands of a session.
    commands = names::task::COMMANDS;
    /// The outcomes of the commands.
    outcomes = names::task::OUTCOMES;
    /// The answers to the agent's requests.
    approvals = names::task::APPROVALS;
});

files!(RunDir {
    /// The record of the run, written by its driver.
    info = names::run::INFO;
    /// The prompt that the agent received.
    prompt = names::run::PROMPT;
    /// The answer.
    output = names::run::OUTPUT;
    /// The agent's standard output, raw.
    stdout = names::run::STDOUT;
    /// The agent's standard error, raw.
    stderr = names::run::STDERR;
    /// The times at which the output grew.
    log_times = names::run::LOG_TIMES;
    /// The agent's stream in one shape for every agent.
    events = names::run::EVENTS;
    /// The changes in the work folder, as a patch.
    patch = names::run::PATCH;
    /// The list of changed files.
    changes = names::run::CHANGES;
    /// The state of the work folder before the run, kept until the run has ended.
    git = names::run::GIT;
    /// Time when an agent that hit a usage limit may try again, written by the agent itself.
    retry_after = names::run::RETRY_AFTER;
    /// Commands for a live run.
    inbox = names::run::INBOX;
    /// Lines that the shim pumps into the agent.
    stdin = names::run::STDIN;
    /// Published once: the process that owns the run.
    claim = names::run::CLAIM;
    /// Held by the shim.
    lock = names::run::LOCK;
    /// Published once: the end of the process.
    exit = names::run::EXIT;
    /// The launch spec for another executor, secrets aside.
    launch = names::run::LAUNCH;
    /// The secrets of that launch spec.
    launch_secrets = names::run::LAUNCH_SECRETS;
    /// The executor's name for the run.
    job = names::run::JOB;
    /// The sign of life of a shim elsewhere.
    heartbeat = names::run::HEARTBEAT;
});
