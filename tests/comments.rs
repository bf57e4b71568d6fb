//! Counts the habits of speech that make comments hard to read, over all Rust and TypeScript files of the repository.
//!
//! The limits are those of well-read codebases of this field; CONTRIBUTING.md says how to write instead.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Words for a person where the sentence could name the process: "whoever holds the lock". "Of" or "with" mostly reads
/// better than the genitive form.
const PERSONS: [&str; 6] = ["who", "whoever", "whom", "whose", "nobody", "somebody"];
/// Openings of a clause that stands for a noun: "What was read is kept".
const OPENINGS: [&str; 6] = ["What", "Who", "Whoever", "Whether", "Where", "How"];

/// Folders that a build or an installation creates.
const GENERATED: [&str; 3] = ["target", "node_modules", "dist"];

/// The comment lines of some text, and the two counts over them.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    lines: usize,
    persons: usize,
    openings: usize,
}

#[test]
fn comments_name_things_and_open_with_their_subject() {
    let mut total = Counts::default();
    let mut worst: Vec<(usize, PathBuf)> = Vec::new();
    for path in source_files() {
        let counts = count(&fs::read_to_string(&path).expect("a readable source file"));
        worst.push((counts.persons + counts.openings, path));
        total.lines += counts.lines;
        total.persons += counts.persons;
        total.openings += counts.openings;
    }
    worst.sort();
    let worst: Vec<_> = worst.iter().rev().take(5).collect();
    assert!(total.lines > 5000, "found only {total:?}");
    assert!(
        total.persons * 200 < total.lines,
        "0.5 % of the lines may say {PERSONS:?}: {total:?}, most in {worst:?}"
    );
    assert!(
        total.openings * 50 < total.lines,
        "2 % may begin with {OPENINGS:?}: {total:?}, most in {worst:?}"
    );
}

#[test]
fn each_line_of_a_comment_counts_and_no_line_of_code() {
    let text = "//! Who reads this.\nlet who = \"what\"; // What is not a line of its own.\n///\n    /// Whether it is, nobody knows;\n// whole, whose\n/** Where one stands. */\n";
    assert_eq!(count(text), Counts { lines: 4, persons: 3, openings: 3 });
}

fn count(text: &str) -> Counts {
    let mut counts = Counts::default();
    for line in text.lines().filter_map(comment) {
        let words = || line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        counts.lines += 1;
        counts.persons += usize::from(words().any(|word| PERSONS.contains(&word.to_lowercase().as_str())));
        counts.openings += usize::from(words().next().is_some_and(|word| OPENINGS.contains(&word)));
    }
    counts
}

/// Returns the words of a line that holds only a comment.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim();
    let words = line.strip_prefix("//").or_else(|| line.strip_prefix("/**"))?;
    let words = words.trim_start_matches(['/', '!']).trim_end_matches("*/").trim();
    (!words.is_empty()).then_some(words)
}

/// Lists the Rust and TypeScript files of the repository, without those that a build creates.
fn source_files() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let parts = ["src", "crates", "tests", "benches", "fuzz", "ui"];
    let mut folders: Vec<PathBuf> = parts.iter().map(|part| here.join(part)).filter(|p| p.is_dir()).collect();
    let mut files = vec![here.join("build.rs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder").flatten() {
            let path = entry.path();
            if path.is_dir()
                && path.file_name().is_some_and(|name| !GENERATED.iter().any(|folder| name == *folder))
            {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "ts" || kind == "tsx")
                && !path.to_string_lossy().ends_with(".d.ts")
            {
                files.push(path);
            }
        }
    }
    files
}
