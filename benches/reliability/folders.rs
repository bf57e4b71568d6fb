//! Folders that are removed while they are in use, and a root that is moved.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Plan, Result,
    cleanup::is_alive,
    daemon::Daemon,
    table::{Faults, Table},
    world::{World, claimed, entries, expect, recorded, wait_for},
};

/// The agent of a removed folder is ended after this time at most.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

/// Run, task, project and root are removed below a live agent. With one place, the queue would be blocked if the removed
/// task kept it.
pub fn removed(plan: &Plan, table: &mut Table) -> Result<()> {
    let rounds = plan.number(5, 1);
    let mut faults = Faults::default();
    let mut slowest = Duration::ZERO;
    for of in ["run", "task", "project", "root"] {
        for round in 0..rounds {
            let more = "defaults: {max_restarts: 0, max_concurrent_root_tasks: 1, stop_grace: 1s}\n";
            let world = World::new(plan, &format!("removed-{of}-{round}"), more)?;
            let daemon = Daemon::start(&world)?;
            daemon.create("t", "stays")?;
            let next = json!({"project_id": "q", "task_id": "next", "agent_type": "quick", "prompt": "x"});
            let (status, body) = daemon.ask("POST", "/api/v1/tasks", &next)?;
            faults.unless(status == 201, || format!("the next task: {status} {body}"));
            let run = world.run_of("t")?;
            let agent = claimed(&run, "agent")?;
            let folder = match of {
                "run" => run,
                "task" => world.task("t"),
                "project" => world.root.join("p"),
                _ => world.root.clone(),
            };
            remove(&folder)?;
            let began = Instant::now();
            expect(&mut faults, &format!("the agent of the removed {of} to end"), || Ok(!is_alive(agent)));
            slowest = slowest.max(began.elapsed());
            if of == "root" {
                expect(&mut faults, "health to be 503", || Ok(daemon.health()? == 503));
                // A restart with a new root begins afresh.
                drop(daemon);
                fs::create_dir_all(&world.root)?;
                let daemon = Daemon::start(&world)?;
                daemon.create("again", "quick")?;
                daemon.until_idle(&mut faults);
                drop(daemon);
            } else {
                expect(&mut faults, &format!("the task after the removed {of} to run"), || {
                    let path = "/api/v1/tasks/next?project_id=q";
                    Ok(daemon.ask("GET", path, &Value::Null)?.1["status"] == "completed")
                });
                daemon.until_idle(&mut faults);
                drop(daemon);
            }
            world.check(&mut faults)?;
        }
    }
    faults.unless(slowest < ENDED_WITHIN, || format!("an agent lived for {slowest:?}"));
    table.row(
        "rm -rf of a live run, task, project or root: its agent ends within 10 s, its place is free, health tells of the root",
        format!("{} removals; an agent ended after {} ms at most", 4 * rounds, slowest.as_millis()),
        faults,
    );
    Ok(())
}

/// Removes a folder as `rm -rf` would, again if a process writes into it meanwhile.
fn remove(folder: &Path) -> Result<()> {
    wait_for("the folder to be removed", || {
        Ok((fs::remove_dir_all(folder).is_ok() || !folder.exists()).then_some(()))
    })
}

/// The root is renamed below a daemon, and renamed back.
pub fn moved(plan: &Plan, table: &mut Table) -> Result<()> {
    let rounds = plan.number(5, 1);
    let mut faults = Faults::default();
    for round in 0..rounds {
        let more = "defaults: {max_restarts: 0, max_concurrent_root_tasks: 3, stop_grace: 1s}\n";
        let world = World::new(plan, &format!("moved-{round}"), more)?;
        let away = world.path("away");
        let daemon = Daemon::start(&world)?;
        for (task, agent) in [("ends", "waits"), ("stays-a", "stays"), ("stays-b", "stays")] {
            daemon.create(task, agent)?;
            claimed(&world.run_of(task)?, "agent")?;
        }
        daemon.create("queued", "quick")?;
        fs::rename(&world.root, &away)?;
        expect(&mut faults, "health to be 503", || Ok(daemon.health()? == 503));
        let (status, body) = daemon.submit("refused", "quick")?;
        faults.unless(status == 503, || format!("a submission was answered with {status}: {body}"));
        world.go()?;
        let in_away = |task: &str| {
            let runs = entries(&away.join("p").join(task).join("runs"));
            runs.first().map(|run| recorded(run, "status")).unwrap_or_default()
        };
        expect(&mut faults, "the end to be recorded in the moved tree", || Ok(in_away("ends") != "running"));
        // A stop works there, too.
        fs::write(away.join("p/stays-a/STOP"), "")?;
        expect(&mut faults, "a run to stop in the moved tree", || Ok(in_away("stays-a") == "stopped"));
        faults.unless(!world.root.exists(), || "a new root was made at the old path".to_owned());
        faults.unless(entries(&away.join("p/queued/runs")).len() == 1 && world.starts().len() == 3, || {
            "a run was started while the root was away".to_owned()
        });
        fs::rename(&away, &world.root)?;
        expect(&mut faults, "health to be 200", || Ok(daemon.health()? == 200));
        expect(&mut faults, "the queue to go on", || Ok(daemon.status("queued")? == "completed"));
        daemon.stop("stays-b")?;
        daemon.until_idle(&mut faults);
        drop(daemon);
        let ended = recorded(&world.run_of("ends")?, "status");
        faults.unless(ended == "completed", || format!("the run that ended meanwhile is '{ended}'"));
        world.check(&mut faults)?;
    }
    table.row(
        "mv of the root: health says so, nothing starts, live runs go on and their ends are recorded; after the way back all continues",
        format!("{rounds} moves with 3 live runs and a queued one each"),
        faults,
    );
    Ok(())
}
