//! The answers to shells: completions with names from the tree, and manual pages of every verb.

use std::{fmt::Write as _, process::Command};

use crate::common::{Sandbox, outcome};

/// A sandbox with the tasks `p/build` and `p/test`, one run each, and `q/other`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for (project, task) in [("p", "build"), ("p", "test"), ("q", "other")] {
        let ran = sandbox.run(&format!("job --project {project} --task {task} --prompt x -- true"));
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    sandbox
}

/// The completions that bash gets for the last of these words.
fn offered(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let mut command = sandbox.command(["--", "run-agent"].iter().chain(words));
    let index = words.len().to_string();
    command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n");
    let said = outcome(command.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true"));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    said.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_tree_is_completed_as_it_is() {
    let sandbox = sandbox();
    assert_eq!(offered(&sandbox, &["output", "p/"]), ["p/build", "p/test"]);
    assert_eq!(offered(&sandbox, &["output", "bu"]), ["build"]);
    assert_eq!(offered(&sandbox, &["gc", "--project", ""]), ["p", "q"]);
    assert_eq!(offered(&sandbox, &["job", "--agent", "de"]), ["demo"]);
    let runs = offered(&sandbox, &["diff", "p/test/"]);
    assert!(runs.len() == 1 && runs[0].starts_with("p/test/20"), "{runs:?}");
    assert_eq!(offered(&sandbox, &["task", "cancel", "q/"]), ["q/other"]);
    assert!(offered(&sandbox, &["rep"]).contains(&"replay".to_owned()));
    assert!(!offered(&sandbox, &[""]).iter().any(|verb| verb == "shim" || verb == "demo-agent"));
}

#[test]
fn completing_makes_nothing() {
    let sandbox = Sandbox::new();
    assert_eq!(offered(&sandbox, &["output", "p/"]), Vec::<String>::new());
    assert!(!sandbox.root().exists());
}

#[test]
fn each_shell_gets_a_script_that_it_understands() {
    let sandbox = sandbox();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.run(&format!("completions {shell}")).succeeds();
        assert!(script.contains("COMPLETE") && script.contains("run-agent"), "{script}");
    }
    // The real bash, as after a Tab.
    let script = sandbox.run("completions bash").succeeds();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_run-agent")).parent().unwrap();
    let mut typed = script;
    write!(typed, "\nCOMP_WORDS=(run-agent output p/b); COMP_CWORD=2; COMP_TYPE=9\n_clap_complete_run_agent run-agent p/b output; echo \"${{COMPREPLY[@]}}\"\n").unwrap();
    let output = Command::new("bash")
        .args(["--norc", "-c", &typed])
        .env_clear()
        .env("HOME", sandbox.home())
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "p/build", "{output:?}");
}

#[test]
fn every_verb_has_a_page() {
    let sandbox = Sandbox::new();
    let page = sandbox.run("man job").succeeds();
    assert!(page.contains(".TH") && page.contains("prompt\\-file"), "{page}");
    sandbox.run("man nothing").fails(3, "there is no verb 'nothing'", "--help");
    let written = sandbox.run("man --out pages");
    assert_eq!(written.code, 0, "{written:?}");
    let page = |name: &str| sandbox.work().join("pages").join(name);
    for name in ["run-agent.1", "run-agent-job.1", "run-agent-job-batch.1", "run-agent-bus-post.1"] {
        assert!(page(name).exists(), "{name}");
    }
    assert!(!page("run-agent-demo-agent.1").exists());
    assert_eq!(sandbox.run("man --out pages").code, 0, "a second time, too");
}
