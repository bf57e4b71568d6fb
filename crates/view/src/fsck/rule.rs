//! The rules by name, with the meaning of a violation and the next step. `docs/fsck.md` lists them; a test compares.

use serde::Serialize;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Note,
    /// `--repair` mends it without losing anything.
    Mendable,
    /// A user has to look.
    Error,
}

impl Severity {
    /// The word for the severity.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Mendable => "mendable",
            Self::Error => "error",
        }
    }
}

macro_rules! rules {
    ($($name:ident = $word:literal, $severity:ident, $says:literal, $hint:literal;)*) => {
        /// The rules that a tree must satisfy.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum Rule {
            $(#[doc = concat!("Broken: ", $says, ".")] #[serde(rename = $word)] $name,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name of the rule.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The severity of a violation.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// The condition that a violation means.
            #[must_use]
            pub fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)* }
            }

            /// The next step for the user.
            #[must_use]
            pub fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint,)* }
            }
        }
    };
}

rules! {
    CorruptRecord = "corrupt-record", Error,
        "a record is empty, cut off or garbage",
        "restore it from a backup, or delete the task; it is never rewritten";
    NewerRecord = "newer-record", Error,
        "a record was written by a newer version",
        "use the newer version of run-agent";
    MissingRecord = "missing-record", Error,
        "a queued or live task has no TASK-CONFIG.yaml, or a claimed run has no run-info.yaml",
        "restore it from a backup, or delete the task";
    MisplacedRecord = "misplaced-record", Error,
        "a run's record names a different run than its folder",
        "move the folder back to where it was, or delete it";
    Unreadable = "unreadable", Error,
        "a file or folder cannot be read, or is of the wrong kind",
        "give its owner the right to read it, or move it away";
    TwoTickets = "two-tickets", Error,
        "two tickets name one task",
        "remove the ticket of the run that should not continue";
    TicketWithoutRun = "ticket-without-run", Mendable,
        "a ticket names a task or a run that does not exist",
        "--repair removes the ticket, which can start nothing";
    TicketOfEndedLoop = "ticket-of-ended-loop", Mendable,
        "a ticket is left over from a loop that has ended",
        "--repair removes the ticket";
    UndrivenLoop = "undriven-loop", Note,
        "a live ticket has no driver",
        "`run-agent drive --all` drives it, as a daemon would";
    UnacceptedRun = "unaccepted-run", Mendable,
        "a run was created and never accepted: it has no ticket and no claim",
        "--repair discards it; its caller got no answer";
    UncommittedEnd = "uncommitted-end", Mendable,
        "a run has ended, its record does not say so, and it has no driver to commit the end",
        "--repair commits it, as `run-agent drive` would";
    MissingClaim = "missing-claim", Error,
        "a run has no claim.json, although other files show that it started",
        "restore it from a backup, or delete the task; without it no driver continues the run";
    SilentShim = "silent-shim", Note,
        "a shim holds run.lock and has not claimed the run",
        "check again: the shim claims the run in a moment, or the next driver gives it up";
    MissingOutput = "missing-output", Mendable,
        "a run has ended and left no output.md",
        "--repair creates one from the agent's output";
    BadTimes = "bad-times", Error,
        "a run's record has an end before its start, an end and no end time, or other times than its claim.json and exit.json",
        "correct the record by hand";
    ImpossibleValue = "impossible-value", Error,
        "a run's record has a value that no run can have",
        "correct the record by hand; its claim.json and exit.json tell what happened";
    ExitDisagrees = "exit-disagrees", Error,
        "a run's record disagrees with its exit.json or with its claim.json",
        "trust exit.json and claim.json, and correct the record by hand";
    FrozenShim = "frozen-shim", Mendable,
        "a shim is stopped by a signal, so that its run obeys no limit and no stop",
        "--repair continues it; a driver of the run does so within 30 s";
    LivingProcess = "living-process", Mendable,
        "a process of an ended run is still there",
        "--repair ends it";
    BusDisagrees = "bus-disagrees", Error,
        "the bus does not have exactly one start and one end of a run that has ended",
        "find the program that posts RUN_START, RUN_STOP or RUN_CRASH";
    BusOrder = "bus-order", Error,
        "a bus has ids that do not increase",
        "readers still find its messages; find the program that writes to it without `run-agent bus post`";
    BusDuplicate = "bus-duplicate", Error,
        "a bus has an id more than once",
        "a reader that continues after that id misses messages; change or remove the id of the later line";
    BusDamaged = "bus-damaged", Error,
        "a bus has lines that do not fit their checksum: they were changed after they had been written",
        "check the disk and the memory of the machine; the messages are shown as damaged, and decide nothing";
    EventsDamaged = "events-damaged", Error,
        "a run's events.jsonl has lines that do not fit their checksum",
        "check the disk and the memory of the machine; readers take these events from agent-stdout.txt";
    BusGarbage = "bus-garbage", Note,
        "a bus has lines that are not messages",
        "readers skip them";
    BusTorn = "bus-torn", Mendable,
        "a bus ends in an incomplete line; its writer was killed",
        "--repair ends the line, as the next poster would";
    Leftover = "leftover", Mendable,
        "a process that died left a temporary file or a half-deleted folder",
        "--repair removes it";
    SetAside = "set-aside", Note,
        "a link, folder, pipe or the like was at the name of one of our files, and was set aside",
        "look at it, and remove it";
    BadName = "bad-name", Note,
        "a file or folder among projects, tasks, runs or tickets has a name that is not an id",
        "it is ignored; move it away, or rename it";
    UnknownFile = "unknown-file", Note,
        "a folder of the daemon, the planner or the audit log has an entry that this program does not write",
        "it is ignored; look at it, and remove it unless another version of run-agent has written it";
    OpenMode = "open-mode", Note,
        "users other than the owner can read a folder, or a file in it",
        "chmod go-rwx; prompts and answers may be private";
}
