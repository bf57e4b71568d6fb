//! `run-agent gc`: removes old runs, and nothing that is still needed.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::common::{
    daemon::Daemon,
    in_terminal,
    tasks::{Bench, DONE, UNTIL_GO, until},
    words,
};
use serde_json::Value;

fn removed(bench: &Bench, flags: &str) -> (Vec<String>, u64) {
    let answer = bench.run(&format!("gc --json --yes {flags}"));
    assert_eq!(answer.code, 0, "{answer:?}");
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    let names = answer["removed"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_owned());
    (names.collect(), answer["freed_bytes"].as_u64().unwrap())
}

/// An agent of three runs: the third makes DONE.
const THIRD: &str =
    "echo x >>count; if [ $(wc -l <count) -ge 3 ]; then touch \"$JRUN_TASK_FOLDER\"/DONE; rm count; fi";

#[test]
fn old_runs_go_and_the_latest_stays() {
    let bench = Bench::new();
    assert_eq!(bench.task("t", "", THIRD).outcome.code, 0);
    let runs = bench.runs("t");
    assert_eq!(runs.len(), 3);
    assert_eq!(removed(&bench, "--older-than 1h").0, Vec::<String>::new());
    let (would, bytes) = removed(&bench, "--keep 1 --dry-run");
    assert_eq!((would.len(), bench.runs("t").len()), (2, 3));
    assert!(bytes > 0);
    assert_eq!(removed(&bench, "--keep 2").0, [format!("p/t/{}", runs[0].run_id)]);
    let text = bench.run("gc --older-than 0s --yes");
    assert!(
        text.stdout.contains(runs[1].run_id.as_str()) && text.stderr.contains("removed 1 run, "),
        "{text:?}"
    );
    assert_eq!(bench.runs("t").len(), 1);
    assert_eq!(removed(&bench, "--older-than 0s").0, Vec::<String>::new(), "the last run stays");
    let listed = bench.run("list p --json").succeeds();
    assert!(listed.contains("\"completed\""), "{listed}");
    let clean = bench.run("fsck");
    assert_eq!(clean.code, 0, "{clean:?}");
    assert_eq!(removed(&bench, "--older-than 0s --tasks").0, ["p/t"]);
    assert!(!bench.sandbox.root().join("p/t").exists());
}

#[test]
fn nothing_goes_that_somebody_needs() {
    let bench = Bench::new();
    assert_eq!(bench.task("base", "", THIRD).outcome.code, 0);
    assert_eq!(bench.task("failed", "--max-restarts 1", "exit 3").outcome.code, 1);
    let live = bench.start(
        "live",
        "--max-restarts 5",
        &format!("[ -e once ] || {{ touch once; exit 1; }}; {UNTIL_GO}; {DONE}"),
    );
    bench.until_attempt("live", 2);
    let needs = bench.start_only("needs", "--depends-on live,base", DONE);
    until("it is queued", || bench.run("list p --json").stdout.contains("\"blocked\""));
    assert_eq!(bench.runs("live").len(), 2);
    let (gone, _) = removed(&bench, "--keep 1 --keep-failed");
    assert_eq!(gone, Vec::<String>::new(), "live, needed, or failed");
    let failed = bench.runs("failed")[0].run_id.clone();
    assert_eq!(removed(&bench, "--older-than 0s --project p").0, [format!("p/failed/{failed}")]);
    bench.touch("go");
    assert_eq!((live.wait().outcome.code, needs.wait().outcome.code), (0, 0));
    assert_eq!(removed(&bench, "--older-than 0s").0.len(), 3);
}

#[test]
fn somebody_must_say_what_is_old() {
    let bench = Bench::new();
    let bare = bench.run("gc");
    assert_eq!(bare.code, 2);
    assert!(bare.stderr.contains("--older-than"), "{bare:?}");
    bench.run("gc --older-than 1h --project nobody --yes").fails(3, "there is no project", "");
}

#[test]
fn a_bare_number_is_no_age() {
    let bench = Bench::new();
    for (line, hint) in [
        ("gc --older-than 1 --yes", "write 1d for days, or 1h for hours"),
        ("gc --older-than 0 --dry-run", "the unit is missing"),
        ("server project gc p --older-than 30 --yes", "write 30d for days"),
    ] {
        let refused = bench.run(line);
        assert!(refused.code == 2 && refused.stderr.contains(hint), "{refused:?}");
    }
}

/// A task that has answered once, was resumed without a driver, and was stopped before its next run began.
fn resumed_and_stopped() -> (Bench, String, String) {
    let bench = Bench::new();
    let answered = bench.task("t", "", &format!("echo forty-two; {DONE}"));
    assert_eq!(answered.outcome.code, 0, "{answered:?}");
    assert_eq!(bench.run("resume p/t --no-wait").code, 0);
    let answer = bench.runs("t")[0].run_id.to_string();
    let resumed = bench.run("output p/t");
    assert_eq!(
        (resumed.code, resumed.stdout.as_str()),
        (0, "forty-two\n"),
        "right after a resume: {resumed:?}"
    );
    assert!(resumed.stderr.contains("has no answer yet") && resumed.stderr.contains(&answer), "{resumed:?}");
    assert_eq!(bench.run("stop p/t").code, 0);
    let never = bench.runs("t")[1].run_id.to_string();
    (bench, answer, never)
}

#[test]
fn the_last_answer_stays_behind_a_run_that_never_started() {
    let (bench, answer, never) = resumed_and_stopped();
    for flags in ["--older-than 0s", "--keep 1", "--keep 0 --older-than 0s"] {
        assert_eq!(removed(&bench, flags).0, Vec::<String>::new(), "{flags}");
    }
    let shown = bench.run("output p/t");
    assert_eq!((shown.code, shown.stdout.as_str()), (0, "forty-two\n"), "{shown:?}");
    assert!(shown.stderr.contains(&format!("run {never} left no answer")), "{shown:?}");
    assert!(shown.stderr.contains(&format!("the answer of run {answer}")), "{shown:?}");
    assert_eq!(bench.run(&format!("output p/t/{answer}")).succeeds(), "forty-two\n");
    let exact = bench.run(&format!("output p/t/{never}"));
    assert!(exact.code == 0 && exact.stdout.starts_with("(the run left no answer: "), "{exact:?}");
    let log = bench.run("output p/t --file stdout");
    assert!(!log.stdout.contains("forty-two"), "another file is that of the latest run: {log:?}");
    assert_eq!(
        removed(&bench, "--older-than 0s --tasks").0,
        ["p/t"],
        "a whole task goes when it is asked for"
    );
}

#[test]
fn nothing_goes_unasked() {
    let (bench, answer, _) = resumed_and_stopped();
    assert_eq!(bench.run("resume p/t").code, 0);
    let line = "gc --older-than 0s";
    let refused = bench.run(line);
    assert!(refused.code == 2 && refused.stdout.contains(&answer), "the preview is shown: {refused:?}");
    assert!(refused.stderr.contains("add --yes to remove 2 runs, "), "{refused:?}");
    let refused = bench.run("gc --older-than 0s --json");
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert!(refused.stderr.contains("add --yes to remove 2 runs, "), "{refused:?}");
    bench.run("task delete t").fails(2, "nothing was removed: there is no terminal to ask on", "add --yes");
    assert_eq!(bench.runs("t").len(), 3);
    let rehearsed = bench.run("gc --older-than 0s --dry-run");
    assert!(rehearsed.code == 0 && rehearsed.stderr.contains("would remove "), "{rehearsed:?}");
    for words in ["NAME", "ENDED", " ago", "SIZE", &answer] {
        assert!(rehearsed.stdout.contains(words), "no {words}: {rehearsed:?}");
    }
    let said = |line: &str, answer: &str| {
        let terminal = in_terminal(&bench.sandbox.command(words(line)))?;
        Some(answered(terminal, answer))
    };
    let Some(no) = said(line, "\n") else { return };
    assert!(no.contains(&answer) && no.contains("Remove 2 runs, "), "the preview, then the question: {no}");
    assert!(no.contains("nothing was removed") && bench.runs("t").len() == 3, "{no}");
    let yes = said(line, "y\n").unwrap();
    assert!(yes.contains("removed 2 runs, ") && bench.runs("t").len() == 1, "{yes}");
    let kept = said("task delete p/t", "no\n").unwrap();
    assert!(kept.contains("Delete task p/t with 1 run and all answers, "), "{kept}");
    assert!(bench.marker("t", "DONE").exists(), "{kept}");
    assert!(said("task delete p/t --yes", "").unwrap().contains("deleted: p/t"));
    assert!(!bench.sandbox.root().join("p/t").exists());
}

/// The original documents this command line, and its scripts know no `--yes`.
#[test]
fn the_documented_spelling_of_delete_works_without_a_terminal() {
    let bench = Bench::new();
    assert_eq!(bench.task("t", "", DONE).outcome.code, 0);
    for wrong in [
        "task delete --task t",
        "task delete --project p",
        "task delete p/t --project p --task t",
        "task delete",
    ] {
        assert_eq!(bench.run(wrong).code, 2, "{wrong}");
    }
    let deleted = bench.run("task delete --project p --task t");
    assert!(deleted.code == 0 && deleted.stderr.contains("deleted: p/t"), "{deleted:?}");
    assert!(!bench.sandbox.root().join("p/t").exists());
}

#[test]
fn a_daemon_keeps_the_last_answer_and_its_verbs_ask() {
    let (bench, answer, never) = resumed_and_stopped();
    let daemon = Daemon::start(&bench.sandbox, &[]);
    let gc = "server project gc p --older-than 0s --yes --json";
    let kept: Value = serde_json::from_str(&bench.run(gc).succeeds()).unwrap();
    assert_eq!(kept["deleted_runs"], 0, "{answer} and {never} stay");
    assert_eq!(bench.run(&format!("output p/t/{answer}")).succeeds(), "forty-two\n");
    let said = |line: &str, answer: &str| {
        let terminal = in_terminal(&bench.sandbox.command(words(line)))?;
        Some(answered(terminal, answer))
    };
    let nothing = said("server project gc p --older-than 0s", "");
    let Some(nothing) = nothing else { return };
    assert!(nothing.contains("nothing is old enough to be removed"), "{nothing}");
    assert_eq!(bench.run("resume p/t").code, 0);
    until("the third run has answered", || {
        let task = daemon.task("t");
        task["status"] == "completed" && task["runs"].as_array().map(Vec::len) == Some(3)
    });
    for (line, question) in [
        ("server project gc p --older-than 0s", "Remove 2 old runs of project p, "),
        ("server task delete p/t", "Delete task p/t with all its runs and answers?"),
        ("server project delete p", "Delete project p with 1 task, 3 runs and all answers?"),
    ] {
        let shown = said(line, "n\n").unwrap();
        assert!(shown.contains(question) && shown.contains("nothing was removed"), "{line}: {shown}");
    }
    assert_eq!(daemon.task("t")["runs"].as_array().map(Vec::len), Some(3));
    said("server project delete p", "y\n").unwrap();
    assert!(!bench.sandbox.root().join("p").exists());
}

/// Returns the output of a command line in a terminal in which the user gives this answer.
fn answered(mut terminal: Command, answer: &str) -> String {
    let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}
