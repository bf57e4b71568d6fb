//! The path of the helper program, for every test that starts it.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The program built from `tests/helpers/helper`, next to the calling test.
///
/// `cargo test` and `cargo nextest run` build it unless they are told to build one test only. A missing or outdated
/// program fails the test.
pub fn helper() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a file");
    let target = test.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let program = target.join("examples/helper");
    let built = modified(&program).expect("no helper: cargo build --examples");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Cargo rebuilds examples with the library, whether or not they use it.
    for sources in ["tests/helpers/helper", "src", "crates"].map(|folder| here.join(folder)) {
        refuse_newer(&sources, built);
    }
    program
}

fn refuse_newer(folder: &Path, built: SystemTime) {
    for entry in std::fs::read_dir(folder).expect("sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            refuse_newer(&path, built);
        } else {
            let old = modified(&path).is_some_and(|changed| changed > built);
            assert!(!old, "{} has changed: cargo build --examples", path.display());
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// The scripted agent.
pub fn agent() -> PathBuf {
    helper()
}
