//! The one helper program of the tests: a scripted agent, a writer of messages, and a stand-in for a new version of
//! `run-agent`.
//!
//! `helper STEP [STEP…]` is the agent, `helper bus-flood …` the writer. With `CANDIDATE_PLAN=<file>` in its environment it
//! is the new version, whatever its arguments are: an update calls it as it calls `run-agent`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test helper: it plays agents and broken versions, which do not use `fsx`"
)]

mod agent;
mod bus_flood;
mod candidate;

use std::process::ExitCode;

use nix::time::{ClockId, clock_gettime};

fn main() -> ExitCode {
    let began = clock_gettime(ClockId::CLOCK_MONOTONIC);
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(plan) = std::env::var_os(candidate::PLAN) {
        return candidate::main(plan.as_ref(), args.first().map(String::as_str));
    }
    match args.split_first() {
        Some((verb, rest)) if verb == bus_flood::VERB => bus_flood::main(rest),
        _ => agent::main(&args, began),
    }
}
