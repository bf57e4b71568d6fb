//! `exit.json`: written once, durably, by the shim. It records how the agent's process ended.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use base::{
    fsx::{RelPath, Root},
    names,
    record::{self, Record, Spelling},
};

/// Space that is reserved for the record at the claim. A larger record is cut to fit.
pub const RESERVED_BYTES: usize = 16 * 1024;

/// The end of an agent's process. The record does not decide if the work succeeded: the verdict also needs the agent's
/// own last event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExitRecord {
    /// Format version; 1.
    pub version: u64,
    /// The kind of end.
    #[serde(flatten)]
    pub end: ProcessEnd,
    /// Time when the agent was allowed to exec; absent if it never was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started_at: Option<DateTime<Utc>>,
    /// Time when the agent's process ended.
    pub ended_at: DateTime<Utc>,
    /// The request to end the run, if one came before the end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop: Option<StopRequest>,
    /// Resources used by the agent and by those of its children that it waited for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rusage: Option<ResourceUsage>,
    /// The evidence that the kernel killed the agent for lack of memory; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub out_of_memory: Option<String>,
    /// Processes that the agent left behind when it ended by itself. The shim ended them.
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
    /// The process exited.
    Exited {
        /// Exit code.
        exit_code: i32,
    },
    /// A signal ended the process.
    Signaled {
        /// Number of the signal.
        signal: i32,
        /// True if the process left a core dump.
        core_dumped: bool,
    },
    /// The process never started: the program could not be executed, or STOP was there before.
    NotStarted {
        /// The operation that failed, with the error.
        error: String,
        /// Advice on how to repair it.
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
    /// The source of the request.
    pub by: StopBy,
    /// Time when the shim noticed the request.
    pub at: DateTime<Utc>,
}

/// The source of a request to end a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopBy {
    /// STOP in the task's folder.
    StopMarker,
    /// A `stop` command in the run's inbox.
    Inbox,
    /// A `usage_limit` command in the run's inbox: its agent waited out a usage limit, or an overload, by itself.
    UsageLimit,
    /// A `last_word` command in the run's inbox: its agent has reported its final result, and did not exit for
    /// `exit_grace` although nothing worked in the background any more.
    LastWord,
    /// No output on stdout or stderr for the longest time allowed.
    IdleTimeout,
    /// The run took the longest time allowed.
    MaxRunTime,
    /// The run's folder was removed. This is recorded only if the folder can still be written.
    FolderGone,
    /// A signal to the shim, for example when the machine shuts down. It does not stop the task: the loop goes on.
    Signal,
}

/// Resources that a process used.
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
    /// Name of the process.
    pub name: String,
}

impl Record for ExitRecord {
    const SPELLING: Spelling = Spelling::Json;
    const MAX_BYTES: u64 = 1 << 20;
}

impl ExitRecord {
    /// Creates a record of an end without any further facts.
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

    /// Returns the bytes of the file, cut to the reserved space.
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

    /// Halves every part of the record that has no fixed bound.
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

    /// Reads the record of a run; `None` if the run has not ended, or if no shim saw its end.
    ///
    /// # Errors
    /// If the file is not such a record.
    pub fn read(root: &Root, run_dir: &RelPath) -> record::Result<Option<Self>> {
        let rel = run_dir.join(names::run::EXIT);
        match record::read_if_file(root, &rel)? {
            Some(record) => Ok(Some(record)),
            None => Ok(Self::unlinked(root, run_dir)),
        }
    }

    /// Reads a complete record that its shim could not give its name any more, because the disk failed or the shim was
    /// killed. While the shim lives, it may still do so.
    #[must_use]
    pub fn unlinked(root: &Root, run_dir: &RelPath) -> Option<Self> {
        let hidden = Root::reserved_for(&run_dir.join(names::run::EXIT));
        if !root.is_file(&hidden).ok()? || root.is_locked(&run_dir.join(names::run::LOCK)).ok()? {
            return None;
        }
        // Room that was never written is no record.
        record::read_if_file(root, &hidden).ok()?
    }
}
