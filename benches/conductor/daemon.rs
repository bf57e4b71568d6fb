//! A real daemon with a tree of its own, and its costs.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Result, bare, client::Client, streams};

/// The program that is measured.
const PROGRAM: &str = env!("CARGO_BIN_EXE_run-agent");
/// Time after which anything counts as hanging.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A daemon, which is stopped when it is dropped.
pub struct Daemon {
    child: Child,
    pub port: u16,
    pub root: PathBuf,
    /// The time from its start to the first 200 on its health.
    pub ready_after: Duration,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // SIGTERM lets the daemon commit the ends of its runs first.
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns our program, set up to work in a folder outside of any repository: the original does not look at one
/// either.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    // The ceiling is the folder above: git ignores a ceiling that equals the working folder.
    let ceiling = folder.parent().unwrap_or(folder);
    command.current_dir(folder).env("GIT_CEILING_DIRECTORIES", ceiling).env_remove("CONDUCTOR_CONFIG");
    command.stdin(Stdio::null());
    command
}

/// Writes the configuration of all daemons here. `defaults` is a line of YAML.
pub fn configure(folder: &Path, defaults: &str) -> Result<PathBuf> {
    let me = serde_json::to_string(&std::env::current_exe()?)?;
    let file = folder.join("config.yaml");
    let done = r#"["/bin/sh", "-c", "echo ok; : > \"$JRUN_TASK_FOLDER/DONE\""]"#;
    let text = format!(
        "agents:\n  first: {{type: command, command: [{me}, {}]}}\n  lines: {{type: command, command: [{me}, {}]}}\n  \
         trivial: {{type: command, command: {done}}}\n  silent: {{type: command, command: [sleep, \"600\"]}}\n\
         defaults: {{max_restarts: 0, {defaults}}}\n",
        bare::FIRST_INSTRUCTION,
        streams::SAY_LINES,
    );
    fs::write(&file, text)?;
    Ok(file)
}

impl Daemon {
    /// Starts a daemon and waits until it is ready.
    pub fn start(folder: &Path, root: &Path, defaults: &str) -> Result<Self> {
        let config = configure(folder, defaults)?;
        let began = Instant::now();
        let mut child = program(folder)
            .args(["serve", "--port", "0", "--root"])
            .arg(root)
            .arg("--config")
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("daemon.log"))?)
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let port = line.trim().rsplit_once(':').ok_or("the daemon says no address")?.1.parse()?;
        let mut daemon = Self { child, port, root: root.to_owned(), ready_after: Duration::ZERO };
        let mut client = daemon.client()?;
        until("the daemon is ready", Duration::from_millis(1), || {
            Ok(client.get("/api/v1/health")?.status == 200)
        })?;
        daemon.ready_after = began.elapsed();
        Ok(daemon)
    }

    /// Ends the daemon with SIGKILL.
    pub fn kill(mut self) {
        // It is reaped when it is dropped.
        let _ = self.child.kill();
    }

    pub fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id())?)
    }

    pub fn client(&self) -> Result<Client> {
        Client::new(self.port)
    }

    /// Submits a task; returns the id of its run.
    pub fn submit(client: &mut Client, task: &str, agent: &str) -> Result<String> {
        let body =
            serde_json::json!({"project_id": "p", "task_id": task, "agent_type": agent, "prompt": "x"});
        let answer = client.post("/api/v1/tasks", body.to_string().as_bytes())?.json()?;
        Ok(answer["run_id"].as_str().ok_or("no run_id")?.to_owned())
    }

    pub fn run_folder(&self, task: &str, run: &str) -> PathBuf {
        self.root.join(format!("p/{task}/runs/{run}"))
    }

    /// The processor time since the start, user and system.
    pub fn processor(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no stat")?.1.split_whitespace().collect();
        // Counted in ticks of 10 ms.
        let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 10))
    }

    /// The processor time since it was `before`.
    pub fn processor_since(&self, before: Duration) -> Result<Duration> {
        Ok(self.processor()?.saturating_sub(before))
    }

    /// The share of one core that the daemon uses during this time, in percent.
    pub fn busy(&self, time: Duration) -> Result<f64> {
        let before = self.processor()?;
        thread::sleep(time);
        Ok(self.processor_since(before)?.as_secs_f64() / time.as_secs_f64() * 100.0)
    }

    /// The bytes that the daemon has written to the disk since its start.
    pub fn written(&self) -> Result<u64> {
        proc_field(&format!("/proc/{}/io", self.child.id()), "write_bytes:")
    }

    /// The current memory, in MB of 1,000,000 bytes.
    pub fn memory(&self) -> Result<f64> {
        self.status("VmRSS:")
    }

    /// The peak memory.
    pub fn most_memory(&self) -> Result<f64> {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> Result<f64> {
        let kib = proc_field(&format!("/proc/{}/status", self.child.id()), field)?;
        Ok(f64::from(u32::try_from(kib)?) * 1024.0 / 1e6)
    }
}

fn proc_field(file: &str, field: &str) -> Result<u64> {
    let text = fs::read_to_string(file)?;
    let value =
        text.lines().find_map(|l| l.strip_prefix(field)).ok_or_else(|| format!("no {field} in {file}"))?;
    Ok(value.split_whitespace().next().ok_or("empty")?.parse()?)
}

/// Waits until a condition holds.
pub fn until(what: &str, pause: Duration, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !so()? {
        if Instant::now() > deadline {
            return Err(format!("waited in vain until {what}").into());
        }
        thread::sleep(pause);
    }
    Ok(())
}
