//! A scripted agent with exact timing: it does what its arguments say, in their order.
//!
//! Each step is a word and what it needs behind a colon, for example `helper say:hello ignore-term sleep:5000 exit:3`. All
//! steps are listed in `step.rs`; none is done if one of them is misspelled (exit code 64). A step that fails ends the
//! program with exit code 70 and a line on stderr.
//!
//! A failing test leaks nothing for long: no sleep is longer than two minutes, no agent lives longer than ten, and a
//! process that stays behind has `leftover` as its first argument. With `FAKE_AGENT_PIDS=<file>` each of those appends
//! its pid to that file.

mod act;
mod leftover;
mod step;

use std::{io::Write, process::ExitCode};

use nix::sys::time::TimeSpec;

const USAGE: u8 = 64;
const FAILED: u8 = 70;
/// Seconds after which the kernel ends the agent, whatever it does.
const LIFETIME: u32 = 600;

/// Does the steps. `began` is the time at which the program's `main` was entered.
pub fn main(steps: &[String], began: nix::Result<TimeSpec>) -> ExitCode {
    nix::unistd::alarm::set(LIFETIME);
    let steps: Result<Vec<step::Step>, String> = steps.iter().map(|step| step.parse()).collect();
    let steps = match steps {
        Ok(steps) => steps,
        Err(problem) => return complain(&problem, USAGE),
    };
    for step in &steps {
        if let Err(e) = act::act(step, began) {
            return complain(&format!("{step:?}: {e}"), FAILED);
        }
    }
    ExitCode::SUCCESS
}

fn complain(problem: &str, code: u8) -> ExitCode {
    // The pipe may have no reader any more; the exit code says it, too.
    let _ = writeln!(std::io::stderr(), "helper: {problem}");
    ExitCode::from(code)
}
