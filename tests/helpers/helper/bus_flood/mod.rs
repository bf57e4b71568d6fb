//! Posts to a bus, for the tests of many processes at one file and of a full disk.
//!
//! `helper bus-flood <root> <project> <task> <writer> <count>` posts `count` messages with `meta` `writer` and `seq` and
//! the body that [`body::of`] makes of them.
//!
//! `helper bus-flood <root> <project> <task> full <bytes>` posts until the file may not grow beyond `bytes`; it prints the
//! ids, then the kind of the error.

mod body;

use std::{io::Write, path::Path, process::ExitCode};

use base::{clock::Clock, fsx::Durability};
use nix::sys::{
    resource::{Resource, setrlimit},
    signal::{SigSet, Signal},
};
use tree::{
    Tree, TreeError,
    bus::{Bus, Draft, MessageType},
    refs::TaskRef,
};

/// The first argument that asks for it.
pub const VERB: &str = "bus-flood";

/// Posts what the arguments behind the verb say.
pub fn main(args: &[String]) -> ExitCode {
    let [root, project, task, who, count] = args else { return fail("five arguments") };
    let (Ok(project), Ok(task), Ok(count)) = (project.parse(), task.parse(), count.parse()) else {
        return fail("not an id, or not a number");
    };
    let tree = match Tree::open(Path::new(root), Durability::Always, Clock::System) {
        Ok(tree) => tree,
        Err(e) => return fail(&e.to_string()),
    };
    let bus = tree.task_bus(&TaskRef { project, task });
    let done = match who.parse() {
        Ok(writer) => flood(&bus, writer, count),
        Err(_) => fill(&bus, count),
    };
    done.map_or_else(|e| fail(&e), |()| ExitCode::SUCCESS)
}

fn flood(bus: &Bus, writer: u64, count: u64) -> Result<(), String> {
    for seq in 0..count {
        let draft = Draft::new(MessageType::PROGRESS, body::of(writer, seq, count));
        bus.post(&draft.with_meta("writer", writer).with_meta("seq", seq)).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn fill(bus: &Bus, bytes: u64) -> Result<(), String> {
    // With the signal blocked, the limit shows as a short write first and then as an error.
    let mut signal = SigSet::empty();
    signal.add(Signal::SIGXFSZ);
    signal.thread_block().map_err(|e| e.to_string())?;
    setrlimit(Resource::RLIMIT_FSIZE, bytes, bytes).map_err(|e| e.to_string())?;
    loop {
        let said = match bus.post(&Draft::new(MessageType::FACT, "x".repeat(100))) {
            Ok(message) => message.msg_id.to_string(),
            Err(TreeError::Fs(e)) => format!("{:?}", e.kind()),
            Err(e) => return Err(e.to_string()),
        };
        writeln!(std::io::stdout(), "{said}").map_err(|e| e.to_string())?;
        if !said.starts_with("MSG-") {
            return Ok(());
        }
    }
}

fn fail(problem: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "bus-flood: {problem}");
    ExitCode::FAILURE
}
