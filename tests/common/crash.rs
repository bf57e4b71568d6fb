//! A tree in which drivers and shims are killed, and the properties that it must have after a restart.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{
    Outcome, Sandbox, cgroups,
    processes::{Cleanup, is_alive, marked, signal, until, until_true},
};

/// The agent's behaviour. Before anything else it records its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// One run that answers.
    Answers,
    /// One run that fails.
    Fails,
    /// One run that is stopped.
    IsStopped,
    /// One run that answers once it is allowed to.
    Waits,
    /// A loop of two runs.
    Loops,
}

impl Agent {
    fn script(self) -> String {
        let deed = match self {
            Self::Answers => "echo working; echo answer > \"$JRUN_RUN_FOLDER\"/output.md",
            Self::Fails => "echo trouble >&2; exit 3",
            Self::IsStopped => "touch \"$JRUN_TASK_FOLDER\"/STOP; exec sleep 60",
            Self::Waits => "while [ ! -e \"$HOME\"/go ]; do sleep 0.01; done; echo answer",
            Self::Loops => "[ -e \"$HOME\"/once ] && touch \"$JRUN_TASK_FOLDER\"/DONE; touch \"$HOME\"/once",
        };
        format!("echo $JRUN_ID $$ >> \"$HOME\"/starts; {deed}")
    }

    /// The status of its ended runs.
    pub fn status(self) -> &'static str {
        match self {
            Self::Answers | Self::Waits | Self::Loops => "completed",
            Self::Fails => "failed",
            Self::IsStopped => "stopped",
        }
    }

    fn runs(self) -> usize {
        if self == Self::Loops { 2 } else { 1 }
    }
}

/// The operation on the disk before which each process is killed; 1 is the first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kill {
    pub driver: Option<u32>,
    pub shim: Option<u32>,
}

impl Kill {
    pub const NOBODY: Self = Self { driver: None, shim: None };

    pub fn driver(at: u32) -> Self {
        Self { driver: Some(at), shim: None }
    }

    pub fn shim(at: u32) -> Self {
        Self { driver: None, shim: Some(at) }
    }
}

/// The information that may be lost with a killed process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Nothing: every shim has lived.
    Nothing,
    /// The end of the agent, or its start.
    End,
}

/// The result of a command line.
#[derive(Debug)]
pub struct Ran {
    pub killed: bool,
}

/// A tree of its own, of which no process is left at the end.
pub struct CrashBench {
    sandbox: Sandbox,
    mark: String,
    _cleanup: Cleanup,
}

/// The only rules that may be broken after a crash, until a repair.
const LEFT_BY_A_CRASH: [&str; 2] = ["unaccepted-run", "leftover"];

impl CrashBench {
    pub fn new() -> Self {
        let sandbox = Sandbox::new();
        let mark = format!("HOME={}", sandbox.home().display());
        Self { _cleanup: Cleanup::of(&mark), sandbox, mark }
    }

    pub fn root(&self) -> PathBuf {
        self.sandbox.root()
    }

    pub fn task(&self) -> PathBuf {
        self.root().join("p/t")
    }

    /// Writes a file below the home.
    pub fn put(&self, path: &str, text: &str) {
        self.sandbox.write(Path::new("home").join(path), text);
    }

    /// Starts a command line.
    pub fn start(&self, args: &[&str], kill: Kill) -> Child {
        let mut command = self.sandbox.command(args);
        let said = fs::OpenOptions::new().create(true).append(true).open(self.said());
        command.stdout(Stdio::null()).stderr(said.expect("a file"));
        for (name, at) in
            [("CONDUCTOR_TEST_KILL_DRIVER", kill.driver), ("CONDUCTOR_TEST_KILL_SHIM", kill.shim)]
        {
            if let Some(at) = at {
                command.env(name, at.to_string());
            }
        }
        command.spawn().expect("run-agent can be started")
    }

    /// Waits for the end of a command line.
    pub fn wait(mut child: Child) -> Ran {
        let status = until("the end of run-agent", || child.try_wait().expect("a child"));
        Ran { killed: status.signal() == Some(9) }
    }

    /// Runs a command line to its end.
    pub fn run(&self, args: &[&str], kill: Kill) -> Ran {
        Self::wait(self.start(args, kill))
    }

    /// Gives the agent its task, and waits for the end.
    pub fn submit(&self, agent: Agent, kill: Kill) -> Ran {
        Self::wait(self.begin(agent, kill))
    }

    /// Gives the agent its task.
    pub fn begin(&self, agent: Agent, kill: Kill) -> Child {
        let script = agent.script();
        let mut args = match agent {
            Agent::Loops => vec!["task", "--restart-delay", "0s", "--max-restarts", "4"],
            _ => vec!["job"],
        };
        args.extend(["--project", "p", "--task", "t", "--prompt", "hello", "--", "/bin/sh", "-c", &script]);
        self.start(&args, kill)
    }

    /// Lets another driver take over, which is not killed.
    pub fn restart(&self, what: &str) {
        let ran = self.run(&["drive", "--all"], Kill::NOBODY);
        assert!(!ran.killed, "{what}: {ran:?}");
    }

    pub fn fsck(&self, flags: &str) -> Findings {
        let Outcome { stdout, stderr, .. } = self.sandbox.run(&format!("fsck --json {flags}"));
        let answer: Value = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stdout}{stderr}"));
        let of = |key: &str| answer[key].as_array().expect("a list").clone();
        Findings { all: of("findings"), failures: of("failures") }
    }

    /// Repairs the tree. Fails if more than notes are left.
    #[track_caller]
    pub fn repair(&self, what: &str) {
        let left = self.fsck("--repair");
        assert!(left.beyond_notes().is_empty() && left.failures.is_empty(), "{what}: {left:?}");
    }

    /// Checks the invariants of the tree. A submission that was not accepted is repeated.
    #[track_caller]
    pub fn check(&self, agent: Agent, lost: Lost, what: &str) {
        let found = self.fsck("");
        for finding in found.beyond_notes() {
            let rule = finding["rule"].as_str().expect("a rule");
            assert!(LEFT_BY_A_CRASH.contains(&rule), "{what}: {finding}");
        }
        self.nothing_is_left(what);
        if self.accepted().is_empty() {
            let said = fs::read_to_string(self.said()).unwrap_or_default();
            assert!(
                !said.contains("/runs/"),
                "{what}: an answer was given, and nothing was accepted: {said}"
            );
            assert_eq!(self.starts(), BTreeMap::new(), "{what}: an agent that nobody accepted");
            let ran = self.submit(agent, Kill::NOBODY);
            assert!(!self.accepted().is_empty(), "{what}: again, in vain: {ran:?}");
            self.check_runs(agent, Lost::Nothing, &format!("{what}, and again"));
        } else {
            self.check_runs(agent, lost, what);
        }
        self.repair(what);
    }

    #[track_caller]
    fn check_runs(&self, agent: Agent, lost: Lost, what: &str) {
        let (runs, starts) = (self.accepted(), self.starts());
        let bus = fs::read_to_string(self.task().join("TASK-MESSAGE-BUS.jsonl")).unwrap_or_default();
        let told = |kind: &str, id: &str| {
            let of = |line: &&str| line.contains(&format!("\"type\":\"{kind}\"")) && line.contains(id);
            bus.lines().filter(of).count()
        };
        for run in &runs {
            let Run { id, status, folder } = run;
            let started = starts.get(id).copied().unwrap_or(0);
            assert!(folder.join("output.md").exists(), "{what}: no answer of {run:?}");
            assert!(started <= 1, "{what}: the agent of one run has started {started} times: {run:?}");
            assert!(told("RUN_START", id) <= 1, "{what}: {run:?}\n{bus}");
            assert_eq!(told("RUN_STOP", id) + told("RUN_CRASH", id), 1, "{what}: {run:?}\n{bus}");
            // Without its shim a run is a success only if it ran, and if a live driver saw its end.
            assert!(status != "completed" || started == 1, "{what}: a success of nobody: {run:?}");
            if lost == Lost::Nothing {
                let exit = folder.join("exit.json").exists();
                assert!(exit && started == 1, "{what}: started {started} times: {run:?}");
                assert_eq!(status, agent.status(), "{what}: {run:?}");
            } else {
                let known = ["crashed", "failed", agent.status()].contains(&status.as_str());
                assert!(known, "{what}: {run:?}");
            }
        }
        if lost == Lost::Nothing {
            assert_eq!(runs.len(), agent.runs(), "{what}: {runs:?}");
        }
        let end = fs::read_to_string(self.task().join("TASK-END.yaml")).unwrap_or_default();
        assert!(end.contains("status:"), "{what}: the loop has no end");
        assert!(told("TASK_DONE", "") <= 1 && told("ERROR", "") <= 1, "{what}: {bus}");
        let project = fs::read_to_string(self.root().join("p/PROJECT-MESSAGE-BUS.jsonl")).unwrap_or_default();
        assert!(project.matches("\"FACT\"").count() <= 1, "{what}: {project}");
    }

    /// No ticket, no process and no control group.
    #[track_caller]
    fn nothing_is_left(&self, what: &str) {
        for place in ["queue", "live"] {
            let folder = self.root().join("_planner").join(place);
            let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.file_name());
            let tickets: Vec<_> = names.filter(|n| !n.to_string_lossy().starts_with('.')).collect();
            assert!(tickets.is_empty(), "{what}: {tickets:?}");
        }
        // A process that is ending gets a moment.
        until_true(&format!("the end of the last process: {what}"), || marked(&self.mark).is_empty());
        for run in self.runs() {
            let group = cgroups::unified().map(|own| own.join(format!("conductor-run-{}", run.id)));
            assert!(group.is_none_or(|group| !group.exists()), "{what}: the control group of {run:?}");
        }
    }

    /// The number of starts of each run's agent.
    pub fn starts(&self) -> BTreeMap<String, usize> {
        let mut starts = BTreeMap::new();
        for line in fs::read_to_string(self.sandbox.home().join("starts")).unwrap_or_default().lines() {
            let run = line.split(' ').next().unwrap_or_default();
            *starts.entry(run.to_owned()).or_default() += 1;
        }
        starts
    }

    /// The runs, as they are on the disk.
    pub fn runs(&self) -> Vec<Run> {
        let runs = fs::read_dir(self.task().join("runs")).into_iter().flatten().flatten();
        runs.map(|entry| {
            let folder = entry.path();
            let record = fs::read_to_string(folder.join("run-info.yaml")).unwrap_or_default();
            let status = record.lines().find_map(|l| l.strip_prefix("status: ")).unwrap_or("none").to_owned();
            Run { id: entry.file_name().to_string_lossy().into_owned(), status, folder }
        })
        .collect()
    }

    /// The runs with a record beyond `created`: only an accepted run gets there.
    pub fn accepted(&self) -> Vec<Run> {
        self.runs().into_iter().filter(|run| !["none", "created"].contains(&run.status.as_str())).collect()
    }

    /// The processes that the claim of the one run names: the shim and the agent.
    pub fn claimed(&self) -> (i32, i32) {
        let claim: Value = until("a claim", || {
            let run = self.runs().pop()?;
            serde_json::from_str(&fs::read_to_string(run.folder.join("claim.json")).ok()?).ok()
        });
        let pid = |who: &str| claim[who]["pid"].as_i64().and_then(|n| n.try_into().ok()).expect("a pid");
        (pid("shim"), pid("agent"))
    }

    /// Returns true if a shim was killed: one that ends by itself leaves exit.json, and no reserved room.
    pub fn a_shim_died(&self) -> bool {
        let runs = self.runs();
        let unfinished = |run: &Run| {
            !run.folder.join("exit.json").exists() || run.folder.join(".reserved-exit.json").exists()
        };
        runs.is_empty() || runs.iter().any(unfinished)
    }

    fn said(&self) -> PathBuf {
        self.sandbox.home().join("said")
    }
}

/// Ends a process, and waits until it has ended.
pub fn kill(pid: i32) {
    signal(pid, Signal::SIGKILL);
    until_true("the end of a killed process", || !is_alive(pid));
}

/// A run, as it is on the disk.
#[derive(Debug)]
pub struct Run {
    pub id: String,
    pub status: String,
    pub folder: PathBuf,
}

/// The findings of `fsck`.
#[derive(Debug)]
pub struct Findings {
    all: Vec<Value>,
    pub failures: Vec<Value>,
}

impl Findings {
    pub fn beyond_notes(&self) -> Vec<&Value> {
        self.all.iter().filter(|f| f["severity"] != "note").collect()
    }
}
