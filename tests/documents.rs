//! The pages for users: the commands in them exist, and their links resolve.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Parser, error::ErrorKind};
use run_agent::cli::Cli;

use crate::common::shell::calls;

/// Folders with pages of other projects.
const FOREIGN: [&str; 6] = ["target", "node_modules", ".git", "fixtures", "dist", "fuzz"];

/// A verb that the program handles before its command line is parsed, and the placeholder for any verb.
const UNPARSED: [&str; 2] = ["shim", "VERB"];

/// The page about the past. Its commands need not exist any more.
const HISTORY: &str = "CHANGELOG.md";

/// Returns every page, by its path.
fn pages() -> BTreeMap<PathBuf, String> {
    let (mut pages, mut todo) = (BTreeMap::new(), vec![PathBuf::from(env!("CARGO_MANIFEST_DIR"))]);
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !FOREIGN.contains(&name.as_str()) {
                todo.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                let text = std::fs::read_to_string(&path).unwrap();
                pages.insert(path, text);
            }
        }
    }
    pages
}

/// Splits a page into lines of code blocks, and everything else.
fn parts(page: &str) -> (Vec<String>, Vec<&str>) {
    let (mut code, mut prose, mut fenced, mut blank) = (Vec::<String>::new(), Vec::new(), false, true);
    let mut indented = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        indented = line.starts_with("    ") && (indented || blank);
        blank = line.trim().is_empty();
        if !fenced && !indented {
            prose.push(line);
            continue;
        }
        match code.last_mut().filter(|last| last.ends_with('\\')) {
            Some(last) => {
                last.pop();
                last.push_str(line.trim());
            }
            None => code.push(line.trim().to_owned()),
        }
    }
    (code, prose)
}

/// Returns the pieces between backticks.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// A line of code without its prompt and its comment.
fn command(line: &str) -> &str {
    let line = line.strip_prefix("$ ").unwrap_or(line);
    line.split(" #").next().unwrap_or_default().trim_end()
}

fn problem(call: &[String]) -> Option<clap::Error> {
    // A page writes `…` for arguments that may follow.
    let call = call.strip_suffix(&["…".to_owned()]).unwrap_or(call);
    if call.get(1).is_some_and(|verb| UNPARSED.contains(&verb.as_str())) {
        return None;
    }
    Cli::try_parse_from(call).err()
}

#[test]
fn every_command_that_a_page_shows_parses() {
    let (mut wrong, mut commands) = (Vec::new(), 0);
    for (path, page) in pages().into_iter().filter(|(path, _)| !path.ends_with(HISTORY)) {
        let (code, prose) = parts(&page);
        let diagram = |line: &&String| line.contains('─') || line.contains('│');
        for call in code.iter().filter(|line| !diagram(line)).flat_map(|line| calls(command(line))) {
            commands += 1;
            if let Some(error) = problem(&call) {
                wrong.push(format!("{}: {}\n{error}", path.display(), call.join(" ")));
            }
        }
        // A command in a sentence may be incomplete, but its verbs and flags must exist.
        let left_out = [
            ErrorKind::MissingRequiredArgument,
            ErrorKind::MissingSubcommand,
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            ErrorKind::DisplayHelp,
            ErrorKind::DisplayVersion,
        ];
        for span in prose.iter().flat_map(|line| spans(line)).filter(|span| span.starts_with("run-agent ")) {
            for call in calls(&span.replace("\\|", "|")) {
                commands += 1;
                if let Some(error) = problem(&call).filter(|e| !left_out.contains(&e.kind())) {
                    wrong.push(format!("{}: `{span}`\n{error}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(commands > 60, "only {commands} commands were found");
}

/// Words that hide the actor: a page names the driver, the daemon, the caller, the user.
const RIDDLES: [&str; 5] = ["whoever", "whom", "nobody", "somebody", "everybody"];

#[test]
fn pages_name_the_actor() {
    let mut wrong = Vec::new();
    for (path, page) in pages().into_iter().filter(|(path, _)| !path.ends_with(HISTORY)) {
        for line in parts(&page).1 {
            // Code may hold the name of a test, which is a sentence of its own.
            let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ").to_lowercase();
            let found = prose.split(|c: char| !c.is_alphanumeric()).find(|word| RIDDLES.contains(word));
            wrong.extend(found.map(|word| format!("{}: '{word}' in: {line}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The targets of the links and pictures of a page.
fn links(page: &str) -> Vec<String> {
    let (_, prose) = parts(page);
    let mut links = Vec::new();
    for line in prose {
        links.extend(line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()));
        for attribute in ["src=\"", "srcset=\"", "href=\""] {
            links.extend(line.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()));
        }
    }
    links
        .into_iter()
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        .map(str::to_owned)
        .collect()
}

/// Returns the anchors of a page's headings, as code forges make them.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let name = |line: &str| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(name).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let pages = pages();
    let (mut wrong, mut found) = (Vec::new(), 0);
    for (path, page) in &pages {
        for link in links(page) {
            found += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let there = std::fs::canonicalize(&target).ok();
            let text = there.as_ref().and_then(|there| pages.get(Path::new(there)));
            let known =
                anchor.is_empty() || text.is_some_and(|page| anchors(page).iter().any(|a| a == anchor));
            if there.is_none() || !known {
                wrong.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found > 20, "only {found} links were found");
}
