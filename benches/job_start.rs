//! From the command to the agent's first instruction: `run-agent job` beside a bare fork and exec,
//! and beside one durable write, of which a job needs several.
//!
//! `cargo bench --bench job_start [-- --rounds N]`. The agent is this program
//! itself, which writes down the time before it does anything else. Prints a
//! table, and one line of JSON for a machine to keep.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "not part of the product: starts programs bare and prints what it measured"
)]

use std::{
    error::Error,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::time::{ClockId, clock_gettime};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// First argument of this program where it is the agent.
const AS_AGENT: &str = "first-instruction";
const ROUNDS: usize = 100;
/// Rounds before the counted ones, that fill the caches.
const WARM_UP: usize = 5;

fn main() -> Result<()> {
    let began = nanoseconds()?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == AS_AGENT) {
        return Ok(fs::write(first_instruction(&run_folder()?), began.to_string())?);
    }
    let rounds = match args.iter().position(|arg| arg == "--rounds") {
        Some(at) => args.get(at + 1).ok_or("--rounds needs a number")?.parse()?,
        None => ROUNDS,
    };
    let bench = Bench::new()?;
    let sync = measure(rounds, |_| bench.sync())?;
    let bare = measure(rounds, |_| bench.bare())?;
    let job = measure(rounds, |round| bench.job(round))?;
    println!("time to the agent's first instruction, in microseconds; {rounds} rounds");
    println!("{:<20} {:>9} {:>9} {:>9} {:>9}", "", "median", "p90", "p99", "max");
    for (name, times) in [("write + fdatasync", &sync), ("bare fork + exec", &bare), ("run-agent job", &job)]
    {
        let [median, p90, p99, max] = times.summary();
        println!("{name:<20} {median:>9} {p90:>9} {p99:>9} {max:>9}");
    }
    println!(
        "{{\"bench\":\"job_start\",\"rounds\":{rounds},\"bare\":{},\"job\":{}}}",
        bare.json(),
        job.json()
    );
    Ok(())
}

/// A tree and a configuration whose agent is this program.
struct Bench {
    dir: tempfile::TempDir,
    own: PathBuf,
}

impl Bench {
    fn new() -> Result<Self> {
        // Not /tmp, which may be memory: a root lies on a disk.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let own = std::env::current_exe()?;
        let config = format!(
            "agents:\n  probe: {{type: command, command: [{:?}, {AS_AGENT}]}}\n",
            own.to_str().ok_or("path is not UTF-8")?
        );
        fs::write(dir.path().join("config.yaml"), config)?;
        Ok(Self { dir, own })
    }

    /// What the disk takes for one durable write.
    fn sync(&self) -> Result<u64> {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("sync"))?;
        let before = nanoseconds()?;
        file.write_all(b"one line\n")?;
        file.sync_data()?;
        Ok(nanoseconds()? - before)
    }

    fn bare(&self) -> Result<u64> {
        let before = nanoseconds()?;
        run(Command::new(&self.own).arg(AS_AGENT).env("JRUN_RUN_FOLDER", self.dir.path()))?;
        since(before, self.dir.path())
    }

    /// A whole job, from the command line; measured up to the agent's first instruction.
    fn job(&self, round: usize) -> Result<u64> {
        let root = self.dir.path().join("root");
        let task = format!("t{round}");
        let before = nanoseconds()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_run-agent"));
        command
            .arg("job")
            .args(["--project", "bench", "--task", &task, "--agent", "probe", "--prompt", "start"])
            .arg("--cwd")
            .arg(self.dir.path())
            .arg("--root")
            .arg(&root)
            .arg("--config")
            .arg(self.dir.path().join("config.yaml"));
        run(&mut command)?;
        let run = fs::read_dir(root.join("bench").join(task).join("runs"))?
            .next()
            .ok_or("the job left no run")??;
        since(before, &run.path())
    }
}

/// Runs a program to its end; what it says matters only if it fails.
fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// Nanoseconds, sorted.
struct Times(Vec<u64>);

fn measure(rounds: usize, mut round: impl FnMut(usize) -> Result<u64>) -> Result<Times> {
    let mut times = (0..rounds + WARM_UP).map(&mut round).collect::<Result<Vec<u64>>>()?.split_off(WARM_UP);
    times.sort_unstable();
    Ok(Times(times))
}

impl Times {
    /// Median, 90th and 99th percentile and maximum, in microseconds.
    fn summary(&self) -> [u64; 4] {
        [50, 90, 99, 100].map(|percent| {
            let at = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
            self.0.get(at).map_or(0, |ns| ns / 1000)
        })
    }

    fn json(&self) -> String {
        let [median, p90, p99, max] = self.summary();
        format!("{{\"median_us\":{median},\"p90_us\":{p90},\"p99_us\":{p99},\"max_us\":{max}}}")
    }
}

fn since(before: u64, run_folder: &Path) -> Result<u64> {
    let at: u64 = fs::read_to_string(first_instruction(run_folder))?.parse()?;
    Ok(at.checked_sub(before).ok_or("the agent began before it was started")?)
}

fn first_instruction(run_folder: &Path) -> PathBuf {
    run_folder.join("first-instruction")
}

fn run_folder() -> Result<PathBuf> {
    Ok(std::env::var_os("JRUN_RUN_FOLDER").ok_or("JRUN_RUN_FOLDER is not set")?.into())
}

/// `CLOCK_MONOTONIC`, the same for all processes.
fn nanoseconds() -> Result<u64> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(u64::try_from(i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec()))?)
}
