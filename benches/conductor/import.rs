//! Importing a tree of the original: every file of it is durable at the end.

use std::{fs, path::Path, time::Instant};

use crate::{
    Plan, Result,
    daemon::program,
    table::{Aim, Row, Table, Unit},
};

const RUNS_OF_TASK: usize = 20;

pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    let folder = plan.fresh("import")?;
    let tasks = plan.rounds(1000);
    let source = folder.join("original");
    make(&source, tasks)?;
    let began = Instant::now();
    let output =
        program(&folder).arg("import").arg(&source).arg("--root").arg(folder.join("root")).output()?;
    let took = began.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(format!("the import failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let runs = tasks * RUNS_OF_TASK;
    let row = Row::new(format!("import of {runs} runs"), took * 1e3, Unit::Milliseconds);
    table.add(row.aim(Aim::Below(30_000.0 * f64::from(u32::try_from(tasks)?) / 1000.0)));
    Ok(())
}

/// Creates a tree of the original with one project.
fn make(source: &Path, tasks: usize) -> Result<()> {
    for task in 0..tasks {
        let name = format!("task-20260222-160000-{task:05}");
        let folder = source.join("shop").join(&name);
        fs::create_dir_all(folder.join("runs"))?;
        fs::write(folder.join("TASK.md"), "Repair the cart.\n")?;
        fs::write(folder.join("DONE"), "")?;
        for run in 0..RUNS_OF_TASK {
            let id = format!("20260222-16{run:02}001234-12345-{task}");
            let runs = folder.join("runs").join(&id);
            fs::create_dir(&runs)?;
            let record = format!(
                "run_id: {id}\nproject_id: shop\ntask_id: {name}\nagent: claude\npid: 2147480000\n\
                 start_time: 2026-02-22T16:{run:02}:00Z\nend_time: 2026-02-22T16:{run:02}:30Z\nexit_code: 0\nstatus: completed\n"
            );
            for (file, text) in [
                ("run-info.yaml", record.as_str()),
                ("prompt.md", "Repair the cart.\n"),
                ("output.md", "Repaired.\n"),
                ("agent-stdout.txt", "Working.\nRepaired.\n"),
                ("agent-stderr.txt", ""),
            ] {
                fs::write(runs.join(file), text)?;
            }
        }
    }
    Ok(())
}
