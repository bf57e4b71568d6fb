//! `exit.json`: written once, durably, by the shim: how the process really ended.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    fsx::{RelPath, Root},
    names,
    record::{self, Record, Spelling},
};

/// Room that is reserved for it at the claim; a record is cut to fit.
pub const RESERVED_BYTES: usize = 16 * 1024;

/// How the process ended. Whether the work succeeded is another question:
/// that takes the agent's own last event too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExitRecord {
    /// Format version; 1.
    pub version: u64,
    /// The end itself.
    #[serde(flatten)]
    pub end: ProcessEnd,
    /// When the agent was let go; absent if it never was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started_at: Option<DateTime<Utc>>,
    /// When the agent's process ended.
    pub ended_at: DateTime<Utc>,
    /// Who asked for the end, if somebody did before it came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop: Option<StopRequest>,
    /// What it used, it and those of its children that it waited for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rusage: Option<ResourceUsage>,
    /// Whether the kernel killed it for want of memory, and how that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub out_of_memory: Option<String>,
    /// Processes that the agent left behind when it ended by itself; they were ended.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub leftovers: Vec<Leftover>,
    /// Processes that even SIGKILL did not end in time.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub survivors: Vec<Leftover>,
}

/// The ways a process ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum ProcessEnd {
    /// It exited.
    Exited {
        /// Exit code.
        exit_code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// Number of the signal.
        signal: i32,
        /// Whether it left a core.
        core_dumped: bool,
    },
    /// It was never started: the program could not be executed, or STOP was there before.
    NotStarted {
        /// What failed.
        error: String,
        /// What to do about it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        hint: Option<String>,
        /// The kernel's error number.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        errno: Option<i32>,
    },
}

/// A request to end a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopRequest {
    /// Who asked.
    pub by: StopBy,
    /// When it was seen.
    pub at: DateTime<Utc>,
}

/// Who asks for the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopBy {
    /// STOP in the task's folder.
    StopMarker,
    /// A `stop` command in the run's inbox.
    Inbox,
    /// A `usage_limit` command in the run's inbox: its agent waited out a usage limit, or an overload, by itself.
    UsageLimit,
    /// Nothing on stdout or stderr for as long as is allowed.
    IdleTimeout,
    /// The run took as long as is allowed.
    MaxRunTime,
    /// A signal to the shim, for example when the machine goes down. Not a stop: the loop goes on.
    Signal,
}

/// What a process used.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ResourceUsage {
    /// Seconds of processor time in the program.
    pub user_seconds: f64,
    /// Seconds of processor time in the kernel.
    pub system_seconds: f64,
    /// Largest resident memory of any one of its processes, in bytes.
    pub max_rss_bytes: u64,
}

/// A process that outlived its agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leftover {
    /// Process id.
    pub pid: i32,
    /// Its name.
    pub name: String,
}

impl Record for ExitRecord {
    const SPELLING: Spelling = Spelling::Json;
    const MAX_BYTES: u64 = 1 << 20;
}

impl ExitRecord {
    /// The record of an end about which nothing else is known.
    #[must_use]
    pub fn new(end: ProcessEnd, ended_at: DateTime<Utc>) -> Self {
        Self {
            version: 1,
            end,
            started_at: None,
            ended_at,
            stop: None,
            rusage: None,
            out_of_memory: None,
            leftovers: Vec::new(),
            survivors: Vec::new(),
        }
    }

    /// The bytes of the file, cut to the room that was reserved.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut record = self.clone();
        loop {
            let mut bytes = serde_json::to_vec_pretty(&record).unwrap_or_default();
            bytes.push(b'\n');
            if bytes.len() <= RESERVED_BYTES {
                return bytes;
            }
            record.halve();
        }
    }

    /// Cuts everything that has no bound of its own.
    fn halve(&mut self) {
        let cut = |text: &mut String| text.truncate(text.floor_char_boundary(text.len() / 2));
        self.leftovers.truncate(self.leftovers.len() / 2);
        self.survivors.truncate(self.survivors.len() / 2);
        self.out_of_memory.iter_mut().for_each(cut);
        if let ProcessEnd::NotStarted { error, hint, .. } = &mut self.end {
            cut(error);
            hint.iter_mut().for_each(cut);
        }
    }

    /// Reads the record of a run; `None` if it has not ended, or nobody saw its end.
    ///
    /// # Errors
    /// If the file is no such record.
    pub fn read(root: &Root, run_dir: &RelPath) -> record::Result<Option<Self>> {
        record::read(root, &run_dir.join(names::run::EXIT))
    }
}
