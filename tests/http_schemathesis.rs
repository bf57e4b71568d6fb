//! Schemathesis reads `/openapi.json` and tries everything that follows from it, with all its checks.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents},
    fake,
};

/// Streams, recognised by their media type, are left out: they have no end, or would be tried only with names that
/// cannot be guessed.
const STREAMS: &str = "stream";

fn schemathesis() -> Option<PathBuf> {
    let test = std::env::current_exe().expect("a test has a file");
    let target = test.ancestors().nth(3).expect("target/<profile>/deps/<test>");
    let program = target.join("schemathesis/bin/schemathesis");
    let there = program.is_file();
    if !there {
        let install = "scripts/test --prepare";
        crate::common::tools::lacks(&program.display().to_string(), install);
    }
    there.then_some(program)
}

/// Runs the coverage phase, which is the same each time; in a soak, all phases.
#[test]
fn heavy_schemathesis_finds_nothing() {
    let Some(program) = schemathesis() else { return };
    let sandbox = Sandbox::new();
    agents(&sandbox, &fake::agent(), &[("quick", &["done"])], "");
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let phases: &[&str] = if std::env::var_os("CONDUCTOR_SOAK").is_some() {
        &["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "100"]
    } else {
        &["--phases", "examples,coverage", "--max-examples", "5"]
    };
    let url = format!("http://127.0.0.1:{}/openapi.json", daemon.port);
    let ran = Command::new(program)
        .args(["--config-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis/schemathesis.toml")])
        .args(["run", &url, "--checks", "all", "--seed", "1", "--no-color", "--request-timeout", "30"])
        .args(["--continue-on-failure", "--exclude-path-regex", STREAMS])
        .args(phases)
        .current_dir(sandbox.work())
        .env("HOME", sandbox.home())
        .stdin(Stdio::null())
        .output()
        .expect("Schemathesis can be started");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}\n{}", String::from_utf8_lossy(&ran.stderr), daemon.log());
    assert!(said.contains("generated"), "it has tried something: {said}");
    assert_eq!(daemon.get("/api/v1/health").status, 200);
    assert!(daemon.get("/metrics").body.contains("conductor_panics_total 0"), "{}", daemon.log());
}
