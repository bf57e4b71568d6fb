//! `/metrics`: the figures that an operator's tools collect. The names of the document come first.

use std::collections::BTreeMap;

use http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use super::exposition::{Exposition, Kind, labels, number};
use crate::{
    Api,
    endpoint::{Endpoint, OPEN, Traces, get},
    error::HttpError,
};
use tree::{bus, run_info::RunStatus};
use view::index::{DURATIONS, Tally};

/// The media type that these tools expect.
const PROMETHEUS: &str = "text/plain; version=0.0.4";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(OPEN, "/metrics", "Get the metrics of the daemon in the text format of Prometheus")
            .text(StatusCode::OK, "The figures", PROMETHEUS)
            .leaves(Traces::Uncounted)
            .map(|call, (): &()| Ok::<_, HttpError>(metrics(&call.api))),
    ]
}

fn metrics(api: &Api) -> Response {
    let mut response = Response::new(text(api).into());
    let kind = HeaderValue::from_static(PROMETHEUS);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn text(api: &Api) -> String {
    let mut all = Exposition::default();
    let tallies = api.core.index.tallies();
    documented(&mut all, api, &tallies);
    work(&mut all, api);
    agents(&mut all, &tallies);
    inside(&mut all, api);
    all.into_text()
}

/// Adds the figures of the document.
fn documented(all: &mut Exposition, api: &Api, tallies: &BTreeMap<String, Tally>) {
    let ended = |words: &[RunStatus]| {
        let of = |tally: &Tally| words.iter().filter_map(|w| tally.ended.get(w.as_str())).sum::<u64>();
        tallies.values().map(of).sum::<u64>()
    };
    let active = api.core.index.unsettled().iter().filter(|r| r.status == Some(RunStatus::Running)).count();
    all.one("uptime_seconds", Kind::Gauge, "Server uptime in seconds", api.core.uptime().as_secs_f64());
    all.count("active_runs_total", Kind::Gauge, "Currently active (running) agent runs", active as u64);
    for (name, help, words) in [
        ("completed_runs_total", "Total completed agent runs since startup", &[RunStatus::Completed][..]),
        (
            "failed_runs_total",
            "Total failed agent runs since startup",
            &[RunStatus::Failed, RunStatus::Crashed],
        ),
        (
            "stopped_runs_total",
            "Total agent runs since startup that were stopped on request",
            &[RunStatus::Stopped],
        ),
    ] {
        all.count(name, Kind::Counter, help, ended(words));
    }
    let help = "Total message bus append operations";
    all.count("messagebus_appends_total", Kind::Counter, help, bus::posted());
    let requests = api.live.counters.requests();
    let samples = requests
        .iter()
        .map(|((method, status), n)| (labels(&[("method", method), ("status", &status.to_string())]), *n));
    all.counts("api_requests_total", Kind::Counter, "Total API requests by method and status", samples);
}

/// Adds the figures of queued, live and known tasks and runs.
fn work(all: &mut Exposition, api: &Api) {
    let index = &api.core.index;
    let (queued, live) = index.tickets();
    let (tasks, runs) = index.size();
    for (name, help, n) in [
        ("queued_runs_total", "Tasks that wait for a place or for other tasks", queued),
        ("live_tasks", "Tasks that were admitted and have not ended", live),
        ("known_tasks", "Tasks in the tree", tasks),
        ("known_runs", "Runs in the tree", runs),
        ("unreadable_files", "Files of the tree that cannot be read", index.faults().len()),
    ] {
        all.count(name, Kind::Gauge, help, n as u64);
    }
}

/// Adds the figures of each agent's ended runs since startup.
fn agents(all: &mut Exposition, tallies: &BTreeMap<String, Tally>) {
    let runs = tallies.iter().flat_map(|(agent, tally)| {
        let sample = |(status, n): (&&str, &u64)| (labels(&[("agent", agent), ("status", status)]), *n);
        tally.ended.iter().map(sample).collect::<Vec<_>>()
    });
    all.counts(
        "agent_runs_total",
        Kind::Counter,
        "Agent runs that have ended since startup, by status",
        runs,
    );
    let tokens = tallies.iter().flat_map(|(agent, Tally { spent, .. })| {
        let kinds =
            [("input", spent.input_tokens), ("output", spent.output_tokens), ("cached", spent.cached_tokens)];
        kinds.map(|(kind, n)| (labels(&[("agent", agent), ("kind", kind)]), n))
    });
    let help = "Tokens of ended runs as reported by the agents; input includes cached tokens";
    all.counts("agent_tokens_total", Kind::Counter, help, tokens);
    let cost = tallies.iter().map(|(agent, t)| {
        let dollars = number(t.spent.micro_usd) / 1e6;
        (labels(&[("agent", agent)]), dollars)
    });
    let help = "Cost of ended runs in US dollars as reported by the agents";
    all.samples("agent_cost_usd_total", Kind::Counter, help, cost);
    let durations = tallies.iter().flat_map(|(agent, tally)| histogram(agent, tally));
    all.samples("run_duration_seconds", Kind::Histogram, "Duration of runs from start to end", durations);
}

fn histogram(agent: &str, tally: &Tally) -> Vec<(String, f64)> {
    let bounds = DURATIONS.iter().map(u64::to_string).chain(["+Inf".to_owned()]);
    let mut until = 0;
    let mut samples: Vec<(String, f64)> = bounds
        .zip(tally.durations)
        .map(|(bound, n)| {
            until += n;
            (format!("_bucket{}", labels(&[("agent", agent), ("le", &bound)])), number(until))
        })
        .collect();
    let own = labels(&[("agent", agent)]);
    samples.push((format!("_sum{own}"), number(tally.took_ms) / 1000.0));
    samples.push((format!("_count{own}"), number(until)));
    samples
}

/// Adds the figures of the daemon itself.
fn inside(all: &mut Exposition, api: &Api) {
    let streams = api.live.counters.streams();
    all.count("open_streams", Kind::Gauge, "Open event streams", streams.open);
    all.count(
        "stream_events_total",
        Kind::Counter,
        "Events sent on streams, keep-alives included",
        streams.events,
    );
    all.count("stream_bytes_total", Kind::Counter, "Bytes sent on event streams", streams.bytes);
    let help = "Bytes appended to message buses";
    all.count("messagebus_bytes_total", Kind::Counter, help, bus::posted_bytes());
    let watcher = api.core.hints.state();
    let help = "1 if the kernel reports changes of files, 0 if the daemon polls";
    all.count("watcher_native", Kind::Gauge, help, u64::from(watcher.native));
    all.count("watched_folders", Kind::Gauge, "Watched folders", watcher.folders as u64);
    all.count("watcher_hints_total", Kind::Counter, "Changes of files reported by the kernel", watcher.hints);
    all.count("panics_total", Kind::Counter, "Requests that ended in a panic", api.live.counters.panics());
    let version = labels(&[("version", env!("CARGO_PKG_VERSION"))]);
    all.counts("build_info", Kind::Gauge, "1, with the version of the daemon", [(version, 1)]);
}
