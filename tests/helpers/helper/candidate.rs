//! A new version of `run-agent` that is broken: it does what stands in the file that `$CANDIDATE_PLAN` names.
//!
//! `check-fails`, `check-hangs`, `check-talks`: its self-check behaves so. `serve-dies`, `serve-hangs`: it passes
//! that check, and fails as a daemon. `takes-no-names`: it takes the first version of the handover only.

use std::{path::Path, process::ExitCode, thread, time::Duration};

/// The variable with the file of the plan.
pub const PLAN: &str = "CANDIDATE_PLAN";

pub fn main(plan: &Path, verb: Option<&str>) -> ExitCode {
    let plan = std::fs::read_to_string(plan).unwrap_or_default();
    match plan.trim() {
        "check-fails" => {
            eprintln!("error: config.yaml:1: this version knows no such key");
            ExitCode::from(3)
        }
        "check-hangs" => hang(),
        "check-talks" => loop {
            println!("{}", "words ".repeat(1000));
        },
        _ if verb == Some("self-check") => {
            let takes =
                if plan.trim() == "takes-no-names" { "" } else { r#","handoffs":{"start":1,"end":9}"# };
            let formats =
                r#"{"daemon":9,"run-info":9,"self-update":9,"task-config":9,"task-end":9,"ticket":9}"#;
            println!(
                r#"{{"program":"run-agent","version":"99.0","handoff":1{takes},"formats":{formats},"live":0}}"#
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
