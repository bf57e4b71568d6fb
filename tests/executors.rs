//! A second executor, made of three shell scripts: a run goes through it from the queue to its end, over a killed daemon, a
//! stop and a killed shim.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use process::claim::Claim;
use serde_json::{Value, json};

use crate::common::{
    daemon::{Daemon, until},
    tasks::{Bench, UNTIL_GO},
};

/// Starts the job in a session of its own and with an empty environment, as soon as the file `open` is there.
const SUBMIT: &str = r#"echo "$@" >> submitted
env -i PATH="$PATH" setsid sh -c 'i=0; while [ ! -e open ] && [ $i -lt 1200 ]; do sleep 0.05; i=$((i+1)); done; exec "$@"' job "$@" \
  >> job.log 2>&1 < /dev/null &
echo "the job is"
echo $!"#;
/// A job that has ended and was not reaped is gone, too.
const FIND: &str = r#"if ! kill -0 "$1" 2>> find.log || grep -q '^State:.*Z' "/proc/$1/status"; then echo gone
elif [ -e open ]; then echo running; else echo queued; fi"#;
const CANCEL: &str = r#"echo "$1" >> cancelled; kill -KILL "$1""#;

struct Box {
    bench: Bench,
}

impl Box {
    fn new() -> Self {
        Self::with_start_timeout("24h")
    }

    fn with_start_timeout(start_timeout: &str) -> Self {
        let bench = Bench::new();
        let sandbox = &bench.sandbox;
        let folder = sandbox.path("box");
        fs::create_dir_all(&folder).unwrap();
        let script = |name: &str, text: &str| {
            let text = format!("#!/bin/sh\ncd '{}' || exit 1\n{text}\n", folder.display());
            let path = sandbox.write(format!("box/{name}"), text);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path.display().to_string()
        };
        let config = json!({
            "agents": {
                "works": {"type": "command", "command": ["sh", "-c", format!(
                    "echo \"key $KEY\"; ls \"$JRUN_RUN_FOLDER\" > \"$HOME/seen\"; echo started; {UNTIL_GO}; echo gone on; touch \"$JRUN_TASK_FOLDER/DONE\"")]},
            },
            "defaults": {"max_restarts": 0, "stop_grace": "1s"},
            "executors": {"box": {
                "type": "command", "poll": "100ms", "start_timeout": start_timeout,
                "submit": [script("submit", SUBMIT)], "find": [script("find", FIND)],
                "cancel": [script("cancel", CANCEL)],
            }},
        });
        sandbox.configure(config.to_string());
        Self { bench }
    }

    fn submit(&self, daemon: &Daemon, task: &str) -> Value {
        let work = self.bench.sandbox.work();
        let new = json!({
            "project_id": "p", "task_id": task, "agent_type": "works", "prompt": "work", "cwd": work,
            "config": {"executor": "box", "env.KEY": "sk-very-secret"},
        });
        let answer = daemon.post("/api/v1/tasks", &new);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    fn file(&self, task: &str, name: &str) -> PathBuf {
        self.bench.run_file(task, 0, name)
    }

    fn in_box(&self, name: &str) -> String {
        fs::read_to_string(self.bench.sandbox.path("box").join(name)).unwrap_or_default()
    }

    fn open(&self) {
        self.bench.sandbox.write("box/open", "");
    }

    #[track_caller]
    fn until_started(&self, task: &str) {
        until("the agent has started", || {
            fs::read_to_string(self.file(task, "agent-stdout.txt")).is_ok_and(|text| text.contains("started"))
        });
    }

    #[track_caller]
    fn ends(&self, daemon: &Daemon, task: &str, status: &str) {
        until(&format!("{task} is {status}"), || daemon.task(task)["status"] == status);
        assert!(!self.file(task, "launch-secrets.json").exists());
    }
}

impl Drop for Box {
    fn drop(&mut self) {
        // A job that still waits ends.
        self.open();
        self.bench.touch("go");
    }
}

#[test]
fn a_run_is_queued_and_runs_elsewhere_over_two_killed_daemons() {
    let there = Box::new();
    let daemon = Daemon::start(&there.bench.sandbox, &[]);
    there.submit(&daemon, "t");
    let secrets = there.file("t", "launch-secrets.json");
    assert_eq!(fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&secrets).unwrap().len() > 100);
    let launch = fs::read_to_string(there.file("t", "launch.json")).unwrap();
    assert!(!launch.contains("sk-very-secret") && launch.contains("stop_grace"), "{launch}");
    assert!(!there.file("t", "claim.json").exists());
    let waits = "is queued at executor 'box' since 20";
    assert!(there.bench.why("t").contains(waits), "{}", there.bench.why("t"));
    let run = there.bench.runs("t")[0].run_id.clone();
    let shown = |daemon: &Daemon| daemon.get(&format!("/api/v1/runs/{run}/info")).json();
    assert_eq!((&shown(&daemon)["status"], shown(&daemon).get("start_time")), (&json!("created"), None));
    until("the daemon says so, too", || {
        daemon.task("t")["reason"].as_str().is_some_and(|r| r.contains(waits))
    });
    // A bundle that is made meanwhile, and the routes of files, have no secrets.
    let bundle = there.bench.sandbox.path("t.tar.gz");
    let made = there.bench.run(&format!("bundle p/t --output '{}' --json", bundle.display()));
    assert!(made.code == 0 && !made.stdout.contains("launch-secrets"), "{made:?}");
    for route in ["file?name=", "file/stream?name="] {
        let path = format!("/api/projects/p/tasks/t/runs/{run}/{route}launch-secrets.json");
        assert!(daemon.get(&path).status >= 400, "{path}");
    }

    // Killed while the job waits.
    daemon.kill();
    let daemon = Daemon::start(&there.bench.sandbox, &[]);
    until("the task is driven again", || daemon.task("t")["status"] == "running");
    there.open();
    there.until_started("t");
    assert!(!secrets.exists());
    let heartbeat = there.file("t", "heartbeat");
    until("its shim shows a sign of life", || heartbeat.exists());
    let seen = fs::read_to_string(there.bench.sandbox.home().join("seen")).unwrap();
    assert!(
        seen.contains("claim.json") && !seen.contains("launch-secrets"),
        "before the agent starts: {seen}"
    );

    // Killed while the agent works.
    daemon.kill();
    let daemon = Daemon::start(&there.bench.sandbox, &[]);
    there.bench.touch("go");
    until("the run has ended", || there.bench.runs("t")[0].status.is_final());
    there.ends(&daemon, "t", "completed");
    let info = there.bench.runs("t").remove(0);
    assert_eq!((info.executor.as_str(), info.exit_code), ("box", Some(0)));
    assert_eq!(there.in_box("submitted").lines().count(), 1, "it was handed over once");
    let stdout = fs::read_to_string(there.file("t", "agent-stdout.txt")).unwrap();
    assert_eq!(stdout, "key sk-very-secret\nstarted\ngone on\n");
    there.bench.nothing_is_missing_or_doubled("t");
    until("the sign of life is removed", || !heartbeat.exists());
    // A driver that is killed between the end and the removal leaves it to fsck.
    fs::write(&heartbeat, "").unwrap();
    let repaired = there.bench.run("fsck --repair");
    assert!(!heartbeat.exists(), "{repaired:?}");
}

#[test]
fn a_job_that_is_never_started_is_given_up_after_its_start_timeout() {
    let there = Box::with_start_timeout("200ms");
    let daemon = Daemon::start(&there.bench.sandbox, &[]);
    there.submit(&daemon, "t");
    there.ends(&daemon, "t", "failed");
    let info = there.bench.runs("t").remove(0);
    let why = info.error_summary.unwrap_or_default();
    assert_eq!(why, "executor 'box' has not started it within 200ms (start_timeout)");
    assert!(info.pid.is_none() && !there.file("t", "agent-stdout.txt").exists());
    assert_eq!(there.in_box("cancelled").lines().count(), 1);
    // The job would find the claim of the driver, if it were started after all.
    there.open();
    assert!(there.file("t", "claim.json").exists());
}

#[test]
fn a_job_that_waits_and_one_that_runs_are_stopped() {
    let there = Box::new();
    let daemon = Daemon::start(&there.bench.sandbox, &[]);
    there.submit(&daemon, "waits");
    assert_eq!(there.bench.run("stop p/waits").code, 0);
    there.ends(&daemon, "waits", "stopped");
    assert!(!there.file("waits", "agent-stdout.txt").exists());
    until("its job is cancelled", || there.in_box("cancelled").lines().count() == 1);
    there.open();
    there.submit(&daemon, "runs");
    there.until_started("runs");
    assert_eq!(there.bench.run("stop p/runs").code, 0);
    there.ends(&daemon, "runs", "stopped");
    assert_eq!(there.in_box("cancelled").lines().count(), 1, "a shim that obeys is not cancelled");
}

#[test]
fn a_job_that_is_gone_is_a_failure_before_its_start_and_a_crash_after_it() {
    let there = Box::new();
    let daemon = Daemon::start(&there.bench.sandbox, &[]);
    let pid_of = |task: &str| -> i32 {
        let record: Value = serde_json::from_slice(&fs::read(there.file(task, "job.json")).unwrap()).unwrap();
        record["job"].as_str().unwrap().parse().unwrap()
    };
    there.submit(&daemon, "lost");
    kill(Pid::from_raw(pid_of("lost")), Signal::SIGKILL).unwrap();
    there.ends(&daemon, "lost", "failed");
    let info = there.bench.runs("lost").remove(0);
    assert!(
        info.error_summary.as_deref().is_some_and(|e| e.contains("executor 'box' has lost it")),
        "{info:?}"
    );
    there.open();
    there.submit(&daemon, "crashes");
    there.until_started("crashes");
    let claim: Claim =
        serde_json::from_slice(&fs::read(there.file("crashes", "claim.json")).unwrap()).unwrap();
    for process in [claim.shim, claim.agent].into_iter().flatten() {
        kill(Pid::from_raw(process.pid), Signal::SIGKILL).unwrap();
    }
    there.ends(&daemon, "crashes", "failed");
    until("its sign of life is removed", || !there.file("crashes", "heartbeat").exists());
}

#[test]
fn an_executor_that_does_not_take_a_run_fails_it_and_an_unknown_one_refuses_it() {
    let there = Box::new();
    there.bench.sandbox.write("box/submit", "#!/bin/sh\necho 'no place left' >&2\nexit 7\n");
    let args = ["--agent", "works", "--project", "p", "--prompt", "x", "--json"];
    let job = |task: &str, executor: &str| {
        let setting = format!("executor={executor}");
        let own = ["job", "--task", task, "--config-key", &setting];
        crate::common::outcome(&mut there.bench.sandbox.command(own.iter().chain(&args)))
    };
    let failed = job("refused", "box");
    assert!(failed.code == 1 && format!("{failed:?}").contains("no place left"), "{failed:?}");
    assert!(!there.file("refused", "launch-secrets.json").exists());
    let unknown = job("unknown", "nowhere");
    assert!(unknown.code == 12 && unknown.stderr.contains("unknown executor 'nowhere'"), "{unknown:?}");
    assert!(there.bench.runs("unknown").is_empty());
}
