//! The rules by name. `docs/fsck.md` lists them; a test compares.

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

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal, $severity:ident;)*) => {
        /// What a tree is held to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum Rule {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $name,)*
        }

        impl Rule {
            /// Every rule with what it says.
            pub const ALL: &[(Self, &str)] = &[$((Self::$name, concat!($($doc),+))),*];

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
        }
    };
}

rules! {
    /// a folder where projects, tasks or runs lie has a name that is no id
    BadName = "bad-name", Note;
    /// a record is empty, cut off or garbage
    CorruptRecord = "corrupt-record", Error;
    /// a record was written by a newer version
    NewerRecord = "newer-record", Error;
    /// two tickets name one task
    TwoTickets = "two-tickets", Error;
    /// a ticket names a run that does not exist
    TicketWithoutRun = "ticket-without-run", Mendable;
    /// a ticket is left over from a loop that has ended
    TicketOfEndedLoop = "ticket-of-ended-loop", Mendable;
    /// a live ticket is driven by nobody
    UndrivenLoop = "undriven-loop", Note;
    /// a run was made and never accepted: no ticket names it, nobody has claimed it
    UnacceptedRun = "unaccepted-run", Mendable;
    /// a run has ended, its record does not say so, and nobody is there to commit it
    UncommittedEnd = "uncommitted-end", Mendable;
    /// a run has ended and left no output.md
    MissingOutput = "missing-output", Mendable;
    /// a run's record has an end before its start, or an end and no end time
    BadTimes = "bad-times", Error;
    /// a run's record says something else than its exit.json
    ExitDisagrees = "exit-disagrees", Error;
    /// the bus has not exactly one end of an ended run, or more than one start
    BusDisagrees = "bus-disagrees", Error;
    /// a process of an ended run is still there
    LivingProcess = "living-process", Mendable;
    /// a bus has ids that do not increase
    BusOrder = "bus-order", Error;
    /// a bus has lines that are no messages
    BusGarbage = "bus-garbage", Note;
    /// a bus ends in an unfinished line, which the next poster will end
    BusTorn = "bus-torn", Note;
    /// a temporary file, or something half deleted, was left behind by a process that is gone
    Leftover = "leftover", Mendable;
    /// a file or folder can be read by others than its owner
    OpenMode = "open-mode", Note;
}
