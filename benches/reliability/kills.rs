//! SIGKILL of drivers, shims and agents.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    Plan, Result,
    cleanup::{is_alive, signal},
    daemon::Daemon,
    table::{Faults, Table},
    world::{World, claimed, expect, name, recorded, wait_for},
};

/// The end of a killed agent is shown after this time at most.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

/// Command lines that drive a task are killed at a random time of its life; `drive --all` continues.
pub fn drivers(plan: &Plan, table: &mut Table) -> Result<()> {
    let kills = plan.number(100, 10);
    let world = World::new(plan, "driver-kills", "")?;
    let mut random = plan.random();
    for n in 0..kills {
        let task = format!("t{n}");
        let args = ["task", "--project", "p", "--task", &task, "--agent", "nap", "--prompt", "x"];
        let mut driver = world.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        thread::sleep(random.millis(300));
        driver.kill()?;
        driver.wait()?;
    }
    let mut faults = Faults::default();
    let driven = world.run(&["drive", "--all"])?;
    faults.unless(driven.code == 0, || format!("drive --all: {driven:?}"));
    let starts = world.starts();
    let runs = world.runs();
    for run in &runs {
        let (status, started) = (recorded(run, "status"), starts.get(&name(run)).copied().unwrap_or(0));
        // Without a ticket the submission was not accepted, and the run stays `created` until `fsck --repair`.
        let right = match status.as_str() {
            "completed" => started == 1,
            "created" | "" => started == 0,
            _ => false,
        };
        faults.unless(right, || format!("{} is '{status}' after {started} starts", run.display()));
    }
    let mended = world.run(&["fsck", "--repair"])?;
    faults.unless(mended.code == 0, || format!("fsck --repair: {mended:?}"));
    world.check(&mut faults)?;
    let completed = runs.iter().filter(|run| recorded(run, "status") == "completed").count();
    table.row(
        "SIGKILL of a driver at any time: each accepted run happens once, and the next driver completes it",
        format!("{kills} kills; {completed} accepted runs, each started once and completed"),
        faults,
    );
    Ok(())
}

/// Shims are killed while their agents work; every second agent is killed, too.
pub fn shims(plan: &Plan, table: &mut Table) -> Result<()> {
    let count = plan.number(60, 6);
    let more = "defaults: {max_restarts: 0, max_concurrent_root_tasks: 100, stop_grace: 1s}\n";
    let world = World::new(plan, "shim-kills", more)?;
    let daemon = Daemon::start(&world)?;
    let tasks: Vec<String> = (0..count).map(|n| format!("t{n}")).collect();
    for task in &tasks {
        daemon.create(task, "waits")?;
    }
    let mut faults = Faults::default();
    for (n, task) in tasks.iter().enumerate() {
        let run = world.run_of(task)?;
        let (shim, agent) = (claimed(&run, "shim")?, claimed(&run, "agent")?);
        signal(shim, Signal::SIGKILL);
        wait_for("the end of a shim", || Ok((!is_alive(shim)).then_some(())))?;
        faults.unless(is_alive(agent), || format!("the agent of {task} ended with its shim"));
        if n % 2 == 1 {
            signal(agent, Signal::SIGKILL);
        }
    }
    world.go()?;
    daemon.until_idle(&mut faults);
    let (mut completed, mut unknown) = (0, 0);
    for (n, task) in tasks.iter().enumerate() {
        let run = world.run_of(task)?;
        match (recorded(&run, "status").as_str(), n % 2) {
            ("completed", 0) => completed += 1,
            // A kernel before 6.15 does not tell the end of a process that is not a child.
            ("crashed", _) => unknown += 1,
            ("failed", 1) => {}
            (status, _) => faults.add(format!("{task} is '{status}'")),
        }
    }
    for (run, count) in world.starts().iter().filter(|(_, count)| **count != 1) {
        faults.add(format!("{run} was started {count} times"));
    }
    drop(daemon);
    world.check(&mut faults)?;
    table.row(
        "SIGKILL of a shim: its agent goes on, the loop ends, no run is called completed without its exit status",
        format!(
            "{count} shims killed, and {} of their agents; {completed} completed, {unknown} unknown ends",
            count / 2
        ),
        faults,
    );
    Ok(())
}

/// Agents are killed; their shims and the daemon live.
pub fn agents(plan: &Plan, table: &mut Table) -> Result<()> {
    let count = plan.number(60, 6);
    let world = World::new(plan, "agent-kills", "defaults: {max_restarts: 0}\n")?;
    let daemon = Daemon::start(&world)?;
    let mut faults = Faults::default();
    let mut slowest = Duration::ZERO;
    for n in 0..count {
        let task = format!("t{n}");
        daemon.create(&task, "stays")?;
        let run = world.run_of(&task)?;
        signal(claimed(&run, "agent")?, Signal::SIGKILL);
        let killed = Instant::now();
        expect(&mut faults, &format!("{task} to fail"), || Ok(daemon.status(&task)? == "failed"));
        slowest = slowest.max(killed.elapsed());
        let end = (recorded(&run, "status"), recorded(&run, "signal"));
        faults.unless(end == ("failed".to_owned(), "9".to_owned()), || format!("{task} ended as {end:?}"));
    }
    faults.unless(slowest < SHOWN_WITHIN, || format!("an end was shown after {slowest:?} only"));
    drop(daemon);
    world.check(&mut faults)?;
    table.row(
        "SIGKILL of an agent: its run is failed with signal 9, which every reader sees within 2 s",
        format!("{count} agents killed; shown after {} ms at most", slowest.as_millis()),
        faults,
    );
    Ok(())
}
