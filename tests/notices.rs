//! THIRD-PARTY-NOTICES: the foreign packages in the programs, their licences, and the texts of these.
//!
//! The list comes from `cargo metadata` and `ui/package-lock.json`, the texts from the sources that cargo has fetched
//! and from `ui/node_modules`. If that folder is missing, the texts of the page's packages are taken as they are.
//! `CONDUCTOR_UPDATE_NOTICES=1 cargo test --test main notices` writes the file.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its sources has failed")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::common::Sandbox;

/// The platforms for which programs are built; deny.toml lists them, too.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

const HEAD: &str = "\
Third-party notices

The programs run-agent and conductor contain software of others: the Rust crates that are listed first, and in the page
that the daemon serves the npm packages that are listed behind them. Each list is followed by the licences' texts. Where
a licence may be chosen and MIT is among them, it is MIT. Between the two lists stands the data of others.
";
const RUST: &str = "\n======== Rust crates ========\n\n";
const DATA: &str = "\n======== Data ========\n\n";
const PAGE: &str = "\n======== Packages of the page ========\n\n";
const RULE: &str = "\n----------------------------------------\n";

/// The titles of MIT texts, which differ although the texts do not.
const TITLES: [&str; 4] = ["MIT License", "The MIT License", "The MIT License (MIT)", "MIT License (MIT)"];

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A contained package, and the folder of its files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
}

impl Package {
    fn line(&self) -> String {
        format!("{} {}: {}\n", self.name, self.version, self.licence)
    }

    /// Returns the files with its licences' texts. If MIT is one of several choices and has a file of its own, only
    /// that file.
    fn texts(&self) -> Vec<String> {
        let begins = ["licence", "license", "copying", "notice", "copyright", "unlicense"];
        let mut names: Vec<String> = fs::read_dir(&self.folder)
            .unwrap_or_else(|e| panic!("{}: {e}: run `cargo fetch --locked`", self.folder.display()))
            .flatten()
            .filter(|entry| entry.path().is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| begins.iter().any(|word| name.to_lowercase().starts_with(word)))
            .collect();
        names.sort();
        let either = !self.licence.contains(" AND ") && self.licence.contains("MIT");
        let is_mit = |name: &String| name.to_lowercase().contains("mit");
        if either && names.iter().any(is_mit) {
            names.retain(is_mit);
        }
        names.iter().map(|name| fs::read_to_string(self.folder.join(name)).unwrap()).collect()
    }
}

/// The crates that are linked into the programs.
fn crates() -> BTreeSet<Package> {
    let mut found = BTreeSet::new();
    for target in TARGETS {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--offline", "--locked", "--format-version=1", "--filter-platform", target])
            .current_dir(repository())
            .output()
            .unwrap();
        assert!(output.status.success(), "run `cargo fetch --locked`: {output:?}");
        let all: Value = serde_json::from_slice(&output.stdout).unwrap();
        found.extend(linked(&all));
    }
    found
}

/// The crates that a graph's root needs at run time, without those of this workspace.
fn linked(all: &Value) -> Vec<Package> {
    let by_id = |list: &Value| -> HashMap<String, Value> {
        let items = list.as_array().unwrap().iter();
        items.map(|item| (item["id"].as_str().unwrap().to_owned(), item.clone())).collect()
    };
    let (packages, nodes) = (by_id(&all["packages"]), by_id(&all["resolve"]["nodes"]));
    let root = all["resolve"]["root"].as_str().unwrap();
    let (mut seen, mut next) = (HashSet::new(), vec![root]);
    while let Some(id) = next.pop() {
        if !seen.insert(id) {
            continue;
        }
        for needed in nodes[id]["deps"].as_array().unwrap() {
            // `null` is the kind of a dependency that is neither for tests nor for build scripts.
            if needed["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null()) {
                next.push(needed["pkg"].as_str().unwrap());
            }
        }
    }
    for ours in all["workspace_members"].as_array().unwrap() {
        seen.remove(ours.as_str().unwrap());
    }
    let package = |id: &str| {
        let package = &packages[id];
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        Package {
            name: text("name"),
            version: text("version"),
            // An older way to write `OR`.
            licence: text("license").replace(" / ", " OR ").replace('/', " OR "),
            folder: Path::new(&text("manifest_path")).parent().unwrap().to_owned(),
        }
    };
    seen.into_iter().map(package).collect()
}

/// The packages with code that may be in the page.
fn page_packages() -> BTreeSet<Package> {
    let lock = fs::read_to_string(repository().join("ui/package-lock.json")).unwrap();
    let lock: Value = serde_json::from_str(&lock).unwrap();
    let mut found = BTreeSet::new();
    for (path, package) in lock["packages"].as_object().unwrap() {
        let Some((_, name)) = path.rsplit_once("node_modules/") else { continue };
        let is_for_work = ["dev", "devOptional", "optional", "peer"].iter().any(|key| package[key] == true);
        // Type declarations leave no code behind.
        if is_for_work || name.starts_with("@types/") {
            continue;
        }
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let licence = text("license").trim_matches(['(', ')']).to_owned();
        let folder = repository().join("ui").join(path);
        found.insert(Package { name: name.to_owned(), version: text("version"), licence, folder });
    }
    found
}

/// A licence text without the lines that differ between packages, and those lines.
#[derive(Debug, Default)]
struct Text {
    /// The text as one of the packages has it.
    words: String,
    /// The packages with this text, and their copyright lines.
    of: Vec<(String, Vec<String>)>,
}

/// Adds a text to the texts with the same words, however their lines are broken.
fn add(texts: &mut BTreeMap<String, Text>, package: &Package, whole: &str) {
    let (mut copyright, mut rest) = (Vec::new(), Vec::new());
    for line in whole.lines().map(str::trim_end) {
        let bare = line.trim();
        let is_of_the_licence = bare.contains("[yyyy]") || bare.contains("{yyyy}") || bare.contains("<year>");
        if bare.starts_with("Copyright ") && !is_of_the_licence {
            copyright.push(bare.to_owned());
        } else if !(TITLES.contains(&bare) && rest.iter().all(|l: &&str| l.is_empty())) {
            rest.push(line);
        }
    }
    let words = rest.join("\n").trim_matches('\n').to_owned();
    let same = words.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let text = texts.entry(same).or_insert_with(|| Text { words, of: Vec::new() });
    text.of.push((format!("{} {}", package.name, package.version), copyright));
}

/// The list of packages, and their texts, each once.
fn notices(packages: &BTreeSet<Package>) -> String {
    let mut parts: Vec<String> = packages.iter().map(Package::line).collect();
    let mut texts = BTreeMap::new();
    for package in packages {
        let found = package.texts();
        if found.is_empty() {
            parts.push(format!("\n{} has no text of its licence beside it.\n", package.name));
        }
        for whole in &found {
            add(&mut texts, package, whole);
        }
    }
    let mut texts: Vec<Text> = texts.into_values().collect();
    // The most frequent text comes first; ties are sorted by name.
    texts.sort_by(|a, b| b.of.len().cmp(&a.of.len()).then_with(|| a.of.cmp(&b.of)));
    for Text { words, of } in texts {
        parts.push(RULE.to_owned());
        for (name, copyright) in of {
            parts.push(format!("{name}\n"));
            parts.extend(copyright.iter().map(|line| format!("    {line}\n")));
        }
        parts.push(format!("\n{words}\n"));
    }
    parts.concat()
}

/// The rule set by which secrets are recognized, with its licence: `scripts/secret-rules`.
fn data() -> String {
    let file = repository().join("crates/base/src/telemetry/secret-rules.json");
    let rules: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let text = |key: &str| rules[key].as_str().unwrap().to_owned();
    format!("Betterleaks, rules for secrets, from {}: MIT\n{RULE}{}", text("source"), text("licence"))
}

#[test]
fn the_notices_are_those_of_what_is_contained() {
    let file = repository().join("THIRD-PARTY-NOTICES");
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let kept_page = kept.split_once(PAGE).map(|(_, page)| page.to_owned()).unwrap_or_default();
    let packages = page_packages();
    let installed = packages.iter().all(|package| package.folder.is_dir());
    let page = if installed { notices(&packages) } else { kept_page };
    let whole = [HEAD, RUST, &notices(&crates()), DATA, &data(), PAGE, &page].concat();
    if std::env::var_os("CONDUCTOR_UPDATE_NOTICES").is_some() {
        fs::write(&file, &whole).unwrap();
        return;
    }
    let how = "CONDUCTOR_UPDATE_NOTICES=1 cargo test --test main notices writes it";
    let differs = kept.lines().zip(whole.lines()).find(|(a, b)| a != b);
    assert!(kept == whole, "{} is out of date: {how}; first difference: {differs:?}", file.display());
    // The list can be checked without the packages themselves.
    let list: String = packages.iter().map(Package::line).collect();
    assert!(page.starts_with(&list), "the packages of the page are others: npm ci in ui/, then {how}");
}

#[test]
fn the_programs_show_their_licences() {
    let shown = Sandbox::new().run("version --licenses").succeeds();
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY-NOTICES"] {
        let text = fs::read_to_string(repository().join(file)).unwrap();
        assert!(text.len() > 500 && shown.contains(text.trim()), "{file} is not shown");
    }
    let own = Sandbox::new().run("version").succeeds();
    assert_eq!(own, format!("run-agent {}\n", env!("CARGO_PKG_VERSION")));
}

/// A released version has its section, above the older ones and below the unreleased changes.
#[test]
fn the_changelog_has_a_section_for_this_version() {
    let text = fs::read_to_string(repository().join("CHANGELOG.md")).unwrap();
    let heads: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(heads.first(), Some(&"Unreleased"), "{heads:?}");
    let newest = heads[1].split_once(" - ").unwrap_or_else(|| panic!("VERSION - DATE: {heads:?}"));
    assert_eq!(newest.0, env!("CARGO_PKG_VERSION"), "{heads:?}");
    for (version, date) in heads[1..].iter().map(|head| head.split_once(" - ").unwrap()) {
        assert!(version.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3, "{version}");
        assert!(chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok(), "{version} - {date}");
    }
}
