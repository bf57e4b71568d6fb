//! The world of one trial: a home, a root, a configuration, and all processes that know them.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Plan, Result,
    cleanup::{self, Kept},
    table::Faults,
};

/// Time after which anything counts as hanging.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The agents of all worlds. Each notes its start first, so that a doubled or lost run is found.
const AGENTS: [(&str, &str); 5] = [
    ("quick", r#"echo one; echo two >&2; echo ok; : >"$JRUN_TASK_FOLDER/DONE""#),
    ("nap", r#"sleep 0.1; echo ok; : >"$JRUN_TASK_FOLDER/DONE""#),
    (
        "waits",
        r#"echo up; until [ -e "$HOME/go" ]; do sleep 0.05; done; echo ok; touch "$JRUN_TASK_FOLDER/DONE" || true"#,
    ),
    ("stays", "echo up; exec sleep 600"),
    ("freezes", r"(while :; do kill -STOP $PPID; sleep 0.02; done) & echo up; exec sleep 600"),
];

/// The folders of a trial. Everything in them ends with it.
pub struct World {
    folder: PathBuf,
    pub home: PathBuf,
    pub root: PathBuf,
    program: PathBuf,
    variables: Vec<(String, String)>,
}

/// The result of a command line.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// Creates a world. `more` is YAML that the configuration gets in addition.
    pub fn new(plan: &Plan, name: &str, more: &str) -> Result<Self> {
        let folder = plan.folder.join(name);
        let home = folder.join("home");
        fs::create_dir_all(home.join(".config/conductor"))?;
        fs::create_dir_all(folder.join("work"))?;
        let root = home.join("run-agent");
        let program = plan.program.clone();
        let world = Self { folder, home, root, program, variables: Vec::new() };
        world.configure(&[], more)?;
        cleanup::keep(Kept::Home(world.home.clone()));
        Ok(world)
    }

    /// Adds a variable to the environment of all processes.
    pub fn with_variable(mut self, name: &str, value: &Path) -> Self {
        self.variables.push((name.to_owned(), value.display().to_string()));
        self
    }

    /// Writes the configuration, with further agents beside those of all worlds.
    pub fn configure(&self, agents: &[(&str, &str)], more: &str) -> Result<()> {
        let mut text = "agents:\n".to_owned();
        for (name, script) in AGENTS.iter().chain(agents) {
            let script = format!("echo $JRUN_ID >>\"$HOME/starts\"; {script}");
            let command = serde_json::to_string(&["/bin/sh", "-c", &script])?;
            writeln!(text, "  {name}: {{type: command, command: {command}}}")?;
        }
        fs::write(self.home.join(".config/conductor/config.yaml"), text + more)?;
        Ok(())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `run-agent` with an environment of its own.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(self.folder.join("work"))
            .env_clear()
            .env("HOME", &self.home)
            // The world lies in the repository of this project, which git must not find.
            .env("GIT_CEILING_DIRECTORIES", &self.folder)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Result<Outcome> {
        let output = self.command(args).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Ok(Outcome { code: output.status.code().unwrap_or(-1), stdout, stderr })
    }

    pub fn task(&self, task: &str) -> PathBuf {
        self.root.join("p").join(task)
    }

    /// The folders of all runs of project `p`.
    pub fn runs(&self) -> Vec<PathBuf> {
        let tasks = entries(&self.root.join("p"));
        tasks.iter().flat_map(|task| entries(&task.join("runs"))).collect()
    }

    /// The only run of a task, as soon as it is there.
    pub fn run_of(&self, task: &str) -> Result<PathBuf> {
        let runs = self.task(task).join("runs");
        wait_for(&format!("a run of {task}"), || Ok(entries(&runs).pop()))
    }

    /// The number of starts of each run, as its agents noted them.
    pub fn starts(&self) -> BTreeMap<String, usize> {
        let mut starts = BTreeMap::new();
        for run in fs::read_to_string(self.home.join("starts")).unwrap_or_default().lines() {
            *starts.entry(run.to_owned()).or_default() += 1;
        }
        starts
    }

    /// The live processes of this world.
    pub fn processes(&self) -> Vec<i32> {
        cleanup::processes(&self.home)
    }

    /// Lets the agents that wait go on.
    pub fn go(&self) -> Result<()> {
        Ok(fs::write(self.home.join("go"), "")?)
    }

    /// Checks the things that hold after every trial: nothing has panicked, `fsck` finds no fault in the tree, and no
    /// process is left.
    pub fn check(&self, faults: &mut Faults) -> Result<()> {
        let log = fs::read_to_string(self.path("daemon.log")).unwrap_or_default();
        if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
            faults.add(format!("the daemon: {line}"));
        }
        let fsck = self.run(&["fsck", "--json"])?;
        let answer: Value = serde_json::from_str(&fsck.stdout).unwrap_or_default();
        let findings = answer["findings"].as_array().cloned().unwrap_or_default();
        for finding in findings.iter().filter(|f| f["severity"] != "note") {
            faults.add(format!("fsck: {} {}", finding["rule"], finding["path"]));
        }
        faults.unless(fsck.code == 0 || !findings.is_empty(), || format!("fsck: {fsck:?}"));
        self.nothing_runs(faults);
        Ok(())
    }

    /// Checks that no process is left.
    pub fn nothing_runs(&self, faults: &mut Faults) {
        let ended = wait_for("the end of all processes", || Ok(self.processes().is_empty().then_some(())));
        if ended.is_err() {
            let left = self.processes();
            let names = left.iter().map(|pid| fs::read_to_string(format!("/proc/{pid}/comm")));
            let names: Vec<_> = names.map(|n| n.unwrap_or_default().trim().to_owned()).collect();
            faults.add(format!("processes are left: {left:?} {names:?}"));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A killed shim leaves its control group to the next driver, which there may be none of.
        let groups: Vec<String> =
            self.runs().iter().filter_map(|run| Some(claim(run)?["cgroup"].as_str()?.to_owned())).collect();
        cleanup::end(&Kept::Home(self.home.clone()));
        for group in groups {
            let _ = fs::remove_dir(group);
        }
    }
}

/// The claim in a run's folder.
pub fn claim(run: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(run.join("claim.json")).ok()?).ok()
}

/// A process that a claim names, `shim` or `agent`, as soon as the run is claimed.
pub fn claimed(run: &Path, process: &str) -> Result<i32> {
    let pid = wait_for(&format!("the {process} of {}", run.display()), || {
        Ok(claim(run).and_then(|claim| claim[process]["pid"].as_i64()))
    })?;
    Ok(i32::try_from(pid)?)
}

/// The value of a line of a run's record; empty if there is none.
pub fn recorded(run: &Path, name: &str) -> String {
    let text = fs::read_to_string(run.join("run-info.yaml")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_default().trim().trim_matches('"').to_owned()
}

/// The name of a file.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map_or_else(|_| Vec::new(), |all| all.flatten().map(|e| e.path()).collect())
}

/// Polls until there is an answer.
pub fn wait_for<T>(what: &str, ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    wait_within(PATIENCE, what, ask)
}

/// Polls with a given patience.
pub fn wait_within<T>(
    patience: Duration,
    what: &str,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(format!("waited in vain for {what}").into());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Adds a fault for an event that does not come in time.
pub fn expect(faults: &mut Faults, what: &str, mut holds: impl FnMut() -> Result<bool>) {
    if let Err(e) = wait_for(what, || Ok(holds()?.then_some(()))) {
        faults.add(e.to_string());
    }
}
