//! Where a helper program is, for every test that starts one.

use std::path::{Path, PathBuf};

/// The program built from `tests/helpers/<name>`, beside the test that asks.
///
/// `cargo test` and `cargo nextest run` build it unless they are told to build
/// one test only; a missing or outdated one is said, not run.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a file");
    let target = test.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let program = target.join("examples").join(name);
    let built = modified(&program).unwrap_or_else(|| panic!("no {name}: cargo build --examples"));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helpers").join(name);
    for source in std::fs::read_dir(sources).expect("its sources").flatten() {
        let old = modified(&source.path()).is_some_and(|changed| changed > built);
        assert!(!old, "{} has changed: cargo build --examples", source.path().display());
    }
    program
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    path.metadata().ok()?.modified().ok()
}
