//! The daemon beside the bare machine, in one run: POST to the agent's first instruction beside fork and exec, a line
//! from the agent to a client's stream beside a file watched through inotify, and the processor while nothing happens.
//!
//! `cargo bench --bench daemon`. The agent is this program itself. Prints a table and one line of JSON.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "not part of the product: starts programs bare and prints what it measured"
)]

use std::{
    error::Error,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
    time::{ClockId, clock_gettime},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ROUNDS: usize = 100;
const LINES: usize = 200;
const PAUSE: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_secs(10);
const SUBSCRIBERS: usize = 20;

fn main() -> Result<()> {
    let began = now()?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("first-instruction") => return first_instruction(began),
        Some("say-lines") => return say_lines(&mut std::io::stdout(), ROUNDS.max(LINES)),
        _ => {}
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let daemon = Daemon::start(folder.path())?;
    let bare = measure(ROUNDS, |_| bare_start(folder.path()))?;
    let post = measure(ROUNDS, |n| daemon.post_to_start(n))?;
    let watched = bare_delivery(folder.path())?;
    let delivered = daemon.delivery()?;
    let busy = daemon.idle()?;
    println!("in microseconds");
    println!("{:<44} {:>9} {:>9}", "", "median", "p99");
    for (name, times) in [
        ("bare fork + exec", &bare),
        ("POST to the agent's first instruction", &post),
        ("bare append to inotify to read", &watched),
        ("append by the agent to a client's stream", &delivered),
    ] {
        println!("{name:<44} {:>9} {:>9}", percentile(times, 50), percentile(times, 99));
    }
    println!("processor of the daemon, {SUBSCRIBERS} streams on a silent run, {IDLE:?}: {busy:?}");
    println!(
        "{{\"bench\":\"daemon\",\"bare_start_us\":{},\"post_to_start_us\":{},\"bare_delivery_us\":{},\"delivery_us\":{},\"idle_cpu_ms\":{}}}",
        percentile(&bare, 50),
        percentile(&post, 50),
        percentile(&watched, 50),
        percentile(&delivered, 50),
        busy.as_millis()
    );
    Ok(())
}

/// Nanoseconds of a clock that all processes share.
fn now() -> Result<u64> {
    let at = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(u64::try_from(at.tv_sec())? * 1_000_000_000 + u64::try_from(at.tv_nsec())?)
}

fn measure(rounds: usize, mut round: impl FnMut(usize) -> Result<u64>) -> Result<Vec<u64>> {
    let mut times = (0..rounds).map(&mut round).collect::<Result<Vec<_>>>()?;
    times.sort_unstable();
    Ok(times)
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

fn first_instruction(began: u64) -> Result<()> {
    let folder = std::env::var_os("JRUN_RUN_FOLDER").ok_or("no run folder")?;
    let (temp, path) = (Path::new(&folder).join("first.new"), Path::new(&folder).join("first"));
    fs::write(&temp, began.to_string())?;
    Ok(fs::rename(temp, path)?)
}

fn say_lines(out: &mut impl Write, lines: usize) -> Result<()> {
    thread::sleep(Duration::from_millis(500));
    for _ in 0..lines {
        writeln!(out, "{}", now()?)?;
        out.flush()?;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// From here to the first instruction of this program, without anything of ours between.
fn bare_start(folder: &Path) -> Result<u64> {
    let began = now()?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("first-instruction")
        .env("JRUN_RUN_FOLDER", folder)
        .stdin(Stdio::null())
        .spawn()?;
    child.wait()?;
    Ok((fs::read_to_string(folder.join("first"))?.parse::<u64>()? - began) / 1000)
}

/// A line appended to a file, until somebody who watches it through inotify has read it.
fn bare_delivery(folder: &Path) -> Result<Vec<u64>> {
    let path = folder.join("watched");
    let mut writer = File::create(&path)?;
    let inotify = Inotify::init(InitFlags::empty())?;
    inotify.add_watch(&path, AddWatchFlags::IN_MODIFY)?;
    let said = thread::spawn(move || say_lines(&mut writer, LINES).map_err(|e| e.to_string()));
    let (mut file, mut text, mut times) = (File::open(&path)?, String::new(), Vec::new());
    while times.len() < LINES {
        inotify.read_events()?;
        file.read_to_string(&mut text)?;
        let read = now()?;
        while let Some((line, rest)) = text.split_once('\n') {
            times.push((read - line.parse::<u64>()?) / 1000);
            text = rest.to_owned();
        }
    }
    said.join().map_err(|_| "the writer panicked")??;
    times.sort_unstable();
    Ok(times)
}

struct Daemon {
    child: Child,
    port: u16,
    root: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn start(folder: &Path) -> Result<Self> {
        let me = serde_json::to_string(&std::env::current_exe()?)?;
        let agents = format!(
            "agents:\n  first: {{type: command, command: [{me}, first-instruction]}}\n  \
             lines: {{type: command, command: [{me}, say-lines]}}\n  silent: {{type: command, command: [sleep, \"60\"]}}\n\
             defaults: {{max_restarts: 0}}\n"
        );
        fs::write(folder.join("config.yaml"), agents)?;
        let root = folder.join("root");
        let mut child = Command::new(env!("CARGO_BIN_EXE_run-agent"))
            .args(["serve", "--port", "0", "--root"])
            .arg(&root)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let port = line.trim().rsplit_once(':').ok_or("no address")?.1.parse()?;
        let daemon = Self { child, port, root };
        while !daemon.send("GET", "/api/v1/health", "")?.starts_with("HTTP/1.1 200") {
            thread::sleep(Duration::from_millis(5));
        }
        Ok(daemon)
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Makes a task; returns the id and the folder of its run.
    fn create(&self, task: &str, agent: &str) -> Result<(String, PathBuf)> {
        let body =
            serde_json::json!({"project_id": "p", "task_id": task, "agent_type": agent, "prompt": "x"});
        let answer = self.send("POST", "/api/v1/tasks", &body.to_string())?;
        let json = answer.split_once("\r\n\r\n").ok_or("no answer")?.1;
        let json: serde_json::Value = serde_json::from_str(json)?;
        let run = json["run_id"].as_str().ok_or_else(|| format!("not made: {json}"))?.to_owned();
        let folder = self.root.join(format!("p/{task}/runs/{run}"));
        Ok((run, folder))
    }

    fn post_to_start(&self, n: usize) -> Result<u64> {
        let began = now()?;
        let (_, folder) = self.create(&format!("start{n}"), "first")?;
        let first = folder.join("first");
        let deadline = Instant::now() + Duration::from_secs(10);
        while !first.exists() {
            if Instant::now() > deadline {
                return Err("the agent did not start".into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok((fs::read_to_string(first)?.parse::<u64>()? - began) / 1000)
    }

    fn open_stream(&self, run: &str) -> Result<BufReader<TcpStream>> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        write!(stream, "GET /api/v1/runs/{run}/stream HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port)?;
        Ok(BufReader::new(stream))
    }

    fn delivery(&self) -> Result<Vec<u64>> {
        let (run, _) = self.create("lines", "lines")?;
        let mut times = Vec::new();
        for line in self.open_stream(&run)?.lines() {
            let line = line?;
            let read = now()?;
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let event: serde_json::Value = serde_json::from_str(data)?;
            if let Some(said) = event["line"].as_str().and_then(|l| l.parse::<u64>().ok()) {
                times.push((read - said) / 1000);
            }
            if times.len() == LINES {
                break;
            }
        }
        times.sort_unstable();
        Ok(times)
    }

    /// Processor time that the daemon takes while nothing happens.
    fn idle(&self) -> Result<Duration> {
        let (run, _) = self.create("silent", "silent")?;
        let _streams = (0..SUBSCRIBERS).map(|_| self.open_stream(&run)).collect::<Result<Vec<_>>>()?;
        thread::sleep(Duration::from_secs(3));
        let before = self.processor()?;
        thread::sleep(IDLE);
        let taken = self.processor()?.saturating_sub(before);
        self.send("POST", &format!("/api/v1/runs/{run}/stop"), "")?;
        Ok(taken)
    }

    fn processor(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no stat")?.1.split_whitespace().collect();
        // utime and stime, in ticks of 10 ms.
        let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 10))
    }
}
