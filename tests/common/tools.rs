//! The tools that tests call. A test without its tool is skipped and says so; with CI=true it fails.

use std::path::PathBuf;

use super::skipped;

/// A program of `$PATH`. `None`: the test lacks it, which is said or, with CI=true, fails the test.
#[track_caller]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        lacks(&format!("the program {name}"), &format!("apt-get install {}", package_of(name)));
    }
    found
}

/// The Debian package that a program is in.
fn package_of(program: &str) -> &str {
    match program {
        "script" => "bsdutils",
        "systemd-analyze" | "systemd-socket-activate" => "systemd",
        other => other,
    }
}

/// Says that this test needs a tool that is missing, and how to install it. Fails the test with CI=true.
#[track_caller]
pub fn lacks(tool: &str, install: &str) {
    let said = format!("this test needs {tool}: {install} (as root, scripts/test installs it)");
    let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!in_ci, "{said}");
    skipped(&said);
}

/// A test that needs script(1) runs again without any tool.
#[test]
fn a_test_without_its_tool_fails_in_ci_alone_and_says_what_to_install() {
    let again = |ci: Option<&str>| {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let test = "cli_output::an_answer_does_nothing_to_the_terminal_and_stays_as_it_is_for_programs";
        command.args(["--exact", test, "--nocapture"]).env("PATH", "/proc/nonexistent");
        command.env_remove("CI").envs(ci.map(|value| ("CI", value)));
        let out = command.output().unwrap();
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(said.contains("1 passed") || said.contains("1 failed"), "{said}");
        (out.status.success(), said)
    };
    for (ci, passes) in [(None, true), (Some("false"), true), (Some("true"), false)] {
        let (passed, said) = again(ci);
        assert_eq!(passed, passes, "CI={ci:?}: {said}");
        assert!(said.contains("needs the program script: apt-get install bsdutils"), "CI={ci:?}: {said}");
        assert_eq!(said.contains("skipped: "), passes, "CI={ci:?}: {said}");
    }
}
