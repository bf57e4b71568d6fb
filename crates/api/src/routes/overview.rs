//! Facts beyond single tasks: the agents, the activity of runs over time, and the disk.

use std::path::Path;

use chrono::TimeDelta;
use http::StatusCode;
use warp::reply::Response;

use crate::{
    endpoint::{Call, Endpoint, Param, READ, bad, get, number, time},
    error::{Result, json},
    wire,
};
use base::blocking;
use daemon::{AgentProgram, Ask};
use engine::runner::{self, Runner};
use tree::TreeError;
use view::{activity, disk_use};

/// Default of `since`: this long ago.
const A_DAY: TimeDelta = TimeDelta::days(1);
/// Default length of a step, in seconds.
const AN_HOUR: usize = 3600;
/// Maximum number of steps in an answer.
const MOST: i64 = 2000;

const SINCE: Param =
    time("since", "Only runs that ended at this time or later; default: within the last day");
const STEP: Param = number("step", 60, 366 * 86_400, "Length of a step in seconds; default 3600");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/v1/agents", "List the configured agents, and tell which are installed")
            .json::<wire::Agents>(StatusCode::OK, "The agents, sorted by name")
            .then(|call, (): ()| agents(call)),
        get(READ, "/api/v1/activity", "Get the number, results and usage of runs over time")
            .params(&[SINCE, STEP])
            .json::<wire::Activity>(StatusCode::OK, "The ended runs, summed up per step")
            .errors(&[503])
            .map(|call, (): &()| activity(call)),
        get(READ, "/api/v1/disk", "Get the free disk space, and the disk usage of each project")
            .json::<wire::Disk>(StatusCode::OK, "Sizes in bytes, counted over all files")
            .errors(&[503])
            .then(|call, (): ()| disk(call)),
    ]
}

/// Lists the agents with their programs. No program is started, because that takes up to seconds: versions are the
/// known ones.
async fn agents(call: Call) -> Result<Response> {
    let api = call.api;
    let agents = blocking::run(move || {
        let checked = daemon::check_programs(&api.core.runner, Ask::Only(""))?;
        let told = checked.iter().map(|checked| agent(&api.core.runner, checked));
        Ok::<_, TreeError>(told.collect::<Vec<_>>())
    });
    Ok(json(StatusCode::OK, &wire::Agents { agents: agents.await? }))
}

fn agent(runner: &Runner, checked: &AgentProgram<'_>) -> wire::Agent {
    let agent = &checked.agent;
    // The folder of a future task is not known yet.
    let problem = runner::agent_problem(runner, agent, Path::new("/"));
    wire::Agent {
        name: agent.name.to_owned(),
        kind: agent.settings.agent_type.as_str(),
        installed: agent.program.is_ok(),
        needs_command: agent.needs_command(),
        program: agent.program.as_ref().ok().map(|p| p.to_string_lossy().into_owned()),
        version: checked.version().map(str::to_owned),
        usable: problem.is_none(),
        problem,
    }
}

fn activity(call: &Call) -> Result<Response> {
    let api = &call.api;
    api.ready()?;
    let now = api.core.runner.tree.clock().now();
    let since = call.query.time(&SINCE)?.unwrap_or(now - A_DAY);
    let seconds = call.query.number(&STEP)?.unwrap_or(AN_HOUR);
    let step = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    if (now - since).num_seconds() / step.num_seconds() > MOST {
        return Err(bad(
            &STEP,
            &format!("there would be more than {MOST} steps; choose a longer step or a later time"),
        ));
    }
    let steps = activity::steps(&api.core.index.runs(), since, step);
    let shown = steps.into_iter().map(|s| wire::Step {
        start: wire::Time(s.start),
        ended: s.ended,
        completed: s.completed,
        unpriced: s.unpriced,
        usage: s.usage,
    });
    let shown = wire::Activity { since: wire::Time(since), step: seconds, steps: shown.collect() };
    Ok(json(StatusCode::OK, &shown))
}

async fn disk(call: Call) -> Result<Response> {
    call.api.ready()?;
    let projects = call.api.core.index.projects();
    let tree = call.api.core.runner.tree.clone();
    let shown = blocking::run(move || {
        let mut shown = Vec::new();
        for project in &projects {
            let id = project.summary.project.clone();
            shown.push(wire::DiskUse { bytes: disk_use::of_project(&tree, &id)?, id });
        }
        Ok::<_, TreeError>(wire::Disk {
            root: tree.root().path().to_string_lossy().into_owned(),
            free_bytes: tree.root().free_bytes()?,
            total_bytes: tree.root().total_bytes()?,
            projects: shown,
        })
    });
    Ok(json(StatusCode::OK, &shown.await?))
}
