//! `docs/original-faults.md`: each of the 27 faults has a row, and each test that a row names exists.

use std::{fs, path::Path};

#[test]
fn every_fault_has_a_test_that_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(here.join("docs/original-faults.md")).expect("the page");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|l| l.starts_with("| ") && l.as_bytes()[2].is_ascii_digit())
        .map(|l| l.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let numbers: Vec<&str> = rows.iter().map(|r| r[0]).collect();
    let wanted: Vec<String> = (1..=27).map(|n| n.to_string()).collect();
    assert_eq!(numbers, wanted);
    for row in rows {
        let named: Vec<&str> = row[3].split('`').filter(|t| t.contains("::")).collect();
        assert!(!named.is_empty(), "{row:?} names no test");
        for test in named {
            let (file, name) = test.split_once("::").expect("file::name");
            let source = fs::read_to_string(here.join("tests").join(format!("{file}.rs")))
                .unwrap_or_else(|e| panic!("{test}: {e}"));
            let is_there =
                source.contains(&format!("fn {name}()")) || source.contains(&format!("    {name}: "));
            assert!(is_there, "fault {}: there is no test {test}", row[0]);
        }
    }
}
