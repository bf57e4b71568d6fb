//! (d) Streams: from an append to the event at every subscriber, and the processor time while nothing happens.

use std::{
    fs::File,
    io::Write,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Plan, Result,
    daemon::Daemon,
    subscribers::{Subscribers, stamp},
    table::{Aim, Row, Table, Unit},
    times::{figure, per_second},
    tree,
};

/// First argument of this program when it acts as an agent that prints lines with their times.
pub const SAY_LINES: &str = "say-lines";
/// Pause between two lines or messages.
const PAUSE: Duration = Duration::from_millis(50);
const LINES: usize = 100;
/// The file that lets the agent begin, and that holds the number of lines to print.
const GO: &str = "go";

/// Acts as the agent: waits for its signal, then prints.
pub fn say_lines() -> Result<()> {
    let folder = std::env::var_os("JRUN_TASK_FOLDER").ok_or("no task folder")?;
    let folder = Path::new(&folder);
    let lines = loop {
        match std::fs::read_to_string(folder.join(GO)).ok().and_then(|text| text.parse::<usize>().ok()) {
            Some(lines) => break lines,
            None if folder.join("STOP").exists() => return Ok(()),
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let mut out = std::io::stdout();
    for _ in 0..lines {
        writeln!(out, "{}", stamp())?;
        out.flush()?;
        thread::sleep(PAUSE);
    }
    // Waits until every reader has received the lines, because the end of a run ends its streams.
    thread::sleep(Duration::from_secs(1));
    File::create(folder.join("DONE"))?;
    Ok(())
}

/// Name, path for a task and a run, and the original's figures with 1, 50 and 200 readers.
type Stream = (&'static str, &'static str, [&'static str; 3]);

const OF_RUNS: [Stream; 3] = [
    (
        "a run",
        "/api/v1/runs/{r}/stream",
        ["1.8/5.8 ms", "4.5/33 ms, 40 of 50 refused", "8.2/14 ms, 190 of 200 refused"],
    ),
    (
        "all runs of a task",
        "/api/projects/p/tasks/{t}/runs/stream",
        ["2.0/8.4 ms", "3.8/7.3 ms", "8.4/16 ms"],
    ),
    (
        "a file of a run",
        "/api/projects/p/tasks/{t}/runs/{r}/stream?name=stdout",
        ["250/493 ms", "251/498 ms", "250/509 ms"],
    ),
];

/// The number of earlier messages, and the original's figures.
const BUSES: [(usize, [&str; 3]); 3] = [
    (20, ["2.7/6.4 ms", "38/284 ms", "173/1,009 ms"]),
    (2_000, ["40/69 ms", "1,477/4,417 ms, 93 %", ""]),
    (10_000, ["230/337 ms", "4,775 ms, 326 of 4,950", ""]),
];

const SUBSCRIBERS: [usize; 3] = [1, 50, 200];

pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    let folder = plan.fresh("streams")?;
    let root = tree::make(&folder, tree::NONE)?;
    for (messages, _) in BUSES {
        tree::fill_bus(&root, &format!("bus{messages}"), messages)?;
    }
    let daemon = Daemon::start(&folder, &root, "stop_grace: 1s")?;
    let lines = plan.rounds(LINES);
    for (name, path, original) in OF_RUNS {
        for (count, original) in SUBSCRIBERS.into_iter().zip(original) {
            let task = format!("{}{count}", name.replace(' ', "-"));
            let run = Daemon::submit(&mut daemon.client()?, &task, "lines")?;
            let path = path.replace("{t}", &task).replace("{r}", &run);
            let readers = Subscribers::open(daemon.port, &path, count)?;
            let before = (daemon.processor()?, Instant::now());
            std::fs::write(root.join("p").join(&task).join("go.new"), lines.to_string())?;
            std::fs::rename(root.join("p").join(&task).join("go.new"), root.join("p").join(&task).join(GO))?;
            let row = heard(readers, &daemon, before, (count, lines), &format!("stream of {name}"))?;
            table.add(row.original(original));
        }
    }
    for (messages, original) in BUSES {
        for (count, original) in SUBSCRIBERS.into_iter().zip(original) {
            let bus = format!("bus{messages}");
            let mut client = daemon.client()?;
            let path = format!("/api/projects/p/tasks/{bus}/messages");
            let last = client.get(&format!("{path}?limit=1"))?.json()?;
            let last = last["messages"][0]["msg_id"].as_str().ok_or("an empty bus")?.to_owned();
            let readers = Subscribers::open(daemon.port, &format!("{path}/stream?after={last}"), count)?;
            let before = (daemon.processor()?, Instant::now());
            for _ in 0..lines {
                let body = format!(r#"{{"type":"PROGRESS","body":"{}"}}"#, stamp());
                client.post(&path, body.as_bytes())?.json()?;
                thread::sleep(PAUSE);
            }
            let row =
                heard(readers, &daemon, before, (count, lines), &format!("stream of a bus of {messages}"))?;
            let row = row.original(original);
            table.add(if messages == 10_000 { row.aim(Aim::TailBelow(20.0)) } else { row });
        }
    }
    backlog(table, &daemon)?;
    drop(daemon);
    idle(plan, table)
}

/// Waits for the outstanding events and makes a row of them. Fails if a reader received less than everything.
fn heard(
    readers: Subscribers,
    daemon: &Daemon,
    (before, since): (Duration, Instant),
    (count, lines): (usize, usize),
    name: &str,
) -> Result<Row> {
    let limit = PAUSE * u32::try_from(lines)? + Duration::from_secs(10);
    let (delivered, times) = readers.hear(lines, limit)?;
    let expected = count * lines;
    if delivered != expected {
        return Err(format!("{name}: {delivered} of {expected} events were delivered to {count}").into());
    }
    let busy = daemon.processor_since(before)?.as_secs_f64() / since.elapsed().as_secs_f64() * 100.0;
    let row = Row::times(format!("{name}, {count} readers"), &times);
    Ok(row.note(format!("all {expected} delivered, daemon at {busy:.0} %")))
}

/// Reads a bus of 10,000 messages from its beginning, with many concurrent readers.
fn backlog(table: &mut Table, daemon: &Daemon) -> Result<()> {
    const READERS: usize = 50;
    let path = "/api/projects/p/tasks/bus10000/messages";
    let began = Instant::now();
    let readers = Subscribers::open(daemon.port, &format!("{path}/stream"), READERS)?;
    let took = began.elapsed();
    readers.close()?;
    let rate = per_second(READERS * 10_000, took);
    let row =
        Row::new(format!("a bus of 10,000 from its beginning, {READERS} readers"), rate, Unit::PerSecond);
    table.add(row.note(format!("messages; {:.0} MB at most", daemon.most_memory()?)));
    Ok(())
}

/// Measures the cost of subscribers while nothing happens.
fn idle(plan: &Plan, table: &mut Table) -> Result<()> {
    let time = Duration::from_secs(if plan.quick { 2 } else { 10 });
    for (size, rows) in [
        (
            tree::NONE,
            &[
                ("nobody", "/api/v1/health", 0, "0.0 %", true),
                ("a running run", "/api/v1/runs/{r}/stream", 50, "72.6 %", true),
                ("all runs", "/api/v1/runs/stream/all", 50, "71.7 %", false),
                (
                    "a file of a run",
                    "/api/projects/p/tasks/silent/runs/{r}/stream?name=stdout",
                    50,
                    "8.7 %",
                    false,
                ),
                ("a bus of 20", "/api/projects/p/tasks/bus20/messages/stream", 50, "0.2 %", false),
                (
                    "a bus of 10,000",
                    "/api/projects/p/tasks/bus10000/messages/stream",
                    50,
                    "94.6 %, 566 MB",
                    false,
                ),
            ][..],
        ),
        (
            tree::SMALL,
            &[("all of 1,000 ended runs", "/api/v1/runs/stream/all", 50, "193 %, 492 MB", false)][..],
        ),
        (tree::BIG, &[("all of 20,000 ended runs", "/api/v1/runs/stream/all", 10, "193 %", false)][..]),
    ] {
        let folder = plan.fresh(&format!("idle {}", size.name))?;
        let root = tree::make(&folder, size)?;
        for messages in [20, 10_000] {
            tree::fill_bus(&root, &format!("bus{messages}"), messages)?;
        }
        let daemon = Daemon::start(&folder, &root, "stop_grace: 1s")?;
        let run = Daemon::submit(&mut daemon.client()?, "silent", "silent")?;
        for &(name, path, count, original, aim) in rows {
            let path = path.replace("{r}", &run);
            let readers = if count == 0 { None } else { Some(Subscribers::open(daemon.port, &path, count)?) };
            thread::sleep(Duration::from_secs(1));
            let busy = daemon.busy(time)?;
            readers.map(Subscribers::close).transpose()?;
            let row = Row::new(format!("idle: {count} readers of {name}"), busy, Unit::Percent);
            let row = row.original(original).note(format!("{:.0} MB", daemon.memory()?));
            // One tick of the clock that counts processor time.
            let least = 1.5 / figure(usize::try_from(time.as_secs())?);
            table.add(if aim { row.aim(Aim::Below(least)) } else { row });
        }
        File::create(root.join("p/silent/STOP"))?;
        let mut client = daemon.client()?;
        crate::daemon::until("the silent run has ended", Duration::from_millis(100), || {
            Ok(client.get("/api/projects/p/stats")?.json()?["running_runs"].as_u64() == Some(0))
        })?;
    }
    Ok(())
}
