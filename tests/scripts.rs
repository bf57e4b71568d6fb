//! The behaviour of `scripts/` on a machine that lacks something: with fake programs in place of Node, npm and cargo,
//! in a checkout below a folder with a space in its name.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::common::{
    Outcome, Sandbox, outcome,
    processes::{until, until_true},
    tools,
};

/// The programs of the system that the scripts call.
const SYSTEM: [&str; 24] = [
    "bash",
    "cat",
    "cmp",
    "cp",
    "date",
    "dirname",
    "env",
    "find",
    "grep",
    "head",
    "id",
    "kill",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "touch",
    "xargs",
    "curl",
];

/// A checkout with only the files that the scripts need, and a machine with only the programs that the test adds.
struct Machine {
    sandbox: Sandbox,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { sandbox: Sandbox::new() };
        for file in
            ["scripts/prepare.sh", "scripts/run", "Cargo.toml", "ui/package.json", "ui/package-lock.json"]
        {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let to = machine.sandbox.write(Path::new("my checkout").join(file), fs::read(&from).unwrap());
            fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
        }
        fs::create_dir(machine.bin()).unwrap();
        for name in SYSTEM {
            let found =
                ["/usr/bin", "/bin"].into_iter().map(|dir| Path::new(dir).join(name)).find(|p| p.exists());
            // Only one test needs curl.
            if let Some(program) = found {
                symlink(program, machine.bin().join(name)).unwrap();
            }
        }
        machine.has("cc", "exit 0");
        machine.has("cargo", "case $1 in --version) echo 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)';; esac");
        machine.has("rustc", "echo 'rustc 1.95.0 (59807616e 2026-04-14)'");
        machine
    }

    fn checkout(&self) -> PathBuf {
        self.sandbox.path("my checkout")
    }

    fn bin(&self) -> PathBuf {
        self.sandbox.path("bin")
    }

    /// Adds a program to the machine, as a shell script.
    fn has(&self, name: &str, script: &str) {
        let program = self.sandbox.write(Path::new("bin").join(name), format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn has_node(&self, version: &str) {
        self.has("node", &format!("echo {version}"));
        self.has("npm", "echo 10.0.0");
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.sandbox.work())
            .env_clear()
            .env("HOME", self.sandbox.home())
            .env("PATH", self.bin())
            .env("CARGO_TARGET_DIR", self.sandbox.path("built here"))
            .env("CONDUCTOR_PORT", "0")
            .stdin(Stdio::null());
        command
    }

    /// Runs lines of bash after those of scripts/prepare.sh.
    fn prepared(&self, lines: &str) -> Outcome {
        self.prepared_with(&[], lines)
    }

    fn prepared_with(&self, variables: &[(&str, &str)], lines: &str) -> Outcome {
        let mut command = self.command(&self.bin().join("bash"));
        let text = format!("set -euo pipefail\nsource \"$0/scripts/prepare.sh\"\n{lines}");
        outcome(command.args(["-c", &text]).arg(self.checkout()).envs(variables.iter().copied()))
    }

    /// Puts this build where the scripts' `cargo build` would have left one.
    fn has_built(&self) {
        let folder = self.sandbox.path("built here/debug");
        fs::create_dir_all(&folder).unwrap();
        symlink(env!("CARGO_BIN_EXE_run-agent"), folder.join("run-agent")).unwrap();
    }

    fn runs_once(&self) -> Outcome {
        self.has_built();
        outcome(self.command(&self.checkout().join("scripts/run")).arg("--once"))
    }
}

/// The indented lines of a script's output, which it prints for another terminal.
fn printed<'a>(text: &'a str, from: &str) -> Vec<&'a str> {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no '{from}': {text}"));
    rest.lines().skip_while(|l| l.is_empty()).take_while(|l| l.starts_with("    ")).map(str::trim).collect()
}

#[test]
fn versions_are_compared_as_numbers() {
    let machine = Machine::new();
    let cases = [
        ("1.91.0", "1.91", true),
        ("1.100.0", "1.91", true),
        ("1.90.9", "1.91", false),
        ("2.0", "1.91", true),
        ("1", "1.91", false),
        ("1.91.0-nightly", "1.91", true),
        ("20.19.0", "20.19", true),
        ("20.9.0", "20.19", false),
        ("20.08.1", "20.9", false),
        ("0", "1.91", false),
    ];
    let lines = cases.map(|(have, want, _)| {
        format!("if version_at_least {have} {want}; then echo true; else echo false; fi\n")
    });
    let said = machine.prepared(&lines.concat()).succeeds();
    for ((have, want, expected), answer) in cases.into_iter().zip(said.lines()) {
        assert_eq!(answer, expected.to_string(), "{have} for {want}");
    }
    assert_eq!(said.lines().count(), cases.len());
}

#[test]
fn a_node_that_cannot_build_the_page_is_named() {
    let machine = Machine::new();
    let absent = machine.prepared("node_problem").succeeds();
    assert!(absent.starts_with("there is no node here; Node 20.19 or newer"), "{absent}");
    for (version, good) in [
        ("v18.19.0", false),
        ("v20.18.3", false),
        ("v20.19.0", true),
        ("v21.7.0", false),
        ("v22.11.0", false),
        ("v22.12.0", true),
        ("v24.1.0", true),
    ] {
        machine.has_node(version);
        let said = machine.prepared("node_problem").succeeds();
        let expected = format!("node {} is too old; ", &version[1..]);
        assert!(if good { said.is_empty() } else { said.starts_with(&expected) }, "{version}: {said}");
    }
    machine.has("npm", "echo 'npm does not support this' >&2; exit 1");
    assert!(machine.prepared("node_problem").succeeds().contains("npm does not run"));
    machine.has("node", "exit 1");
    assert!(machine.prepared("node_problem").succeeds().contains("node does not run"));
}

#[test]
fn an_old_or_broken_rust_is_named_before_anything_begins() {
    let machine = Machine::new();
    machine.prepared("need_cargo").succeeds();
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    for (program, script, problem, hint) in [
        ("cargo", "echo 'cargo 1.85.0'", "cargo 1.85.0 is too old: Conductor needs Rust ", "rustup update"),
        (
            "rustc",
            "echo 'rustc 1.90.0 (x)'",
            "rustc 1.90.0 is too old: Conductor needs Rust ",
            "rustup update",
        ),
        (
            "cargo",
            "echo 'no default toolchain' >&2; exit 1",
            "cargo does not run: no default",
            "rustup default",
        ),
    ] {
        let machine = Machine::new();
        machine.has(program, script);
        let said = machine.runs_once();
        assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:?}");
        assert!(said.stderr.contains(problem) && said.stderr.contains(hint), "{said:?}");
        assert!(
            !problem.ends_with("Rust ") || said.stderr.contains(&format!("{problem}{wanted}")),
            "{said:?}"
        );
    }
    fs::remove_file(machine.bin().join("cargo")).unwrap();
    let said = machine.runs_once();
    assert!(said.code == 1 && said.stderr.contains("no Rust toolchain (cargo) found"), "{said:?}");
}

/// Parts as in scripts/prepare.sh: `soft` and `hard` are installed by a program of their own, `stuck` cannot be
/// installed.
const PARTS: &str = r#"
    have_soft() { [[ -e $HOME/soft ]]; }
    blocked_soft() { :; }
    what_soft() { echo "the soft part (1 MB)"; }
    without_soft() { echo "soft tests"; }
    get_soft() { get-soft; }
    have_hard() { [[ -e $HOME/hard ]]; }
    blocked_hard() { :; }
    what_hard() { echo "the hard part (2 MB)"; }
    without_hard() { echo "everything"; }
    get_hard() { get-hard; }
    have_stuck() { false; }
    blocked_stuck() { echo "only root may install it"; }
    what_stuck() { echo "never listed"; }
    without_stuck() { echo "stuck tests"; }
    get_stuck() { exit 9; }
    required+=(hard)
"#;

#[test]
fn everything_is_listed_before_the_first_thing_is_installed() {
    let machine = Machine::new();
    machine.has("get-soft", "echo getting soft; touch \"$HOME\"/soft");
    machine.has("get-hard", "echo getting hard; touch \"$HOME\"/hard");
    let said = machine.prepared(&format!("{PARTS} prepare soft stuck hard; echo done")).succeeds();
    assert_eq!(
        said,
        "left out: stuck tests: only root may install it\n\
         scripts/bash installs first:\n  - the soft part (1 MB)\n  - the hard part (2 MB)\n\n\
         ==> install the soft part (1 MB)\ngetting soft\n\n\
         ==> install the hard part (2 MB)\ngetting hard\ndone\n"
            .replace("bash installs", &format!("{} installs", machine_name(&machine)))
    );
    let again = machine.prepared(&format!("{PARTS} prepare soft hard; echo done")).succeeds();
    assert_eq!(again, "done\n", "what is there is not installed again");
}

/// The name that a script gives itself in the tests, from its `$0`.
fn machine_name(machine: &Machine) -> String {
    machine.checkout().file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_part_that_cannot_be_had_stops_a_script_only_if_nothing_works_without_it() {
    let machine = Machine::new();
    machine.has("get-soft", "exit 1");
    machine.has("get-hard", "exit 1");
    let go_on = format!("{PARTS} prepare soft stuck; echo done");
    let said = machine.prepared(&go_on).succeeds();
    assert!(
        said.contains("left out: soft tests: it could not be installed") && said.ends_with("done\n"),
        "{said}"
    );
    let said = machine.prepared(&format!("{PARTS} prepare hard; echo done"));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("missing: everything") && !said.stdout.contains("done"), "{said:?}");

    // In CI an installable part must not be left out; one that cannot be installed may.
    let ci = [("CI", "true")];
    let said = machine.prepared_with(&ci, &go_on);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("could not install: the soft part"), "{said:?}");
    let said = machine.prepared_with(&ci, &format!("{PARTS} prepare stuck; echo done")).succeeds();
    assert!(said.ends_with("done\n"), "{said}");
    let said = machine.prepared_with(&ci, &format!("{PARTS} complete=1; prepare stuck; echo done"));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("missing: stuck tests: only root may install it"), "{said:?}");
    // A program that succeeds without installing the part has not installed it.
    machine.has("get-soft", "exit 0");
    assert!(machine.prepared(&go_on).succeeds().contains("left out: soft tests"));
}

#[test]
fn scripts_run_works_without_the_page_and_says_why() {
    let machine = Machine::new();
    for (node, npm, why) in [
        (
            None,
            "",
            "left out: the page; the program works without it, and /ui/ says how to add it: there is no node",
        ),
        (Some("v18.19.0"), "echo 9.2.0", "node 18.19.0 is too old; Node 20.19 or newer"),
        (
            Some("v22.12.0"),
            "[ $1 = --version ] || exit 1",
            "it could not be installed; is the network there?",
        ),
        (
            Some("v22.12.0"),
            "[ $1 = run ] && exit 1; mkdir -p node_modules",
            "left out: the page does not build",
        ),
    ] {
        if let Some(version) = node {
            machine.has_node(version);
            machine.has("npm", npm);
        }
        let _ = fs::remove_dir_all(machine.sandbox.path("built here"));
        let said = machine.runs_once();
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains(why), "not '{why}': {said:?}");
        assert!(said.stderr.contains("completed"), "{said:?}");
    }
}

#[test]
fn what_scripts_run_prints_for_another_terminal_shows_the_task() {
    let machine = Machine::new();
    let said = machine.runs_once();
    assert_eq!(said.code, 0, "{said:?}");
    let lines = printed(&said.stdout, "Look at it with the command line, in any terminal:\n");
    assert!(lines[0].starts_with("export CONDUCTOR_ROOT=") && lines.len() >= 4, "{lines:?}");
    let mut shell = machine.command(&machine.bin().join("bash"));
    let shown = outcome(shell.args(["-euc", &lines.join("\n")])).succeeds();
    for text in ["demo/tour-", "completed", "RUN_START"] {
        assert!(shown.contains(text), "no {text}: {shown}");
    }
}

/// A process that ends with the test, as with Ctrl-C.
struct Interrupted(Child);

impl Drop for Interrupted {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

#[test]
fn what_scripts_run_prints_for_curl_starts_a_task_in_this_checkout() {
    let machine = Machine::new();
    let Some(curl) = tools::program("curl") else { return };
    if !machine.bin().join("curl").exists() {
        symlink(curl, machine.bin().join("curl")).unwrap();
    }
    machine.has_built();
    let log = machine.sandbox.path("log");
    let mut run = machine.command(&machine.checkout().join("scripts/run"));
    let out = fs::File::create(&log).unwrap();
    let _run = Interrupted(run.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap());
    let text = until("the daemon's addresses", || {
        let text = fs::read_to_string(&log).unwrap();
        text.contains("bus read --project demo --follow").then_some(text)
    });
    let lines = printed(&text, "From another terminal, over HTTP:\n");
    // The last command follows everything for ever.
    let shell = |lines: &[&str]| {
        outcome(machine.command(&machine.bin().join("bash")).args(["-euc", &lines.join("\n")])).succeeds()
    };
    let made = shell(&lines[..lines.len() - 1]);
    assert!(made.contains("tour-") && made.contains("by-http"), "{made}");
    let answer = machine.checkout().join("target/demo-root/demo/by-http/DONE");
    until_true("the task's end", || answer.exists());
    let shown = shell(&[
        printed(&text, "Look at it with the command line, in any terminal:\n")[0],
        "run-agent output demo/by-http",
    ]);
    assert!(
        shown.contains("Cargo.toml") || shown.contains("TOML"),
        "the answer is about the checkout: {shown}"
    );
}
