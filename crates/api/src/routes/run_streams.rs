//! The streams of runs: the output of one run, that of all runs of a task, and the changes of all runs.

use warp::reply::Response;

use super::runs::find;
use crate::{
    endpoint::{Call, Endpoint, LAST_EVENT_ID, Param, READ, get, text},
    error::Result,
    stream::{
        AllRunsSource, RunSource, RunsAndLogsSource, TaskRunsSource, follow, spelled, spelled_as_original,
    },
    wire::{self, Words},
};
use tree::{ids::RunId, refs::TaskRef};
use web::sse;

const AFTER: Param = text::<String>("after", "The id of an event: the stream begins after it");

/// `/api/v1/runs/stream/all`: the changes of all runs.
pub(super) fn of_all_runs() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/v1/runs/stream/all", "Follow the changes of all runs")
            .params(&[AFTER])
            .events::<wire::RunChange>(
                "Changes of runs; first all runs that have not ended or, after a reconnection, the changes since then",
            )
            .errors(&[503])
            .map(|call, (): &()| follow_all(call)),
    ]
}

fn follow_all(call: &Call) -> Result<Response> {
    let api = &call.api;
    api.ready()?;
    let position = call.header(&LAST_EVENT_ID)?.or(call.query.text(&AFTER)?);
    Ok(match api.words() {
        Words::Documented => {
            follow(api, AllRunsSource::new(api, position), None, |event| spelled(event, Words::Documented))
        }
        Words::Original => follow(api, RunsAndLogsSource::new(api, position), None, spelled_as_original),
    })
}

/// `/api/v1/runs/{id}/stream`: the output of a run and its end, from the beginning or from a cursor.
pub(super) fn of_a_run() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/v1/runs/{run_id}/stream", "Follow the output of a run")
            .params(&[AFTER])
            .events::<wire::LogEvent>("The output so far, then new output, and the end of the run")
            .no_content("The client has received everything up to the end")
            .errors(&[404, 503])
            .then(follow_run),
    ]
}

async fn follow_run(call: Call, id: RunId) -> Result<Response> {
    let run = find(&call.api, &id)?.run.clone();
    let (position, reset) = call.cursor(&AFTER)?;
    let mut source = RunSource::new(&call.api, &run, position.unwrap_or_default());
    if source.is_over().await? {
        return Ok(sse::over());
    }
    let words = call.api.words();
    Ok(follow(&call.api, source, reset, move |event| spelled(event, words)))
}

/// `…/tasks/{t}/runs/stream`: the output of all runs of a task, including future runs.
pub(super) fn of_a_task() -> Vec<Endpoint> {
    let path = "/api/projects/{project_id}/tasks/{task_id}/runs/stream";
    vec![
        get(READ, path, "Follow the output of all runs of a task, including future runs")
            .params(&[AFTER])
            .events::<wire::TaskLogEvent>("The output so far, then new output")
            .errors(&[404, 503])
            .map(follow_task),
    ]
}

fn follow_task(call: &Call, task: &TaskRef) -> Result<Response> {
    let api = &call.api;
    api.task(task)?;
    let (position, reset) = call.cursor(&AFTER)?;
    let words = api.words();
    let source = TaskRunsSource::new(api, task, position.unwrap_or_default());
    Ok(follow(api, source, reset, move |event| spelled(event, words)))
}
