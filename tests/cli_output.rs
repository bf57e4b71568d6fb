//! `run-agent output` and `job`: an agent's output, byte for byte for a program, and harmless on a terminal.

use std::{
    fs::{self, File},
    process::{Command, Stdio},
};

use crate::common::{
    in_terminal, outcome,
    tasks::{Bench, UNTIL_GO, until},
};

/// An escape sequence that sets the terminal's title, and a character that reverses the text.
const SCRIPT: &str = r"printf 'a\033]0;mine\007b\tc\342\200\256d\n'";
const RAW: &str = "a\u{1b}]0;mine\u{7}b\tc\u{202e}d\n";
const SHOWN: &str = "a\u{fffd}]0;mine\u{fffd}b\tc\u{fffd}d\r\n";

fn job(bench: &Bench, task: &str) -> Command {
    let flags = ["job", "--agent", "command", "--project", "p", "--task", task, "--prompt", "x"];
    bench.sandbox.command(flags.into_iter().chain(["--", "sh", "-c", SCRIPT]))
}

#[test]
fn an_answer_does_nothing_to_the_terminal_and_stays_as_it_is_for_programs() {
    let bench = Bench::new();
    assert_eq!(outcome(&mut job(&bench, "t")).stdout, RAW);
    let output = || bench.sandbox.command(["output", "p/t"]);
    assert_eq!(outcome(&mut output()).succeeds(), RAW);
    let (Some(mut shown), Some(mut answered)) = (in_terminal(&output()), in_terminal(&job(&bench, "u")))
    else {
        return;
    };
    assert_eq!(outcome(&mut shown).succeeds(), SHOWN);
    let answered = outcome(&mut answered).succeeds();
    assert!(answered.contains(SHOWN) && !answered.contains(['\u{7}', '\u{202e}']), "{answered:?}");
}

#[test]
fn a_line_separates_what_is_followed_from_the_answer() {
    let bench = Bench::new();
    let script = "printf working; echo 'the answer' >\"$JRUN_RUN_FOLDER/output.md\"";
    let flags = ["job", "--agent", "command", "--project", "p", "--task", "t", "--prompt", "x", "--follow"];
    let job = bench.sandbox.command(flags.into_iter().chain(["--", "sh", "-c", script]));
    let Some(mut job) = in_terminal(&job) else { return };
    let shown = outcome(&mut job).succeeds();
    let run = &bench.runs("t")[0].run_id;
    assert!(
        shown.contains(&format!("working\r\n--- the answer of run {run}\r\nthe answer\r\n")),
        "{shown:?}"
    );
}

#[test]
fn what_is_followed_does_nothing_to_the_terminal_either() {
    let bench = Bench::new();
    let mut follow = job(&bench, "t");
    follow = {
        let args: Vec<_> = follow.get_args().map(std::ffi::OsStr::to_owned).collect();
        let at = args.iter().position(|a| a == "--").unwrap();
        bench
            .sandbox
            .command(args[..at].iter().cloned().chain(["--follow".into()]).chain(args[at..].iter().cloned()))
    };
    let Some(mut followed) = in_terminal(&follow) else { return };
    let followed = outcome(&mut followed).succeeds();
    assert_eq!(followed.matches(SHOWN).count(), 1, "an answer that was shown is not repeated: {followed:?}");
    assert!(!followed.contains(['\u{7}', '\u{202e}']), "{followed:?}");

    let body = RAW.trim_end();
    let post = ["bus", "post", "--project", "p", "--task", "t", "--type", "FACT", "--body", body];
    assert_eq!(outcome(&mut bench.sandbox.command(post)).code, 0);
    let read = || bench.sandbox.command(["bus", "read", "--project", "p", "--task", "t", "--type", "FACT"]);
    assert!(outcome(&mut read()).succeeds().contains(RAW));
    let shown = outcome(&mut in_terminal(&read()).unwrap()).succeeds();
    assert!(shown.contains(SHOWN) && !shown.contains(['\u{7}', '\u{202e}']), "{shown:?}");
}

/// The agent prints its first line before the kernel watches the folder of the run, and nothing more until it is shown.
#[test]
fn the_first_line_is_followed_although_no_second_one_comes() {
    let bench = Bench::new();
    bench.sandbox.configure("watch: {sweep: 10m}\n");
    let shown = bench.sandbox.path("shown");
    let go = bench.sandbox.work().join("go");
    for (task, print) in [("a", "echo first"), ("b", "echo first >&2"), ("c", "echo first")] {
        let script = format!("{print}; {UNTIL_GO}");
        let flags =
            ["job", "--follow", "--agent", "command", "--project", "p", "--task", task, "--prompt", "x"];
        let mut job = bench.sandbox.command(flags.into_iter().chain(["--", "sh", "-c", &script]));
        let mut job = job.stdout(Stdio::null()).stderr(File::create(&shown).unwrap()).spawn().unwrap();
        until("the first line", || fs::read_to_string(&shown).unwrap().contains("first\n"));
        fs::write(&go, "").unwrap();
        assert!(job.wait().unwrap().success(), "{task}");
        fs::remove_file(&go).unwrap();
    }
}
