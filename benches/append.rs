//! Measures appends to a bus with fsync, and a bare `write` + `fdatasync` loop with lines of the same size.
//!
//! `scripts/bench` measures the same over HTTP; `cargo bench --bench append` prints a table and one line of JSON.
//! Bare and bus take turns, so that a slow minute of the disk affects both. A time is that of one append, until it is
//! durable. `RATIO` compares bus and bare with the same writers, by the median. `no sync` leaves the disk out and
//! shows the cost of the bus itself.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark: it also writes without `fsx` for comparison, prints, and may panic"
)]

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use base::{clock::Clock, fsx::Durability};
use tree::{
    Tree,
    bus::{Bus, Draft, MessageType},
    refs::TaskRef,
};

const ROUNDS: usize = 5;
const WRITERS: usize = 16;
/// Appends of each writer in one round.
const APPENDS: usize = 200;
const BODY: usize = 120;

/// The measured operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Bare,
    Bus,
}

/// The number and kind of appenders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Appenders {
    Unsynced,
    One,
    Threads,
    Processes,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if *self == Self::Bare { "bare" } else { "bus" })
    }
}

impl fmt::Display for Appenders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unsynced => "1, no sync",
            Self::One => "1",
            Self::Threads => "16 threads",
            Self::Processes => "16 processes",
        })
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, writer, operation, dir, count] = &args[..]
        && writer == "--writer"
    {
        let operation = if operation == "bare" { Operation::Bare } else { Operation::Bus };
        return write_when_told(operation, Path::new(dir), count.parse().unwrap());
    }
    let rows: Vec<Row> = [Appenders::Unsynced, Appenders::One, Appenders::Threads, Appenders::Processes]
        .into_iter()
        .flat_map(measure)
        .collect();
    print_table(&rows);
}

/// An appender, ready to start.
enum Appender {
    Bare(File, Vec<u8>, Durability),
    Bus(Bus),
}

impl Appender {
    fn new(operation: Operation, dir: &Path, durability: Durability) -> Self {
        let tree = Tree::create(dir, durability, Clock::System).unwrap();
        let bus = tree.task_bus(&TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() });
        match operation {
            Operation::Bus => Self::Bus(bus),
            Operation::Bare => {
                let file = OpenOptions::new().append(true).create(true).open(dir.join("p/t/bare")).unwrap();
                let mut line = vec![b'x'; line_len()];
                *line.last_mut().unwrap() = b'\n';
                Self::Bare(file, line, durability)
            }
        }
    }

    /// Appends `count` times and returns the time of each append.
    fn run(&mut self, count: usize) -> Vec<Duration> {
        (0..count)
            .map(|_| {
                let began = Instant::now();
                match self {
                    Self::Bare(file, line, durability) => {
                        file.write_all(line).unwrap();
                        if *durability == Durability::Always {
                            file.sync_data().unwrap();
                        }
                    }
                    Self::Bus(bus) => {
                        let draft = Draft::new(MessageType::PROGRESS, "x".repeat(BODY));
                        bus.post(&draft).unwrap();
                    }
                }
                began.elapsed()
            })
            .collect()
    }
}

/// The length of a message's line in bytes; the bare loop writes lines of the same length.
fn line_len() -> usize {
    let around = concat!(
        r#"{"msg_id":"MSG-20260205-100001-000000000-PID00000-0001","timestamp":"2026-02-05T10:00:01.000000Z","#,
        r#""type":"PROGRESS","project_id":"p","task_id":"t","body":""}"#,
        "\n"
    );
    around.len() + BODY
}

/// The result of all rounds of one kind.
struct Row {
    operation: Operation,
    appenders: Appenders,
    times: Vec<Duration>,
    elapsed: Duration,
}

impl Row {
    fn percentile(&self, percent: usize) -> f64 {
        self.times[(self.times.len() - 1) * percent / 100].as_secs_f64() * 1e6
    }

    fn per_second(&self) -> f64 {
        f64::from(u32::try_from(self.times.len()).unwrap()) / self.elapsed.as_secs_f64()
    }
}

fn measure(appenders: Appenders) -> [Row; 2] {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::create_dir_all(dir.path().join("p/t")).unwrap();
    let mut rows = [Operation::Bare, Operation::Bus].map(|operation| Row {
        operation,
        appenders,
        times: Vec::new(),
        elapsed: Duration::ZERO,
    });
    for _ in 0..ROUNDS {
        for row in &mut rows {
            let (times, elapsed) = match appenders {
                Appenders::Unsynced => in_threads(row.operation, dir.path(), 1, Durability::Never),
                Appenders::One => in_threads(row.operation, dir.path(), 1, Durability::Always),
                Appenders::Threads => in_threads(row.operation, dir.path(), WRITERS, Durability::Always),
                Appenders::Processes => in_processes(row.operation, dir.path()),
            };
            row.times.extend(times);
            row.elapsed += elapsed;
        }
    }
    let bus = dir.path().join("p/t/TASK-MESSAGE-BUS.jsonl").metadata().unwrap().len();
    assert_eq!(bus, dir.path().join("p/t/bare").metadata().unwrap().len(), "both write the same");
    for row in &mut rows {
        row.times.sort_unstable();
    }
    rows
}

fn in_threads(
    operation: Operation,
    dir: &Path,
    writers: usize,
    durability: Durability,
) -> (Vec<Duration>, Duration) {
    let mut appenders: Vec<Appender> =
        (0..writers).map(|_| Appender::new(operation, dir, durability)).collect();
    let began = Instant::now();
    let times = std::thread::scope(|scope| {
        let threads: Vec<_> = appenders.iter_mut().map(|a| scope.spawn(move || a.run(APPENDS))).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    (times, began.elapsed())
}

fn in_processes(operation: Operation, dir: &Path) -> (Vec<Duration>, Duration) {
    let program: PathBuf = std::env::current_exe().unwrap();
    let mut children: Vec<_> = (0..WRITERS)
        .map(|_| {
            Command::new(&program)
                .args(["--writer", &operation.to_string()])
                .arg(dir)
                .arg(APPENDS.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut outputs: Vec<_> =
        children.iter_mut().map(|c| BufReader::new(c.stdout.take().unwrap()).lines()).collect();
    for output in &mut outputs {
        assert_eq!(output.next().unwrap().unwrap(), "ready");
    }
    let began = Instant::now();
    for child in &mut children {
        drop(child.stdin.take());
    }
    let mut times = Vec::new();
    for (child, output) in children.iter_mut().zip(outputs) {
        times.extend(output.map(|nanos| Duration::from_nanos(nanos.unwrap().parse().unwrap())));
        assert!(child.wait().unwrap().success());
    }
    (times, began.elapsed())
}

/// A writer process: starts to append when its stdin is closed, then prints its times.
fn write_when_told(operation: Operation, dir: &Path, count: usize) {
    let mut appender = Appender::new(operation, dir, Durability::Always);
    println!("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    for time in appender.run(count) {
        println!("{}", time.as_nanos());
    }
}

fn print_table(rows: &[Row]) {
    println!(
        "\nappend, {} bytes a line, {APPENDS} lines per writer and round, {ROUNDS} rounds\n",
        line_len()
    );
    println!("{:<14}{:<6}{:>12}{:>12}{:>12}{:>8}", "WRITERS", "", "MEDIAN us", "P99 us", "LINES/s", "RATIO");
    let mut json = Vec::new();
    for pair in rows.chunks(2) {
        let ratio = pair[1].percentile(50) / pair[0].percentile(50);
        for row in pair {
            let shown = if row.operation == Operation::Bus { format!("{ratio:.2}") } else { String::new() };
            let (median, p99, rate) = (row.percentile(50), row.percentile(99), row.per_second());
            println!(
                "{:<14}{:<6}{median:>12.1}{p99:>12.1}{rate:>12.0}{shown:>8}",
                row.appenders, row.operation
            );
            json.push(serde_json::json!({
                "writers": row.appenders.to_string(), "what": row.operation.to_string(),
                "median_us": median.round(), "p99_us": p99.round(), "per_second": rate.round(),
            }));
        }
    }
    println!("\n{}", serde_json::json!({ "bench": "append", "line_bytes": line_len(), "rows": json }));
}
