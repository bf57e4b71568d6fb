//! Adoption: from the start of a daemon after a SIGKILL of the one before it until it shows and drives every live run.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use base::fsx::Holder;

use crate::{
    Plan, Result,
    daemon::{Daemon, until},
    table::{Aim, Row, Table},
    times::{Times, nanos},
    tree,
};

const DEFAULTS: &str = "stop_grace: 1s";
const LIVE: [usize; 2] = [1, 50];

pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    for size in [tree::NONE, tree::BIG] {
        let folder = plan.fresh(&format!("adopt {}", size.name))?;
        let root = tree::make(&folder, size)?;
        let mut daemon = Daemon::start(&folder, &root, DEFAULTS)?;
        let mut tasks: Vec<String> = Vec::new();
        for live in LIVE {
            while tasks.len() < live {
                let task = format!("live{}", tasks.len());
                Daemon::submit(&mut daemon.client()?, &task, "silent")?;
                tasks.push(task);
            }
            let mut times = Vec::new();
            for _ in 0..plan.rounds(20) {
                daemon.kill();
                let began = Instant::now();
                daemon = Daemon::start(&folder, &root, DEFAULTS)?;
                adopted(&daemon, &tasks)?;
                times.push(nanos(began.elapsed()));
            }
            let name = format!("{}: a killed daemon's successor has adopted {live} live runs", size.name);
            table.add(Row::times(name, &Times::new(times)).aim(Aim::TailBelow(2000.0)));
        }
        stop(&daemon, &tasks)?;
    }
    Ok(())
}

/// Waits until the daemon shows the runs of these tasks as running, and drives them.
fn adopted(daemon: &Daemon, tasks: &[String]) -> Result<()> {
    let mut client = daemon.client()?;
    let running = client.get("/api/projects/p/stats")?.json()?["running_runs"].as_u64();
    if running != Some(u64::try_from(tasks.len())?) {
        return Err(format!("{running:?} of {} live runs are shown as running", tasks.len()).into());
    }
    for task in tasks {
        let lock = daemon.root.join(format!("p/{task}/task.lock"));
        until("each task is driven", Duration::from_millis(1), || Ok(holder(&lock)? == Some(daemon.pid()?)))?;
    }
    Ok(())
}

/// The process that a lock's file names.
fn holder(lock: &Path) -> Result<Option<i32>> {
    let text = fs::read_to_string(lock)?;
    // Another process may be writing it.
    Ok(serde_json::from_str::<Holder>(&text).ok().and_then(|holder| holder.pid))
}

fn stop(daemon: &Daemon, tasks: &[String]) -> Result<()> {
    for task in tasks {
        fs::File::create(daemon.root.join(format!("p/{task}/STOP")))?;
    }
    let mut client = daemon.client()?;
    until("the live runs have ended", Duration::from_millis(100), || {
        Ok(client.get("/api/projects/p/stats")?.json()?["running_runs"].as_u64() == Some(0))
    })
}
