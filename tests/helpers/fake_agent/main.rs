//! A scripted agent with exact timing, for the tests: it performs its arguments in order.
//!
//! `fake_agent STEP [STEP…]`: each step is a word with its parameters after a colon, for example `fake_agent
//! say:hello ignore-term sleep:5000 exit:3`. All steps are listed in `step.rs`; none is performed if one of them is
//! misspelled (exit code 64). A step that fails ends the program with exit code 70 and a line on stderr.
//!
//! A failing test leaks nothing for long: no sleep is longer than two minutes, and no process of this program lives
//! longer than ten. A process that stays behind is recognised by `leftover` as its first argument. With
//! `FAKE_AGENT_PIDS=<file>` each of those appends its pid to that file.
#![expect(
    clippy::disallowed_methods,
    reason = "not part of the product: a program as an agent would be, without our doors"
)]

mod act;
mod leftover;
mod step;

use std::{io::Write, process::ExitCode};

use nix::time::{ClockId, clock_gettime};

const USAGE: u8 = 64;
const FAILED: u8 = 70;
/// Seconds after which the kernel ends this program.
const LIFETIME: u32 = 600;

fn main() -> ExitCode {
    let began = clock_gettime(ClockId::CLOCK_MONOTONIC);
    nix::unistd::alarm::set(LIFETIME);
    let steps: Result<Vec<step::Step>, String> = std::env::args().skip(1).map(|arg| arg.parse()).collect();
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
    // stderr may have no reader left; the exit code reports the problem, too.
    let _ = writeln!(std::io::stderr(), "fake_agent: {problem}");
    ExitCode::from(code)
}
