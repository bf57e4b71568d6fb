//! The shapes of secrets that Betterleaks knows, a maintained rule set: keys, tokens and webhooks of some 400 services.
//!
//! `scripts/secret-rules` writes the data. A rule is compiled when a text contains one of its keywords for the first
//! time, so a program that reads no secret pays for none.

use std::{
    ops::Range,
    sync::{LazyLock, OnceLock},
};

use aho_corasick::AhoCorasick;
use regex::bytes::{Captures, Regex, RegexBuilder};
use serde::Deserialize;

const DATA: &str = include_str!("secret-rules.json");
/// The largest compiled rule, in bytes. Some rules repeat a class 300 times.
const LARGEST: usize = 64 * 1024 * 1024;

/// How most patterns end: the signs that follow a secret in source code.
const END_IN_CODE: &str = r#"(?:\\?['"\x60]|[\s;]|\\[nr]|$)"#;
/// In prose and in the output of programs, a comma or a full stop follows, too.
const END_IN_PROSE: &str = r"(?:\W|$)";

#[derive(Deserialize)]
struct File {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[cfg(test)]
    id: String,
    /// Words in lower case. One of them occurs in each text in which the pattern occurs.
    keywords: Vec<String>,
    /// In the syntax of RE2: a class such as `\w` is of ASCII.
    pattern: String,
    /// The group that is the secret; by default, the first one that takes part in the match, or else the whole match.
    group: Option<usize>,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

struct RuleSet {
    rules: Vec<Rule>,
    keywords: AhoCorasick,
    /// For each keyword, the index of its rule.
    of_keyword: Vec<usize>,
}

/// The rules, or none if the data cannot be read; a test ensures that it can.
static RULES: LazyLock<Option<RuleSet>> = LazyLock::new(|| RuleSet::load().ok());

impl RuleSet {
    fn load() -> Result<Self, Box<dyn std::error::Error>> {
        let rules = serde_json::from_str::<File>(DATA)?.rules;
        let words =
            || rules.iter().enumerate().flat_map(|(n, rule)| rule.keywords.iter().map(move |word| (n, word)));
        let keywords =
            AhoCorasick::builder().ascii_case_insensitive(true).build(words().map(|(_, word)| word))?;
        let of_keyword = words().map(|(n, _)| n).collect();
        Ok(Self { rules, keywords, of_keyword })
    }
}

impl Rule {
    fn regex(&self) -> Option<&Regex> {
        let compile = || {
            let pattern = match self.pattern.strip_suffix(END_IN_CODE) {
                Some(secret) => format!("{secret}{END_IN_PROSE}"),
                None => self.pattern.clone(),
            };
            RegexBuilder::new(&pattern).unicode(false).size_limit(LARGEST).build().ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }

    fn secret(&self, found: &Captures<'_>) -> Option<Range<usize>> {
        match self.group {
            Some(group) => found.get(group),
            None => found.iter().skip(1).flatten().next().or_else(|| found.get(0)),
        }
        .map(|secret| secret.range())
    }
}

/// Adds the ranges of the secrets in a text, in no order. They may overlap.
pub(super) fn find_all(text: &str, found: &mut Vec<Range<usize>>) {
    let Some(rules) = RULES.as_ref() else { return };
    let mut candidates: Vec<usize> = rules
        .keywords
        .find_overlapping_iter(text)
        .map(|word| rules.of_keyword[word.pattern().as_usize()])
        .collect();
    if candidates.is_empty() {
        return;
    }
    candidates.sort_unstable();
    candidates.dedup();
    let view = without_escapes(text);
    for rule in candidates.into_iter().map(|n| &rules.rules[n]) {
        let Some(regex) = rule.regex() else { continue };
        let secrets = regex.captures_iter(&view).filter_map(|secret| rule.secret(&secret));
        found.extend(secrets.filter(|range| text.get(range.clone()).is_some() && !range.is_empty()));
    }
}

/// Returns the text with blanks in place of what JSON escapes with backslashes, at any depth: a rule that demands the
/// beginning of a word would not find a key behind `\n`. No byte moves.
fn without_escapes(text: &str) -> Vec<u8> {
    let mut view = text.as_bytes().to_vec();
    let mut at = 0;
    while let Some(backslash) = memchr::memchr(b'\\', &view[at..]).map(|n| at + n) {
        let end = backslash + view[backslash..].iter().take_while(|b| **b == b'\\').count();
        match view.get(end) {
            Some(b'n' | b'r' | b't') => view[backslash..=end].fill(b' '),
            Some(b'"' | b'\'' | b'/') => view[backslash..end].fill(b' '),
            _ => {}
        }
        at = end;
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_can_be_compiled_and_names_its_keywords() {
        let rules = RuleSet::load().unwrap_or_else(|e| panic!("secret-rules.json: {e}"));
        assert!(rules.rules.len() > 400, "{}", rules.rules.len());
        assert!(rules.rules.iter().filter(|rule| rule.pattern.ends_with(END_IN_CODE)).count() > 200);
        for rule in &rules.rules {
            assert!(rule.regex().is_some(), "{}: {}", rule.id, rule.pattern);
            assert!(!rule.keywords.is_empty(), "{}", rule.id);
            assert!(rule.keywords.iter().all(|word| *word == word.to_ascii_lowercase()), "{}", rule.id);
        }
    }

    #[test]
    fn a_secret_is_found_behind_an_escape_of_any_depth() {
        let token = format!("shpat_{}", "0a1b".repeat(8));
        for text in [
            token.clone(),
            format!("see {token}."),
            format!(r"a\n{token}\nb"),
            format!(r#"{{"a":"{{\"b\":\"\\n{token}\\n\"}}"}}"#),
        ] {
            let mut found = Vec::new();
            find_all(&text, &mut found);
            let secrets: Vec<&str> = found.iter().map(|range| &text[range.clone()]).collect();
            assert_eq!(secrets, [token.as_str()], "{text}");
        }
    }
}
