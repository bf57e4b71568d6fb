//! A running `run-agent job`, driven as a user would, and observed meanwhile.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use base::{
    fsx::{Durability, Root},
    record,
};
use process::{claim::Claim, exit::ExitRecord};
use tree::run_info::{RunInfo, RunStatus};

use super::{
    Sandbox, cgroups, fake,
    processes::{Cleanup, Marked, marked, until},
};

/// A job of project `p`.
pub struct Job {
    cli: Child,
    cleanup: Option<Cleanup>,
    root: PathBuf,
    task: String,
    mark: String,
}

impl Sandbox {
    /// Starts a job of the scripted agent.
    pub fn job(&self, flags: &[&str], script: &[&str]) -> Job {
        let agent = fake::agent().to_str().expect("a path of text").to_owned();
        self.job_of(flags, &[&[agent.as_str()], script].concat())
    }

    /// Starts a job of any program.
    pub fn job_of(&self, flags: &[&str], program: &[&str]) -> Job {
        self.start_job(&[], &[&["--prompt", "do it"], flags].concat(), program)
    }

    /// Starts a job of the scripted agent with a prompt in a file.
    pub fn job_about(&self, file: &str, script: &[&str]) -> Job {
        let agent = fake::agent().to_str().expect("a path of text").to_owned();
        self.start_job(&[], &["--prompt-file", file], &[&[agent.as_str()], script].concat())
    }

    /// Starts a job of any program, with variables.
    pub fn job_with(&self, variables: &[(&str, &str)], program: &[&str]) -> Job {
        self.start_job(variables, &["--prompt", "do it"], program)
    }

    fn start_job(&self, variables: &[(&str, &str)], flags: &[&str], program: &[&str]) -> Job {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let (task, mark) = (format!("t{n}"), format!("test-{}-{n}", std::process::id()));
        let fixed = ["job", "--project", "p", "--task", &task, "--json"];
        let mut command = self.command(fixed.iter().chain(flags).chain(&["--"]).chain(program));
        // A file and not a pipe: a failing test must not wait for processes that still hold the pipe.
        let out = |name: String| {
            let file = fs::OpenOptions::new().create_new(true).write(true).open(self.work().join(name));
            Stdio::from(file.expect("a file"))
        };
        command
            .envs(variables.iter().copied())
            .env("TEST_MARK", &mark)
            .stdout(out(format!("{task}.json")))
            .stderr(out(format!("{task}.err")));
        let mark = format!("TEST_MARK={mark}");
        let cli = command.spawn().expect("run-agent can be started");
        Job { cli, cleanup: Some(Cleanup::of(&mark)), root: self.root(), task, mark }
    }
}

impl Job {
    /// The pid of the command line that drives the job.
    pub fn driver(&self) -> i32 {
        self.cli.id().cast_signed()
    }

    /// Waits until the command line has ended, and returns its exit code.
    pub fn wait(&mut self) -> i32 {
        until("the end of the job", || self.cli.try_wait().expect("our child")).code().unwrap_or(-1)
    }

    /// Waits until the job has ended, and reads the record of its run.
    pub fn finish(&mut self) -> RunInfo {
        self.wait();
        self.info()
    }

    pub fn task_folder(&self) -> PathBuf {
        self.root.join("p").join(&self.task)
    }

    /// Returns the folder of the only run, as soon as it exists.
    #[track_caller]
    pub fn run_folder(&self) -> PathBuf {
        let runs = self.task_folder().join("runs");
        until("the run's folder", || fs::read_dir(&runs).ok()?.flatten().next().map(|e| e.path()))
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.run_folder().join(name)).expect(name)
    }

    /// Waits until the agent has printed a line.
    #[track_caller]
    pub fn says(&self, line: &str) {
        let file = self.run_folder().join("agent-stdout.txt");
        until(line, || {
            let text = fs::read_to_string(&file).unwrap_or_default();
            text.lines().any(|l| l == line).then_some(())
        });
    }

    pub fn claim(&self) -> Claim {
        claim(&self.run_folder())
    }

    pub fn exit(&self) -> ExitRecord {
        serde_json::from_str(&self.read("exit.json")).expect("a whole record")
    }

    /// Returns the record of the run, as soon as it exists.
    #[track_caller]
    pub fn info(&self) -> RunInfo {
        let root = Root::open(&self.run_folder(), Durability::Never).expect("the run's folder");
        let name = root.relative(&self.run_folder().join("run-info.yaml")).expect("below it");
        until("run-info.yaml", || record::read(&root, &name).expect("a whole record"))
    }

    /// Waits until the record has the status `running`.
    #[track_caller]
    pub fn runs(&self) {
        until("the run", || (self.info().status == RunStatus::Running).then_some(()));
    }

    /// Writes STOP.
    pub fn stop(&self) {
        fs::write(self.task_folder().join("STOP"), "").expect("STOP");
    }

    /// The live processes of the job, the command line among them.
    pub fn processes(&self) -> Vec<Marked> {
        marked(&self.mark)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.cli.kill();
        let _ = self.cli.wait();
        drop(self.cleanup.take());
        // A killed shim leaves its control group to the next driver, which a test may not have.
        for project in entries(&self.root) {
            for task in entries(&project) {
                for run in
                    entries(&task.join("runs")).into_iter().filter(|run| run.join("claim.json").exists())
                {
                    claim(&run).cgroup.iter().for_each(|group| cgroups::remove(group));
                }
            }
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map_or_else(|_| Vec::new(), |all| all.flatten().map(|e| e.path()).collect())
}

/// Returns the claim in a run's folder, as soon as it exists.
#[track_caller]
pub fn claim(run_folder: &Path) -> Claim {
    let bytes = until("claim.json", || fs::read(run_folder.join("claim.json")).ok());
    serde_json::from_slice(&bytes).expect("a whole claim")
}
