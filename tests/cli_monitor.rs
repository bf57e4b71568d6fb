//! `run-agent monitor`: works through a list, each item once, and ticks the completed ones.

use crate::common::{
    outcome,
    tasks::{Bench, Driver, UNTIL_GO, until},
};
use serde_json::Value;

const LIST: &str = "# Work\n\n- [ ] first thing\n- [x] was done\n- [ ] fails\n- [ ] last thing\n";

/// `run-agent monitor FLAGS -- sh -c SCRIPT`, with the prompt on stdin.
fn monitor(bench: &Bench, flags: &str, script: &str) -> std::process::Command {
    let mut args = vec!["monitor", "--project", "p", "--job", "--json"];
    args.extend(flags.split_whitespace());
    args.extend(["--", "sh", "-c", script]);
    bench.sandbox.command(args)
}

fn list(bench: &Bench) -> String {
    std::fs::read_to_string(bench.sandbox.work().join("TODO.md")).unwrap()
}

#[test]
fn items_become_tasks_once_and_are_ticked_when_they_are_done() {
    let bench = Bench::new();
    bench.sandbox.write("work/TODO.md", LIST);
    let planned = outcome(&mut monitor(&bench, "--dry-run", "true"));
    assert_eq!(planned.code, 0, "{planned:?}");
    assert_eq!(list(&bench), LIST);
    assert!(!bench.sandbox.root().join("p").exists());

    // The prompt ends with the item's text. This agent fails at one item until the file `helped` exists.
    let script = "if tail -n 3 | grep -q fails && [ ! -e helped ]; then exit 1; fi; echo x >>count";
    let first = outcome(&mut monitor(&bench, "", script));
    assert_eq!(first.code, 1, "{first:?}");
    assert_eq!(list(&bench), LIST.replace("[ ] first", "[x] first").replace("[ ] last", "[x] last"));
    let rows: Vec<Value> = serde_json::from_str(&first.stdout).unwrap();
    let seen: Vec<_> = rows.iter().map(|r| (r["ticked"].as_bool().unwrap(), r["status"].as_str())).collect();
    assert_eq!(
        seen,
        [(true, Some("completed")), (true, None), (false, Some("failed")), (true, Some("completed"))]
    );

    // A second monitor starts nothing again; a third one starts only the items that are retried.
    assert_eq!(outcome(&mut monitor(&bench, "", script)).code, 1);
    let count = || std::fs::read_to_string(bench.sandbox.work().join("count")).unwrap().lines().count();
    assert_eq!(count(), 2);
    bench.touch("helped");
    assert_eq!(outcome(&mut monitor(&bench, "--retry", script)).code, 0);
    assert_eq!((count(), list(&bench).contains("[ ]")), (3, false));
}

#[test]
fn what_a_killed_monitor_has_begun_is_waited_for_and_not_begun_again() {
    let bench = Bench::new();
    bench.sandbox.write("work/TODO.md", "- [ ] only thing\n");
    let script = format!("echo x >>count; {UNTIL_GO}");
    let mut first = monitor(&bench, "", &script);
    let first = Driver::of(&mut first);
    until("it has begun", || bench.sandbox.work().join("count").exists());
    first.kill();
    let second = Driver::of(&mut monitor(&bench, "", &script));
    bench.touch("go");
    assert_eq!(second.wait().outcome.code, 0);
    let count = std::fs::read_to_string(bench.sandbox.work().join("count")).unwrap();
    assert_eq!((count.as_str(), list(&bench).as_str()), ("x\n", "- [x] only thing\n"));
}

#[test]
fn a_list_that_is_none_says_so() {
    let bench = Bench::new();
    bench.run("monitor").fails(3, "cannot read the list", "run-agent monitor FILE");
    bench.sandbox.write("work/TODO.md", "nothing to do\n");
    let empty = bench.run("monitor");
    assert_eq!((empty.code, empty.stderr.as_str()), (0, "the list has no boxes\n"));
}

#[test]
fn who_stops_the_item_at_work_stops_the_list() {
    let bench = Bench::new();
    bench.sandbox.write("work/TODO.md", "- [ ] one\n- [ ] two\n");
    let driver = Driver::of(&mut monitor(&bench, "", &format!("touch begun; {UNTIL_GO}")));
    until("it has begun", || bench.sandbox.work().join("begun").exists());
    driver.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(driver.wait().outcome.code, 130);
    assert_eq!(list(&bench), "- [ ] one\n- [ ] two\n");
    let tasks = bench.tree.tasks(&"p".parse().unwrap()).unwrap();
    assert_eq!(tasks.len(), 1, "the second was not begun");
}
