//! Where everything lies below the root: the one place that spells the names of our files.

use super::ids::{ProjectId, RunId, TaskId, TicketId};
use crate::fsx::RelPath;

/// Folders and files of the root that belong to no project.
pub mod top {
    use super::{RelPath, TicketId};

    /// Accepted submissions, redacted.
    #[must_use]
    pub fn audit() -> RelPath {
        RelPath::top().join("_audit").join("form-submissions.jsonl")
    }
    /// What the daemon keeps about itself.
    #[must_use]
    pub fn daemon() -> RelPath {
        RelPath::top().join("_daemon")
    }
    /// What others are to be told.
    #[must_use]
    pub fn outbox() -> RelPath {
        daemon().join("outbox")
    }
    /// What is being deleted.
    #[must_use]
    pub fn trash() -> RelPath {
        daemon().join("trash")
    }
    /// Tickets and their lock.
    #[must_use]
    pub fn planner() -> RelPath {
        RelPath::top().join("_planner")
    }
    /// Held while facts are read and one ticket moves.
    #[must_use]
    pub fn planner_lock() -> RelPath {
        planner().join("planner.lock")
    }
    /// Accepted tickets.
    #[must_use]
    pub fn queue() -> RelPath {
        planner().join("queue")
    }
    /// Admitted tickets.
    #[must_use]
    pub fn live() -> RelPath {
        planner().join("live")
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
    ($dir:ident { $($(#[$doc:meta])* $fn:ident = $name:literal;)* }) => {
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
    root_marker = "PROJECT-ROOT.txt";
    /// Policy and defaults of the project.
    settings = "PROJECT.yaml";
    /// The project's message bus.
    bus = "PROJECT-MESSAGE-BUS.jsonl";
});

files!(TaskDir {
    /// The prompt.
    prompt = "TASK.md";
    /// Agent, settings, dependencies, restart policy.
    config = "TASK-CONFIG.yaml";
    /// The task's message bus.
    bus = "TASK-MESSAGE-BUS.jsonl";
    /// Which message of another task this one answers.
    thread_link = "TASK-THREAD-LINK.yaml";
    /// What the agent keeps about its own progress.
    state = "TASK_STATE.md";
    /// Somebody says: finished.
    done = "DONE";
    /// Somebody asks: stop, and do not restart.
    stop = "STOP";
    /// How its last loop ended.
    end = "TASK-END.yaml";
    /// Held by whoever drives this task's loop.
    lock = "task.lock";
    /// The folder of its runs.
    runs = "runs";
});

files!(RunDir {
    /// The record, as its driver writes it.
    info = "run-info.yaml";
    /// What the agent was given.
    prompt = "prompt.md";
    /// The answer.
    output = "output.md";
    /// The agent's standard output, raw.
    stdout = "agent-stdout.txt";
    /// The agent's standard error, raw.
    stderr = "agent-stderr.txt";
    /// When which byte was written.
    log_times = "log-times.jsonl";
    /// The agent's stream in one shape for every agent.
    events = "events.jsonl";
    /// What it changed in its work folder, as a patch.
    patch = "changes.patch";
    /// Which files that were.
    changes = "changes.json";
    /// Where the work folder before the run is kept until it has ended.
    git = "git";
    /// When an agent that met a usage limit may try again, as it says itself.
    retry_after = "retry-after";
    /// Commands for a live run.
    inbox = "inbox.jsonl";
    /// Lines that the shim pumps into the agent.
    stdin = "stdin.jsonl";
    /// Published once: who runs it.
    claim = "claim.json";
    /// Held by the shim.
    lock = "run.lock";
    /// Published once: how the process ended.
    exit = "exit.json";
});
