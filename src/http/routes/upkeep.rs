//! What a project comes to, and clearing it of old runs.

use std::time::Duration;

use chrono::TimeDelta;
use http::StatusCode;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Query, off_thread,
    query::{bad, query},
};
use crate::{
    config,
    daemon::Cleaning,
    http::{
        Api,
        error::{Result, answer, json},
        wire,
    },
    runner::{Failed, Policy, Scope},
    tree::run_info::RunStatus,
    view::bus_stats,
};

/// How old is old, unless the query says so.
const A_WEEK: Duration = Duration::from_hours(168);

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let stats = warp::path!("api" / "projects" / String / "stats")
        .and(warp::get())
        .and(api.clone())
        .then(async |id: String, api| answer(stats(api, id).await))
        .boxed();
    let gc = warp::path!("api" / "projects" / String / "gc")
        .and(warp::post())
        .and(api.clone())
        .and(query())
        .then(async |id: String, api, query| answer(gc(api, id, query).await))
        .boxed();
    stats.or(gc).unify().boxed()
}

async fn stats(api: Api, id: String) -> Result<Response> {
    let project = api.project(&id)?;
    let tasks = api.core.index.tasks(Some(&project));
    let (tree, name) = (api.core.runner.tree.clone(), project.clone());
    let buses = off_thread(move || bus_stats::of_project(&tree, &name)).await?;
    let count = |status| tasks.iter().map(|t| t.count(status)).sum::<usize>();
    let (stopped, crashed) = (count(RunStatus::Stopped), count(RunStatus::Crashed));
    let stats = wire::Stats {
        project_id: &project,
        total_tasks: tasks.len(),
        total_runs: tasks.iter().map(|t| t.runs.len()).sum(),
        running_runs: count(RunStatus::Running),
        completed_runs: count(RunStatus::Completed),
        failed_runs: count(RunStatus::Failed),
        crashed_runs: crashed + stopped,
        stopped_runs: stopped,
        message_bus_files: buses.files,
        message_bus_total_bytes: buses.bytes,
    };
    Ok(json(StatusCode::OK, &stats))
}

async fn gc(api: Api, id: String, query: Query) -> Result<Response> {
    let project = api.project(&id)?;
    let age = match query.text("older_than") {
        None => A_WEEK,
        Some(text) => config::parse_duration(text)
            .ok_or_else(|| bad("older_than", &"it is no time such as 90m, 168h or 30d"))?,
    };
    let now = api.core.runner.tree.clock().now();
    let age = TimeDelta::from_std(age).ok();
    let before = age.and_then(|age| now.checked_sub_signed(age));
    let policy = Policy {
        before: before.ok_or_else(|| bad("older_than", &"it lies before all time"))?,
        keep: 1,
        failed: if query.flag("keep_failed")? { Failed::Keep } else { Failed::Collect },
        scope: Scope::Runs,
    };
    let dry_run = query.flag("dry_run")?;
    let cleaning = if dry_run { Cleaning::Rehearsed } else { Cleaning::Real };
    let collected = api.core.collect(project, policy, cleaning).await?;
    let collected = wire::Collected { deleted_runs: collected.runs, freed_bytes: collected.bytes, dry_run };
    Ok(json(StatusCode::OK, &collected))
}
