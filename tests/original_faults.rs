//! `docs/original-faults.md`: each of the 27 faults has a row, and each test that a row names runs.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// The tests of this binary that `--list` names with these flags.
fn listed(flags: &[&str]) -> BTreeSet<String> {
    let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
    let said =
        command.args(["--list", "--format", "terse"]).args(flags).output().expect("the list of the tests");
    assert!(said.status.success(), "{said:?}");
    let text = String::from_utf8(said.stdout).expect("text");
    text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

#[test]
fn every_fault_has_a_test_that_runs() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/original-faults.md");
    let page = fs::read_to_string(page).expect("the page");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|l| l.starts_with("| ") && l.as_bytes()[2].is_ascii_digit())
        .map(|l| l.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let numbers: Vec<&str> = rows.iter().map(|r| r[0]).collect();
    let wanted: Vec<String> = (1..=27).map(|n| n.to_string()).collect();
    assert_eq!(numbers, wanted);
    let (all, ignored) = (listed(&[]), listed(&["--ignored"]));
    let run: BTreeSet<&String> = all.difference(&ignored).collect();
    for row in rows {
        let named: Vec<&str> = row[3].split('`').filter(|t| t.contains("::")).collect();
        assert!(!named.is_empty(), "{row:?} names no test");
        for test in named {
            assert!(run.contains(&test.to_owned()), "fault {}: no test {test} runs", row[0]);
        }
    }
}
