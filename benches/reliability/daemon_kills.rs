//! SIGKILL of the daemon while clients submit tasks and post messages.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    Plan, Result,
    client::Client,
    daemon::{Daemon, new_task},
    table::{Faults, Table},
    world::{World, recorded},
};

/// Clients that post messages; one more submits tasks.
const POSTERS: usize = 3;
/// The pause between two submissions, so that the agents keep up.
const PAUSE: Duration = Duration::from_millis(30);
/// A killed daemon's successor is ready after this time at most.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// The acknowledged requests.
#[derive(Default)]
struct Acknowledged {
    /// The runs, by task.
    runs: BTreeMap<String, String>,
    messages: Vec<String>,
}

/// What the clients share with the killer.
struct Shared {
    port: AtomicU16,
    over: AtomicBool,
    acknowledged: Mutex<Acknowledged>,
}

pub fn daemons(plan: &Plan, table: &mut Table) -> Result<()> {
    let kills = plan.number(60, 6);
    let more = "defaults: {max_concurrent_root_tasks: 4, max_restarts: 0}\n";
    let world = World::new(plan, "daemon-kills", more)?;
    let daemon = Daemon::start(&world)?;
    let shared = Shared {
        port: AtomicU16::new(daemon.port),
        over: AtomicBool::new(false),
        acknowledged: Mutex::default(),
    };
    let mut random = plan.random();
    let mut slowest = Duration::ZERO;
    let last = thread::scope(|scope| {
        let shared = &shared;
        scope.spawn(move || repeat(shared, |client, n| submit(shared, client, n)));
        for poster in 0..POSTERS {
            scope.spawn(move || repeat(shared, |client, n| post(shared, client, poster, n)));
        }
        let mut daemon = Ok(daemon);
        for _ in 0..kills {
            thread::sleep(Duration::from_millis(50) + random.millis(400));
            // Dropping kills the daemon. The next one needs its lock.
            drop(daemon);
            daemon = Daemon::start(&world);
            let Ok(next) = &daemon else { break };
            shared.port.store(next.port, Ordering::Relaxed);
            slowest = slowest.max(next.ready_after);
        }
        shared.over.store(true, Ordering::Relaxed);
        daemon
    });
    let mut faults = Faults::default();
    last?.until_idle(&mut faults);
    let acknowledged = shared.acknowledged.into_inner().unwrap_or_else(PoisonError::into_inner);
    check_runs(&world, &acknowledged, &mut faults);
    check_messages(&world, &acknowledged, &mut faults)?;
    faults.unless(slowest < READY_WITHIN, || format!("a daemon was ready after {slowest:?} only"));
    world.check(&mut faults)?;
    let measured = format!(
        "{kills} kills with {} runs and {} messages acknowledged; the next daemon was ready after {} ms at most",
        acknowledged.runs.len(),
        acknowledged.messages.len(),
        slowest.as_millis()
    );
    let goal = "SIGKILL of the daemon loses and doubles no acknowledged run or message; the next one is ready within 2 s";
    table.row(goal, measured, faults);
    Ok(())
}

/// Sends requests until the trial is over, with a new connection after each failure.
fn repeat(shared: &Shared, mut ask: impl FnMut(&mut Client, usize) -> Result<()>) {
    let mut client = None;
    for n in 0.. {
        if shared.over.load(Ordering::Relaxed) {
            return;
        }
        if client.is_none() {
            client = Client::new(shared.port.load(Ordering::Relaxed)).ok();
        }
        let answered = client.as_mut().is_some_and(|client| ask(client, n).is_ok());
        if !answered {
            client = None;
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn submit(shared: &Shared, client: &mut Client, n: usize) -> Result<()> {
    thread::sleep(PAUSE);
    let task = format!("t{n}");
    let answer = client.post("/api/v1/tasks", new_task(&task, "nap").to_string().as_bytes())?;
    if answer.status == 201 {
        let run = answer.json()?["run_id"].as_str().unwrap_or_default().to_owned();
        shared.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).runs.insert(task, run);
    }
    Ok(())
}

fn post(shared: &Shared, client: &mut Client, poster: usize, n: usize) -> Result<()> {
    thread::sleep(Duration::from_millis(2));
    let text = format!("message {poster}-{n}");
    let body = json!({"type": "PROGRESS", "body": text}).to_string();
    if client.post("/api/projects/p/messages", body.as_bytes())?.status == 201 {
        shared.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).messages.push(text);
    }
    Ok(())
}

fn check_runs(world: &World, acknowledged: &Acknowledged, faults: &mut Faults) {
    let starts = world.starts();
    for (run, count) in starts.iter().filter(|(_, count)| **count > 1) {
        faults.add(format!("run {run} was started {count} times"));
    }
    for (task, run) in &acknowledged.runs {
        let status = recorded(&world.task(task).join("runs").join(run), "status");
        if status != "completed" || !starts.contains_key(run) {
            faults.add(format!("run {run} of {task} was acknowledged and is '{status}'"));
        }
    }
}

fn check_messages(world: &World, acknowledged: &Acknowledged, faults: &mut Faults) -> Result<()> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in fs::read_to_string(world.root.join("p/PROJECT-MESSAGE-BUS.jsonl"))?.lines() {
        // A line that a killed daemon has left incomplete is no message.
        let message: Value = serde_json::from_str(line).unwrap_or_default();
        *counts.entry(message["body"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    for text in &acknowledged.messages {
        match counts.get(text) {
            Some(1) => {}
            Some(count) => faults.add(format!("'{text}' is there {count} times")),
            None => faults.add(format!("'{text}' was acknowledged and is lost")),
        }
    }
    Ok(())
}
