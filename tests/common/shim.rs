//! The folder of one run with a shim and no driver, to test the shim alone.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use base::fsx::{Durability, RelPath, Root};
use process::{
    claim::Claim,
    executor::{Executor, Launch, Local, Submitted},
    exit::ExitRecord,
    spec::{LaunchSpec, ShimReport, StdinPlan},
};
use tempfile::TempDir;

use super::{
    cgroups::{Group, unified},
    fake,
    processes::{Cleanup, Marked, marked, until},
};

/// A run without a driver.
pub struct Bench {
    // Dropped before the folder.
    _cleanup: Cleanup,
    _folder: Option<TempDir>,
    program: PathBuf,
    pub spec: LaunchSpec,
    pub env: BTreeMap<OsString, OsString>,
    mark: String,
}

impl Bench {
    /// A run of the scripted agent.
    pub fn new(script: &[&str]) -> Self {
        let program = fake::agent().to_str().expect("a path of text").to_owned();
        let argv = [program.as_str()].iter().chain(script).copied().collect::<Vec<_>>();
        Self::of_program(&argv)
    }

    /// A run of any program.
    pub fn of_program(argv: &[&str]) -> Self {
        let folder = super::folder();
        let root = folder.path().to_owned();
        Self { _folder: Some(folder), ..Self::below(root, argv) }
    }

    /// Creates a bench below an existing folder.
    pub fn below(root: PathBuf, argv: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let run = format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let run_dir = RelPath::new(Path::new("p/t/runs").join(&run)).expect("a path below the root");
        fs::create_dir_all(root.join(run_dir.as_path())).expect("the run's folder");
        let spec = LaunchSpec {
            run_dir,
            argv: argv.iter().map(|a| (*a).to_owned()).collect(),
            cwd: root.clone(),
            root,
            stdin: StdinPlan::Null,
            stop_marker: "p/t/STOP".parse().expect("a path below the root"),
            idle_timeout: None,
            max_run_time: None,
            stop_grace: Duration::from_millis(200),
            exit_grace: None,
            heartbeat: None,
            open_files: None,
        };
        let mark = format!("JRUN_ID={run}");
        let env = [("JRUN_ID", run.as_str()), ("PATH", "/usr/bin:/bin")];
        let env = env.map(|(name, value)| (name.into(), value.into())).into();
        let program = env!("CARGO_BIN_EXE_run-agent").into();
        let group = unified().map(|own| own.join(format!("conductor-run-{run}")));
        Self { _cleanup: Cleanup::of(&mark).with_group(group), _folder: None, program, spec, env, mark }
    }

    /// Gives the scripted agent other steps.
    pub fn doing<'a>(mut self, script: impl IntoIterator<Item = &'a str>) -> Self {
        self.spec.argv.truncate(1);
        self.spec.argv.extend(script.into_iter().map(str::to_owned));
        self
    }

    /// Has the shim started by a shell that runs some commands first.
    pub fn started_after(mut self, shell: &str) -> Self {
        let program = self.note("starter");
        let text = format!("#!/bin/sh\n{shell} '{}' \"$@\"\n", self.program.display());
        fs::write(&program, text).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a script");
        self.program = program.into();
        self
    }

    /// Has the shim started inside of a control group.
    pub fn inside(self, group: &Group) -> Self {
        self.started_after(&format!("echo 0 > {}; exec", group.door().display()))
    }

    /// Starts a shim and returns its report.
    pub fn start(&self) -> ShimReport {
        let local = Local { program: self.program.clone() };
        let root = Root::open(&self.spec.root, Durability::Never).expect("the root of the test");
        let launch = Launch { root: &root, spec: &self.spec, env: &self.env };
        match local.submit(&launch, &mut || {}).expect("the shim can be started") {
            Submitted::Reported(report) => report,
            Submitted::HandedOver => panic!("a shim on this machine reports"),
        }
    }

    /// Starts a shim that claims the run.
    #[track_caller]
    pub fn launch(&self) {
        assert_eq!(self.start(), ShimReport::Claimed);
    }

    /// Starts a shim that claims the run, and waits for the end.
    #[track_caller]
    pub fn run(&self) -> ExitRecord {
        self.launch();
        self.end()
    }

    /// A file of the run's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.spec.root.join(self.spec.run_dir.as_path()).join(name)
    }

    /// A file of the test outside of the run's folder; its path also serves as an argument of a step.
    pub fn note(&self, name: &str) -> String {
        self.spec.root.join(name).to_str().expect("a path of text").to_owned()
    }

    /// The agent's stdout so far.
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.file("agent-stdout.txt")).expect("text on stdout")
    }

    /// Waits until the agent has printed a line.
    #[track_caller]
    pub fn says(&self, line: &str) {
        until(line, || self.stdout().lines().any(|l| l == line).then_some(()));
    }

    pub fn claim(&self) -> Claim {
        serde_json::from_slice(&fs::read(self.file("claim.json")).expect("a claim")).expect("a whole claim")
    }

    pub fn shim(&self) -> i32 {
        self.claim().shim.expect("a shim's claim").pid
    }

    pub fn agent(&self) -> i32 {
        self.claim().agent.expect("a shim's claim").pid
    }

    /// Writes STOP.
    pub fn stop(&self) {
        fs::write(self.spec.root.join(self.spec.stop_marker.as_path()), "").expect("STOP");
    }

    /// Appends to a file of the run's folder.
    pub fn append(&self, name: &str, text: &str) {
        use std::io::Write;
        let file = fs::OpenOptions::new().create(true).append(true).open(self.file(name));
        file.expect(name).write_all(text.as_bytes()).expect(name);
    }

    /// Waits for the record of the end.
    #[track_caller]
    pub fn end(&self) -> ExitRecord {
        let bytes = until("exit.json", || fs::read(self.file("exit.json")).ok());
        serde_json::from_slice(&bytes).expect("a whole record")
    }

    /// The live processes of the run, its shim among them.
    pub fn processes(&self) -> Vec<Marked> {
        marked(&self.mark)
    }

    /// Checks that nothing is left: no process except a shim that is about to end, no control group, no temporary
    /// file.
    #[track_caller]
    pub fn is_clean(&self) {
        until("the end of the shim", || {
            let left = self.processes();
            if left.is_empty() { Some(()) } else { None }
        });
        if let Some(group) = self.claim().cgroup {
            assert!(!group.exists(), "{} is left", group.display());
        }
        let names = fs::read_dir(self.spec.root.join(self.spec.run_dir.as_path()))
            .expect("the run's folder")
            .flatten();
        let hidden = names.map(|e| e.file_name()).find(|n| n.to_string_lossy().starts_with('.'));
        assert_eq!(hidden, None, "a temporary file is left");
    }
}
