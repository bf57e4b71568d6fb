//! The question in a prompt, as far as an agent without a model can understand it.
//!
//! The rules, first match wins: "how many lines", "how many files"; "consists of" and similar words ask for
//! everything; "which … largest", "which language"; else a report, if the prompt mentions looking, counting or a tree
//! at all; else the question is beyond this agent.

use super::language;
use crate::preamble;

/// The question, and the places that it may be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The user's own words.
    pub text: String,
    /// The subject of the question.
    pub subject: Subject,
    /// The language that the question is restricted to.
    pub language: Option<&'static str>,
    /// Words that may name a folder or file here, in order of appearance.
    pub places: Vec<NamedPath>,
}

/// The subject of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Number of lines.
    Lines,
    /// Number of files.
    Files,
    /// The languages.
    Languages,
    /// The largest files.
    Largest,
    /// All of the above.
    Report,
    /// A task that this agent cannot perform.
    Beyond,
}

/// A name in the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    /// The name as written, without quotes and punctuation.
    pub name: String,
    /// The certainty that this is a path.
    pub spelling: Spelling,
}

/// The spelling of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// A certain path: `./x`, `x/`, or quoted with a slash. The answer mentions it if it does not exist.
    Path,
    /// A possible path: `a/b`, `x.rs`, `in src`. Just a word if it does not exist.
    Word,
}

/// Words that ask for everything.
const ALL: &[&str] = &[
    "consist",
    "consists",
    "inventory",
    "overview",
    "report",
    "summarise",
    "summarize",
    "summary",
    "survey",
];
/// Words of a prompt that a report may answer.
#[rustfmt::skip]
const ABOUT: &[&str] = &[
    "analyse", "analyze", "big", "code", "contain", "contains", "count", "describe", "explore", "files", "folder",
    "folders", "inspect", "language", "languages", "largest", "lines", "look", "repo", "repository", "sources",
    "structure", "tour", "tree",
];
/// Words before the name of a place.
const BEFORE: &[&str] =
    &["at", "below", "file", "folder", "directory", "in", "inside", "into", "of", "under", "within"];
/// Words after it.
const BEHIND: &[&str] = &["directory", "file", "folder"];
/// Words before or after the name of a language.
const BESIDE_LANGUAGE: &[&str] = &["code", "file", "files", "in", "lines", "of", "source", "sources"];

impl Question {
    /// Parses a prompt, with or without the preamble that the runner puts before it.
    #[must_use]
    pub fn of(prompt: &str) -> Self {
        let text = without_history(preamble::without(prompt)).trim();
        let raw: Vec<&str> = text.split_whitespace().collect();
        let words: Vec<String> = raw.iter().map(|w| bare(w).to_lowercase()).collect();
        Self {
            text: text.to_owned(),
            subject: subject(&words),
            language: language_of(&words),
            places: (0..raw.len()).filter_map(|at| place(&raw, &words, at)).collect(),
        }
    }
}

/// Returns the task's own words, without the account of the attempt before that a later one gets.
fn without_history(prompt: &str) -> &str {
    let own = prompt.strip_prefix("Continue working on the following:\n");
    own.and_then(|own| own.rsplit_once("\n---\n\nHow the attempt before this one ended:"))
        .map_or(prompt, |(words, _)| words)
}

fn subject(words: &[String]) -> Subject {
    let has = |wanted: &[&str]| words.iter().any(|w| wanted.contains(&w.as_str()));
    let how_many = words.windows(2).any(|w| w[0] == "how" && w[1] == "many");
    let which = has(&["which", "what", "what's"]);
    if how_many && has(&["line", "lines", "loc"]) {
        Subject::Lines
    } else if how_many && has(&["file", "files"]) {
        Subject::Files
    } else if has(ALL) {
        Subject::Report
    } else if which && has(&["largest", "biggest", "longest"]) {
        Subject::Largest
    } else if which && has(&["language", "languages"]) {
        Subject::Languages
    } else if how_many || has(ABOUT) {
        Subject::Report
    } else {
        Subject::Beyond
    }
}

fn language_of(words: &[String]) -> Option<&'static str> {
    let beside = |at: Option<usize>| {
        at.and_then(|at| words.get(at)).is_some_and(|w| BESIDE_LANGUAGE.contains(&w.as_str()))
    };
    words.iter().enumerate().find_map(|(at, word)| {
        let language = language::called(word)?;
        (beside(at.checked_sub(1)) || beside(Some(at + 1))).then_some(language)
    })
}

fn place(raw: &[&str], words: &[String], at: usize) -> Option<NamedPath> {
    let name = bare(raw[at]);
    if name.is_empty() || name.contains(':') {
        return None;
    }
    let is = |at: Option<usize>, list: &[&str]| {
        at.and_then(|at| words.get(at)).is_some_and(|w| list.contains(&w.as_str()))
    };
    let quoted = raw[at].contains(['`', '"', '\'']) && name.contains('/');
    let spelling = if quoted || name.ends_with('/') || name.starts_with("./") || name.starts_with('/') {
        Spelling::Path
    } else if name.contains(['/', '.']) || is(at.checked_sub(1), BEFORE) || is(Some(at + 1), BEHIND) {
        Spelling::Word
    } else {
        return None;
    };
    Some(NamedPath { name: name.to_owned(), spelling })
}

/// Returns a word without the quotes around it and the punctuation after it.
fn bare(word: &str) -> &str {
    let word = word.trim_matches(|c: char| "`\"'()[]<>*".contains(c));
    word.trim_end_matches(|c: char| "`\"').,;:!?".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_attempt_is_asked_the_same_question() {
        let first = "Which languages?\n\n---\n\nIn `./src`.";
        let later = format!(
            "Continue working on the following:\n\n{first}\n\n---\n\n\
             How the attempt before this one ended: run `r` (attempt 1) was completed after 1 s: well.\n\
             Its answer is in /root/p/t/runs/r/output.md, what it printed in /root/p/t/runs/r/agent-stdout.txt.\n"
        );
        assert_eq!(Question::of(&later), Question::of(first));
        assert_eq!(Question::of(first).places.len(), 1);
    }

    #[test]
    fn the_subject_follows_from_the_words() {
        for (prompt, subject) in [
            ("How many lines are in src/?", Subject::Lines),
            ("how many Rust files does this have", Subject::Files),
            ("Which languages is it written in?", Subject::Languages),
            ("What are the largest files?", Subject::Largest),
            (
                "Tell me what this source tree consists of: languages, lines, the largest files.",
                Subject::Report,
            ),
            ("Tell me about the languages and lines of this tree", Subject::Report),
            ("Look at src/", Subject::Report),
            ("How many folders?", Subject::Report),
            ("Fix the failing authentication tests", Subject::Beyond),
            ("", Subject::Beyond),
        ] {
            assert_eq!(Question::of(prompt).subject, subject, "{prompt}");
        }
    }

    #[test]
    fn a_language_is_meant_only_where_one_can_stand() {
        for (prompt, language) in [
            ("How many lines of Rust?", Some("Rust")),
            ("How many TypeScript files are there?", Some("TypeScript")),
            ("Go through the tree", None),
            ("How many lines of code?", None),
        ] {
            assert_eq!(Question::of(prompt).language, language, "{prompt}");
        }
    }

    #[test]
    fn places_are_found_in_order_with_how_sure_they_are() {
        let places = |prompt: &str| -> Vec<(String, bool)> {
            let path = |s| s == Spelling::Path;
            Question::of(prompt).places.into_iter().map(|p| (p.name, path(p.spelling))).collect()
        };
        let some = |all: &[(&str, bool)]| -> Vec<(String, bool)> {
            all.iter().map(|(n, sure)| ((*n).to_owned(), *sure)).collect()
        };
        assert_eq!(places("Look at src/, then at `docs/api`."), some(&[("src/", true), ("docs/api", true)]));
        assert_eq!(places("How long is main.rs and/or lib?"), some(&[("main.rs", false), ("and/or", false)]));
        assert_eq!(places("the lines in src"), some(&[("src", false)]));
        assert_eq!(places("see https://example.org/x, everything"), []);
        assert_eq!(places("count the tests"), []);
    }

    #[test]
    fn the_preamble_is_not_part_of_the_question() {
        let question =
            Question::of("JRUN_RUN_FOLDER=/root/p/t\nWrite to /root/p/t\n---\nLook at a/\n---\nand b/\n");
        assert_eq!(question.text, "Look at a/\n---\nand b/");
        assert_eq!(Question::of("a\n---\nb").text, "a\n---\nb");
    }
}
