//! Statistics of a project, and the removal of its old runs.

use std::time::Duration;

use chrono::TimeDelta;
use http::StatusCode;
use warp::reply::Response;

use crate::{
    endpoint::{ADMIN, Call, Endpoint, Param, READ, bad, flag, get, opaque, post},
    error::{Result, json},
    wire,
};
use base::blocking;
use daemon::Cleaning;
use engine::runner::{Failed, Policy, Scope};
use tree::{ids::ProjectId, run_info::RunStatus};

/// Default age from which runs are old.
const A_WEEK: Duration = Duration::from_hours(168);

const OLDER_THAN: Param = opaque(
    "older_than",
    "^([0-9]{1,6}(ms|s|m|h|d)){1,4}$",
    "Only runs that ended at least this long ago, for example `90m` or `30d`; the unit is required; default `168h`",
);
const KEEP_FAILED: Param = flag("keep_failed", "Keep failed runs");
const DRY_RUN: Param = flag("dry_run", "Only report the runs that would be deleted");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/projects/{project_id}/stats", "Get statistics of a project")
            .json::<wire::Stats>(StatusCode::OK, "The figures")
            .errors(&[404, 503])
            .then(stats),
        post(ADMIN, "/api/projects/{project_id}/gc", "Delete old runs")
            .refuses_pages()
            .params(&[OLDER_THAN, KEEP_FAILED, DRY_RUN])
            .json::<wire::Collected>(StatusCode::OK, "A summary of the deleted files")
            .errors(&[404, 503])
            .then(gc),
    ]
}

async fn stats(call: Call, project: ProjectId) -> Result<Response> {
    let api = call.api;
    api.project(&project)?;
    let tasks = api.core.index.tasks(Some(&project));
    let (core, name) = (api.core.clone(), project.clone());
    let buses = blocking::run(move || core.index.bus_stats(&core.runner.tree, &name)).await?;
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

async fn gc(call: Call, project: ProjectId) -> Result<Response> {
    let Call { api, query, .. } = call;
    api.project(&project)?;
    let age = match query.text(&OLDER_THAN)? {
        None => A_WEEK,
        // A bare number may be meant as days. Taken as seconds, it would remove nearly everything.
        Some(text) if text.parse::<u64>().is_ok() => {
            return Err(bad(&OLDER_THAN, &"the unit is missing; write 30d for days, or 12h for hours"));
        }
        Some(text) => config::parse_duration(text).map_err(|e| bad(&OLDER_THAN, &format!("it {e}")))?,
    };
    let now = api.core.runner.tree.clock().now();
    let age = TimeDelta::from_std(age).ok();
    let before = age.and_then(|age| now.checked_sub_signed(age));
    let policy = Policy {
        before: before.ok_or_else(|| bad(&OLDER_THAN, &"it is too long"))?,
        keep: 1,
        failed: if query.flag(&KEEP_FAILED)? { Failed::Keep } else { Failed::Collect },
        scope: Scope::Runs,
    };
    let dry_run = query.flag(&DRY_RUN)?;
    let cleaning = if dry_run { Cleaning::Rehearsed } else { Cleaning::Real };
    let collected = api.core.collect(project, policy, cleaning).await?;
    let collected = wire::Collected { deleted_runs: collected.runs, freed_bytes: collected.bytes, dry_run };
    Ok(json(StatusCode::OK, &collected))
}
