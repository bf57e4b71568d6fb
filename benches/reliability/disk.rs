//! File systems without room: for bytes, for files, and in memory.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Plan, Result,
    cleanup::is_alive,
    daemon::Daemon,
    mount::{Kind, Mount},
    table::{Faults, Table},
    world::{World, claimed, expect, recorded, wait_for},
};

/// An agent is ended after this time at most.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

pub fn bytes(plan: &Plan, table: &mut Table) -> Result<()> {
    let goal = "ext4 without a free block: a stop ends the agent within 5 s, each end is recorded, no acknowledged message is lost";
    full(plan, table, "full-disk", Kind::FewBytes, goal)
}

pub fn inodes(plan: &Plan, table: &mut Table) -> Result<()> {
    let goal = "ext4 without a free inode: a stop ends the agent within 5 s, each end is recorded, no acknowledged message is lost";
    full(plan, table, "full-inodes", Kind::FewInodes, goal)
}

pub fn memory(plan: &Plan, table: &mut Table) -> Result<()> {
    let goal = "tmpfs without a free inode: a stop is refused and works after some files are removed, each end is recorded, no acknowledged message is lost";
    full(plan, table, "full-memory", Kind::Memory, goal)
}

/// The number of files that a user removes to stop two tasks: their ends need some, too.
const SOME_FILES: usize = 20;

/// The runs of one trial: each kind of end meets the full disk.
const STOPPED: [&str; 2] = ["stopped-by-http", "stopped-by-command"];
const ENDING: [&str; 2] = ["ends-a", "ends-b"];

fn full(plan: &Plan, table: &mut Table, name: &str, kind: Kind, goal: &str) -> Result<()> {
    let rounds = plan.number(5, 1);
    let mut faults = Faults::default();
    let (mut messages, mut refused, mut slowest) = (0, 0, Duration::ZERO);
    for round in 0..rounds {
        let world = World::new(
            plan,
            &format!("{name}-{round}"),
            "defaults: {max_restarts: 0, stop_grace: 1s}\nwatch: {sweep: 1s}\n",
        )?;
        let Some(mount) = Mount::new(kind, &world.path("image"), &world.root)? else {
            table.skipped("no file system may be mounted here: run this as root");
            return Ok(());
        };
        let mut trial = Trial { world, mount, acknowledged: BTreeSet::new(), refused: 0, slowest };
        trial.play(kind, &mut faults)?;
        messages += trial.acknowledged.len();
        refused += trial.refused;
        slowest = trial.slowest;
    }
    table.row(
        goal,
        format!(
            "{} runs over a full disk, {messages} messages kept, {refused} requests refused with 507; an agent ended \
             after {} ms at most",
            rounds * (STOPPED.len() + ENDING.len()),
            slowest.as_millis()
        ),
        faults,
    );
    Ok(())
}

/// A world on a small file system. The world ends first, because its processes use the mount.
struct Trial {
    world: World,
    mount: Mount,
    acknowledged: BTreeSet<String>,
    refused: usize,
    slowest: Duration,
}

impl Trial {
    fn play(&mut self, kind: Kind, faults: &mut Faults) -> Result<()> {
        let daemon = Daemon::start(&self.world)?;
        for task in STOPPED {
            daemon.create(task, "stays")?;
        }
        for task in ENDING {
            daemon.create(task, "waits")?;
        }
        for task in STOPPED.iter().chain(&ENDING) {
            claimed(&self.world.run_of(task)?, "agent")?;
        }
        self.post(&daemon, "before", faults)?;
        match kind {
            Kind::FewBytes => self.mount.fill_bytes()?,
            Kind::FewInodes | Kind::Memory => self.mount.fill_inodes()?,
        }
        self.post(&daemon, "full", faults)?;
        let (status, body) = daemon.submit("refused", "quick")?;
        faults.unless(status == 507, || format!("a new task was answered with {status}: {body}"));
        self.refused += usize::from(status == 507);
        faults.unless(!self.world.task("refused").join("runs").exists(), || {
            "a refused task has left its folder".to_owned()
        });
        // A service manager restarts the daemon also now.
        drop(daemon);
        let daemon = Daemon::start(&self.world)?;
        if matches!(kind, Kind::Memory) {
            self.refuse(&daemon, faults)?;
        }
        self.stop(&daemon, faults)?;
        self.world.go()?;
        for task in ENDING {
            let agent = claimed(&self.world.run_of(task)?, "agent")?;
            expect(faults, &format!("the agent of {task} to end"), || Ok(!is_alive(agent)));
        }
        faults.unless(daemon.health()? == 200, || "the daemon is not healthy".to_owned());
        self.mount.free()?;
        self.post(&daemon, "after", faults)?;
        daemon.until_idle(faults);
        drop(daemon);
        self.check(faults)
    }

    /// A link needs an inode on a tmpfs. The refusal says so, and leaves the agents at work until there are some again.
    fn refuse(&mut self, daemon: &Daemon, faults: &mut Faults) -> Result<()> {
        let (status, body) = daemon.stop(STOPPED[0])?;
        faults
            .unless(status == 507, || format!("a stop without an inode was answered with {status}: {body}"));
        let stopped = self.world.run(&["stop", &format!("p/{}", STOPPED[1]), "--no-wait"])?;
        faults.unless(stopped.code == 9, || format!("a stop without an inode: {stopped:?}"));
        self.refused += 2;
        for n in 0..SOME_FILES {
            fs::remove_file(self.mount.at.join(format!("_files/{n}")))?;
        }
        Ok(())
    }

    fn stop(&mut self, daemon: &Daemon, faults: &mut Faults) -> Result<()> {
        for (n, task) in STOPPED.iter().enumerate() {
            let agent = claimed(&self.world.run_of(task)?, "agent")?;
            let began = Instant::now();
            if n == 0 {
                // The answer may wait for the record of the end, which waits for room.
                let port = daemon.port;
                let path = format!("/api/v1/tasks/{task}?project_id=p");
                std::thread::spawn(move || {
                    let _ = crate::client::Client::new(port)
                        .and_then(|mut client| client.ask("DELETE", &path, b"").map(|answer| answer.status));
                });
            } else {
                let stopped = self.world.run(&["stop", &format!("p/{task}"), "--no-wait"])?;
                faults.unless(stopped.code == 0, || format!("stop: {stopped:?}"));
            }
            let ended = wait_for(&format!("the agent of {task}"), || Ok((!is_alive(agent)).then_some(())));
            faults.unless(ended.is_ok() && began.elapsed() < ENDED_WITHIN, || {
                format!("{task}: its agent was alive after {:?}", began.elapsed())
            });
            self.slowest = self.slowest.max(began.elapsed());
        }
        Ok(())
    }

    /// Posts some messages, and notes those that are acknowledged.
    fn post(&mut self, daemon: &Daemon, when: &str, faults: &mut Faults) -> Result<()> {
        for n in 0..20 {
            let text = format!("{when} {n} {}", "x".repeat(400));
            let message = json!({"type": "FACT", "body": text});
            match daemon.ask("POST", "/api/projects/p/messages", &message)? {
                (201, _) => {
                    self.acknowledged.insert(text);
                }
                (507, _) => self.refused += 1,
                (status, body) => {
                    faults.add(format!("a message ({when}) was answered with {status}: {body}"));
                }
            }
        }
        Ok(())
    }

    fn check(&self, faults: &mut Faults) -> Result<()> {
        for task in STOPPED {
            let status = recorded(&self.world.run_of(task)?, "status");
            faults.unless(status == "stopped", || format!("{task} is '{status}'"));
        }
        for task in ENDING {
            let status = recorded(&self.world.run_of(task)?, "status");
            faults.unless(status == "completed", || format!("{task} is '{status}'"));
        }
        let bus = fs::read_to_string(self.world.root.join("p/PROJECT-MESSAGE-BUS.jsonl"))?;
        let bodies: BTreeSet<String> = bus
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["body"].as_str().map(str::to_owned))
            .collect();
        let lost = self.acknowledged.difference(&bodies).count();
        faults.unless(lost == 0, || format!("{lost} acknowledged messages are lost"));
        self.world.check(faults)
    }
}
