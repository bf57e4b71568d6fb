//! Where everything lies below the root. The names themselves are spelled in `names`.

use super::ids::{ProjectId, RunId, TaskId, TicketId};
use crate::{fsx::RelPath, names};

/// Folders and files of the root that belong to no project.
pub mod top {
    use super::{RelPath, TicketId, names};

    /// Accepted submissions, redacted.
    #[must_use]
    pub fn audit() -> RelPath {
        RelPath::top().join(names::top::AUDIT).join(names::top::SUBMISSIONS)
    }
    /// What the daemon keeps about itself.
    #[must_use]
    pub fn daemon() -> RelPath {
        RelPath::top().join(names::top::DAEMON)
    }
    /// What others are to be told.
    #[must_use]
    pub fn outbox() -> RelPath {
        daemon().join(names::top::OUTBOX)
    }
    /// What is being deleted.
    #[must_use]
    pub fn trash() -> RelPath {
        daemon().join(names::top::TRASH)
    }
    /// Tickets and their lock.
    #[must_use]
    pub fn planner() -> RelPath {
        RelPath::top().join(names::top::PLANNER)
    }
    /// Held while facts are read and one ticket moves.
    #[must_use]
    pub fn planner_lock() -> RelPath {
        planner().join(names::top::PLANNER_LOCK)
    }
    /// Accepted tickets.
    #[must_use]
    pub fn queue() -> RelPath {
        planner().join(names::top::QUEUE)
    }
    /// Admitted tickets.
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
            /// Every name of ours in this folder.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The folder itself.
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
    /// The folder of this project.
    #[must_use]
    pub fn new(project: &ProjectId) -> Self {
        Self(RelPath::top().join(project))
    }
}

impl TaskDir {
    /// The folder of this task.
    #[must_use]
    pub fn new(project: &ProjectId, task: &TaskId) -> Self {
        Self(ProjectDir::new(project).0.join(task))
    }

    /// The folder of one of its runs.
    #[must_use]
    pub fn run(&self, run: &RunId) -> RunDir {
        RunDir(self.runs().join(run))
    }
}

impl RunDir {
    /// The folder of this run.
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
    /// Which message of another task this one answers.
    thread_link = names::task::THREAD_LINK;
    /// What the agent keeps about its own progress.
    state = names::task::STATE;
    /// Somebody says: finished.
    done = names::task::DONE;
    /// Somebody asks: stop, and do not restart.
    stop = names::task::STOP;
    /// How its last loop ended.
    end = names::task::END;
    /// Held by whoever drives this task's loop.
    lock = names::task::LOCK;
    /// The folder of its runs.
    runs = names::task::RUNS;
});

files!(RunDir {
    /// The record, as its driver writes it.
    info = names::run::INFO;
    /// What the agent was given.
    prompt = names::run::PROMPT;
    /// The answer.
    output = names::run::OUTPUT;
    /// The agent's standard output, raw.
    stdout = names::run::STDOUT;
    /// The agent's standard error, raw.
    stderr = names::run::STDERR;
    /// When which byte was written.
    log_times = names::run::LOG_TIMES;
    /// The agent's stream in one shape for every agent.
    events = names::run::EVENTS;
    /// What it changed in its work folder, as a patch.
    patch = names::run::PATCH;
    /// Which files that were.
    changes = names::run::CHANGES;
    /// Where the work folder before the run is kept until it has ended.
    git = names::run::GIT;
    /// When an agent that met a usage limit may try again, as it says itself.
    retry_after = names::run::RETRY_AFTER;
    /// Commands for a live run.
    inbox = names::run::INBOX;
    /// Lines that the shim pumps into the agent.
    stdin = names::run::STDIN;
    /// Published once: who runs it.
    claim = names::run::CLAIM;
    /// Held by the shim.
    lock = names::run::LOCK;
    /// Published once: how the process ended.
    exit = names::run::EXIT;
});
