//! Follows a file of a run as it grows.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

use super::source::{Content, PollResult, Reader, Room, Source, SourceEvent, hint_or};
use crate::{Api, error::Result};
use tree::refs::RunRef;
use view::{
    files::{FileCursor, FileReader, Growth, RunFile},
    index::Index,
    watch::{Waiter, Watched},
};

/// Follows a file.
pub(crate) struct FileSource {
    run: RunRef,
    index: Arc<Index>,
    reader: Reader<FileReader>,
    position: FileCursor,
    /// True if the run had ended at the last look; `None` if there was no such run.
    ended: Option<bool>,
    changed: watch::Receiver<u64>,
    waiter: Waiter,
    _watched: Watched,
}

impl FileSource {
    /// Creates a reader of a file of a run, from a position.
    pub(crate) fn new(api: &Api, run: &RunRef, file: RunFile, position: FileCursor) -> Self {
        let tree = api.core.runner.tree.clone();
        let watched = api.core.hints.watch_soon(&tree.root().absolute(run.dir().path()));
        let index = api.core.index.clone();
        Self {
            run: run.clone(),
            reader: Reader::new(FileReader::new(tree, file.of(run), position)),
            position,
            ended: None,
            changed: index.follow(),
            waiter: watched.waiter(),
            _watched: watched,
            index,
        }
    }

    /// Returns true if everything was already sent by an earlier stream.
    pub(crate) async fn is_over(&mut self) -> Result<bool> {
        let size = self.reader.read(|reader| reader.size()).await?;
        Ok(self.position.done || (ended(&self.index, &self.run) == Some(true) && self.position.offset > size))
    }

    async fn read(&mut self) -> Result<PollResult> {
        if self.position.done {
            return Ok(PollResult::Over);
        }
        self.changed.mark_unchanged();
        // The status is read before the file: once the status is final, the file does not grow.
        self.ended = ended(&self.index, &self.run);
        let growth = match self.ended {
            None => return Ok(PollResult::Gone),
            Some(true) => Growth::Over,
            Some(false) => Growth::Open,
        };
        let read = self.reader.read(move |reader| {
            let replaced = reader.has_been_replaced()?;
            Ok::<_, tree::TreeError>((replaced, reader.read(growth)?, reader.position()))
        });
        let (replaced, piece, position) = read.await?;
        self.position = position;
        let mut events = Vec::new();
        if replaced {
            events.push(SourceEvent { content: Content::Reset, position: FileCursor::default().to_string() });
        }
        match piece {
            Some(piece) => {
                events.push(SourceEvent { content: Content::Text(piece), position: position.to_string() });
            }
            None if growth == Growth::Over => {
                self.position.done = true;
                events.push(SourceEvent { content: Content::End, position: self.position.to_string() });
            }
            None => {}
        }
        Ok(PollResult::Events(events))
    }
}

fn ended(index: &Index, run: &RunRef) -> Option<bool> {
    index.run_of(run).map(|run| run.is_final())
}

impl Source for FileSource {
    fn poll<'a>(&'a mut self, _: &'a mut Room) -> BoxFuture<'a, Result<PollResult>> {
        self.read().boxed()
    }

    fn wait(&mut self) -> BoxFuture<'_, ()> {
        let (run, seen) = (&self.run, self.ended);
        let differs = move |index: &Index| ended(index, run) != seen;
        hint_or(&mut self.waiter, &self.index, &mut self.changed, differs).boxed()
    }

    fn position(&self) -> String {
        self.position.to_string()
    }
}
