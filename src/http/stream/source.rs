//! What a stream is made of: something that says what is new, with the place behind it, and that can be waited for.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::{
    blocking,
    http::error::{HttpError, Result},
    tree::{
        bus::Message,
        ids::{ProjectId, TaskId},
        refs::TaskRef,
    },
    view::{
        files::FilePiece,
        index::{ChangeKind, Index, ProjectEntry, RunSummary, TaskSummary},
        run_log::LogEvent,
    },
};

/// Follows one thing of the tree. What it has told is behind it: who begins another one at a place is told what follows.
pub(in crate::http) trait Source: Send {
    /// Looks for what is new: some events, a bounded number of bytes.
    fn look(&mut self) -> BoxFuture<'_, Result<Look>>;

    /// Returns when it is worth looking again. What happened since the last look counts, and a wait may be given up.
    fn wait(&mut self) -> BoxFuture<'_, ()>;

    /// Where it stands, as one word of printable ASCII without `!`.
    fn place(&self) -> String;
}

/// What came of a look.
#[derive(Debug)]
pub(in crate::http) enum Look {
    /// These events; none: nothing is new.
    Events(Vec<Told>),
    /// Everything has been told, and nothing will follow.
    Over,
    /// What was followed is no longer there.
    Gone,
}

/// Something that was said, and the place behind it.
#[derive(Debug)]
pub(in crate::http) struct Told {
    pub(in crate::http) said: Said,
    pub(in crate::http) place: String,
}

/// What a source says.
#[derive(Debug)]
pub(in crate::http) enum Said {
    /// What was told before does not count: it follows anew.
    Reset,
    /// A run says this.
    Log(LogEvent),
    /// A run of a task says this.
    RunLog(Arc<RunSummary>, LogEvent),
    /// This has become of a run.
    Run(ChangeKind, Arc<RunSummary>),
    /// This was posted.
    Message(Message),
    /// A file goes on like this.
    Text(FilePiece),
    /// A file goes no further.
    End,
    /// A project is like this.
    Project(ProjectEntry),
    /// A task is like this.
    Task(TaskTold),
    /// There is no such project any more.
    NoProject(ProjectId),
    /// There is no such task any more.
    NoTask(TaskRef),
}

/// A task with what only the whole index knows of it.
#[derive(Debug)]
pub(in crate::http) struct TaskTold {
    pub(in crate::http) task: Arc<TaskSummary>,
    pub(in crate::http) reason: String,
    pub(in crate::http) blocked_by: Vec<TaskId>,
    /// The task whose agent asked for it.
    pub(in crate::http) parent: Option<TaskRef>,
}

/// A reader of the disk, at work elsewhere while it reads.
#[derive(Debug)]
pub(super) struct Reader<T>(Option<T>);

impl<T: Send + 'static> Reader<T> {
    pub(super) fn new(reader: T) -> Self {
        Self(Some(reader))
    }

    /// Has the reader read.
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

    /// The reader, while it does not read.
    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

/// A look was given up before it came back.
fn gone() -> HttpError {
    HttpError::new(http::StatusCode::INTERNAL_SERVER_ERROR, "the reader of a stream was lost")
}

/// Waits for a change of the index after which `differs` holds, or for ever.
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
