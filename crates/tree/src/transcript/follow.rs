//! Reads a run's stream from the end of its events: the lines of `agent-stdout.txt` that are not in `events.jsonl` yet.

use super::{
    dialect::Dialect,
    line::{LONGEST_LINE, events_of_line, first_object},
    raw_lines,
};
use crate::{
    Result,
    event::{Event, EventLine},
    paths::RunDir,
};
use base::{
    checksum::{self, Checksum},
    fsx::{LineReader, PassedLines, ReadFile, Root, if_file},
};

/// Approximate number of bytes of parsed lines that are turned into events at a time.
const BATCH: u64 = 1024 * 1024;

/// Says if the stream may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The agent may still write. Bytes after the last newline are not a line yet.
    Open,
    /// No process writes any more. Bytes after the last newline are a line, too.
    Ended,
}

/// A position in a run's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follower {
    dialect: Dialect,
    /// Offset of the next line.
    next: u64,
    /// Number of events of that line that are known already.
    known: u32,
    /// The bytes from `next` up to this offset have no newline. They are not searched again, however often the
    /// unfinished line has grown.
    searched: u64,
    /// The blank lines before `next`. They belong to the raw lines around them, and to nothing else.
    blank: Option<PassedLines>,
}

impl Follower {
    /// Returns the beginning of a stream.
    #[must_use]
    pub fn start(dialect: Dialect) -> Self {
        Self { dialect, next: 0, known: 0, searched: 0, blank: None }
    }

    /// Returns the position after this event.
    #[must_use]
    pub fn after(dialect: Dialect, event: &Event) -> Self {
        if event.part < event.parts {
            Self { dialect, next: event.offset, known: event.part, searched: 0, blank: None }
        } else {
            Self { dialect, next: event.end(), known: 0, searched: 0, blank: None }
        }
    }

    /// Returns the position at which the events of a run end on disk.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn resume(dialect: Dialect, root: &Root, run: &RunDir) -> Result<Self> {
        let last = last_event(root, run)?;
        Ok(last.map_or_else(|| Self::start(dialect), |event| Self::after(dialect, &event)))
    }

    /// Returns the events of the next lines, in order (lines may produce none); `None` if the stream has no further
    /// line now. Raw lines are joined, and their events have no text.
    ///
    /// # Errors
    /// If the stream cannot be read.
    pub fn read(&mut self, root: &Root, run: &RunDir, stream: Stream) -> Result<Option<Vec<Event>>> {
        if self.dialect == Dialect::Text {
            return Ok(None);
        }
        let Some(file) = open(root, &run.stdout())? else { return Ok(None) };
        let size = file.size()?;
        let from = self.next;
        let reader = LineReader::new(&file).keeping(LONGEST_LINE);
        let mut events = Vec::new();
        if self.searched <= from || reader.keeping(0).at(self.searched, size)?.is_some() {
            let (mut lines, mut parsed) = (reader.forward(from, size), 0);
            loop {
                if let Some(block) = lines.pass_until(first_object)? {
                    self.next = block.offset + block.len;
                    if block.is_blank {
                        self.blank = Some(block);
                    } else {
                        self.add(raw_lines::of_passed(block), &mut events);
                    }
                }
                let Some(line) = lines.next().transpose()? else { break };
                self.take(line.offset, line.len + 1, &line.bytes, &mut events);
                parsed += line.len;
                if parsed >= BATCH {
                    return Ok(Some(events));
                }
            }
        }
        self.searched = size;
        if stream == Stream::Ended && self.next < size {
            let rest = file.read_range(self.next, size.min(self.next + LONGEST_LINE))?;
            self.take(self.next, size - self.next, &rest, &mut events);
        }
        Ok((self.next > from).then_some(events))
    }

    /// Returns true if the stream on disk is longer than what is known of it.
    fn has_more(&self, root: &Root, run: &RunDir) -> Result<bool> {
        let file = open(root, &run.stdout())?;
        Ok(file.map_or(Ok(0), |file| file.size())? > self.next)
    }

    fn take(&mut self, offset: u64, length: u64, bytes: &[u8], events: &mut Vec<Event>) {
        let known = std::mem::take(&mut self.known);
        let heard = events_of_line(self.dialect, offset, length, bytes);
        for event in heard.into_iter().filter(|event| event.part > known) {
            self.add(raw_lines::without_text(event), events);
        }
        self.blank = None;
        self.next = offset + length;
    }

    fn add(&mut self, event: Event, events: &mut Vec<Event>) {
        raw_lines::add(events, raw_lines::after_blank(self.blank.take(), event));
    }
}

/// Returns the last event of a run that is on disk.
///
/// # Errors
/// If the file cannot be read.
pub fn last_event(root: &Root, run: &RunDir) -> Result<Option<Event>> {
    let Some(file) = open(root, &run.events())? else { return Ok(None) };
    let mut end = file.size()?;
    let lines = LineReader::new(&file);
    while let Some(line) = lines.before(end)? {
        // A line that a dead writer left incomplete is skipped, and so is a damaged one, whose event is made again. The
        // line before it has the last event.
        if let EventLine::Event(event) = EventLine::parse(&line.bytes) {
            return Ok(Some(*event));
        }
        end = line.offset;
    }
    Ok(None)
}

/// Calls `take` for every event of a run: first those on disk, then those of the rest of the stream. From a damaged
/// event on, all of them are made from the stream.
///
/// # Errors
/// If a file cannot be read.
pub fn all_events(dialect: Dialect, root: &Root, run: &RunDir, mut take: impl FnMut(&Event)) -> Result<()> {
    let mut follower = Follower::start(dialect);
    if let Some(file) = open(root, &run.events())? {
        for line in LineReader::new(&file).forward(0, file.size()?) {
            match EventLine::parse(&line?.bytes) {
                EventLine::Event(event) => {
                    take(&event);
                    follower = Follower::after(dialect, &event);
                }
                EventLine::Damaged if follower.has_more(root, run)? => break,
                EventLine::Damaged | EventLine::Garbage => {}
            }
        }
    }
    while let Some(events) = follower.read(root, run, Stream::Ended)? {
        events.iter().for_each(&mut take);
    }
    Ok(())
}

/// Returns the number of lines of a run's events that were changed after they had been written.
///
/// # Errors
/// If the file cannot be read.
pub fn damaged_events(root: &Root, run: &RunDir) -> Result<usize> {
    let Some(file) = open(root, &run.events())? else { return Ok(0) };
    let mut damaged = 0;
    for line in LineReader::new(&file).forward(0, file.settled_size()?) {
        damaged += usize::from(checksum::check(&line?.bytes) == Checksum::Wrong);
    }
    Ok(damaged)
}

fn open(root: &Root, rel: &base::fsx::RelPath) -> Result<Option<ReadFile>> {
    Ok(if_file(root.open_read(rel))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{EventKind, RawReason},
        refs::TaskRef,
        transcript::line::samples::EVENTS,
    };
    use base::fsx::Durability;

    const LINES: Dialect = Dialect::Lines(&EVENTS);
    const OBJECT: &str = "{\"type\":\"reasoning\",\"text\":\"a\"}\n";

    struct Bench {
        _folder: tempfile::TempDir,
        root: Root,
        run: RunDir,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = Root::create(folder.path(), Durability::Never).unwrap();
            let task = TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() };
            let run = task.run("20260205-10000100001-1-0001".parse().unwrap());
            root.ensure_dir(run.dir().path()).unwrap();
            Self { _folder: folder, root, run: run.dir() }
        }

        fn print(&self, text: &str) {
            self.root.replace(&self.run.stdout(), text.as_bytes()).unwrap();
        }

        fn read(&self, follower: &mut Follower, stream: Stream) -> Vec<(u64, u64, Option<u64>)> {
            let mut shown = Vec::new();
            while let Some(events) = follower.read(&self.root, &self.run, stream).unwrap() {
                shown.extend(events.iter().map(|event| match event.kind {
                    EventKind::Raw { lines, .. } => (event.offset, event.length, lines),
                    _ => (event.offset, event.length, None),
                }));
            }
            shown
        }
    }

    #[test]
    fn text_between_events_is_one_event_without_its_words() {
        let bench = Bench::new();
        let text = "some words\n\n\u{1b}[1m[=> ]\nif x { y }\n \n{z}\n".repeat(20_000);
        let (long, object) = (text.len() as u64, OBJECT.len() as u64);
        bench.print(&format!(
            "\n \n{OBJECT}{text}{OBJECT}\n\n{OBJECT}{{\"type\":7}}\n{{\"type\":8}}\nword\nlast"
        ));
        let mut at = 3;
        let mut next = |length: u64, lines| {
            at += length;
            (at - length, length, lines)
        };
        let first = [next(object, None), next(long, Some(120_000)), next(object, None)];
        next(2, None);
        let rest = [next(object, None), next(22, Some(2)), next(5, Some(1)), next(4, Some(1))];
        let mut all = [&first[..], &rest[..3]].concat();
        let mut follower = Follower::start(LINES);
        assert_eq!(bench.read(&mut follower, Stream::Open), all);
        assert_eq!(bench.read(&mut follower, Stream::Open), []);
        assert_eq!(bench.read(&mut follower, Stream::Ended), rest[3..]);
        // The end of the stream is a part of the lines before it, for a reader that sees both at once.
        all.pop();
        all.push((rest[2].0, 9, Some(2)));
        assert_eq!(bench.read(&mut Follower::start(LINES), Stream::Ended), all);
    }

    #[test]
    fn a_line_that_grows_is_read_once_it_has_ended() {
        let bench = Bench::new();
        let mut follower = Follower::start(LINES);
        let (start, end) = OBJECT.split_at(10);
        bench.print(start);
        assert_eq!(bench.read(&mut follower, Stream::Open), []);
        assert_eq!((follower.next, follower.searched), (0, 10));
        bench.print(&format!("{start}{end}word"));
        let object = OBJECT.len() as u64;
        assert_eq!(bench.read(&mut follower, Stream::Open), [(0, object, None)]);
        assert_eq!((follower.next, follower.searched), (object, object + 4));
        bench.print(&format!("{start}{end}word\n"));
        assert_eq!(bench.read(&mut follower, Stream::Open), [(object, 5, Some(1))]);
    }

    #[test]
    fn a_line_that_was_cut_off_keeps_its_beginning() {
        let bench = Bench::new();
        bench.print("word\n{\"type\":\"res");
        let mut follower = Follower::start(LINES);
        let events = follower.read(&bench.root, &bench.run, Stream::Ended).unwrap().unwrap();
        let kinds: Vec<&EventKind> = events.iter().map(|event| &event.kind).collect();
        let cut =
            EventKind::Raw { reason: RawReason::CutOff, text: "{\"type\":\"res".to_owned(), lines: None };
        let word = EventKind::Raw { reason: RawReason::NotJson, text: String::new(), lines: Some(1) };
        assert_eq!(kinds, [&word, &cut]);
    }
}
