//! The building blocks of a stream: a source reports news with the position after it, and can be waited for.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::{
    Api,
    error::{HttpError, Result},
};
use base::blocking;
use daemon::PAGE_BYTES;
use tree::{
    bus::Message,
    ids::{ProjectId, TaskId},
    refs::TaskRef,
};
use view::{
    files::FilePiece,
    index::{ChangeKind, Index, ProjectEntry, RunSummary, TaskSummary},
    run_log::LogEvent,
    watch::Waiter,
};
use web::{Budget, Share};

/// Follows one thing of the tree. A source that is created at the position of an earlier one continues after its
/// events.
pub(crate) trait Source: Send {
    /// Looks for news: some events, as far as there is room for them.
    fn poll<'a>(&'a mut self, room: &'a mut Room) -> BoxFuture<'a, Result<PollResult>>;

    /// Returns when it is worth looking again. Changes since the last poll count, and a wait may be abandoned.
    fn wait(&mut self) -> BoxFuture<'_, ()>;

    /// Returns the position, as one word of printable ASCII without `!`.
    fn position(&self) -> String;
}

/// The memory of the events that a stream holds: its share of the memory of all answers.
#[derive(Debug)]
pub(crate) struct Room {
    budget: Budget,
    share: Option<Share>,
}

impl Room {
    /// The number of bytes of a usual poll.
    pub(crate) const USUAL: u64 = PAGE_BYTES;
    /// An event exists up to three times while it is made: as bytes of the file, as a value, and in wire format.
    const FORMS: u64 = 3;

    pub(crate) fn new(api: &Api) -> Self {
        Self { budget: api.live.answers.clone(), share: None }
    }

    /// Waits until there is room for a poll.
    pub(super) async fn prepare(&mut self) {
        // A stream that waits holds nothing.
        self.share = None;
        self.share = Some(self.budget.take(size(Self::USUAL * Self::FORMS)).await);
    }

    /// Waits until there is room for so many bytes of a file.
    pub(crate) async fn make(&mut self, bytes: u64) {
        let bytes = size(bytes.saturating_mul(Self::FORMS));
        match &mut self.share {
            Some(share) => share.grow_to(bytes).await,
            None => self.share = Some(self.budget.take(bytes).await),
        }
    }

    /// Keeps the room for the events that were made.
    pub(super) fn keep(&mut self, bytes: usize) {
        match &mut self.share {
            Some(share) if bytes > 0 => share.resize(bytes),
            _ => self.share = None,
        }
    }

    /// Returns the share, for bytes that hold it.
    pub(crate) fn take(&mut self) -> Option<Share> {
        self.share.take()
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The result of [`Source::poll`].
#[derive(Debug)]
pub(crate) enum PollResult {
    /// These events; if there are none, nothing is new.
    Events(Vec<SourceEvent>),
    /// Everything has been sent, and nothing will follow.
    Over,
    /// The followed thing no longer exists.
    Gone,
}

/// An event of a source, and the position after it.
#[derive(Debug)]
pub(crate) struct SourceEvent {
    pub(crate) content: Content,
    pub(crate) position: String,
}

/// The content of a source's event.
#[derive(Debug)]
pub(crate) enum Content {
    /// Earlier events are void: everything is sent again.
    Reset,
    /// A line or a change of a run.
    Log(LogEvent),
    /// A line or a change of one of a task's runs.
    RunLog(Arc<RunSummary>, LogEvent),
    /// A change of a run.
    Run(ChangeKind, Arc<RunSummary>),
    /// A posted message.
    Message(Message),
    /// The next piece of a file.
    Text(FilePiece),
    /// The end of a file.
    End,
    /// The current state of a project.
    Project(ProjectEntry),
    /// The current state of a task.
    Task(TaskState),
    /// The project does not exist any more.
    NoProject(ProjectId),
    /// The task does not exist any more.
    NoTask(TaskRef),
}

/// A task with the facts that only the whole index knows.
#[derive(Debug)]
pub(crate) struct TaskState {
    pub(crate) task: Arc<TaskSummary>,
    pub(crate) reason: String,
    pub(crate) blocked_by: Vec<TaskId>,
    /// The task of the agent that started this one.
    pub(crate) parent: Option<TaskRef>,
}

/// A reader of the disk, which is moved to another thread while it reads.
#[derive(Debug)]
pub(super) struct Reader<T>(Option<T>);

impl<T: Send + 'static> Reader<T> {
    pub(super) fn new(reader: T) -> Self {
        Self(Some(reader))
    }

    /// Calls `work` with the reader on a thread that may block.
    pub(super) async fn read<R, E>(
        &mut self,
        work: impl FnOnce(&mut T) -> std::result::Result<R, E> + Send + 'static,
    ) -> Result<R>
    where
        R: Send + 'static,
        E: Send + 'static,
        HttpError: From<E>,
    {
        let mut reader = self.0.take().ok_or_else(gone)?;
        let work = move || {
            let result = work(&mut reader);
            (reader, result)
        };
        let (reader, result) = blocking::run(work).await;
        self.0 = Some(reader);
        Ok(result?)
    }

    /// The reader, while it is not reading.
    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

/// The error after an abandoned read, which took the reader with it.
fn gone() -> HttpError {
    HttpError::new(http::StatusCode::INTERNAL_SERVER_ERROR, "the reader of a stream was lost")
}

/// Waits for a hint about the followed files, or for a change of the index after which `differs` returns true.
pub(super) async fn hint_or(
    waiter: &mut Waiter,
    index: &Index,
    changed: &mut watch::Receiver<u64>,
    differs: impl Fn(&Index) -> bool,
) {
    tokio::select! {
        () = waiter.next() => {}
        () = until(index, changed, differs) => {}
    }
}

/// Waits for a change of the index after which `differs` returns true.
pub(super) async fn until(
    index: &Index,
    changed: &mut watch::Receiver<u64>,
    differs: impl Fn(&Index) -> bool,
) {
    loop {
        if changed.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        if differs(index) {
            return;
        }
    }
}
