//! The language of a file, by its name or its first line.

/// Text in an unknown language.
pub const OTHER: &str = "other text";
/// A file that is not text; its lines are not counted.
pub const BINARY: &str = "binary";

/// File names that determine the language, lower-case.
const NAMES: &[(&str, &str)] = &[
    ("cargo.lock", "lock file"),
    ("cmakelists.txt", "CMake"),
    ("containerfile", "Dockerfile"),
    ("dockerfile", "Dockerfile"),
    ("gnumakefile", "Make"),
    ("go.sum", "lock file"),
    ("justfile", "Just"),
    ("makefile", "Make"),
    ("package-lock.json", "lock file"),
    ("pnpm-lock.yaml", "lock file"),
    ("poetry.lock", "lock file"),
    ("uv.lock", "lock file"),
    ("yarn.lock", "lock file"),
];

/// Extensions, lower-case.
const EXTENSIONS: &[(&str, &str)] = &[
    ("bash", "Shell"),
    ("c", "C"),
    ("cc", "C++"),
    ("cjs", "JavaScript"),
    ("cpp", "C++"),
    ("cs", "C#"),
    ("css", "CSS"),
    ("cxx", "C++"),
    ("go", "Go"),
    ("h", "C"),
    ("hpp", "C++"),
    ("htm", "HTML"),
    ("html", "HTML"),
    ("java", "Java"),
    ("js", "JavaScript"),
    ("json", "JSON"),
    ("jsonl", "JSON"),
    ("jsx", "JavaScript"),
    ("kt", "Kotlin"),
    ("kts", "Kotlin"),
    ("less", "CSS"),
    ("lua", "Lua"),
    ("md", "Markdown"),
    ("mjs", "JavaScript"),
    ("php", "PHP"),
    ("pl", "Perl"),
    ("proto", "Protobuf"),
    ("py", "Python"),
    ("rb", "Ruby"),
    ("rs", "Rust"),
    ("scala", "Scala"),
    ("scss", "CSS"),
    ("sh", "Shell"),
    ("sql", "SQL"),
    ("svelte", "Svelte"),
    ("swift", "Swift"),
    ("toml", "TOML"),
    ("ts", "TypeScript"),
    ("tsx", "TypeScript"),
    ("vue", "Vue"),
    ("xml", "XML"),
    ("yaml", "YAML"),
    ("yml", "YAML"),
    ("zig", "Zig"),
    ("zsh", "Shell"),
];

/// Programs that a first line may name, with their languages.
const INTERPRETERS: &[(&str, &str)] = &[
    ("bash", "Shell"),
    ("dash", "Shell"),
    ("node", "JavaScript"),
    ("perl", "Perl"),
    ("python", "Python"),
    ("python3", "Python"),
    ("ruby", "Ruby"),
    ("sh", "Shell"),
    ("zsh", "Shell"),
];

/// Returns the language of a file with this name and these first bytes.
pub fn of(name: &str, head: &[u8]) -> &'static str {
    if head.contains(&0) {
        return BINARY;
    }
    let name = name.to_lowercase();
    look_up(NAMES, &name)
        .or_else(|| look_up(EXTENSIONS, name.rsplit_once('.')?.1))
        .or_else(|| look_up(INTERPRETERS, interpreter(head)?))
        .unwrap_or(OTHER)
}

/// Returns the language with this name, in any case of letters.
pub fn called(word: &str) -> Option<&'static str> {
    EXTENSIONS.iter().map(|(_, language)| *language).find(|language| language.eq_ignore_ascii_case(word))
}

/// Returns the program that a `#!` line names.
fn interpreter(head: &[u8]) -> Option<&str> {
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_whitespace();
    let program = words.next()?.rsplit('/').next()?;
    if program == "env" { words.find(|word| !word.starts_with('-')) } else { Some(program) }
}

fn look_up(table: &[(&str, &'static str)], key: &str) -> Option<&'static str> {
    table.iter().find(|(k, _)| *k == key).map(|(_, language)| *language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_first_lines_tell_the_language() {
        for (name, head, language) in [
            ("main.rs", "", "Rust"),
            ("Main.RS", "", "Rust"),
            ("Cargo.lock", "", "lock file"),
            ("Makefile", "", "Make"),
            ("run", "#!/usr/bin/env bash\nset -e", "Shell"),
            ("run", "#!/usr/bin/env -S python3 -u\n", "Python"),
            ("run", "#!/bin/sh", "Shell"),
            ("run", "#!", OTHER),
            ("LICENSE", "MIT", OTHER),
            (".gitignore", "/target", OTHER),
            ("fake.py", "a\0b", BINARY),
        ] {
            assert_eq!(of(name, head.as_bytes()), language, "{name} {head:?}");
        }
        assert_eq!(called("rust"), Some("Rust"));
        assert_eq!(called("lines"), None);
    }
}
