//! (f) Memory, and the time from the start of the daemon to its first 200.

use std::time::Duration;

use crate::{
    Plan, Result,
    daemon::Daemon,
    table::{Aim, Row, Table, Unit},
    times::{Times, nanos},
    tree,
};

pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    for (size, started, memory) in [
        (tree::NONE, "5.6-5.8 ms", "12 MB"),
        (tree::SMALL, "90 ms with planner", ""),
        (tree::BIG, "1,613 ms with planner", "115 MB, 170 at most"),
    ] {
        let folder = plan.fresh(&format!("memory {}", size.name))?;
        let root = tree::make(&folder, size)?;
        let big = size.tasks == tree::BIG.tasks;
        let mut times = Vec::new();
        for round in 0..plan.rounds(20).min(5) {
            let daemon = Daemon::start(&folder, &root, "restart_delay: 1s")?;
            times.push(nanos(daemon.ready_after));
            if round > 0 {
                continue;
            }
            std::thread::sleep(Duration::from_secs(1));
            let row =
                Row::new(format!("{}: memory when ready", size.name), daemon.memory()?, Unit::Megabytes);
            let row = row.original(memory).note(format!("{:.0} MB at most", daemon.most_memory()?));
            table.add(if big { row.aim(Aim::Below(60.0)) } else { row });
        }
        let row = Row::times(format!("{}: start to the first 200", size.name), &Times::new(times));
        let row = row.original(started);
        table.add(if big { row.aim(Aim::TailBelow(1000.0)) } else { row });
    }
    Ok(())
}
