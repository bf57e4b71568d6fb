//! (e) Starting: from the POST to the agent's first instruction, also while the disk is busy and many at once, runs per
//! second, and `run-agent job`.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    Plan, Result, bare,
    busy_disk::BusyDisk,
    daemon::{Daemon, configure, program, until},
    load::Load,
    table::{Aim, Row, Table, Unit},
    times::{Times, now, per_second},
    tree,
};

const POSTERS: usize = 8;
/// Jobs before the measured ones, which fill the caches.
const WARM_UP: usize = 5;
const TASKS: usize = 200;
/// Number of tasks that are posted at the same time.
const AT_ONCE: usize = 500;

/// The tree, the planner's limits, and the original's figures: to the agent, to the answer, runs per second.
type Case = (tree::Size, &'static str, [&'static str; 3]);

const NO_LIMIT: &str = "restart_delay: 1s";
const LIMIT_4: &str = "max_concurrent_root_tasks: 4";
const LIMIT_8: &str = "max_concurrent_root_tasks: 8";

const CASES: [Case; 4] = [
    (tree::NONE, NO_LIMIT, ["9.9/14.5 ms", "3.0 ms", "42.9/s"]),
    (tree::NONE, LIMIT_4, ["19/53 ms", "12.5 ms", "10.0/s"]),
    (tree::BIG, NO_LIMIT, ["19/124 ms", "13.6 ms", "37.6/s"]),
    (tree::BIG, LIMIT_4, ["3,088/3,355 ms", "3,080 ms", "0.4/s"]),
];

pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    job(plan, table)?;
    for (number, (size, limit, original)) in CASES.into_iter().enumerate() {
        let folder = plan.fresh(&format!("start{number}"))?;
        let root = tree::make(&folder, size)?;
        let planner = if limit == NO_LIMIT { "no limit" } else { "a limit" };
        let aims = limit != NO_LIMIT && size.tasks == tree::BIG.tasks;
        let name = |what: &str| format!("{}, {planner}: {what}", size.name);
        let daemon = Daemon::start(&folder, &root, limit)?;
        let (running, answered) = one_by_one(&daemon, "start", plan.rounds(200))?;
        let row = Row::times(name("POST to the agent's first instruction"), &running).original(original[0]);
        table.add(if aims { row.aim(Aim::BothBelow(7.0, 12.0)) } else { row });
        table.add(Row::times(name("POST to its answer"), &answered).original(original[1]));
        if aims {
            let busy = BusyDisk::begin(&folder)?;
            let (running, _) = one_by_one(&daemon, "busy", plan.rounds(100))?;
            drop(busy);
            let row = Row::times(name("the same while the disk is busy"), &running);
            table.add(row.aim(Aim::Below(15.0)));
        }
        drop(daemon);
        let rate_limit = if limit == LIMIT_4 { LIMIT_8 } else { limit };
        let daemon = Daemon::start(&folder, &root, rate_limit)?;
        let tasks = plan.rounds(TASKS);
        let before = daemon.processor()?;
        let rate = many(&daemon, tasks)?;
        let busy = daemon.processor_since(before)?.as_secs_f64() * 1e3 / f64::from(u32::try_from(tasks)?);
        let row = Row::new(name(&format!("runs to their ends, {POSTERS} posters")), rate, Unit::PerSecond);
        let row = row.original(original[2]).note(format!("{tasks} tasks, {busy:.1} ms of the daemon each"));
        table.add(if aims { row.aim(Aim::AtLeast(150.0)) } else { row });
        if aims {
            drop(daemon);
            at_once(plan, &folder, &root, table)?;
        }
    }
    Ok(())
}

/// Posts many tasks at the same time, without a limit of the planner: the time until the last agent has begun.
fn at_once(plan: &Plan, folder: &Path, root: &Path, table: &mut Table) -> Result<()> {
    let daemon = Daemon::start(folder, root, NO_LIMIT)?;
    let tasks = plan.rounds(AT_ONCE);
    let starts = Mutex::new(Vec::new());
    let load = Load { clients: tasks, requests: 1, limit: Duration::from_mins(1) };
    load.run(daemon.port, |client, n, _| {
        let (task, posted) = (format!("at-once{n}"), now());
        let run = Daemon::submit(client, &task, "first")?;
        starts.lock().map_err(|_| "a client panicked")?.push((posted, daemon.run_folder(&task, &run)));
        Ok(())
    })?;
    let (mut first, mut last) = (u64::MAX, 0);
    for (posted, folder) in starts.into_inner()? {
        until("the agent runs", Duration::from_millis(1), || Ok(bare::began(&folder).is_some()))?;
        first = first.min(posted);
        last = last.max(bare::began(&folder).ok_or("it began")?);
    }
    let took = Duration::from_nanos(last.saturating_sub(first)).as_secs_f64() * 1e3;
    let row = Row::new(
        format!("{}, no limit: {tasks} starts at once, to the last agent", tree::BIG.name),
        took,
        Unit::Milliseconds,
    );
    table.add(row.original("3,900 ms").aim(Aim::Below(3000.0)));
    // The ends are committed before the daemon goes.
    let mut client = daemon.client()?;
    until("all have ended", Duration::from_millis(20), || {
        Ok(client.get("/api/projects/p/stats")?.json()?["running_runs"] == 0)
    })
}

/// Starts one task after another, each up to the first instruction of its agent.
fn one_by_one(daemon: &Daemon, prefix: &str, rounds: usize) -> Result<(Times, Times)> {
    let mut client = daemon.client()?;
    let (mut running, mut answered) = (Vec::new(), Vec::new());
    for n in 0..rounds {
        let task = format!("{prefix}{n}");
        let before = now();
        let run = Daemon::submit(&mut client, &task, "first")?;
        answered.push(now() - before);
        let folder = daemon.run_folder(&task, &run);
        until("the agent runs", Duration::from_millis(1), || Ok(bare::began(&folder).is_some()))?;
        running.push(bare::began(&folder).ok_or("it began")?.saturating_sub(before));
        // Waits for the end of the task, so that the next one has the machine to itself.
        let path = format!("/api/projects/p/tasks/{task}");
        until("the task has ended", Duration::from_millis(2), || {
            Ok(client.get(&path)?.json()?["status"] == "completed")
        })?;
    }
    Ok((Times::new(running), Times::new(answered)))
}

/// Starts many tasks from several clients, until all ends are committed. Returns the runs per second.
fn many(daemon: &Daemon, tasks: usize) -> Result<f64> {
    let mut client = daemon.client()?;
    let mut completed = || -> Result<u64> {
        let stats = client.get("/api/projects/p/stats")?.json()?;
        stats["completed_runs"].as_u64().ok_or_else(|| "no completed_runs".into())
    };
    let before = completed()?;
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let load = Load { clients: POSTERS, requests: tasks.div_ceil(POSTERS), limit: Duration::from_mins(1) };
    load.run(daemon.port, |client, _, _| {
        let n = next.fetch_add(1, Ordering::Relaxed);
        Daemon::submit(client, &format!("many{n}"), "trivial").map(drop)
    })?;
    let posted = next.load(Ordering::Relaxed);
    until(
        "all have ended",
        Duration::from_millis(5),
        || Ok(completed()? >= before + u64::try_from(posted)?),
    )?;
    Ok(per_second(posted, began.elapsed()))
}

/// Runs `run-agent job` without a daemon: in a plain folder, and in a repository, of which it takes a snapshot first.
fn job(plan: &Plan, table: &mut Table) -> Result<()> {
    let folder = plan.fresh("job")?;
    let config = configure(&folder, NO_LIMIT)?;
    let repository = repository(&plan.fresh("job/repository")?)?;
    for (name, cwd) in [("a plain folder", &folder), ("a repository of 1,000 files", &repository)] {
        let mut times = Vec::new();
        for n in 0..plan.rounds(200) + WARM_UP {
            let task = format!("{}{n}", name.replace([' ', ','], "-"));
            let time = one_job(&folder, &config, cwd, &task)?;
            if n >= WARM_UP {
                times.push(time);
            }
        }
        let row =
            Row::times(format!("run-agent job to the first instruction, in {name}"), &Times::new(times));
        table.add(if cwd == &folder { row.aim(Aim::Below(10.0)) } else { row });
    }
    Ok(())
}

/// Creates a repository with a commit, a changed file and a new one.
fn repository(folder: &Path) -> Result<PathBuf> {
    for n in 0..1000 {
        let place = folder.join(format!("src/{}", n % 30));
        std::fs::create_dir_all(&place)?;
        std::fs::write(place.join(format!("file{n}.txt")), format!("{n}\n").repeat(200))?;
    }
    let git = |args: &[&str]| -> Result<()> {
        let own = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").args(own).args(args).current_dir(folder).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("git {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    };
    git(&["init", "--quiet"])?;
    git(&["add", "."])?;
    git(&["commit", "--quiet", "--message", "begin"])?;
    std::fs::write(folder.join("src/0/file0.txt"), "changed\n")?;
    std::fs::write(folder.join("new.txt"), "new\n")?;
    Ok(folder.to_owned())
}

fn one_job(folder: &Path, config: &Path, cwd: &Path, task: &str) -> Result<u64> {
    let root = folder.join("root");
    let before = now();
    let output = program(folder)
        .args(["job", "--project", "p", "--task", task, "--agent", "first", "--prompt", "start", "--root"])
        .arg(&root)
        .arg("--config")
        .arg(config)
        .arg("--cwd")
        .arg(cwd)
        .output()?;
    if !output.status.success() {
        return Err(format!("a job failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let runs = root.join("p").join(task).join("runs");
    let run = std::fs::read_dir(runs)?.next().ok_or("the job left no run")??;
    let began = bare::began(&run.path()).ok_or("the agent did not start")?;
    Ok(began.checked_sub(before).ok_or("the agent began before it was started")?)
}
