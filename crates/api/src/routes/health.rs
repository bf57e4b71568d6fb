//! The daemon's health, version and status.

use std::num::NonZeroU32;

use http::StatusCode;
use warp::reply::Response;

use crate::{
    Api,
    endpoint::{Call, Endpoint, OPEN, READ, get},
    error::{HttpError, Result, json},
    wire,
};
use base::blocking;
use tree::{TreeError, run_info::RunStatus};

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(OPEN, "/healthz", "Tell if the daemon is ready, and its uptime")
            .json::<wire::Healthz>(StatusCode::OK, "It is ready")
            .errors(&[503])
            .then(|call, (): ()| healthz(call)),
        get(OPEN, "/api/v1/health", "Tell if the daemon is ready")
            .json::<wire::Health>(StatusCode::OK, "It is ready")
            .errors(&[503])
            .then(|call, (): ()| health(call)),
        get(OPEN, "/api/v1/version", "Get the version of the daemon")
            .json::<wire::Version>(StatusCode::OK, "The version")
            .map(|_, (): &()| Ok::<_, HttpError>(json(StatusCode::OK, &wire::Version { version: VERSION }))),
        get(READ, "/api/v1/status", "Get the live runs, the agents and the state of the daemon")
            .json::<wire::Status>(StatusCode::OK, "The state of the daemon")
            .errors(&[503])
            .map(|call, (): &()| status(&call.api)),
    ]
}

/// Fails while the tree is being read, and while the root is not at its path: nothing starts then.
async fn is_well(api: &Api) -> Result<()> {
    api.ready()?;
    let root = api.core.runner.tree.root().clone();
    blocking::run(move || root.must_be_in_place()).await.map_err(TreeError::from)?;
    Ok(())
}

async fn health(call: Call) -> Result<Response> {
    is_well(&call.api).await?;
    Ok(json(StatusCode::OK, &wire::Health { status: "ok" }))
}

async fn healthz(call: Call) -> Result<Response> {
    is_well(&call.api).await?;
    let uptime = format!("{}s", call.api.core.uptime().as_secs());
    Ok(json(StatusCode::OK, &wire::Healthz { status: "ok", uptime }))
}

fn status(api: &Api) -> Result<Response> {
    api.ready()?;
    let running = api.core.index.unsettled();
    let running: Vec<_> = running.iter().filter(|r| r.status == Some(RunStatus::Running)).collect();
    let tasks = running.iter().map(|run| wire::RunningTask {
        project_id: &run.run.task.project,
        task_id: &run.run.task.task,
        run_id: &run.run.run,
        agent: &run.agent,
        started: run.start_time.map(wire::Time),
    });
    let (queued_tasks_count, live_tasks_count) = api.core.index.tickets();
    let limits = api.core.limits();
    let status = wire::Status {
        active_runs_count: running.len(),
        uptime_seconds: api.core.uptime().as_secs_f64(),
        configured_agents: api.core.runner.config.agents.keys().map(AsRef::as_ref).collect(),
        version: VERSION,
        file_system: api.core.file_system.as_deref(),
        root: api.core.runner.tree.root().path().display().to_string(),
        running_tasks: tasks.collect(),
        queued_tasks_count,
        live_tasks_count,
        max_concurrent_root_tasks: limits.roots.map(NonZeroU32::get),
        max_concurrent_runs: limits.runs.map(NonZeroU32::get),
    };
    Ok(json(StatusCode::OK, &status))
}
