//! Checks the source tree against its own map: floors, imports, cycles, headers, file size.

#![expect(clippy::expect_used, reason = "a test that cannot read the sources has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// One row of the floor plan: a crate, the floor it stands on, and the crates of ours that it may depend on.
struct Crate {
    floor: u8,
    name: &'static str,
    may: &'static [&'static str],
}

const fn crate_on(floor: u8, name: &'static str, may: &'static [&'static str]) -> Crate {
    Crate { floor, name, may }
}

/// The floor plan. A crate depends only on crates of lower floors, or on those before it on floor 3. The compiler holds
/// what the manifests say; this table holds the manifests.
#[rustfmt::skip]
const CRATES: &[Crate] = &[
    crate_on(0, "base", &[]),
    crate_on(1, "process", &["base"]),
    crate_on(2, "tree", &["base"]),
    crate_on(3, "config", &["base", "tree"]),
    // The demo agent is a process of its own and works in its folder like any agent.
    crate_on(3, "agents", &["base", "process", "tree", "config"]),
    crate_on(3, "view", &["base", "process", "tree", "agents"]),
    crate_on(4, "sessions", &["base", "tree"]),
    crate_on(5, "engine", &["base", "process", "tree", "config", "agents", "view", "sessions"]),
    crate_on(6, "daemon", &["base", "process", "tree", "config", "agents", "view", "engine", "web"]),
    crate_on(4, "web", &["base"]),
    crate_on(8, "api", &["base", "tree", "config", "view", "engine", "daemon", "web"]),
    // The shell. It reads files that a person names, and shows those of a run: hence base.
    crate_on(9, "run-agent", &["base", "process", "tree", "config", "agents", "view", "engine", "daemon", "web", "api"]),
];
/// The modules that share a crate and the floor plan of their own: each may name those before it only where it says so.
const NEIGHBOURS: &[(&str, &[&str])] = &[
    ("tree::transcript", &["tree"]),
    ("tree::archive", &["tree"]),
    ("view::watch", &[]),
    ("engine::import", &[]),
    ("engine::planner", &[]),
    ("engine::runner", &["engine::planner"]),
    ("engine::automations", &["engine::runner", "engine::planner"]),
];
/// Lines of a file above its `#[cfg(test)]` module.
const MAX_LINES: usize = 400;
/// Lines of a `mod.rs`, which declares, re-exports, explains, and may hold the type that the module is named for.
const MAX_MOD_LINES: usize = 120;

type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_file_has_a_header_and_fits() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().take_while(|l| l.trim() != "#[cfg(test)]").count();
        let allowed = if path.ends_with("mod.rs") { MAX_MOD_LINES } else { MAX_LINES };
        if !text.starts_with("//!") {
            wrong.push(format!("{path}: first line is not a `//!` header"));
        }
        if lines > allowed {
            wrong.push(format!("{path}: {lines} lines, {allowed} allowed"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_floor_plan_only_points_down() {
    for (at, row) in CRATES.iter().enumerate() {
        for other in row.may {
            let is_below = |(n, c): (usize, &Crate)| {
                c.name == *other && (c.floor < row.floor || (row.floor == 3 && c.floor == 3 && n < at))
            };
            let below = CRATES.iter().enumerate().any(is_below);
            assert!(below, "{} may depend on {other}, which does not stand on a lower floor", row.name);
        }
    }
}

#[test]
fn the_manifests_follow_the_floor_plan() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for folder in crate_folders() {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        let name = crate_name(&folder);
        let Some(row) = CRATES.iter().find(|c| c.name == name) else {
            wrong.push(format!("{name} is not in CRATES"));
            continue;
        };
        seen.insert(row.name);
        for other in dependencies(&manifest).filter(|d| CRATES.iter().any(|c| c.name == *d)) {
            if !row.may.contains(&other) {
                wrong.push(format!("{name} depends on {other}, which the floor plan does not allow"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen.len(), CRATES.len(), "crates that exist: {seen:?}");
}

/// The names under `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let section =
        manifest.split("\n[").find_map(|part| part.strip_prefix("dependencies]\n")).unwrap_or_default();
    section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty())
}

#[test]
fn modules_that_share_a_crate_keep_apart() {
    let mut wrong = Vec::new();
    let (sources, imports) = (sources(), imports());
    let crate_roots: BTreeSet<&str> = CRATES.iter().map(|c| c.name).collect();
    // A unit of a crate: one of NEIGHBOURS, or else the crate's root with all the rest.
    let unit = |file: &str| {
        let named =
            NEIGHBOURS.iter().find(|(name, _)| file == *name || file.starts_with(&format!("{name}::")));
        named.map_or_else(
            || file.split("::").next().unwrap_or_default().to_owned(),
            |(name, _)| (*name).to_owned(),
        )
    };
    for (file, imports) in &imports {
        let own = unit(file);
        for to in imports.iter().map(|i| unit(i)).filter(|to| *to != own) {
            let may = NEIGHBOURS.iter().find(|(name, _)| *name == own).map(|(_, may)| *may);
            let allowed = match may {
                Some(may) => may.contains(&to.as_str()),
                // The root of a crate stands below the modules that share its crate.
                None => crate_roots.contains(to.as_str()),
            };
            if !allowed {
                wrong.push(format!("{file} imports {to}, which {own} may not"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, _) in NEIGHBOURS {
        assert!(sources.iter().any(|(path, _)| module(path) == *name), "there is no module {name}");
    }
}

/// Words that are the name of a file and have another meaning as well, with the file that has that meaning.
const NO_NAME_THERE: &[(&str, &str)] = &[("run-agent/cli/monitor/verb.rs", "DONE")];

#[test]
fn only_one_file_spells_the_names_of_files() {
    let sources = sources();
    let (_, spelled) = sources.iter().find(|(path, _)| path == "base/names.rs").expect("base/names.rs");
    let names: BTreeSet<&str> = literals(spelled).collect();
    assert!(names.len() > 40 && names.contains("run-info.yaml"), "{names:?}");
    let mut wrong = Vec::new();
    for (path, text) in sources.iter().filter(|(path, _)| path != "base/names.rs") {
        let text = code(text.split("#[cfg(test)]").next().unwrap_or_default());
        for name in literals(&text).filter(|l| names.contains(l)) {
            // A plain word means the file only if it becomes part of a path.
            let is_word = name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let joined = text.contains(&format!("join(\"{name}\")"));
            if (!is_word || joined) && !NO_NAME_THERE.contains(&(path.as_str(), name)) {
                wrong.push(format!("{path} spells \"{name}\": take it from `names`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The string literals of a piece of code that stand on one line and have no escapes.
fn literals(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter(|l| !l.trim().starts_with("//")).flat_map(|line| line.split('"').skip(1).step_by(2))
}

#[test]
fn no_two_files_import_each_other() {
    // Tests may use anything of their module.
    let without_tests = |(path, text): (String, String)| {
        let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned();
        (path, text)
    };
    let imports = imports_of(&sources().into_iter().map(without_tests).collect::<Vec<_>>());
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

/// Maps the module path of each file to the known module paths that it names.
///
/// The body of a `mod.rs` counts as a file: naming an item of it is naming the `mod.rs`, and the body names each of its
/// children that it calls. Declarations and re-exports alone do not count, since they run nothing.
fn imports() -> Imports {
    imports_of(&sources())
}

fn imports_of(sources: &[(String, String)]) -> Imports {
    let known: BTreeSet<String> = sources.iter().map(|(p, _)| module(p)).collect();
    let reexports = reexports(sources);
    let mut all = Imports::new();
    for (path, text) in sources {
        let (own, code) = (module(path), code(text));
        let named = named_paths(&code).into_iter().filter_map(|name| resolve(&own, &name));
        let children = if path.ends_with("/mod.rs") { named_children(&code) } else { Vec::new() };
        let children = children.into_iter().map(|name| format!("{own}::{name}"));
        let found = all.entry(own.clone()).or_default();
        for name in named.chain(children) {
            let target = file_of(&name, &known, &reexports);
            // A path that ends at a module above its file names no item of that module's body.
            let is_path_only = target == name && own.starts_with(&format!("{target}::"));
            if known.contains(&target) && target != own && !target.is_empty() && !is_path_only {
                found.insert(target);
            }
        }
    }
    all
}

/// The module of the file that has the item of this path.
fn file_of(path: &str, known: &BTreeSet<String>, reexports: &BTreeMap<String, String>) -> String {
    let mut target = path.trim_end_matches(':').to_owned();
    let mut followed = BTreeSet::new();
    loop {
        match reexports.get(&target) {
            // A module and its item may have one name.
            Some(origin) if followed.insert(target.clone()) => target.clone_from(origin),
            _ if known.contains(&target) || !target.contains("::") => return target,
            _ => target.truncate(target.rfind("::").unwrap_or(0)),
        }
    }
}

/// The paths through children of a `mod.rs` that its body names, re-exports left out.
fn named_children(code: &str) -> Vec<String> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let children: Vec<String> = code
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';')?.split_once("mod "))
        .filter(|(visibility, _)| visibility.is_empty() || visibility.starts_with("pub"))
        .map(|(_, child)| format!("{child}::"))
        .collect();
    let mut body = String::new();
    let mut rest = code;
    while let Some((at, _)) = rest.match_indices("use ").find(|(at, _)| is_reexport(&rest[..*at])) {
        body.push_str(&rest[..at]);
        rest = rest[at..].split_once(';').map_or("", |(_, behind)| behind);
    }
    body.push_str(rest);
    let mut out = Vec::new();
    for child in &children {
        for (at, _) in body.match_indices(child.as_str()) {
            if !body[..at].ends_with(word) {
                spread(&mut &body[at..], "", &mut out);
            }
        }
    }
    out
}

/// Maps the re-exports of each `mod.rs` to its own files, so that naming one there counts as naming the file.
fn reexports(sources: &[(String, String)]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (path, text) in sources.iter().filter(|(path, _)| path.ends_with("/mod.rs")) {
        let (own, code) = (module(path), code(text));
        let children: Vec<&str> = code
            .lines()
            .filter_map(|l| l.trim().strip_suffix(';')?.rsplit_once("mod "))
            .map(|(_, c)| c)
            .collect();
        for line_start in code.match_indices("use ").map(|(at, _)| at).filter(|at| is_reexport(&code[..*at]))
        {
            let mut names = Vec::new();
            spread(&mut &code[line_start + "use ".len()..], "", &mut names);
            for name in &names {
                let first = name.split("::").next().unwrap_or_default();
                let alias = format!("{own}::{}", name.rsplit("::").next().unwrap_or(name));
                if children.contains(&first) {
                    all.insert(alias, format!("{own}::{name}"));
                }
            }
        }
    }
    all
}

/// Returns true if a `use` behind this text is public, to all or to some.
fn is_reexport(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default().trim();
    line == "pub" || (line.starts_with("pub(") && line.ends_with(')'))
}

/// The text without full-line comments.
fn code(text: &str) -> String {
    text.lines().filter(|l| !l.trim().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every `crate::…` and `super::…` path in the text, with `{a, b::{c}}` expanded.
fn named_paths(code: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = code;
    while let Some(at) = ["crate::", "super::"].iter().filter_map(|k| rest.find(k)).min() {
        rest = &rest[at..];
        spread(&mut rest, "", &mut out);
    }
    out
}

/// Reads one path at the start of `rest`; each name in its braces becomes a path of its own.
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
        if rest.starts_with('}') {
            break;
        }
        spread(rest, &path, out);
        let next = rest.find([',', '}']).unwrap_or(rest.len());
        *rest = &rest[next..];
    }
    *rest = rest.get(1..).unwrap_or("");
}

/// Resolves a path named in `own` to a module path from the crate root.
fn resolve(own: &str, name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("crate::") {
        return Some(format!("{}::{rest}", own.split("::").next().unwrap_or_default()));
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
    path.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::")
}

/// The folders of all crates: those below `crates/`, and the `run-agent` crate on top.
fn crate_folders() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let below =
        fs::read_dir(top.join("crates")).expect("a folder of crates").flatten().map(|entry| entry.path());
    below.chain([top.to_owned()]).filter(|folder| folder.join("Cargo.toml").is_file()).collect()
}

fn crate_name(folder: &Path) -> String {
    let is_top = folder == Path::new(env!("CARGO_MANIFEST_DIR"));
    if is_top {
        "run-agent".to_owned()
    } else {
        folder.file_name().expect("a name").to_string_lossy().into_owned()
    }
}

/// All source files with their texts, each as CRATE/PATH. The root of a library counts as the `mod.rs` of its crate.
fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("readable source folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                out.push(path);
            }
        }
    }
    let mut sources = Vec::new();
    for folder in crate_folders() {
        let (name, root) = (crate_name(&folder), folder.join("src"));
        let mut files = Vec::new();
        walk(&root, &mut files);
        for file in files {
            let text = fs::read_to_string(&file).expect("utf-8 source");
            let path = file.strip_prefix(&root).expect("under src").to_string_lossy().replace('\\', "/");
            let path = if path == "lib.rs" { "mod.rs".to_owned() } else { path };
            sources.push((format!("{name}/{path}"), text));
        }
    }
    sources.sort();
    sources
}

#[test]
fn grouped_paths_are_spread_out() {
    let code = "use crate::{\n tree::{ids::RunId, bus},\n fsx,\n}; let a = super::super::x::y();";
    assert_eq!(
        named_paths(code),
        ["crate::tree::ids::RunId", "crate::tree::bus", "crate::fsx", "super::super::x::y"],
    );
}

#[test]
fn the_body_of_a_module_is_a_file_of_its_own() {
    let sources = [
        ("a/mod.rs", "mod b;\nmod c;\npub use b::B;\npub(super) use c::c;\nstruct A;\nfn f() { b::g() }"),
        ("a/b.rs", "use super::A;"),
        ("a/c.rs", "use super::B;"),
        ("a/d.rs", "use crate::{c, A};"),
    ];
    let sources = sources.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let of = |file: &str| imports_of(&sources)[file].iter().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!([of("a"), of("a::b"), of("a::c"), of("a::d")], ["a::b", "a", "a::b", "a a::c"]);
}
