//! Compares the daemon and the command line with the original's figures, the aims, and the bare machine.
//!
//! `scripts/bench [section…] [--quick]`: `bare append read lists streams start memory adopt import`, or all of them if none is
//! named. Prints a table, and writes a line of JSON per row into `target/bench/figures.jsonl`. The rows are those of
//! the original's own measurement, taken on a machine with 2 cores that client and server shared, as here.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a benchmark: it starts programs, reads files and prints its results"
)]

mod adopt;
mod append;
mod bare;
mod busy_disk;
mod client;
mod daemon;
mod import;
mod lists;
mod load;
mod memory;
mod read;
mod start;
mod streams;
mod subscribers;
mod table;
mod times;
mod tree;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use table::Table;
use times::now;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The extent and place of the measurement.
struct Plan {
    /// Measures a tenth of everything, to check that the benchmark works.
    quick: bool,
    /// A folder of our own on the disk, removed at the end.
    folder: PathBuf,
}

impl Plan {
    /// The number of rounds: the usual one, or a tenth with `quick`.
    fn rounds(&self, usual: usize) -> usize {
        if self.quick { (usual / 10).max(3) } else { usual }
    }

    /// Creates an empty folder below ours.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

type Section = (&'static str, fn(&Plan, &mut Table) -> Result<()>);

const SECTIONS: [Section; 9] = [
    ("bare", bare::measure),
    ("append", append::measure),
    ("read", read::measure),
    ("lists", lists::measure),
    ("streams", streams::measure),
    ("start", start::measure),
    ("memory", memory::measure),
    ("adopt", adopt::measure),
    ("import", import::measure),
];

fn main() -> Result<()> {
    let began = now();
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match args.first().map(String::as_str) {
        Some(bare::FIRST_INSTRUCTION) => return bare::first_instruction(began),
        Some(streams::SAY_LINES) => return streams::say_lines(),
        _ => {}
    }
    let quick = args.iter().any(|a| a == "--quick");
    let asked: Vec<&str> = args.iter().map(String::as_str).filter(|a| *a != "--quick").collect();
    if let Some(unknown) = asked.iter().find(|a| SECTIONS.iter().all(|(name, _)| name != *a)) {
        let names = SECTIONS.map(|(name, _)| name).join(", ");
        return Err(format!("there is no section {unknown:?}; there are {names}, and --quick").into());
    }
    // Not in /tmp, which may be memory, because a real tree lies on a disk.
    let place = tempfile::Builder::new().prefix("bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let plan = Plan { quick, folder: place.path().to_owned() };
    let mut table = Table::new(quick);
    for (name, measure) in SECTIONS {
        if asked.is_empty() || asked.contains(&name) {
            table.section(name);
            measure(&plan, &mut table).map_err(|e| format!("section {name}: {e}"))?;
        }
    }
    let figures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    table.finish(&figures)
}
