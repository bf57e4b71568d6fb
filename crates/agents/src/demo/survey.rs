//! Surveys a tree of files: counts by language, within limits, without following links.

use std::{collections::BTreeMap, ops::AddAssign};

use super::language;
use base::fsx::{EntryKind, FsError, RelPath, Root};

/// Folders with generated or foreign files: skipped within a survey, but surveyed if the prompt names them.
pub const LEFT_OUT: &[&str] =
    &[".cache", ".git", ".hg", ".idea", ".svn", ".venv", "__pycache__", "node_modules", "target"];
/// Number of files in the list of the largest.
const LARGEST: usize = 10;
/// Number of bytes at the start of a file that determine its language.
const HEAD: u64 = 8 * 1024;
const BLOCK: u64 = 64 * 1024;

/// The amount after which the survey ends as it is.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Number of files.
    pub files: u64,
    /// Number of bytes read.
    pub bytes: u64,
    /// Depth of nested folders.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: 50_000, bytes: 1024 * 1024 * 1024, depth: 64 }
    }
}

/// Files and their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Number of files.
    pub files: u64,
    /// Number of lines; a last line without a newline counts, too.
    pub lines: u64,
    /// Number of bytes.
    pub bytes: u64,
}

impl Count {
    /// Returns the difference to `before`.
    fn since(self, before: Self) -> Self {
        Self {
            files: self.files - before.files,
            lines: self.lines - before.lines,
            bytes: self.bytes - before.bytes,
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.lines += other.lines;
        self.bytes += other.bytes;
    }
}

/// One file of the list of the largest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeFile {
    /// The path from the working folder.
    pub path: String,
    /// Its language.
    pub language: &'static str,
    /// The number of its lines.
    pub lines: u64,
}

/// The result of a survey. Every list is in an order that does not depend on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// By language.
    pub languages: BTreeMap<&'static str, Count>,
    /// The files with most lines, the longest first.
    pub largest: Vec<LargeFile>,
    /// The folders that were left out.
    pub left_out: Vec<String>,
    /// The files and folders that could not be read.
    pub unreadable: Vec<String>,
    /// Links, sockets and the like.
    pub not_files: u64,
    /// The limit that ended the survey early.
    pub ended_by: Option<&'static str>,
}

impl Survey {
    /// The total of all languages.
    #[must_use]
    pub fn total(&self) -> Count {
        let mut total = Count::default();
        for count in self.languages.values() {
            total += *count;
        }
        total
    }

    /// Surveys a file, or a folder with everything below it except the names in `own` directly in it. `seen` is
    /// called for every folder directly in it.
    #[must_use]
    pub fn of(
        root: &Root,
        place: &RelPath,
        own: &[&str],
        limits: Limits,
        seen: &mut dyn FnMut(&RelPath, Count),
    ) -> Self {
        let mut walk = Walk { root, limits, bytes: 0, files: 0, survey: Self::default() };
        if matches!(root.stat(place), Ok(Some(stat)) if stat.kind == EntryKind::File) {
            walk.file(place);
        } else {
            walk.top(place, own, seen);
        }
        keep_largest(&mut walk.survey.largest);
        walk.survey
    }
}

struct Walk<'a> {
    root: &'a Root,
    limits: Limits,
    bytes: u64,
    files: u64,
    survey: Survey,
}

impl Walk<'_> {
    fn top(&mut self, place: &RelPath, own: &[&str], seen: &mut dyn FnMut(&RelPath, Count)) {
        for entry in self.list(place) {
            let before = self.survey.total();
            let rel = place.join(&entry.name);
            if own.contains(&entry.name.as_str()) {
                continue;
            }
            self.entry(&rel, entry.kind, 1);
            if entry.kind == EntryKind::Dir && !LEFT_OUT.contains(&rel.name()) {
                seen(&rel, self.survey.total().since(before));
            }
        }
    }

    fn entry(&mut self, rel: &RelPath, kind: EntryKind, depth: usize) {
        match kind {
            EntryKind::File => self.file(rel),
            EntryKind::Dir if LEFT_OUT.contains(&rel.name()) => self.survey.left_out.push(rel.to_string()),
            EntryKind::Dir if depth >= self.limits.depth => self.survey.ended_by = Some("depth"),
            EntryKind::Dir => {
                for entry in self.list(rel) {
                    self.entry(&rel.join(&entry.name), entry.kind, depth + 1);
                }
            }
            EntryKind::Other => self.survey.not_files += 1,
        }
    }

    fn list(&mut self, rel: &RelPath) -> Vec<base::fsx::Entry> {
        self.root.list(rel).unwrap_or_else(|_| {
            self.survey.unreadable.push(rel.to_string());
            Vec::new()
        })
    }

    fn file(&mut self, rel: &RelPath) {
        let left = self.limits.bytes.saturating_sub(self.bytes);
        if self.files == self.limits.files {
            self.survey.ended_by = Some("number of files");
            return;
        }
        if left == 0 {
            self.survey.ended_by = Some("size");
            return;
        }
        self.files += 1;
        match read(self.root, rel, left) {
            Ok(reading) => self.add(rel, &reading),
            Err(_) => self.survey.unreadable.push(rel.to_string()),
        }
    }

    fn add(&mut self, rel: &RelPath, reading: &Reading) {
        let Reading { language, count, read } = *reading;
        self.bytes += read;
        *self.survey.languages.entry(language).or_default() += count;
        let largest = &mut self.survey.largest;
        largest.push(LargeFile { path: rel.to_string(), language, lines: count.lines });
        if largest.len() > 16 * LARGEST {
            keep_largest(largest);
        }
    }
}

fn keep_largest(files: &mut Vec<LargeFile>) {
    files.sort_by(|a, b| b.lines.cmp(&a.lines).then_with(|| a.path.cmp(&b.path)));
    files.truncate(LARGEST);
}

/// The result of reading one file.
struct Reading {
    language: &'static str,
    count: Count,
    /// Number of bytes read: of a binary file only the first ones.
    read: u64,
}

/// Counts a file's lines, up to `most` bytes. Bytes that are appended meanwhile do not count.
fn read(root: &Root, rel: &RelPath, most: u64) -> Result<Reading, FsError> {
    let file = root.open_read(rel)?;
    let size = file.size()?;
    let end = size.min(most);
    let head = file.read_range(0, end.min(HEAD))?;
    let language = language::of(rel.name(), &head);
    if language == language::BINARY {
        return Ok(Reading {
            language,
            count: Count { files: 1, lines: 0, bytes: size },
            read: HEAD.min(end),
        });
    }
    let (mut at, mut lines, mut last) = (0, 0, b'\n');
    while at < end {
        let block = file.read_range(at, end.min(at + BLOCK))?;
        let Some(byte) = block.last() else { break };
        last = *byte;
        lines += block.iter().map(|b| u64::from(*b == b'\n')).sum::<u64>();
        at += block.len() as u64;
    }
    lines += u64::from(last != b'\n');
    Ok(Reading { language, count: Count { files: 1, lines, bytes: size }, read: at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::fsx::Durability;

    /// Creates a folder with these files.
    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), Durability::Never).unwrap();
        for (path, text) in files {
            let rel = RelPath::new(path).unwrap();
            root.ensure_dir(&rel.parent()).unwrap();
            root.replace(&rel, text.as_bytes()).unwrap();
        }
        (dir, root)
    }

    fn survey(root: &Root, place: &RelPath, limits: Limits) -> Survey {
        Survey::of(root, place, &[], limits, &mut |_, _| {})
    }

    #[test]
    fn files_and_lines_are_counted_by_language() {
        let (_dir, root) = folder(&[
            ("src/main.rs", "a\nb\n"),
            ("src/deep/lib.rs", "a\nb\nc"),
            ("run", "#!/bin/sh\n"),
            ("empty.py", ""),
            ("logo.png", "\0\n\n"),
            ("target/debug/x.rs", "not counted\n"),
            ("src/.git/x.rs", "not counted\n"),
        ]);
        let mut seen = Vec::new();
        let found = Survey::of(&root, &RelPath::top(), &["run"], Limits::default(), &mut |rel, count| {
            seen.push((rel.to_string(), count.files, count.lines));
        });
        let count = |files, lines, bytes| Count { files, lines, bytes };
        assert_eq!(
            found.languages.into_iter().collect::<Vec<_>>(),
            [("Python", count(1, 0, 0)), ("Rust", count(2, 5, 9)), ("binary", count(1, 0, 3))]
        );
        assert_eq!(found.left_out, ["src/.git", "target"]);
        assert_eq!(seen, [("src".to_owned(), 2, 5)]);
        let largest: Vec<_> = found.largest.iter().map(|f| (f.path.as_str(), f.lines)).collect();
        let rest = [("empty.py", 0), ("logo.png", 0)];
        assert_eq!(largest, [&[("src/deep/lib.rs", 3), ("src/main.rs", 2)][..], &rest].concat());
    }

    #[test]
    fn a_place_that_is_named_is_looked_at_even_if_it_is_left_out_elsewhere() {
        let (_dir, root) = folder(&[("target/x.rs", "a\n"), ("target/target/y.rs", "a\n"), ("z.rs", "a\n")]);
        let place = RelPath::new("target").unwrap();
        let found = survey(&root, &place, Limits::default());
        assert_eq!((found.total().files, found.left_out), (1, vec!["target/target".to_owned()]));
        let file = survey(&root, &RelPath::new("z.rs").unwrap(), Limits::default());
        assert_eq!(file.total(), Count { files: 1, lines: 1, bytes: 2 });
    }

    #[test]
    fn links_are_not_followed() {
        let (dir, root) = folder(&[("a/x.rs", "a\n")]);
        std::os::unix::fs::symlink("..", dir.path().join("a/loop")).unwrap();
        std::os::unix::fs::symlink("x.rs", dir.path().join("a/y.rs")).unwrap();
        let found = survey(&root, &RelPath::top(), Limits::default());
        assert_eq!((found.total().files, found.not_files), (1, 2));
    }

    #[test]
    fn each_limit_ends_the_survey_and_is_named() {
        let (_dir, root) = folder(&[("a/b/c.rs", "123\n"), ("d.rs", "123\n"), ("e.rs", "123\n")]);
        let all = Limits::default();
        for (limits, files, ended_by) in [
            (all, 3, None),
            (Limits { files: 3, ..all }, 3, None),
            (Limits { files: 2, ..all }, 2, Some("number of files")),
            (Limits { bytes: 8, ..all }, 2, Some("size")),
            (Limits { bytes: 6, ..all }, 2, Some("size")),
            (Limits { depth: 2, ..all }, 2, Some("depth")),
        ] {
            let found = survey(&root, &RelPath::top(), limits);
            assert_eq!((found.total().files, found.ended_by), (files, ended_by), "{limits:?}");
        }
    }
}
