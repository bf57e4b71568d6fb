//! Opens the source of a topic, from its position in an earlier stream or from the start that the topic names.

use std::sync::Arc;

use super::{
    all_runs::AllRunsSource,
    bus::{BusBegin, BusSource},
    buses::BusesSource,
    file::FileSource,
    run::RunSource,
    source::Source,
    task_runs::TaskRunsSource,
    topic::{Begin, RunName, Subject, Topic},
    tree::TreeSource,
};
use crate::{
    Api,
    error::{HttpError, Result},
};
use base::blocking;
use tree::{bus::BusOwner, refs::RunRef};
use view::{
    files::{FileCursor, RunFile, start_of_tail},
    index::{Part, RunSummary},
    merged::BusesBegin,
    run_log::{Cursor, RunLog, TaskCursor, TaskLog},
};

/// A source, and true in `reset` if it starts again although there was a position.
pub(super) struct Opened {
    pub(super) source: Box<dyn Source>,
    pub(super) reset: bool,
}

/// Opens a topic.
///
/// # Errors
/// 404 if the named thing does not exist.
pub(super) async fn open(api: &Api, topic: &Topic, position: Option<String>) -> Result<Opened> {
    // These sources check their own position, and report a reset themselves.
    let says_itself = |source| Ok(Opened { source, reset: false });
    match &topic.subject {
        Subject::Tree(part) => {
            is_there(api, part)?;
            says_itself(Box::new(TreeSource::new(api, part.clone(), position.as_deref())))
        }
        Subject::Runs => says_itself(Box::new(AllRunsSource::new(api, position.as_deref()))),
        Subject::Bus(owner) => {
            let part = match owner {
                BusOwner::Project(project) => Part::Project(project.clone()),
                BusOwner::Task(task) => Part::Task(task.clone()),
            };
            is_there(api, &part)?;
            let begin = match (position, topic.begin) {
                (Some(position), _) => BusBegin::At(position),
                (None, Begin::Tail(most)) => BusBegin::Last(usize::try_from(most).unwrap_or(usize::MAX)),
                (None, _) => BusBegin::First,
            };
            says_itself(Box::new(BusSource::new(api, owner.clone(), begin)))
        }
        Subject::Buses(project) => {
            is_there(api, &Part::Project(project.clone()))?;
            let (position, reset) = parsed(position);
            let begin = match (position, topic.begin) {
                (Some(cursor), _) => BusesBegin::At(cursor),
                (None, Begin::Tail(most)) if !reset => {
                    BusesBegin::Last(usize::try_from(most).unwrap_or(usize::MAX))
                }
                (None, _) => BusesBegin::First,
            };
            Ok(Opened { source: Box::new(BusesSource::new(api, project, begin)), reset })
        }
        Subject::Log(task) => {
            is_there(api, &Part::Task(task.clone()))?;
            let (position, reset) = parsed::<TaskCursor>(position);
            let position = match (position, topic.begin, api.core.index.task(task)) {
                (Some(position), ..) => position,
                (None, Begin::Tail(bytes), Some(known)) if !reset => {
                    let tree = api.core.runner.tree.clone();
                    blocking::run(move || TaskLog::tail(&tree, &known, bytes)).await?
                }
                (None, ..) => TaskCursor::default(),
            };
            Ok(Opened { source: Box::new(TaskRunsSource::new(api, task, position)), reset })
        }
        Subject::Run(name) => {
            let run = find(api, name)?.run.clone();
            let (position, reset) = parsed::<Cursor>(position);
            let position = match (position, topic.begin) {
                (Some(position), _) => position,
                (None, Begin::Tail(bytes)) if !reset => {
                    let (tree, run) = (api.core.runner.tree.clone(), run.clone());
                    blocking::run(move || RunLog::tail(&tree, &run, bytes)).await?
                }
                (None, _) => Cursor::default(),
            };
            Ok(Opened { source: Box::new(RunSource::new(api, &run, position)), reset })
        }
        Subject::File(name, file) => {
            let run = find(api, name)?.run.clone();
            let (position, reset) = parsed::<FileCursor>(position);
            let position = match position {
                Some(position) => position,
                None if reset => FileCursor::default(),
                None => file_begin(api, &run, *file, topic.begin).await?,
            };
            Ok(Opened { source: Box::new(FileSource::new(api, &run, *file, position)), reset })
        }
    }
}

async fn file_begin(api: &Api, run: &RunRef, file: RunFile, begin: Begin) -> Result<FileCursor> {
    let offset = match begin {
        Begin::First => 0,
        Begin::From(offset) => offset,
        Begin::Tail(bytes) => {
            let (tree, rel) = (api.core.runner.tree.clone(), file.of(run));
            blocking::run(move || start_of_tail(&tree, &rel, bytes)).await?
        }
    };
    Ok(FileCursor { offset, ..FileCursor::default() })
}

/// Parses a position. Returns true as well if there was one that could not be parsed.
fn parsed<T: std::str::FromStr>(position: Option<String>) -> (Option<T>, bool) {
    match position.map(|position| position.parse()) {
        None => (None, false),
        Some(Ok(position)) => (Some(position), false),
        Some(Err(_)) => (None, true),
    }
}

fn is_there(api: &Api, part: &Part) -> Result<()> {
    let index = &api.core.index;
    let missing = match part {
        Part::Whole => None,
        Part::Project(project) if index.project(project).is_some() => None,
        Part::Task(task) if index.task(task).is_some() => None,
        Part::Project(project) => Some(format!("there is no project {project}")),
        Part::Task(task) => Some(format!("there is no task {task}")),
    };
    missing.map_or(Ok(()), |text| Err(HttpError::not_found(text)))
}

fn find(api: &Api, name: &RunName) -> Result<Arc<RunSummary>> {
    let found = match &name.task {
        Some(task) => api.core.index.run_of(&task.run(name.run.clone())),
        None => api.core.index.run(&name.run),
    };
    found.ok_or_else(|| HttpError::not_found(format!("there is no run {}", name.run)))
}
