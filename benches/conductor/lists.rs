//! (c) Lists and details, in a small tree and in a big one, and the disk writes that a read causes.

use std::time::Duration;

use crate::{
    Plan, Result,
    daemon::{Daemon, until},
    load::Load,
    table::{Aim, Row, Table, Unit},
    tree,
};

/// A route, the original's figures in the big tree with one client and with eight, and a flag for lists.
type Route = (&'static str, &'static str, &'static str, &'static str, bool);

/// `{t}` stands for a task in the middle, `{r}` for a run of it.
const ROUTES: [Route; 15] = [
    ("projects", "/api/projects", "1,616/1,742 ms", "7,257 ms", true),
    ("tasks of a project, limit=100", "/api/projects/p/tasks?limit=100", "65/2,536 ms", "326 ms", true),
    ("v1 tasks, limit=100", "/api/v1/tasks?limit=100", "2,329/2,454 ms", "8,625 ms", true),
    ("v1 tasks, all", "/api/v1/tasks", "2,329/2,454 ms", "8,625 ms", false),
    ("flat runs, limit=100", "/api/projects/p/runs/flat?limit=100", "94/2,323 ms", "114 ms", true),
    ("flat runs, all", "/api/projects/p/runs/flat", "94/2,323 ms", "114 ms", false),
    ("flat runs, active only", "/api/projects/p/runs/flat?active_only=1", "105/2,154 ms", "", true),
    ("stats", "/api/projects/p/stats", "1,808/1,868 ms", "6,614 ms", true),
    ("v1 runs, limit=100", "/api/v1/runs?limit=100", "1,944/1,948 ms", "", true),
    ("status", "/api/v1/status", "1,895/1,990 ms", "", true),
    ("task", "/api/projects/p/tasks/{t}", "1.1/3.4, max 1,791 ms", "", false),
    ("v1 task", "/api/v1/tasks/{t}?project_id=p", "2.6/14.9 ms", "", false),
    ("v1 run info", "/api/v1/runs/{r}/info", "28/53 ms", "", false),
    ("file", "/api/projects/p/tasks/{t}/runs/{r}/file?name=output.md", "1.0/4.6, max 1,715 ms", "", false),
    ("messages of a task", "/api/projects/p/tasks/{t}/messages", "1.0/4.6, max 1,885 ms", "", false),
];

pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    for size in [tree::SMALL, tree::BIG] {
        let folder = plan.fresh(size.name)?;
        let root = tree::make(&folder, size)?;
        let daemon = Daemon::start(&folder, &root, "restart_delay: 1s")?;
        let task = format!("task-{:05}", size.tasks / 2);
        let run = std::fs::read_dir(root.join("p").join(&task).join("runs"))?.next().ok_or("no run")??;
        let run = run.file_name().to_string_lossy().into_owned();
        let big = size.tasks == tree::BIG.tasks;
        let health = ("health", "/api/v1/health", "0.18/0.43 ms", "", false);
        for (name, path, one, many, list) in ROUTES.into_iter().chain([health]) {
            let path = path.replace("{t}", &task).replace("{r}", &run);
            for (clients, original) in [(1, one), (8, many)] {
                let limit = Duration::from_secs(if plan.quick { 1 } else { 3 });
                let loaded = Load { clients, requests: plan.rounds(2000), limit }.get(daemon.port, &path)?;
                let original = if big { original } else { "" };
                let row = Row::times(format!("{}: {name}, {clients} at a time", size.name), &loaded.times);
                let row = row.original(original).note(format!("{:.0}/s", loaded.per_second));
                table.add(if list && big && clients == 1 { row.aim(Aim::TailBelow(5.0)) } else { row });
            }
        }
        let row =
            Row::new(format!("{}: memory after all of it", size.name), daemon.memory()?, Unit::Megabytes);
        let row = row.original(if big { "115 MB, 567 MB with 8" } else { "" });
        let row = row.note(format!("{:.0} MB at most", daemon.most_memory()?));
        table.add(if big { row.aim(Aim::Below(60.0)) } else { row });
    }
    running(plan, table)
}

/// Reads write nothing, no matter how many runs are active.
fn running(plan: &Plan, table: &mut Table) -> Result<()> {
    let folder = plan.fresh("running")?;
    let root = tree::make(&folder, tree::NONE)?;
    let daemon = Daemon::start(&folder, &root, "stop_grace: 1s")?;
    let mut client = daemon.client()?;
    let mut started: Vec<String> = Vec::new();
    for (running, written, took) in
        [(0, "3 kB", "15.5 ms"), (10, "42 kB", "23 ms"), (50, "208 kB", "47 ms"), (200, "849 kB", "143 ms")]
    {
        while started.len() < running {
            let task = format!("running{}", started.len());
            Daemon::submit(&mut client, &task, "silent")?;
            started.push(task);
        }
        // Waits until the starts have written everything, so that their writes are not counted as the reads'.
        let mut last = daemon.written()?;
        until("nothing is written", Duration::from_millis(700), || {
            let before = std::mem::replace(&mut last, daemon.written()?);
            Ok(before == last)
        })?;
        let gets = plan.rounds(200);
        let load = Load { clients: 1, requests: gets, limit: Duration::from_secs(10) };
        let loaded = load.get(daemon.port, "/api/v1/tasks")?;
        let bytes = f64::from(u32::try_from(daemon.written()? - last)?) / f64::from(u32::try_from(gets)?);
        let name = format!("v1 tasks, {running} of them running");
        table.add(Row::times(&name, &loaded.times).original(took));
        let row = Row::new(format!("{name}: written per GET"), bytes, Unit::Bytes);
        table.add(row.original(written).aim(Aim::Below(1.0)));
    }
    for task in &started {
        std::fs::File::create(root.join("p").join(task).join("STOP"))?;
    }
    until("all have ended", Duration::from_millis(100), || {
        let answer = client.get("/api/projects/p/stats")?.json()?;
        Ok(answer["running_runs"].as_u64() == Some(0))
    })
}
