//! `run-agent gc`: what is old goes, and nothing that anybody needs.

use crate::common::tasks::{Bench, DONE, UNTIL_GO};
use serde_json::Value;

fn removed(bench: &Bench, flags: &str) -> (Vec<String>, u64) {
    let answer = bench.run(&format!("gc --json {flags}"));
    assert_eq!(answer.code, 0, "{answer:?}");
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    let names = answer["removed"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_owned());
    (names.collect(), answer["freed_bytes"].as_u64().unwrap())
}

/// Three runs: DONE comes with the third.
const THIRD: &str =
    "echo x >>count; if [ $(wc -l <count) -ge 3 ]; then touch $JRUN_TASK_FOLDER/DONE; rm count; fi";

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
    let text = bench.run("gc --older-than 0s");
    assert!(text.stdout.contains(runs[1].run_id.as_str()) && text.stderr.contains("freed "), "{text:?}");
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
    crate::common::tasks::until("it is queued", || bench.run("list p --json").stdout.contains("\"blocked\""));
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
    bench.run("gc --older-than 1h --project nobody").fails(3, "there is no project", "");
}
