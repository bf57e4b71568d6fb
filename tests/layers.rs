//! Holds the source tree to its own map: imports, cycles, headers, file size.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Each module and what it may import beside itself. A module may only name
/// modules that stand above it in this table, so the table cannot hold a cycle.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Floor 0, ground.
    ("fsx", &[]),
    ("clock", &[]),
    ("shutdown", &[]),
    ("telemetry", &[]),
    // Floor 1, facts.
    ("tree", &["fsx", "clock"]),
    // Floor 2, instruments.
    ("config", &["fsx", "telemetry", "tree"]),
    ("process", &["fsx", "clock", "shutdown", "telemetry"]),
    ("watch", &["fsx", "clock", "shutdown", "telemetry", "tree"]),
    // Floor 3, lenses.
    ("agents", &["tree", "config", "process"]),
    ("view", &["clock", "tree", "process", "watch"]),
    // Floor 4, engines.
    (
        "runner",
        &["fsx", "clock", "shutdown", "telemetry", "tree", "config", "process", "watch", "agents", "view"],
    ),
    ("planner", &["fsx", "clock", "shutdown", "telemetry", "tree", "config", "view"]),
    ("approvals", &["fsx", "clock", "shutdown", "telemetry", "tree", "config"]),
    // Floor 5, services.
    (
        "automations",
        &["fsx", "clock", "shutdown", "telemetry", "tree", "config", "watch", "view", "runner", "planner"],
    ),
    // Floor 6, assembly.
    (
        "daemon",
        &[
            "fsx",
            "clock",
            "shutdown",
            "telemetry",
            "tree",
            "config",
            "process",
            "watch",
            "agents",
            "view",
            "runner",
            "planner",
            "approvals",
            "automations",
        ],
    ),
    // Floor 7, door.
    (
        "http",
        &[
            "shutdown",
            "telemetry",
            "tree",
            "watch",
            "view",
            "runner",
            "planner",
            "approvals",
            "automations",
            "daemon",
        ],
    ),
    // Floor 8, other systems' dialects.
    ("faces", &["shutdown", "telemetry", "tree", "watch", "view", "approvals", "daemon", "http"]),
    // Floor 9, shell.
    (
        "cli",
        &[
            "clock",
            "shutdown",
            "telemetry",
            "tree",
            "config",
            "process",
            "watch",
            "agents",
            "view",
            "runner",
            "planner",
            "automations",
            "daemon",
            "http",
            "faces",
        ],
    ),
];
/// Lines of a file above its `#[cfg(test)]` module.
const MAX_LINES: usize = 400;

type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_file_has_a_header_and_fits() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().take_while(|l| l.trim() != "#[cfg(test)]").count();
        if !text.starts_with("//!") {
            wrong.push(format!("{path}: first line is not a `//!` header"));
        }
        if lines > MAX_LINES {
            wrong.push(format!("{path}: {lines} lines, {MAX_LINES} allowed"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_only_points_up_the_page() {
    for (at, (module, may)) in MAY_IMPORT.iter().enumerate() {
        for other in *may {
            let known = MAY_IMPORT[..at].iter().any(|(m, _)| m == other);
            assert!(known, "{module} may import {other}, which does not stand above it");
        }
    }
}

#[test]
fn imports_are_in_the_table() {
    let mut wrong = Vec::new();
    for (file, imports) in imports() {
        let Some(own) = file.split("::").next().filter(|m| !m.is_empty()) else { continue };
        let Some((_, may)) = MAY_IMPORT.iter().find(|(m, _)| *m == own) else {
            wrong.push(format!("{own} is not in MAY_IMPORT"));
            continue;
        };
        for to in imports.iter().filter_map(|i| i.split("::").next()) {
            if to != own && !may.contains(&to) {
                wrong.push(format!("{file} imports {to}, which {own} may not"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_two_files_import_each_other() {
    let imports = imports();
    for start in imports.keys() {
        let mut seen = BTreeSet::new();
        let mut todo = vec![start];
        while let Some(at) = todo.pop() {
            for next in imports.get(at).into_iter().flatten() {
                assert!(next != start, "{start} reaches itself through {at}");
                if seen.insert(next) {
                    todo.push(next);
                }
            }
        }
    }
}

/// Module path of each file to the known module paths it names.
fn imports() -> Imports {
    let sources = sources();
    let known: BTreeSet<String> = sources.iter().map(|(p, _)| module(p)).collect();
    let mut all = Imports::new();
    for (path, text) in &sources {
        let own = module(path);
        let code: Vec<&str> = text.lines().filter(|l| !l.trim().starts_with("//")).collect();
        let found = all.entry(own.clone()).or_default();
        for name in named_paths(&code.join("\n")) {
            let Some(mut target) = resolve(&own, &name) else { continue };
            while !known.contains(&target) && target.contains("::") {
                target.truncate(target.rfind("::").unwrap_or(0));
            }
            let above_us = own == target || own.starts_with(&format!("{target}::"));
            if known.contains(&target) && !above_us {
                found.insert(target);
            }
        }
    }
    all
}

/// Every `crate::…` and `super::…` path in the text, with `{a, b::{c}}` spread out.
fn named_paths(code: &str) -> Vec<String> {
    fn spread(rest: &mut &str, prefix: &str, out: &mut Vec<String>) {
        let part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let path = format!("{prefix}{}", &rest[..end]);
        *rest = &rest[end..];
        if !(path.ends_with("::") && rest.starts_with('{')) {
            out.push(path);
            return;
        }
        while !rest.starts_with('}') && rest.len() > 1 {
            *rest = rest[1..].trim_start();
            spread(rest, &path, out);
            let next = rest.find([',', '}']).unwrap_or(rest.len());
            *rest = &rest[next..];
        }
        *rest = rest.get(1..).unwrap_or("");
    }
    let mut out = Vec::new();
    let mut rest = code;
    while let Some(at) = ["crate::", "super::", "run_agent::"].iter().filter_map(|k| rest.find(k)).min() {
        rest = &rest[at..];
        spread(&mut rest, "", &mut out);
    }
    out
}

/// A named path as a module path from the crate root, as seen from `own`.
fn resolve(own: &str, name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("crate::").or(name.strip_prefix("run_agent::")) {
        return Some(rest.to_owned());
    }
    let mut base: Vec<&str> = own.split("::").collect();
    let mut rest = name;
    while let Some(r) = rest.strip_prefix("super::") {
        base.pop();
        rest = r;
    }
    (rest.len() < name.len()).then(|| {
        base.push(rest);
        base.join("::")
    })
}

fn module(path: &str) -> String {
    let p = path.trim_end_matches(".rs").trim_end_matches("/mod");
    if p == "lib" || p == "main" { String::new() } else { p.replace('/', "::") }
}

fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("readable source folder").flatten() {
            let path = entry.path();
            if path.is_dir() { walk(&path, out) } else { out.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|p| {
            let text = fs::read_to_string(&p).expect("utf-8 source");
            let name = p.strip_prefix(&root).expect("under src").to_string_lossy().replace('\\', "/");
            (name, text)
        })
        .collect()
}

#[test]
fn grouped_paths_are_spread_out() {
    let code = "use crate::{tree::{ids::RunId, bus}, fsx}; let a = super::super::x::y();";
    assert_eq!(
        named_paths(code),
        ["crate::tree::ids::RunId", "crate::tree::bus", "crate::fsx", "super::super::x::y"],
    );
}
