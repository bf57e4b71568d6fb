//! Every way to end a run, after which nothing of the run is left.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use crate::common::{
    Sandbox,
    cgroups::Group,
    processes::{is_alive, signal, until_true},
    shim::Bench,
};
use nix::sys::signal::Signal;
use process::exit::{ExitRecord, ProcessEnd, StopBy};
use tree::run_info::RunStatus;
use view::outcome;

const BY_TERM: ProcessEnd = ProcessEnd::Signaled { signal: 15, core_dumped: false };
const BY_KILL: ProcessEnd = ProcessEnd::Signaled { signal: 9, core_dumped: false };
/// Maximum time of a stop beyond its grace.
const SLACK: Duration = Duration::from_millis(500);

/// Starts an agent and waits for it, with the processes of its script.
fn up(script: &[&str]) -> Bench {
    let bench = Bench::new(&[script, &["say:up", "sleep:60000"]].concat());
    bench.launch();
    bench.says("up");
    bench
}

#[track_caller]
fn ended(bench: &Bench, end: &ProcessEnd, by: StopBy, status: RunStatus) -> ExitRecord {
    let exit = bench.end();
    assert_eq!((&exit.end, exit.stop.as_ref().map(|s| s.by)), (end, Some(by)));
    assert_eq!(outcome::of_exit(&exit, None).status, status);
    bench.is_clean();
    exit
}

#[test]
fn stop_ends_a_run_that_then_is_stopped() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.job(&[], &["say:up", "sleep:60000"]);
    job.says("up");
    job.stop();
    let info = job.finish();
    assert_eq!((info.status, info.exit_code, info.signal), (RunStatus::Stopped, None, Some(15)));
    assert_eq!(job.exit().stop.unwrap().by, StopBy::StopMarker);
    until_true("the end of all", || job.processes().is_empty());
}

#[test]
fn an_exit_code_of_zero_on_sigterm_is_stopped_and_no_success() {
    let script = "trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done";
    let bench = Bench::of_program(&["/bin/sh", "-c", script]);
    bench.launch();
    bench.says("up");
    bench.stop();
    ended(&bench, &ProcessEnd::Exited { exit_code: 0 }, StopBy::StopMarker, RunStatus::Stopped);
}

#[test]
fn a_stop_in_the_inbox_counts_like_the_marker() {
    let bench = up(&[]);
    bench.append("inbox.jsonl", "{\"type\":\"stop\"");
    std::thread::sleep(Duration::from_millis(50));
    assert!(is_alive(bench.agent()), "half a command was obeyed");
    bench.append("inbox.jsonl", "}\n");
    ended(&bench, &BY_TERM, StopBy::Inbox, RunStatus::Stopped);
}

#[test]
fn a_signal_to_the_shim_ends_the_run_and_is_no_stop() {
    for sent in [Signal::SIGTERM, Signal::SIGINT] {
        let bench = up(&["double-fork:60000"]);
        signal(bench.shim(), sent);
        ended(&bench, &BY_TERM, StopBy::Signal, RunStatus::Failed);
    }
}

#[test]
fn an_agent_that_is_silent_for_too_long_is_ended() {
    let mut bench = Bench::new(&["say:1", "sleep:200", "err:2", "sleep:200", "say:3", "sleep:60000"]);
    bench.spec.idle_timeout = Some(Duration::from_millis(400));
    bench.launch();
    let exit = ended(&bench, &BY_TERM, StopBy::IdleTimeout, RunStatus::Failed);
    let lived = (exit.ended_at - exit.started_at.unwrap()).num_milliseconds();
    // Output of either kind postpones the timeout.
    assert!(lived >= 780, "{lived} ms");
    assert_eq!(bench.stdout(), "1\n3\n");
}

#[test]
fn a_run_that_takes_too_long_is_ended_though_it_talks_and_ignores_sigterm() {
    let script = "trap '' TERM; while :; do echo x; sleep 0.01; done";
    let mut bench = Bench::of_program(&["/bin/sh", "-c", script]);
    bench.spec.max_run_time = Some(Duration::from_millis(300));
    bench.launch();
    let exit = ended(&bench, &BY_KILL, StopBy::MaxRunTime, RunStatus::Failed);
    let lived = (exit.ended_at - exit.started_at.unwrap()).num_milliseconds();
    assert!(lived >= 490, "{lived} ms");
    assert_eq!(exit.out_of_memory, None);
}

#[test]
fn the_grace_is_given_and_then_sigkill() {
    let bench = up(&["ignore-term"]);
    let began = Instant::now();
    bench.stop();
    ended(&bench, &BY_KILL, StopBy::StopMarker, RunStatus::Stopped);
    let took = began.elapsed();
    assert!(took >= bench.spec.stop_grace, "{took:?}");
}

#[test]
fn an_agent_that_was_suspended_meets_its_sigterm() {
    let mut bench = Bench::new(&["say:up", "sleep:60000"]);
    bench.spec.stop_grace = Duration::from_secs(20);
    bench.launch();
    bench.says("up");
    signal(bench.agent(), Signal::SIGSTOP);
    bench.stop();
    ended(&bench, &BY_TERM, StopBy::StopMarker, RunStatus::Stopped);
}

#[test]
fn whatever_left_its_session_or_its_parent_is_ended_too() {
    let bench = up(&["setsid-child:60000", "double-fork:60000", "hold-stdout:60000", "spawn-tree:2x2:60000"]);
    assert_eq!(bench.processes().len(), 2 + 1 + 1 + 1 + 6);
    bench.stop();
    let exit = ended(&bench, &BY_TERM, StopBy::StopMarker, RunStatus::Stopped);
    assert!(exit.leftovers.is_empty() && exit.survivors.is_empty(), "{exit:?}");
}

#[test]
fn what_an_agent_leaves_behind_is_ended_soon_and_named() {
    for left in ["hold-stdout:60000", "double-fork:60000", "setsid-child:60000"] {
        let mut bench = Bench::new(&[left, "say:last words"]);
        // Independent of the grace of a stop.
        bench.spec.stop_grace = Duration::from_mins(1);
        bench.launch();
        bench.says("last words");
        let began = Instant::now();
        let exit = bench.end();
        assert!(began.elapsed() < Duration::from_secs(2), "{left}: {:?}", began.elapsed());
        assert_eq!((&exit.end, &exit.stop), (&ProcessEnd::Exited { exit_code: 0 }, &None), "{left}");
        assert_eq!(exit.leftovers.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["helper"], "{left}");
        bench.is_clean();
    }
}

/// An agent that continues as ever new processes, each of which lives for a moment.
fn hopping(bench: &mut Bench) {
    let hopper = bench.note("hopper");
    // The process ends with the test, if nothing else ends it.
    let text = format!("#!/bin/sh\ntrap '' TERM\n[ -d '{}' ] && \"$0\" &\n", bench.spec.root.display());
    fs::write(&hopper, text).unwrap();
    fs::set_permissions(&hopper, fs::Permissions::from_mode(0o755)).unwrap();
    let run = format!("'{hopper}' & '{hopper}' & '{hopper}' & echo up; sleep 60");
    bench.spec.argv = ["/bin/sh", "-c", &run].map(str::to_owned).into();
}

#[test]
fn heavy_processes_that_only_live_for_a_moment_are_ended_too() {
    let group = Group::without_groups();
    for group in [None, Some(group.as_ref())] {
        let mut bench = Bench::of_program(&[""]);
        bench = match group {
            Some(Some(group)) => bench.inside(group),
            Some(None) => return,
            None => bench,
        };
        hopping(&mut bench);
        bench.launch();
        bench.says("up");
        let began = Instant::now();
        bench.stop();
        let exit = ended(&bench, &BY_TERM, StopBy::StopMarker, RunStatus::Stopped);
        assert_eq!(exit.survivors, []);
        // A walk of /proc that never meets these processes gives up after half a minute.
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}

#[test]
fn an_agent_has_a_control_group_that_ends_with_it() {
    // A control group of its own with a process in it that only the group reveals, and an empty group beside it.
    let script = "own=$(sed -n s,^0::,,p /proc/self/cgroup); for at in /sys/fs/cgroup /sys/fs/cgroup/unified; do \
                  [ -e $at/cgroup.controllers ] && mkdir -p $at$own/a/b $at$own/c; done; \
                  sh -c \"trap '' TERM; echo 0 > $at$own/a/b/cgroup.procs; echo in; sleep 60\" & wait";
    let bench = Bench::of_program(&["/bin/sh", "-c", script]);
    bench.launch();
    let Some(group) = bench.claim().cgroup else {
        crate::common::skipped("no control group of version 2 may be made here");
        bench.stop();
        return;
    };
    bench.says("in");
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", bench.agent())).unwrap();
    let name = group.file_name().unwrap().to_str().unwrap();
    assert!(groups.lines().any(|l| l.starts_with("0::") && l.ends_with(name)), "{groups}");
    assert!(group.join("a/b").exists() && group.join("c").exists());
    bench.stop();
    ended(&bench, &BY_TERM, StopBy::StopMarker, RunStatus::Stopped);
    assert!(!group.exists());
}

/// Three generations, a session of its own and an orphan, some of which ignore SIGTERM.
const TREE: [&str; 4] = ["ignore-term", "spawn-tree:3x2:60000", "setsid-child:60000", "double-fork:60000"];

/// Stops one tree. Returns the time beyond the grace.
fn stop_a_tree(group: Option<&Group>) -> Duration {
    let mut bench = Bench::new(&[&TREE[..], &["say:up", "sleep:60000"]].concat());
    if let Some(group) = group {
        bench = bench.inside(group);
    }
    bench.launch();
    bench.says("up");
    assert_eq!(bench.processes().len(), 2 + 14 + 1 + 1);
    assert!(group.is_none() || bench.claim().cgroup.is_none());
    let began = Instant::now();
    bench.stop();
    let exit = bench.end();
    let took = began.elapsed();
    assert_eq!((exit.end, exit.survivors.len()), (BY_KILL, 0));
    bench.is_clean();
    took.saturating_sub(bench.spec.stop_grace)
}

/// 20 stops, or 200 with `CONDUCTOR_SOAK=1`; two at a time.
fn stop_trees(group: Option<&Group>) {
    let soak = std::env::var_os("CONDUCTOR_SOAK").is_some();
    let count = if soak { 200 } else { 20 };
    let next = AtomicU32::new(0);
    let slowest = std::thread::scope(|scope| {
        let stop_some = || {
            let mut slowest = Duration::ZERO;
            while next.fetch_add(1, Ordering::Relaxed) < count {
                slowest = slowest.max(stop_a_tree(group));
            }
            slowest
        };
        let threads = [scope.spawn(stop_some), scope.spawn(stop_some)];
        threads.into_iter().map(|t| t.join().unwrap()).max().unwrap()
    });
    // The design's half second applies to an idle machine; a busy one gets ten times that.
    let slack = if soak { SLACK } else { 10 * SLACK };
    assert!(slowest <= slack, "of {count} stops the slowest took {slowest:?} beyond its grace");
}

#[test]
fn alone_every_stop_of_a_tree_leaves_nothing_and_is_in_time() {
    stop_trees(None);
}

#[test]
fn alone_the_same_holds_where_no_control_group_may_be_made() {
    let Some(group) = Group::without_groups() else { return };
    stop_trees(Some(&group));
}
