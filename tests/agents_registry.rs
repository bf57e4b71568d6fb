//! The agents behind their trait: what holds of each of them, and that a new one is one folder and its line in the registry.

use std::{collections::BTreeSet, fs, path::Path};

use agents::{AGENTS, Agent, Program, agent_types, of_type, of_word};
use tree::{
    event::{Event, EventKind, RawReason},
    transcript::{Dialect, LONGEST_LINE, events_of_line},
};

/// Places outside an agent's folder that name it, with the reason why each is no knowledge about an agent.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("agents/error.rs", "demo", "the hint where no agent is installed names the one that always is"),
    ("agents/opencode/call.rs", "xai", "a provider of OpenCode of the same name"),
    ("agents/opencode/mod.rs", "gemini", "a provider of OpenCode of the same name"),
    ("agents/opencode/mod.rs", "xai", "a provider of OpenCode of the same name"),
    ("cli/args.rs", "demo", "the hidden verb that is the demo agent's process"),
    ("cli/demo_agent.rs", "demo", "the hidden verb that is the demo agent's process"),
    ("cli/entry.rs", "demo", "the hidden verb that is the demo agent's process"),
    ("cli/mod.rs", "demo", "the hidden verb that is the demo agent's process"),
    ("config/face.rs", "codex", "part of the name of a face"),
    ("base/telemetry/shapes.rs", "xai", "the prefix of a kind of key, which logs leave out"),
    ("tree/kinds.rs", "claude", "part of the name of a protocol"),
    ("view/doctor/machine.rs", "codex", "an example in the text of a finding"),
    ("base/telemetry/secret-rules.json", "gemini", "the rule set of others for the keys of services"),
    ("base/telemetry/secret-rules.json", "perplexity", "the rule set of others for the keys of services"),
    ("base/telemetry/secret-rules.json", "xai", "the rule set of others for the keys of services"),
];

/// The names that are English words as well, so that no search finds the agent in the text.
const WORDS: &[&str] = &["command"];

#[test]
fn a_new_agent_is_one_folder_and_its_line_in_the_registry() {
    let mut found = BTreeSet::new();
    for agent in AGENTS.iter().map(|agent| agent.agent_type().as_str()).filter(|name| !WORDS.contains(name)) {
        let folder = format!("agents/{agent}/");
        assert!(sources().iter().any(|(path, _)| *path == format!("{folder}mod.rs")), "{folder} is missing");
        for (path, text) in sources().iter().filter(|(path, _)| !path.starts_with(&folder)) {
            let (code, texts) = taken_apart(without_tests(text));
            if path == "agents/lib.rs" {
                // Its module and its entry.
                let lines: Vec<&str> =
                    code.lines().filter(|line| names(line, agent)).map(str::trim).collect();
                assert_eq!(lines.len(), 2, "{agent}: {lines:?}");
                assert!(lines[0].ends_with(&format!("mod {agent};")), "{lines:?}");
                assert!(lines[1].starts_with(&format!("&{agent}::")), "{lines:?}");
                continue;
            }
            // A help text of the command line may have an example: it has spaces where a list of names has none.
            let is_example = |text: &&String| path.starts_with("cli/") && text.contains(' ');
            let in_texts = texts.iter().filter(|text| !is_example(text)).any(|text| names(text, agent));
            if names(&code, agent) || in_texts {
                found.insert((path.clone(), agent));
            }
        }
    }
    let excepted = EXCEPTIONS.iter().map(|(path, agent, _)| ((*path).to_owned(), *agent)).collect();
    assert_eq!(found, excepted, "places that name an agent, and those that may");
}

#[test]
fn the_configuration_and_the_records_find_every_agent() {
    for agent in AGENTS {
        let agent_type = agent.agent_type();
        assert_eq!(agent_types().of_name(agent_type.as_str()), Some(agent_type));
        assert_eq!(of_type(agent_type).agent_type(), agent_type);
        assert_eq!(of_word(agent_type.as_str()).map(Agent::agent_type), Some(agent_type));
        assert_eq!(agent.program() == Program::Any, agent_type.is_any_program(), "{agent_type}");
        assert_eq!(agent.login().is_some(), !agent_type.key_variables().is_empty(), "{agent_type}");
    }
    assert!(of_word("of the future").is_none());
}

#[test]
fn what_is_not_understood_is_kept_raw_and_says_why() {
    use RawReason::{CutOff, NotJson, TooLong, Unknown};
    let reason = |events: &[Event]| match events {
        [Event { kind: EventKind::Raw { reason, .. }, .. }] => Some(*reason),
        _ => None,
    };
    for dialect in AGENTS.iter().map(|agent| agent.dialect()) {
        let events = |line: &str| events_of_line(dialect, 100, line.len() as u64 + 1, line.as_bytes());
        if dialect == Dialect::Text {
            assert_eq!(events("words for people"), []);
            continue;
        }
        for (line, expected) in [
            ("words for people", NotJson),
            ("[1]", NotJson),
            ("{\"type\":\"result\"", NotJson),
            ("{}", Unknown),
            ("{\"type\":7}", Unknown),
            ("{\"type\":\"of the future\"}", Unknown),
        ] {
            assert_eq!(reason(&events(line)), Some(expected), "{dialect:?} {line}");
        }
        let half = b"{\"type\":\"res";
        assert_eq!(reason(&events_of_line(dialect, 0, half.len() as u64, half)), Some(CutOff));
        assert_eq!(reason(&events_of_line(dialect, 0, LONGEST_LINE + 1, half)), Some(TooLong));
        assert_eq!(events(" \r"), []);
    }
}

/// Whether a text has the name in it as a word, or as a part of an identifier.
fn names(text: &str, name: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// Returns a source up to its first module of tests, or of samples for tests.
fn without_tests(source: &str) -> &str {
    let is_module = |behind: &str| behind.lines().next().is_some_and(|line| line.ends_with('{'));
    let mark = "\n#[cfg(test)]\n";
    let end = source.match_indices(mark).find(|(at, _)| is_module(&source[at + mark.len()..]));
    &source[..end.map_or(source.len(), |(at, _)| at)]
}

/// The code without comments and texts, and the texts that stand in it.
fn taken_apart(source: &str) -> (String, Vec<String>) {
    let (mut code, mut texts) = (String::new(), Vec::new());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|r| r.trim_start_matches('#')).filter(|r| r.starts_with('"'));
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if let Some(body) = rest.strip_prefix("'\"'").or_else(|| rest.strip_prefix("'\\\"'")) {
            rest = body;
        } else if let Some(body) = raw {
            let end = format!("\"{}", "#".repeat(rest.len() - body.len() - 1));
            let length = body[1..].find(&end).expect("the end of a raw text");
            texts.push(body[1..=length].to_owned());
            rest = &body[1 + length + end.len()..];
        } else if let Some(body) = rest.strip_prefix('"') {
            let mut escaped = false;
            let is_end = |c: char| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            };
            let length = body.find(is_end).expect("the end of a text");
            texts.push(body[..length].to_owned());
            rest = &body[length + 1..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    (code, texts)
}

#[test]
fn a_source_is_taken_apart() {
    let source = "let a = \"b \\\" c\"; // d \"e\"\nf('\"', r#\"g \"h\" \"#);";
    let (code, texts) = taken_apart(source);
    assert_eq!(code, "let a = ; \nf(, );");
    assert_eq!(texts, ["b \\\" c", "g \"h\" "]);
    assert!(names("--agent claude", "claude") && names("claude_tools", "claude"));
    assert!(!names("claudette", "claude"));
}

/// Every source file: by its path below `src`, or by its crate and its path in the `src` of that crate.
fn sources() -> Vec<(String, String)> {
    fn walk(root: &Path, folder: &Path, name: &str, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, name, found);
            } else {
                let below = path.strip_prefix(root).expect("below the root").to_string_lossy();
                found.push((format!("{name}{below}"), fs::read_to_string(&path).expect("a UTF-8 source")));
            }
        }
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&here.join("src"), &here.join("src"), "", &mut found);
    for entry in fs::read_dir(here.join("crates")).expect("a folder of crates").flatten() {
        let root = entry.path().join("src");
        walk(&root, &root, &format!("{}/", entry.file_name().to_string_lossy()), &mut found);
    }
    found.sort();
    found
}
