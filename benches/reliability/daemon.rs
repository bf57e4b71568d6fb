//! A real daemon of a world.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Result,
    client::Client,
    table::Faults,
    world::{PATIENCE, World, wait_for, wait_within},
};

/// A daemon, which is killed when it is dropped.
pub struct Daemon {
    child: Child,
    pub port: u16,
    /// The time from its start to the first 200 on its health.
    pub ready_after: Duration,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // By the handle of our own child, so that no other process is met.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    /// Starts a daemon and waits until it is ready.
    pub fn start(world: &World) -> Result<Self> {
        let began = Instant::now();
        let log = File::options().append(true).create(true).open(world.path("daemon.log"))?;
        let mut child =
            world.command(&["serve", "--port", "0"]).stdout(Stdio::piped()).stderr(log).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let port = line.trim().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        // Before the port is known, so that the process is ended in any case.
        let mut daemon = Self { child, port: port.unwrap_or(0), ready_after: Duration::ZERO };
        port.ok_or_else(|| format!("the daemon names no address: {line:?}"))?;
        wait_for("the daemon to be ready", || Ok((daemon.health()? == 200).then_some(())))?;
        daemon.ready_after = began.elapsed();
        Ok(daemon)
    }

    pub fn client(&self) -> Result<Client> {
        Client::new(self.port)
    }

    /// Sends a request on a connection of its own. Returns the status and the body.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut client = self.client()?;
        let answer = client.ask(method, path, body.as_bytes())?;
        Ok((answer.status, serde_json::from_slice(answer.body).unwrap_or_default()))
    }

    pub fn health(&self) -> Result<u16> {
        Ok(self.client()?.get("/api/v1/health")?.status)
    }

    /// Submits a task, and fails unless it is accepted.
    pub fn create(&self, task: &str, agent: &str) -> Result<()> {
        match self.submit(task, agent)? {
            (201, _) => Ok(()),
            (status, body) => Err(format!("task {task} was answered with {status}: {body}").into()),
        }
    }

    pub fn submit(&self, task: &str, agent: &str) -> Result<(u16, Value)> {
        self.ask("POST", "/api/v1/tasks", &new_task(task, agent))
    }

    /// Asks a task to stop, and waits for its end as the daemon does.
    pub fn stop(&self, task: &str) -> Result<(u16, Value)> {
        self.ask("DELETE", &format!("/api/v1/tasks/{task}?project_id=p"), &Value::Null)
    }

    pub fn status(&self, task: &str) -> Result<String> {
        let (_, body) = self.ask("GET", &format!("/api/v1/tasks/{task}?project_id=p"), &Value::Null)?;
        Ok(body["status"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until no task waits or runs.
    pub fn until_idle(&self, faults: &mut Faults) {
        let idle = wait_within(2 * PATIENCE, "the end of all tasks", || {
            let (_, body) = self.ask("GET", "/api/v1/status", &Value::Null)?;
            let none = |name: &str| body[name] == json!(0);
            Ok((none("queued_tasks_count") && none("live_tasks_count")).then_some(()))
        });
        if let Err(e) = idle {
            faults.add(e.to_string());
        }
    }
}

/// The body of a submission.
pub fn new_task(task: &str, agent: &str) -> Value {
    json!({"project_id": "p", "task_id": task, "agent_type": agent, "prompt": "x"})
}
