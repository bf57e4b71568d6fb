//! The help of every verb: plain English, short, and with examples that the command line accepts.

use std::collections::BTreeSet;

use clap::{Arg, Command, CommandFactory, Parser};
use run_agent::cli::Cli;

use crate::common::shell::calls;

/// Maximum length of a one-line help, without its `[default: …]`.
const LONGEST: usize = 100;

/// Words that make a help text a riddle: the text names the actor instead.
const RIDDLES: [&str; 10] = [
    "who",
    "whoever",
    "whom",
    "nobody",
    "somebody",
    "everybody",
    "whatever",
    "whichever",
    "shall",
    "ourselves",
];

/// First words that open a question or a noun clause instead of the action of a verb or flag.
const CLAUSES: [&str; 8] = ["What", "Whether", "Where", "How", "Which", "Why", "That", "If"];

/// First words that are no imperative. Plural nouns are not listed; no verb's line begins with one.
const ARTICLES: [&str; 8] = ["The", "A", "An", "It", "They", "This", "These", "Its"];

fn tree() -> Command {
    let mut tree = Cli::command();
    tree.build();
    tree
}

/// Calls `visit` with every verb that users see, and with its full name.
fn walk(verb: &Command, name: &str, visit: &mut impl FnMut(&Command, &str)) {
    visit(verb, name);
    for below in verb.get_subcommands().filter(|below| !below.is_hide_set()) {
        walk(below, &format!("{name} {}", below.get_name()), visit);
    }
}

/// The faults of a one-liner.
fn faults(text: &str) -> Vec<String> {
    let line = text.split(" [default: ").next().unwrap_or_default();
    let mut faults = Vec::new();
    if line.is_empty() {
        return vec!["is missing".to_owned()];
    }
    if line.lines().count() > 1 || line.chars().count() > LONGEST {
        faults.push(format!("is longer than {LONGEST} characters"));
    }
    let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '\'').collect();
    if !line.starts_with(|c: char| c.is_ascii_uppercase()) {
        faults.push("does not begin with a capital".to_owned());
    }
    if CLAUSES.contains(&words[0]) || ARTICLES.contains(&words[0]) {
        faults.push(format!("begins with '{}' instead of an imperative or a noun", words[0]));
    }
    faults.extend(riddles(line));
    faults
}

fn riddles(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words: BTreeSet<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    RIDDLES.iter().filter(|w| words.contains(*w)).map(|w| format!("says '{w}'")).collect()
}

#[test]
fn every_verb_and_flag_says_what_it_does_in_one_plain_line() {
    let mut found = Vec::new();
    walk(&tree(), "run-agent", &mut |verb, name| {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        let mut bad = |what: &str, text: &str| {
            found.extend(faults(text).into_iter().map(|fault| format!("{what} {fault}: {text}")));
        };
        bad(name, &about);
        for argument in verb.get_arguments().filter(|a| !a.is_hide_set()) {
            let text = argument.get_help().map(ToString::to_string).unwrap_or_default();
            bad(&format!("{name} {}", label(argument)), &text);
            for value in argument.get_possible_values() {
                if let Some(text) = value.get_help() {
                    bad(&format!("{name} {} {}", label(argument), value.get_name()), &text.to_string());
                }
            }
        }
        let after = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
        found.extend(riddles(&after).into_iter().map(|fault| format!("{name}: its long help {fault}")));
        if let Some(line) = broken(&after) {
            found.push(format!("{name}: a paragraph is one line, which the terminal breaks: {line}"));
        }
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A line of prose with more of its paragraph on the next line.
fn broken(text: &str) -> Option<&str> {
    let prose = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
    let next = text.lines().skip(1);
    text.lines().zip(next).find(|(line, next)| prose(line) && prose(next)).map(|(line, _)| line)
}

fn label(argument: &Arg) -> String {
    argument.get_long().map_or_else(|| format!("<{}>", argument.get_id()), |long| format!("--{long}"))
}

#[test]
fn the_first_page_lists_every_verb_once_and_in_order() {
    let page = tree().render_help().to_string();
    let (list, _) = page.split_once("Options:").unwrap();
    let listed: Vec<(&str, &str)> = list
        .lines()
        .filter_map(|l| l.strip_prefix("  ")?.split_once(' '))
        .map(|(n, a)| (n, a.trim()))
        .collect();
    let tree = tree();
    let verbs = tree.get_subcommands().filter(|verb| !verb.is_hide_set());
    let about: Vec<(&str, String)> =
        verbs.map(|verb| (verb.get_name(), verb.get_about().unwrap().to_string())).collect();
    let expected: Vec<(&str, &str)> = about.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(listed, expected);
}

#[test]
fn every_verb_has_examples_and_each_of_them_parses() {
    let mut found = Vec::new();
    walk(&tree(), "run-agent", &mut |verb, name| {
        let after = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, examples)) = after.split_once("Examples:\n") else {
            found.push(format!("{name} has no examples"));
            return;
        };
        let mut own = false;
        for example in examples.lines() {
            if example.len() > LONGEST {
                found.push(format!("{name}: the terminal would break the example: {example}"));
            }
            for call in calls(example) {
                own |= call.join(" ").contains(name.trim_start_matches("run-agent"));
                if let Err(e) = Cli::try_parse_from(&call) {
                    found.push(format!("{name}: the example does not parse: {example}\n{e}"));
                }
            }
        }
        if !own {
            found.push(format!("{name}: no example shows the verb itself"));
        }
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}
