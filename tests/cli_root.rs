//! The root that a command line means: one that is missing, one without a daemon, and a working folder that is gone.

use std::process::Command;

use serde_json::Value;

use crate::common::{Outcome, Sandbox, daemon::Daemon, outcome, words};

const JOB: &str = "job --project p --task t --prompt x --agent command";

#[test]
fn a_verb_that_reads_creates_no_root() {
    let sandbox = Sandbox::new();
    let typo = sandbox.path("typo");
    let named = |line: &str| {
        let root = typo.display().to_string();
        outcome(&mut sandbox.command(["--root".to_owned(), root].into_iter().chain(words(line))))
    };
    for line in [
        "list",
        "list p",
        "status",
        "why p/t",
        "output p/t",
        "diff p/t",
        "watch p/t",
        "stop p/t",
        "resume p/t",
        "drive --all",
        "bundle p/t",
        "gc --keep 1",
        "fsck",
        "task delete p/t --yes",
        "bus read --project p",
    ] {
        named(line).fails(3, "there is no root at ", "--root");
        assert!(!typo.exists(), "{line}");
    }
    named("server status").fails(5, "no daemon serves the root ", "--server");
    named("serve --host 0.0.0.0").fails(16, "refusing to serve 0.0.0.0 without a key", "--api-key-file");
    assert!(!typo.exists());
    // A verb that begins something creates the root, and says so, because its path may be mistyped, too.
    let mut job = sandbox.command(["--root".into(), typo.clone().into_os_string()]);
    let job = outcome(job.args(words(JOB)).args(["--", "true"]));
    assert_eq!(job.code, 0, "{job:?}");
    assert!(job.stderr.contains(&format!("created the root {}\n", typo.display())), "{job:?}");
    assert!(named("list").succeeds().contains("p/t"));

    // The usual root is not mistyped: there are no tasks yet.
    assert_eq!(sandbox.run("list --json").succeeds(), "[]\n");
    sandbox.run("why p/t").fails(3, "there is no root at ", "run-agent job");
    assert!(!sandbox.root().exists());
}

/// Runs a command line in a folder that no longer exists.
fn in_removed_folder(command: &mut Command) -> Outcome {
    let args: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let mut shell = Command::new("sh");
    shell.args(["-c", "mkdir gone && cd gone && rmdir ../gone && exec \"$@\"", "sh"]);
    shell.arg(command.get_program()).args(args).current_dir(command.get_current_dir().unwrap()).env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outcome(&mut shell)
}

#[test]
fn a_working_folder_that_is_gone_does_not_matter_where_the_root_is_named() {
    let sandbox = Sandbox::new();
    assert_eq!(outcome(sandbox.command(words(JOB)).args(["--", "true"])).code, 0);
    let root = sandbox.root();
    for line in ["list", "status", "why p/t", "output p/t"] {
        let command = || sandbox.command(words(line));
        let named = in_removed_folder(command().arg("--root").arg(&root));
        assert_eq!(named.code, 0, "{line}: {named:?}");
        assert_eq!(in_removed_folder(command().env("CONDUCTOR_ROOT", &root)).code, 0, "{line}");
        in_removed_folder(&mut command()).fails(3, "the current folder no longer exists", "--root");
        let relative = in_removed_folder(command().args(["--root", "../home/run-agent"]));
        relative.fails(3, "the current folder no longer exists", "--root");
    }
}

#[test]
fn nothing_to_drive_is_said() {
    let sandbox = Sandbox::new();
    assert_eq!(outcome(sandbox.command(words(JOB)).args(["--", "true"])).code, 0);
    let driven = sandbox.run("drive --all");
    assert_eq!((driven.code, driven.stderr.as_str()), (0, "no task waits for a driver\n"));
}

#[test]
fn a_daemon_says_which_root_it_serves() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::start(&sandbox, &[]);
    let status: Value = daemon.get("/api/v1/status").json();
    assert_eq!(status["root"].as_str().unwrap(), sandbox.root().display().to_string());
}

#[test]
fn a_bundle_is_measured_as_the_file_it_is() {
    let sandbox = Sandbox::new();
    let agent = ["--", "sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x"];
    assert_eq!(outcome(sandbox.command(words(JOB)).args(agent)).code, 0);
    let said: Value = serde_json::from_str(&sandbox.run("bundle p/t --json").stdout).unwrap();
    let size = sandbox.work().join("t.tar.gz").metadata().unwrap().len();
    assert_eq!(said["file_bytes"].as_u64(), Some(size));
    assert!(size < 100_000 && said["bytes"].as_u64().unwrap() > 300_000, "{said}");
    let said = sandbox.run("bundle p/t -o second.tar.gz").stderr;
    assert!(said.starts_with("second.tar.gz: ") && said.contains(" kB ("), "{said}");
}
