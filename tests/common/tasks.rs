//! Tasks run by the real binary with small shell scripts as agents, in a sandbox of one test.

use std::{
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use base::{clock::Clock, fsx::Durability};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tree::{Tree, refs::TaskRef, run_info::RunInfo, task_end::TaskEnd};

use crate::common::{Outcome, Sandbox, outcome};

/// Maximum time that a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An agent that works until the file `go` is in its working folder, but for a limited time.
pub const UNTIL_GO: &str = "i=0; while [ ! -e go ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done";
/// An agent that declares its task done.
pub const DONE: &str = "touch \"$JRUN_TASK_FOLDER\"/DONE";

/// The tasks of one test, all in the project `p`.
pub struct Bench {
    pub sandbox: Sandbox,
    pub tree: Tree,
}

impl Bench {
    pub fn new() -> Self {
        let sandbox = Sandbox::new();
        let tree = Tree::create(&sandbox.root(), Durability::Never, Clock::System).unwrap();
        Self { sandbox, tree }
    }

    /// Returns `run-agent VERB --project p --task NAME FLAGS -- sh -c SCRIPT`, with JSON output.
    pub fn command(&self, verb: &str, name: &str, flags: &str, script: &str) -> Command {
        let mut args = vec![verb, "--project", "p", "--task", name, "--prompt", "do it", "--json"];
        args.extend(flags.split_whitespace());
        args.extend(["--", "sh", "-c", script]);
        self.sandbox.command(args)
    }

    /// Runs a loop with quick restarts to its end.
    pub fn task(&self, name: &str, flags: &str, script: &str) -> LoopResult {
        let flags = format!("--restart-delay 10ms {flags}");
        LoopResult::of(outcome(&mut self.command("task", name, &flags, script)))
    }

    /// Starts a loop with quick restarts, and waits until its agent runs.
    pub fn start(&self, name: &str, flags: &str, script: &str) -> Driver {
        let driver = self.start_only(name, &format!("--restart-delay 10ms {flags}"), script);
        self.until_running(name);
        driver
    }

    /// Starts a loop.
    pub fn start_only(&self, name: &str, flags: &str, script: &str) -> Driver {
        Driver::of(&mut self.command("task", name, flags, script))
    }

    /// Starts a loop. Returns the file with what it prints on stderr, too.
    pub fn start_logging(&self, name: &str, flags: &str, script: &str) -> (Driver, PathBuf) {
        let log = self.sandbox.write(format!("{name}.log"), "");
        let mut command = self.command("task", name, flags, script);
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        (Driver { child: Some(command.spawn().unwrap()) }, log)
    }

    pub fn run(&self, line: &str) -> Outcome {
        self.sandbox.run(line)
    }

    /// The reason that `why` gives for a task.
    pub fn why(&self, name: &str) -> String {
        let mut reason = String::new();
        // A ticket may move between the answer and our check of the files that it names.
        until("the files of the answer are there", || {
            let said = self.run(&format!("why p/{name} --json")).succeeds();
            let said: Value = serde_json::from_str(&said).unwrap();
            said["reason"].as_str().unwrap().clone_into(&mut reason);
            said["files"].as_array().unwrap().iter().all(|f| PathBuf::from(f.as_str().unwrap()).exists())
        });
        reason
    }

    pub fn named(name: &str) -> TaskRef {
        TaskRef { project: "p".parse().unwrap(), task: name.parse().unwrap() }
    }

    /// The records of a task's runs, oldest first.
    pub fn runs(&self, name: &str) -> Vec<RunInfo> {
        let task = Self::named(name);
        let ids = self.tree.runs(&task).unwrap_or_default();
        ids.into_iter().filter_map(|id| self.tree.run_info(&task.run(id)).ok()).collect()
    }

    /// A file in the folder of a task's nth run.
    pub fn run_file(&self, name: &str, n: usize, file: &str) -> PathBuf {
        let run = Self::named(name).run(self.runs(name)[n].run_id.clone());
        self.tree.root().absolute(&run.dir().path().join(file))
    }

    pub fn end(&self, name: &str) -> Option<TaskEnd> {
        self.tree.task_end(&Self::named(name)).unwrap()
    }

    /// Makes a file in the working folder.
    pub fn touch(&self, name: &str) {
        self.sandbox.write(format!("work/{name}"), "");
    }

    pub fn marker(&self, task: &str, marker: &str) -> PathBuf {
        self.sandbox.root().join("p").join(task).join(marker)
    }

    /// The number of messages of a type on the bus of a task, or of the project.
    pub fn posts(&self, task: Option<&str>, kind: &str) -> usize {
        self.bodies(task, kind).len()
    }

    /// The bodies of the messages of a type on a task's bus, or on the project's.
    pub fn bodies(&self, task: Option<&str>, kind: &str) -> Vec<String> {
        let path = match task {
            Some(task) => self.marker(task, "TASK-MESSAGE-BUS.jsonl"),
            None => self.sandbox.root().join("p/PROJECT-MESSAGE-BUS.jsonl"),
        };
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        messages.filter(|m| m["type"] == kind).map(|m| m["body"].as_str().unwrap().to_owned()).collect()
    }

    /// Checks that every run has one start and one end on the bus, and a committed record.
    #[track_caller]
    pub fn nothing_is_missing_or_doubled(&self, task: &str) {
        let runs = self.runs(task);
        let bus = std::fs::read_to_string(self.marker(task, "TASK-MESSAGE-BUS.jsonl")).unwrap();
        for run in &runs {
            let of_run = |kind: &str| {
                let own =
                    |l: &&str| l.contains(run.run_id.as_str()) && l.contains(&format!("\"type\":\"{kind}\""));
                bus.lines().filter(own).count()
            };
            let posted = (of_run("RUN_START"), of_run("RUN_STOP") + of_run("RUN_CRASH"));
            assert!(run.status.is_final() && posted == (1, 1), "{run:?}: {posted:?}\n{bus}");
        }
    }

    #[track_caller]
    pub fn until_running(&self, name: &str) {
        until(&format!("{name} runs"), || self.runs(name).last().is_some_and(|r| r.pid.is_some()));
    }

    /// Waits until the last run of a task has been started as this attempt.
    #[track_caller]
    pub fn until_attempt(&self, name: &str, attempt: u32) {
        let is = || self.runs(name).last().is_some_and(|r| r.attempt == attempt && r.pid.is_some());
        until(&format!("attempt {attempt} of {name}"), is);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Processes that a failed test leaves running end at once, and not only after their own limit.
        self.touch("go");
    }
}

/// Polls until a condition holds.
#[track_caller]
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The result of a loop.
#[derive(Debug)]
pub struct LoopResult {
    pub outcome: Outcome,
    json: Value,
}

impl LoopResult {
    fn of(outcome: Outcome) -> Self {
        let json = serde_json::from_str(&outcome.stdout).unwrap_or(Value::Null);
        Self { outcome, json }
    }

    pub fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_else(|| panic!("no {key}: {self:?}"))
    }

    /// Exit code, status of the task, and the reason.
    pub fn ended(&self) -> (i32, &str, &str) {
        (self.outcome.code, self.text("task_status"), self.text("reason"))
    }
}

/// A running command line, which ends with the test.
pub struct Driver {
    child: Option<Child>,
}

impl Driver {
    pub fn of(command: &mut Command) -> Self {
        Self { child: Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()) }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.as_ref().unwrap().id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits for the end.
    pub fn wait(mut self) -> LoopResult {
        let Output { status, stdout, stderr } = self.child.take().unwrap().wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        LoopResult::of(Outcome {
            code: status.code().unwrap_or(-1),
            stdout: text(stdout),
            stderr: text(stderr),
        })
    }

    /// Kills the process with SIGKILL, which it cannot handle.
    pub fn kill(self) {
        self.signal(Signal::SIGKILL);
        let outcome = self.wait().outcome;
        assert_eq!(outcome.code, -1, "{outcome:?}");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
