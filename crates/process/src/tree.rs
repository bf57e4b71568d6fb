//! Trees of processes: all processes below one process, except the shims of other runs and their trees.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use nix::sys::signal::Signal;

use super::{
    claim::Claim,
    identity::{ProcStat, ProcessId},
    pidfd::{Leader, PidFd},
};
use base::fsx::{Durability, RelPath, Root};

/// The name that a shim gives itself. Command lines are read only for processes with this name.
pub const SHIM_NAME: &str = "conductor-shim";

/// The processes below a shim.
#[derive(Debug)]
pub struct Descendants<'a> {
    /// The live processes of its run, parents first.
    pub own: Vec<&'a ProcStat>,
    /// The shims of other runs and all processes below them. They are neither signalled nor waited for.
    pub others: HashSet<i32>,
}

/// All processes that existed at one moment.
#[derive(Debug)]
pub struct ProcTable {
    all: Vec<ProcStat>,
}

impl ProcTable {
    /// Creates a table without processes.
    #[must_use]
    pub fn empty() -> Self {
        Self { all: Vec::new() }
    }

    /// Reads all processes from `/proc`.
    #[must_use]
    pub fn snapshot() -> Self {
        let Ok(proc) = Root::open(Path::new("/proc"), Durability::Never) else {
            return Self::empty();
        };
        let names = proc.list(&RelPath::top()).unwrap_or_default();
        let pids = names.iter().filter_map(|e| e.name.parse().ok());
        Self { all: pids.filter_map(ProcStat::of).collect() }
    }

    /// Returns the processes themselves.
    pub fn into_processes(self) -> impl Iterator<Item = ProcStat> {
        self.all.into_iter()
    }

    /// Returns the processes below `top`.
    #[must_use]
    pub fn below(&self, top: i32) -> Descendants<'_> {
        let mut children: HashMap<i32, Vec<&ProcStat>> = HashMap::new();
        for stat in &self.all {
            children.entry(stat.parent).or_default().push(stat);
        }
        let mut below = Descendants { own: Vec::new(), others: HashSet::new() };
        let mut todo = vec![top];
        while let Some(parent) = todo.pop() {
            for stat in children.remove(&parent).unwrap_or_default() {
                todo.push(stat.id.pid);
                if below.others.contains(&parent) || is_shim_of_a_run(stat) {
                    below.others.insert(stat.id.pid);
                } else if !stat.is_dead() {
                    below.own.push(stat);
                }
            }
        }
        below
    }

    /// Sends SIGKILL to the process group that an agent leads, unless a process that belongs to another run is in it.
    ///
    /// A walk of `/proc` may lose a race against processes that only live for a moment; this does not.
    pub fn kill_group(&self, agent: &PidFd, leader: Leader, below: &Descendants<'_>) {
        let of_another_run = |s: &ProcStat| s.group == agent.id().pid && below.others.contains(&s.id.pid);
        if !self.all.iter().any(of_another_run) {
            agent.kill_group(leader);
        }
    }

    /// Returns a process and the processes below it that belong to the same run; empty if it has ended.
    #[must_use]
    pub fn tree_of(&self, top: ProcessId) -> Vec<&ProcStat> {
        let Some(found) = self.all.iter().find(|s| s.id == top && !s.is_dead()) else { return Vec::new() };
        let mut tree = vec![found];
        tree.extend(self.below(top.pid).own);
        tree
    }

    /// Returns the live processes with a run in their environment, and that run. Shims are excluded.
    #[must_use]
    pub fn runs(&self) -> Vec<(String, ProcessId)> {
        let of = |s: &ProcStat| {
            let bytes =
                base::fsx::read_outside(Path::new(&format!("/proc/{}/environ", s.id.pid)), 4 << 20).ok()?;
            let run = bytes.split(|b| *b == 0).find_map(|variable| variable.strip_prefix(b"JRUN_ID="))?;
            Some((String::from_utf8_lossy(run).into_owned(), s.id))
        };
        let own = std::process::id().cast_signed();
        self.all
            .iter()
            .filter(|s| !s.is_dead() && s.id.pid != own && s.comm != SHIM_NAME)
            .filter_map(of)
            .collect()
    }

    /// Returns the live processes with this run in their environment. It finds them without their shim.
    #[must_use]
    pub fn of_run(&self, run_id: &str) -> Vec<&ProcStat> {
        let mark = format!("JRUN_ID={run_id}").into_bytes();
        let own = std::process::id().cast_signed();
        self.all
            .iter()
            .filter(|s| {
                !s.is_dead() && s.id.pid != own && s.comm != SHIM_NAME && has_variable(s.id.pid, &mark)
            })
            .collect()
    }
}

/// Sends a signal to each of these processes, through a handle that is checked against its start time.
pub fn signal_all(processes: &[&ProcStat], signal: Signal) {
    for stat in processes {
        if let Some(handle) = PidFd::open(stat.id) {
            handle.send(signal);
        }
    }
}

fn has_variable(pid: i32, mark: &[u8]) -> bool {
    let path = format!("/proc/{pid}/environ");
    base::fsx::read_outside(Path::new(&path), 4 << 20)
        .is_ok_and(|bytes| bytes.split(|b| *b == 0).any(|variable| variable == mark))
}

/// Returns true if a process is the shim that a run folder's claim names.
fn is_shim_of_a_run(stat: &ProcStat) -> bool {
    if stat.comm != SHIM_NAME || stat.is_dead() {
        return false;
    }
    let claimed = |id: ProcessId| -> Option<bool> {
        let arguments = id.arguments();
        let run_dir = arguments.get(2)?;
        let root = Root::open(Path::new(run_dir), Durability::Never).ok()?;
        let claim = Claim::read(&root, &RelPath::top()).ok()??;
        Some(claim.shim == Some(id))
    };
    claimed(stat.id).unwrap_or(false)
}
