//! The rules by name, with what breaking one means and what to do then. `docs/fsck.md` lists them; a test compares.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Note,
    /// `--repair` mends it, losing nothing.
    Mendable,
    /// A person has to look.
    Error,
}

impl Severity {
    /// The word itself.
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
        /// What a tree is held to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum Rule {
            $(#[doc = concat!("Broken: ", $says, ".")] #[serde(rename = $word)] $name,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// How bad it is to break it.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// What is the case where it is broken.
            #[must_use]
            pub fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)* }
            }

            /// What to do about it.
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
        "a task that is wanted has no TASK-CONFIG.yaml, or a run that was claimed no run-info.yaml",
        "restore it from a backup, or delete the task";
    MisplacedRecord = "misplaced-record", Error,
        "a run's record names another run than the folder that it lies in",
        "move the folder back to where it was, or delete it";
    Unreadable = "unreadable", Error,
        "a file or folder cannot be read, or is of the wrong kind",
        "give its owner the right to read it, or move it away";
    TwoTickets = "two-tickets", Error,
        "two tickets name one task",
        "remove the one whose run should not go on";
    TicketWithoutRun = "ticket-without-run", Mendable,
        "a ticket names a task or a run that does not exist",
        "--repair removes the ticket, which can start nothing";
    TicketOfEndedLoop = "ticket-of-ended-loop", Mendable,
        "a ticket is left over from a loop that has ended",
        "--repair removes the ticket";
    UndrivenLoop = "undriven-loop", Note,
        "a live ticket is driven by nobody",
        "`run-agent drive --all` goes on with it, as a daemon would";
    UnacceptedRun = "unaccepted-run", Mendable,
        "a run was made and never accepted: no ticket names it, nobody has claimed it",
        "--repair discards it; whoever asked for it got no answer";
    UncommittedEnd = "uncommitted-end", Mendable,
        "a run has ended, its record does not say so, and nobody is there to commit it",
        "--repair commits it, as `run-agent drive` would";
    MissingClaim = "missing-claim", Error,
        "a run has begun or ended by its other files, and has no claim.json",
        "restore it from a backup, or delete the task; without it nobody drives the run";
    SilentShim = "silent-shim", Note,
        "a shim holds run.lock and has not claimed the run",
        "look again: it claims in a moment, or whoever drives next gives the run up";
    MissingOutput = "missing-output", Mendable,
        "a run has ended and left no output.md",
        "--repair makes one of what the agent printed";
    BadTimes = "bad-times", Error,
        "a run's record has an end before its start, or an end and no end time",
        "correct the record by hand";
    ExitDisagrees = "exit-disagrees", Error,
        "a run's record says something else than its exit.json, or than the driver's claim",
        "believe exit.json, and correct the record by hand";
    LivingProcess = "living-process", Mendable,
        "a process of an ended run is still there",
        "--repair ends it";
    BusDisagrees = "bus-disagrees", Error,
        "the bus has not exactly one end of an ended run, or not one start of one that began",
        "look who else posts RUN_START, RUN_STOP or RUN_CRASH";
    BusOrder = "bus-order", Error,
        "a bus has ids that do not increase",
        "readers find its messages all the same; look who writes to it without `run-agent bus post`";
    BusDuplicate = "bus-duplicate", Error,
        "a bus has an id more than once",
        "a reader that waits behind that id misses messages; give the later line another id, or none";
    BusGarbage = "bus-garbage", Note,
        "a bus has lines that are no messages",
        "readers pass over them";
    BusTorn = "bus-torn", Mendable,
        "a bus ends in an unfinished line, whose writer died",
        "--repair ends the line, as the next poster would";
    Leftover = "leftover", Mendable,
        "a temporary file, or something half deleted, was left behind by a process that is gone",
        "--repair removes it";
    BadName = "bad-name", Note,
        "something has a name that is no id where projects, tasks, runs or tickets lie",
        "it is passed over; move it away, or rename it";
    OpenMode = "open-mode", Note,
        "a folder, or a file in such a folder, can be read by others than its owner",
        "chmod go-rwx; prompts and answers may be private";
}
