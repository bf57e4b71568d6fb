//! Shims that are frozen with SIGSTOP, once from outside and again and again by their own agents.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::{
    Plan, Result,
    cleanup::{is_alive, signal, state},
    daemon::Daemon,
    table::{Faults, Table},
    world::{World, claimed, expect, recorded},
};

/// The grace of a stop in this trial.
const GRACE: &str = "1s";
/// A stop is over after this time at most.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

pub fn shims(plan: &Plan, table: &mut Table) -> Result<()> {
    let count = plan.number(20, 2);
    let more = format!("defaults: {{max_restarts: 0, stop_grace: {GRACE}}}\n");
    let world = World::new(plan, "frozen-shims", &more)?;
    let daemon = Daemon::start(&world)?;
    for agent in ["stays", "freezes"] {
        let mut faults = Faults::default();
        let mut slowest = Duration::ZERO;
        for n in 0..count {
            let task = format!("{agent}{n}");
            daemon.create(&task, agent)?;
            let run = world.run_of(&task)?;
            let pids = [claimed(&run, "shim")?, claimed(&run, "agent")?];
            // Until then the driver waits for the shim's report, for ten seconds if it is frozen.
            expect(&mut faults, &format!("{task} to run"), || Ok(recorded(&run, "status") == "running"));
            if agent == "stays" {
                // The driver may continue it at once.
                signal(pids[0], Signal::SIGSTOP);
            } else {
                expect(&mut faults, &format!("the shim of {task} to freeze"), || {
                    Ok(state(pids[0]) == Some('T'))
                });
            }
            let began = Instant::now();
            let (status, body) = daemon.stop(&task)?;
            slowest = slowest.max(began.elapsed());
            faults.unless(status == 200, || format!("the stop of {task} was answered with {status}: {body}"));
            let ended = recorded(&run, "status");
            faults.unless(ended == "stopped", || format!("{task} is '{ended}'"));
            faults.unless(!pids.into_iter().any(is_alive), || format!("processes of {task} are left"));
        }
        faults.unless(slowest < STOPPED_WITHIN, || format!("a stop took {slowest:?}"));
        let goal = match agent {
            "stays" => "a shim that is frozen from outside: a stop ends its run within 10 s (grace 1 s)",
            _ => "an agent that freezes its shim every 20 ms: a stop ends both within 10 s (grace 1 s)",
        };
        table.row(goal, format!("{count} stops, {:.1} s at most", slowest.as_secs_f64()), faults);
    }
    drop(daemon);
    let mut faults = Faults::default();
    world.check(&mut faults)?;
    table.row("frozen shims leave a tree without findings", "fsck finds nothing", faults);
    Ok(())
}
