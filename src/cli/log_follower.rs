//! Shows the output of a run while the run prints it: what a known agent says and does, the bytes of any other.

use super::{error::CliResult, print::Printer, shown_text::ShownText, transcript_text::TranscriptText};
use base::fsx::RelPath;
use tree::{
    Tree, TreeError,
    event::{Event, EventKind},
    refs::RunRef,
    transcript::{Dialect, Follower, Stream},
};
use view::files::Growing;

/// Maximum number of bytes read at once.
const CHUNK: u64 = 256 * 1024;

/// Positions in a run's stdout and stderr.
#[derive(Debug)]
pub(super) struct LogFollower {
    tree: Tree,
    run: RunRef,
    stdout: Option<Stdout>,
    stderr: Bytes,
    shown: ShownText,
}

/// The stdout of a run, once its record says what the agent prints there.
#[derive(Debug)]
enum Stdout {
    Text(Bytes),
    Events(Follower, TranscriptText),
}

/// A position in a file that is shown byte for byte.
#[derive(Debug)]
struct Bytes {
    file: Growing,
    offset: u64,
}

impl LogFollower {
    pub(super) fn new(tree: &Tree, run: &RunRef) -> Self {
        let stderr = Bytes::new(run.dir().stderr());
        Self { tree: tree.clone(), run: run.clone(), stdout: None, stderr, shown: ShownText::default() }
    }

    /// Returns the text that was printed of the run's stdout.
    pub(super) fn into_shown(self) -> ShownText {
        self.shown
    }

    /// Prints the new output to stderr, because stdout carries the answer alone.
    pub(super) fn print(&mut self, printer: Printer) -> CliResult<()> {
        self.print_of(printer, Stream::Open)
    }

    /// Prints the rest of the output of a run that has ended.
    pub(super) fn print_rest(&mut self, printer: Printer) -> CliResult<()> {
        self.print_of(printer, Stream::Ended)
    }

    fn print_of(&mut self, printer: Printer, stream: Stream) -> CliResult<()> {
        if self.stdout.is_none() {
            self.stdout = self.tree.run_info(&self.run).ok().map(|info| match agents::dialect_of(&info) {
                Dialect::Text => Stdout::Text(Bytes::new(self.run.dir().stdout())),
                dialect @ Dialect::Lines(_) => {
                    Stdout::Events(Follower::start(dialect), TranscriptText::default())
                }
            });
        }
        match &mut self.stdout {
            None => {}
            Some(Stdout::Text(bytes)) => bytes.print(&self.tree, printer, |shown| self.shown.add(shown))?,
            Some(Stdout::Events(follower, text)) => {
                while let Some(events) = follower.read(self.tree.root(), &self.run.dir(), stream)? {
                    let mut shown = String::new();
                    for event in &events {
                        shown.push_str(&text.of(event));
                        if let EventKind::Raw { lines: Some(_), .. } = event.kind {
                            let _ = printer.foreign_word(std::mem::take(&mut shown).as_bytes());
                            print_raw(&self.tree, &self.run, event, printer)?;
                        }
                    }
                    // The text is complete: nothing of it waits for further bytes.
                    let _ = printer.foreign_word(shown.as_bytes());
                    self.shown.add(shown.as_bytes());
                }
            }
        }
        self.stderr.print(&self.tree, printer, |_| {})
    }
}

/// Prints lines that are not interpreted. Their event only names them.
fn print_raw(tree: &Tree, run: &RunRef, event: &Event, printer: Printer) -> CliResult<()> {
    let mut stdout = Growing::new(run.dir().stdout());
    let Some(file) = stdout.open(tree.root())? else { return Ok(()) };
    let (mut at, mut last) = (event.offset, b'\n');
    while at < event.end() {
        let bytes = file.read_range(at, event.end().min(at + CHUNK)).map_err(TreeError::from)?;
        let Some(end) = bytes.last() else { break };
        last = *end;
        // A character or an escape sequence that the chunk cuts is printed with the next one.
        let shown = printer.foreign_word(&bytes);
        at += if shown == 0 { bytes.len() as u64 } else { shown as u64 };
    }
    if last != b'\n' {
        let _ = printer.foreign_word(b"\n");
    }
    Ok(())
}

impl Bytes {
    fn new(path: RelPath) -> Self {
        Self { file: Growing::new(path), offset: 0 }
    }

    fn print(&mut self, tree: &Tree, printer: Printer, mut note: impl FnMut(&[u8])) -> CliResult<()> {
        if self.file.begins_anew(tree.root(), self.offset, None)? {
            self.offset = 0;
        }
        let Some(file) = self.file.open(tree.root())? else { return Ok(()) };
        loop {
            let bytes = file.read_range(self.offset, self.offset + CHUNK).map_err(TreeError::from)?;
            let shown = printer.foreign_word(&bytes);
            if shown == 0 {
                return Ok(());
            }
            note(&bytes[..shown]);
            self.offset += shown as u64;
        }
    }
}
