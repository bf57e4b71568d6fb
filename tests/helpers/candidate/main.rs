//! A fake new version of `run-agent`, which behaves as the file named by `$CANDIDATE_PLAN` says.
//!
//! `check-fails`, `check-hangs`, `check-talks`: its self-check behaves so. `serve-dies`, `serve-hangs`: it passes
//! that check, and fails as a daemon.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "not part of the product: a program as a broken one would be, without our doors"
)]

use std::{process::ExitCode, thread, time::Duration};

fn main() -> ExitCode {
    let plan = std::env::var("CANDIDATE_PLAN").ok().and_then(|file| std::fs::read_to_string(file).ok());
    let plan = plan.unwrap_or_default();
    let checks = std::env::args().nth(1).is_some_and(|verb| verb == "self-check");
    match plan.trim() {
        "check-fails" => {
            eprintln!("error: config.yaml:1: this version knows no such key");
            ExitCode::from(3)
        }
        "check-hangs" => hang(),
        "check-talks" => loop {
            println!("{}", "words ".repeat(1000));
        },
        _ if checks => {
            let formats =
                r#"{"daemon":9,"run-info":9,"self-update":9,"task-config":9,"task-end":9,"ticket":9}"#;
            println!(
                r#"{{"program":"run-agent","version":"99.0","handoff":1,"formats":{formats},"live":0}}"#
            );
            ExitCode::SUCCESS
        }
        "serve-hangs" => hang(),
        _ => ExitCode::from(9),
    }
}

fn hang() -> ! {
    loop {
        thread::sleep(Duration::from_hours(1));
    }
}
