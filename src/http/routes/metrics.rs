//! `/metrics`: what an operator's tools gather, in the text format of Prometheus, version 0.0.4.

use std::fmt::Write as _;

use http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use crate::{
    http::{
        Api,
        endpoint::{Endpoint, Serve, get},
    },
    tree::{bus, run_info::RunStatus},
};

/// The media type that the tools expect.
const PROMETHEUS: &str = "text/plain; version=0.0.4";

pub(super) fn endpoints() -> Vec<Endpoint<Serve>> {
    vec![
        get("/metrics", "Figures of the daemon, in the text format of Prometheus")
            .text(StatusCode::OK, "The figures", PROMETHEUS)
            .map(|call, (): &()| Ok(metrics(&call.api))),
    ]
}

fn metrics(api: &Api) -> Response {
    let mut response = Response::new(text(api).into());
    let kind = HeaderValue::from_static(PROMETHEUS);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// One figure; its samples with their labels, which are words of ours.
struct Figure<'a> {
    name: &'a str,
    kind: &'a str,
    help: &'a str,
    samples: Vec<(String, f64)>,
}

fn text(api: &Api) -> String {
    let index = &api.core.index;
    let ended = index.ended();
    let ended = |words: &[RunStatus]| words.iter().filter_map(|w| ended.get(w.as_str())).sum::<u64>();
    let active = index.unsettled().iter().filter(|r| r.status == Some(RunStatus::Running)).count();
    let (queued, live) = index.tickets();
    let one = |value: f64| vec![(String::new(), value)];
    let requests = api
        .counters
        .requests()
        .into_iter()
        .map(|((method, status), n)| (format!("{{method=\"{method}\",status=\"{status}\"}}"), number(n)));
    let figures = [
        ("uptime_seconds", "gauge", "Server uptime in seconds", one(api.core.uptime().as_secs_f64())),
        ("active_runs_total", "gauge", "Currently active (running) agent runs", one(number(active as u64))),
        (
            "completed_runs_total",
            "counter",
            "Total completed agent runs since startup",
            one(number(ended(&[RunStatus::Completed]))),
        ),
        (
            "failed_runs_total",
            "counter",
            "Total failed agent runs since startup",
            one(number(ended(&[RunStatus::Failed, RunStatus::Crashed]))),
        ),
        (
            "stopped_runs_total",
            "counter",
            "Total agent runs since startup that somebody stopped",
            one(number(ended(&[RunStatus::Stopped]))),
        ),
        (
            "messagebus_appends_total",
            "counter",
            "Total message bus append operations",
            one(number(bus::posted())),
        ),
        ("api_requests_total", "counter", "Total API requests by method and status", requests.collect()),
        (
            "queued_runs_total",
            "gauge",
            "Tasks that wait for a place or for other tasks",
            one(number(queued as u64)),
        ),
        ("live_tasks", "gauge", "Tasks that were admitted and have not ended", one(number(live as u64))),
        ("open_streams", "gauge", "Event streams that clients have open", {
            one(number(u64::try_from(api.counters.streams()).unwrap_or(0)))
        }),
        ("panics_total", "counter", "Requests that met a bug", one(number(api.counters.panics()))),
    ];
    let mut text = String::new();
    for (name, kind, help, samples) in figures {
        write(&mut text, &Figure { name, kind, help, samples });
    }
    text
}

fn write(text: &mut String, figure: &Figure<'_>) {
    let Figure { name, kind, help, samples } = figure;
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP conductor_{name} {help}\n# TYPE conductor_{name} {kind}");
    for (labels, value) in samples {
        let _ = writeln!(text, "conductor_{name}{labels} {value}");
    }
    text.push('\n');
}

#[expect(clippy::cast_precision_loss, reason = "the format has floating point numbers only")]
fn number(n: u64) -> f64 {
    n as f64
}
