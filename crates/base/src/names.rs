//! The names of the files and folders of a tree, each spelled once.
//!
//! The shim and the tree both need them, and neither may import the other. `tree::paths` combines them into paths. The
//! modules for processes, which know only a run's folder, append them to that folder.

/// Names right below the root, and below its folders that belong to no project.
pub mod top {
    /// The folder of the audit log.
    pub const AUDIT: &str = "_audit";
    /// The log of accepted submissions, redacted.
    pub const SUBMISSIONS: &str = "form-submissions.jsonl";
    /// The folder of the daemon's own files.
    pub const DAEMON: &str = "_daemon";
    /// The lock of the one daemon of this root.
    pub const DAEMON_LOCK: &str = "daemon.lock";
    /// The address of the running daemon.
    pub const DAEMON_INFO: &str = "daemon.yaml";
    /// The state of a self-update.
    pub const SELF_UPDATE: &str = "self-update.yaml";
    /// The versions of the agents' programs, as far as they are known.
    pub const KNOWN_PROGRAMS: &str = "agents.yaml";
    /// The keys of pages in browsers, hashed.
    pub const BROWSER_KEYS: &str = "browser-keys.json";
    /// The folder of login codes that are not exchanged yet.
    pub const LOGIN_CODES: &str = "login-codes";
    /// The page that opens the UI with a login code.
    pub const LOGIN_PAGE: &str = "ui.html";
    /// The folder of webhooks that wait to be sent.
    pub const OUTBOX: &str = "outbox";
    /// The folder of tasks and runs that are being deleted.
    pub const TRASH: &str = "trash";
    /// The folder of the tickets.
    pub const PLANNER: &str = "_planner";
    /// The lock that is held while one ticket moves.
    pub const PLANNER_LOCK: &str = "planner.lock";
    /// The folder of accepted tickets.
    pub const QUEUE: &str = "queue";
    /// The folder of admitted tickets.
    pub const LIVE: &str = "live";
}

/// Names in a project's folder.
pub mod project {
    /// The absolute path of the project's work folder.
    pub const ROOT_MARKER: &str = "PROJECT-ROOT.txt";
    /// The policy and defaults of the project.
    pub const SETTINGS: &str = "PROJECT.yaml";
    /// The project's message bus.
    pub const BUS: &str = "PROJECT-MESSAGE-BUS.jsonl";
}

/// Names in a task's folder.
pub mod task {
    /// The prompt.
    pub const PROMPT: &str = "TASK.md";
    /// The agent, its settings, dependencies and the restart policy.
    pub const CONFIG: &str = "TASK-CONFIG.yaml";
    /// The task's message bus.
    pub const BUS: &str = "TASK-MESSAGE-BUS.jsonl";
    /// The message of another task that this task answers.
    pub const THREAD_LINK: &str = "TASK-THREAD-LINK.yaml";
    /// The agent's notes on its own progress.
    pub const STATE: &str = "TASK_STATE.md";
    /// The marker of a finished task.
    pub const DONE: &str = "DONE";
    /// The marker of a task that must stop and must not be restarted.
    pub const STOP: &str = "STOP";
    /// The end of the task's last loop.
    pub const END: &str = "TASK-END.yaml";
    /// The lock of the driver.
    pub const LOCK: &str = "task.lock";
    /// The folder of the task's runs.
    pub const RUNS: &str = "runs";
    /// The folder of the recorded run that the task plays.
    pub const RECORDING: &str = "recording";
    /// The origin of an imported task.
    pub const IMPORT: &str = "IMPORT.yaml";
    /// The commands of a session: what callers ask of it.
    pub const COMMANDS: &str = "commands.jsonl";
    /// The outcomes of these commands, written by the driver.
    pub const OUTCOMES: &str = "outcomes.jsonl";
    /// The answers to the agent's requests.
    pub const APPROVALS: &str = "approvals.jsonl";
}

/// Names in a run's folder.
pub mod run {
    /// The run's record, written by its driver.
    pub const INFO: &str = "run-info.yaml";
    /// The prompt that the agent received.
    pub const PROMPT: &str = "prompt.md";
    /// The answer.
    pub const OUTPUT: &str = "output.md";
    /// The agent's standard output, raw.
    pub const STDOUT: &str = "agent-stdout.txt";
    /// The agent's standard error, raw.
    pub const STDERR: &str = "agent-stderr.txt";
    /// The times at which the agent wrote its output.
    pub const LOG_TIMES: &str = "log-times.jsonl";
    /// The agent's stream in one shape for every agent.
    pub const EVENTS: &str = "events.jsonl";
    /// The run's changes to its work folder, as a patch.
    pub const PATCH: &str = "changes.patch";
    /// The list of the files that the run changed.
    pub const CHANGES: &str = "changes.json";
    /// The folder that keeps the work folder's state before the run until the run has ended.
    pub const GIT: &str = "git";
    /// The snapshot of the work folder before the run, within [`GIT`].
    pub const GIT_BEFORE: &str = "before.json";
    /// Time when an agent that hit a usage limit may try again, written by the agent itself.
    pub const RETRY_AFTER: &str = "retry-after";
    /// Commands for a live run.
    pub const INBOX: &str = "inbox.jsonl";
    /// Lines that the shim pumps into the agent.
    pub const STDIN: &str = "stdin.jsonl";
    /// The claim, published once: the processes of the run.
    pub const CLAIM: &str = "claim.json";
    /// The lock of the shim.
    pub const LOCK: &str = "run.lock";
    /// The end of the run's process, published once.
    pub const EXIT: &str = "exit.json";
    /// The launch spec for a shim that another executor starts, secrets aside.
    pub const LAUNCH: &str = "launch.json";
    /// The secrets of that launch spec, until the run is claimed.
    pub const LAUNCH_SECRETS: &str = "launch-secrets.json";
    /// The executor's name for the run.
    pub const JOB: &str = "job.json";
    /// The file that a shim touches again and again to show that it is there.
    pub const HEARTBEAT: &str = "heartbeat";
    /// The description of a recorded run, within [`super::task::RECORDING`].
    pub const RECORDING: &str = "recording.json";
}
