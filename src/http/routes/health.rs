//! Whether the daemon is there, which version it is, and what it is at.

use http::StatusCode;
use serde_json::json;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use crate::{
    http::{
        Api,
        error::{Result, answer, json},
        wire,
    },
    tree::run_info::RunStatus,
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let health = warp::path!("api" / "v1" / "health")
        .and(warp::get())
        .and(api.clone())
        .map(|api: Api| answer(api.ready().map(|()| json(StatusCode::OK, &json!({ "status": "ok" })))))
        .boxed();
    let healthz =
        warp::path!("healthz").and(warp::get()).and(api.clone()).map(|api| answer(healthz(&api))).boxed();
    let version = warp::path!("api" / "v1" / "version")
        .and(warp::get())
        .map(|| json(StatusCode::OK, &json!({ "version": env!("CARGO_PKG_VERSION") })))
        .boxed();
    let status = warp::path!("api" / "v1" / "status")
        .and(warp::get())
        .and(api.clone())
        .map(|api| answer(status(&api)))
        .boxed();
    health.or(version).unify().or(healthz).unify().or(status).unify().boxed()
}

fn healthz(api: &Api) -> Result<Response> {
    api.ready()?;
    let uptime = format!("{}s", api.core.uptime().as_secs());
    Ok(json(StatusCode::OK, &json!({ "status": "ok", "uptime": uptime })))
}

fn status(api: &Api) -> Result<Response> {
    api.ready()?;
    let running = api.core.index.unsettled();
    let running: Vec<_> = running.iter().filter(|r| r.status == Some(RunStatus::Running)).collect();
    let tasks = running.iter().map(|run| {
        json!({
            "project_id": run.run.task.project,
            "task_id": run.run.task.task,
            "run_id": run.run.run,
            "agent": run.agent,
            "started": run.start_time.map(wire::Time),
        })
    });
    let status = json!({
        "active_runs_count": running.len(),
        "uptime_seconds": api.core.uptime().as_secs_f64(),
        "configured_agents": api.core.runner.config.agents.keys().collect::<Vec<_>>(),
        "version": env!("CARGO_PKG_VERSION"),
        "running_tasks": tasks.collect::<Vec<_>>(),
    });
    Ok(json(StatusCode::OK, &status))
}
