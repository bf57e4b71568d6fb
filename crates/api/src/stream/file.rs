//! Follows a file of a run as it grows.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

use super::source::{Look, Reader, Said, Source, Told, hint_or};
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
    place: FileCursor,
    /// True if the run had ended at the last look; `None` if there was no such run.
    ended: Option<bool>,
    changed: watch::Receiver<u64>,
    waiter: Waiter,
    _watched: Watched,
}

impl FileSource {
    /// Creates a reader of a file of a run, from a position.
    pub(crate) fn new(api: &Api, run: &RunRef, file: RunFile, place: FileCursor) -> Self {
        let tree = api.core.runner.tree.clone();
        let watched = api.core.hints.watch_soon(&tree.root().absolute(run.dir().path()));
        let index = api.core.index.clone();
        Self {
            run: run.clone(),
            reader: Reader::new(FileReader::new(tree, file.of(run), place)),
            place,
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
        Ok(self.place.done || (ended(&self.index, &self.run) == Some(true) && self.place.offset > size))
    }

    async fn read(&mut self) -> Result<Look> {
        if self.place.done {
            return Ok(Look::Over);
        }
        self.changed.mark_unchanged();
        // The status is read before the file: once the status is final, the file does not grow.
        self.ended = ended(&self.index, &self.run);
        let growth = match self.ended {
            None => return Ok(Look::Gone),
            Some(true) => Growth::Over,
            Some(false) => Growth::Open,
        };
        let read = self.reader.read(move |reader| {
            let replaced = reader.has_been_replaced()?;
            Ok::<_, tree::TreeError>((replaced, reader.read(growth)?, reader.place()))
        });
        let (replaced, piece, place) = read.await?;
        self.place = place;
        let mut told = Vec::new();
        if replaced {
            told.push(Told { said: Said::Reset, place: FileCursor::default().to_string() });
        }
        match piece {
            Some(piece) => told.push(Told { said: Said::Text(piece), place: place.to_string() }),
            None if growth == Growth::Over => {
                self.place.done = true;
                told.push(Told { said: Said::End, place: self.place.to_string() });
            }
            None => {}
        }
        Ok(Look::Events(told))
    }
}

fn ended(index: &Index, run: &RunRef) -> Option<bool> {
    index.run_of(run).map(|run| run.is_final())
}

impl Source for FileSource {
    fn look(&mut self) -> BoxFuture<'_, Result<Look>> {
        self.read().boxed()
    }

    fn wait(&mut self) -> BoxFuture<'_, ()> {
        let (run, seen) = (&self.run, self.ended);
        let differs = move |index: &Index| ended(index, run) != seen;
        hint_or(&mut self.waiter, &self.index, &mut self.changed, differs).boxed()
    }

    fn place(&self) -> String {
        self.place.to_string()
    }
}
