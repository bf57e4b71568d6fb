//! Kills, fills, freezes, removes, replaces and flips what Conductor is made of, with numbers, and compares the
//! result with the goal.
//!
//! `scripts/reliability [scenario…] [--quick] [--seed N] [--program FILE]`: all scenarios if none is named. Prints a row
//! as soon as it is known, writes a line of JSON per row into `target/reliability/rows.jsonl` and the table of
//! docs/reliability.md into `target/reliability/table.md`, and fails if a goal is missed.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a harness: it starts programs, damages files and prints its results"
)]

mod bits;
mod cleanup;
// The benchmark's client: an answer that does not come is an error of this harness, too.
#[path = "../conductor/client.rs"]
mod client;
mod clock;
mod daemon;
mod daemon_kills;
mod disk;
mod folders;
mod frozen;
mod kills;
mod kinds;
mod mount;
mod random;
mod table;
mod world;

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

use random::Random;
use table::Table;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The extent and place of the trial.
struct Plan {
    /// Tries a tenth of everything.
    quick: bool,
    /// The `run-agent` program on trial.
    program: PathBuf,
    /// A folder of our own on the disk, removed at the end.
    folder: PathBuf,
    seed: u64,
}

impl Plan {
    /// The usual number, or that of a quick trial.
    fn number(&self, usual: usize, quick: usize) -> usize {
        if self.quick { quick } else { usual }
    }

    /// The same random numbers for each trial of a scenario with this seed.
    fn random(&self) -> Random {
        Random::new(self.seed)
    }
}

type Scenario = (&'static str, fn(&Plan, &mut Table) -> Result<()>);

const SCENARIOS: [Scenario; 14] = [
    ("daemon-kills", daemon_kills::daemons),
    ("driver-kills", kills::drivers),
    ("shim-kills", kills::shims),
    ("agent-kills", kills::agents),
    ("frozen-shims", frozen::shims),
    ("full-disk", disk::bytes),
    ("full-inodes", disk::inodes),
    ("full-memory", disk::memory),
    ("removed-folders", folders::removed),
    ("moved-root", folders::moved),
    ("wrong-kinds", kinds::left_by_agents),
    ("wrong-kinds-stop", kinds::stopped),
    ("clock-steps", clock::steps),
    ("bit-flips", bits::flips),
];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            println!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The arguments.
struct Args {
    quick: bool,
    seed: u64,
    program: PathBuf,
    scenarios: Vec<String>,
}

impl Args {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_run-agent"));
        let mut parsed = Self { quick: false, seed: 1, program, scenarios: Vec::new() };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                // `cargo bench` adds it.
                "--bench" => {}
                "--quick" => parsed.quick = true,
                "--seed" => parsed.seed = args.next().ok_or("--seed needs a number")?.parse()?,
                "--program" => parsed.program = args.next().ok_or("--program needs a file")?.into(),
                name if SCENARIOS.iter().any(|(known, _)| *known == name) => parsed.scenarios.push(arg),
                _ => {
                    let names = SCENARIOS.map(|(name, _)| name).join(", ");
                    return Err(format!("there is no scenario '{arg}'; there are {names}").into());
                }
            }
        }
        parsed.program = std::fs::canonicalize(&parsed.program)
            .map_err(|e| format!("the program {}: {e}", parsed.program.display()))?;
        Ok(parsed)
    }
}

fn run() -> Result<bool> {
    let args = Args::parse(std::env::args().skip(1))?;
    cleanup::on_signals()?;
    // Not in /tmp, which may be memory, because a real tree lies on a disk.
    let place = tempfile::Builder::new().prefix("reliability ").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    cleanup::keep(cleanup::Kept::Folder(place.path().to_owned()));
    let plan =
        Plan { quick: args.quick, program: args.program, folder: place.path().to_owned(), seed: args.seed };
    println!("{}, seed {}", plan.program.display(), plan.seed);
    let mut table = Table::new(plan.quick, plan.seed);
    for (name, try_it) in SCENARIOS {
        if args.scenarios.is_empty() || args.scenarios.iter().any(|asked| asked == name) {
            table.begin(name);
            if let Err(e) = try_it(&plan, &mut table) {
                table.broke_off(&e.to_string());
            }
        }
    }
    table.finish(&Path::new(env!("CARGO_MANIFEST_DIR")).join("target/reliability"))
}
