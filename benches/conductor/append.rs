//! (a) Appending messages: over HTTP, durable when the answer arrives, and from the command line.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use crate::{
    Plan, Result,
    daemon::{Daemon, program},
    load::Load,
    table::{Aim, Row, Table, Unit},
    times::{Times, nanos, per_second},
    tree,
};

const CLIENTS: usize = 16;

pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    let folder = plan.fresh("append")?;
    let root = tree::make(&folder, tree::NONE)?;
    tree::fill_bus(&root, "bus", 1)?;
    let daemon = Daemon::start(&folder, &root, "restart_delay: 1s")?;
    let text = "x".repeat(100);
    let message = format!(r#"{{"type":"PROGRESS","body":"{text}"}}"#);
    let addressed = format!(r#"{{"project_id":"p","task_id":"bus","type":"PROGRESS","body":"{text}"}}"#);
    for (name, path, body, one, many) in [
        (
            "POST to a task's bus",
            "/api/projects/p/tasks/bus/messages",
            &message,
            "1,954/s 0.45/4.3 ms",
            "2,638/s 5.4/30 ms",
        ),
        ("POST to a project's bus", "/api/projects/p/messages", &message, "2,099/s", "2,772/s"),
        ("POST /api/v1/messages", "/api/v1/messages", &addressed, "1,928/s", "2,954/s"),
    ] {
        for (clients, original) in [(1, one), (CLIENTS, many)] {
            let limit = Duration::from_secs(if plan.quick { 1 } else { 5 });
            let loaded =
                Load { clients, requests: 1_000_000, limit }.run(daemon.port, |client, _, _| match client
                    .post(path, body.as_bytes())?
                    .status
                {
                    201 => Ok(()),
                    status => Err(format!("a message was answered with {status}").into()),
                })?;
            let latency = format!("p50 {:.2} ms", loaded.times.percentile(50));
            let latency = format!("{latency}, p99 {:.2} ms", loaded.times.percentile(99));
            let row = Row::new(format!("{name}, {clients} at a time"), loaded.per_second, Unit::PerSecond);
            let row = row.original(original).note(latency);
            table.add(if clients == CLIENTS { row.aim(Aim::AtLeast(10_000.0)) } else { row });
        }
    }
    command_line(plan, table, &folder, &daemon)
}

/// Runs `run-agent bus post`, one process for each message.
fn command_line(plan: &Plan, table: &mut Table, folder: &Path, daemon: &Daemon) -> Result<()> {
    let post = || -> Result<()> {
        let status = program(folder)
            .args([
                "bus",
                "post",
                "--project",
                "p",
                "--task",
                "bus",
                "--type",
                "PROGRESS",
                "--body",
                "hello",
                "--root",
            ])
            .arg(&daemon.root)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .status()?;
        if status.success() { Ok(()) } else { Err("bus post failed".into()) }
    };
    let times = Times::of(plan.rounds(300), post)?;
    table.add(Row::times("run-agent bus post", &times).original("3.7 ms, 271/s"));
    let each = plan.rounds(40);
    let began = Instant::now();
    let done = std::thread::scope(|scope| {
        let posters: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let measured = |_| {
                        let before = Instant::now();
                        post().map(|()| nanos(before.elapsed()))
                    };
                    (0..each).map(measured).collect::<Result<Vec<_>>>()
                })
            })
            .collect();
        let joined = posters.into_iter().map(|p| p.join().map_err(|_| "a poster panicked")?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    let rate = per_second(done.iter().map(Vec::len).sum(), began.elapsed());
    let row = Row::new(format!("run-agent bus post, {CLIENTS} at a time"), rate, Unit::PerSecond);
    table.add(row.original("458/s"));
    Ok(())
}
