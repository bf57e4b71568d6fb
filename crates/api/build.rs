//! Embeds the built browser UI (`ui/dist`, made by `npm run build` in `ui/`) into the binary.
//!
//! Without it the build works all the same, and `/ui/` explains how to add it.

#![expect(clippy::disallowed_methods, reason = "a build script reads the sources, not a tree of runs")]

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../ui/dist");
    let dist = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../ui/dist");
    // Cargo treats a missing folder as changed, each time, and would rebuild everything. If the sources are
    // read-only, the folder stays missing and that happens.
    let _ = fs::create_dir_all(&dist);
    let mut files = Vec::new();
    // An incomplete build of the UI is not embedded.
    if dist.join("index.html").is_file() {
        collect(&dist, "", &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for (name, path) in &files {
        // A file with a compressed copy is embedded only as that copy. It is unpacked for the few clients that cannot
        // read it.
        if name.strip_suffix(".gz").is_none()
            && files.binary_search_by(|f| f.0.as_str().cmp(&format!("{name}.gz"))).is_ok()
        {
            continue;
        }
        writeln!(list, "    ({name:?}, include_bytes!({:?})),", path.to_string_lossy())?;
    }
    list.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("ui_files.rs"), list)?;
    Ok(())
}

/// Lists the files below `dir` with their paths as in a URL.
fn collect(dir: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            println!("cargo:rerun-if-changed={}", entry.path().display());
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else {
            println!("cargo:rerun-if-changed={}", entry.path().display());
            files.push((name, entry.path()));
        }
    }
    Ok(())
}
