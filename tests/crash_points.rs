//! The program is killed by SIGKILL before each of its operations on the disk in turn, driver and shim alike. Another
//! driver takes over, and the tree must be as if nothing had happened.
//!
//! `fsx` counts the operations; debug builds obey `CONDUCTOR_TEST_KILL_DRIVER` and `…_SHIM`. A plain job is killed at
//! every point, everything else at samples; `CONDUCTOR_SOAK=1` takes all of them.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    fmt::Debug,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use crate::common::{
    crash::{Agent, CrashBench, Kill, Lost, kill},
    processes::{is_alive, until_true},
};

/// Number of points that are tried concurrently.
const THREADS: usize = 4;
/// More operations than a driver or a shim makes.
const BEYOND: u32 = 400;

/// States if the kill happened, or if the point lies after the last operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Yes,
    No,
}

impl Reached {
    fn if_true(reached: bool) -> Self {
        if reached { Self::Yes } else { Self::No }
    }
}

/// The condition that ends a series of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StopAt {
    /// After every point.
    End,
    /// At a point that is not reached, because it lies after all that are.
    Unreached,
}

/// Tries points, several concurrently. Fails with all failures.
fn try_all<P: Debug + Sync>(points: &[P], try_one: impl Fn(&P) -> Reached + Sync, enough: StopAt) {
    let next = AtomicUsize::new(0);
    let (over, failed) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let work = || {
        while !over.load(Ordering::Relaxed)
            && let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed))
        {
            match catch_unwind(AssertUnwindSafe(|| try_one(point))) {
                Ok(Reached::No) if enough == StopAt::Unreached => over.store(true, Ordering::Relaxed),
                Ok(_) => {}
                Err(_) => {
                    failed.lock().expect("a list").push(format!("{point:?}"));
                    over.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().expect("a list");
    assert!(failed.is_empty(), "failed, as said above: {}", failed.join(", "));
    let tried = next.into_inner();
    assert!(enough == StopAt::End || (6..points.len()).contains(&tried), "the points end after {tried}");
}

/// The driver is killed; then another driver continues.
fn driver_dies(agent: Agent, at: u32) -> Reached {
    let place = CrashBench::new();
    let ran = place.submit(agent, Kill::driver(at));
    let what = format!("{agent:?}, driver killed at {at}");
    place.restart(&what);
    place.check(agent, Lost::Nothing, &what);
    Reached::if_true(ran.killed)
}

/// The shim is killed while its driver lives or is killed, too.
fn shim_dies(agent: Agent, at: u32, driver: Option<u32>) -> Reached {
    let place = CrashBench::new();
    place.submit(agent, Kill { shim: Some(at), driver });
    let reached = Reached::if_true(place.a_shim_died());
    let what = format!("{agent:?}, shim killed at {at}, driver at {driver:?}");
    place.restart(&what);
    place.check(agent, Lost::End, &what);
    reached
}

fn soak() -> bool {
    std::env::var_os("CONDUCTOR_SOAK").is_some()
}

/// Every `step`th point; all points in a soak.
fn every(step: usize) -> Vec<u32> {
    (1..=BEYOND).step_by(if soak() { 1 } else { step }).collect()
}

/// Pairs of two samples, each given as from, to, step; all pairs in a soak.
fn pairs(first: (u32, u32, usize), second: (u32, u32, usize)) -> Vec<(u32, u32)> {
    let samples = |(from, to, step): (u32, u32, usize)| (from..to).step_by(if soak() { 1 } else { step });
    samples(first).flat_map(|a| samples(second).map(move |b| (a, b))).collect()
}

#[test]
fn heavy_a_driver_may_die_at_any_point() {
    try_all(&every(1), |at| driver_dies(Agent::Answers, *at), StopAt::Unreached);
}

#[test]
fn heavy_a_shim_may_die_at_any_point() {
    try_all(&every(1), |at| shim_dies(Agent::Answers, *at, None), StopAt::Unreached);
}

#[test]
fn heavy_a_job_that_fails_or_is_stopped_keeps_its_end() {
    for agent in [Agent::Fails, Agent::IsStopped] {
        try_all(&every(5), |at| driver_dies(agent, *at), StopAt::Unreached);
        try_all(&every(3), |at| shim_dies(agent, *at, None), StopAt::Unreached);
    }
}

#[test]
fn heavy_a_loop_goes_on_where_its_driver_died() {
    try_all(&every(4), |at| driver_dies(Agent::Loops, *at), StopAt::Unreached);
    if soak() {
        try_all(&every(1), |at| shim_dies(Agent::Loops, *at, None), StopAt::Unreached);
    }
}

/// The driver dies, and so does the driver that takes over.
#[test]
fn heavy_the_next_driver_may_die_too() {
    let try_one = |&(at, again): &(u32, u32)| {
        let place = CrashBench::new();
        let what = format!("driver killed at {at}, the next at {again}");
        place.submit(Agent::Answers, Kill::driver(at));
        place.run(&["drive", "--all"], Kill::driver(again));
        place.restart(&what);
        place.check(Agent::Answers, Lost::Nothing, &what);
        Reached::Yes
    };
    try_all(&pairs((28, 80, 7), (1, 40, 5)), try_one, StopAt::End);
}

/// The driver dies, and so does a shim: the driver's own, or that of the next driver.
#[test]
fn heavy_driver_and_shim_may_die() {
    let both = |&(driver, shim): &(u32, u32)| shim_dies(Agent::Answers, shim, Some(driver));
    try_all(&pairs((30, 80, 9), (1, 30, 5)), both, StopAt::End);
    let one_after_the_other = |&(driver, shim): &(u32, u32)| {
        let place = CrashBench::new();
        let what = format!("driver killed at {driver}, the shim of the next at {shim}");
        place.submit(Agent::Answers, Kill::driver(driver));
        place.run(&["drive", "--all"], Kill::shim(shim));
        place.restart(&what);
        place.check(Agent::Answers, Lost::End, &what);
        Reached::Yes
    };
    try_all(&pairs((28, 48, 7), (1, 30, 5)), one_after_the_other, StopAt::End);
}

/// The fate of an agent after its shim was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Orphan {
    /// The agent ends before another driver continues.
    Gone,
    /// The agent ends while another driver holds the task.
    Alive,
    /// The agent is stopped while another driver holds the task.
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    Stays,
    Dies,
}

#[test]
fn heavy_an_agent_may_outlive_its_shim() {
    let points = [
        (Driver::Stays, Orphan::Alive),
        (Driver::Stays, Orphan::Stopped),
        (Driver::Dies, Orphan::Alive),
        (Driver::Dies, Orphan::Stopped),
        (Driver::Dies, Orphan::Gone),
    ];
    try_all(&points, |&(driver, orphan)| agent_outlives(driver, orphan), StopAt::End);
}

fn agent_outlives(driver: Driver, orphan: Orphan) -> Reached {
    let place = CrashBench::new();
    let what = format!("driver {driver:?}, agent {orphan:?}");
    let mut by = place.begin(Agent::Waits, Kill::NOBODY);
    until_true("the agent", || !place.starts().is_empty());
    let (shim, agent) = place.claimed();
    kill(shim);
    assert!(is_alive(agent), "{what}: the agent has ended with its shim");
    if driver == Driver::Dies {
        by.kill().expect("killed");
        CrashBench::wait(by);
        if orphan == Orphan::Gone {
            place.put("go", "");
            until_true("the agent's end", || !is_alive(agent));
        }
        by = place.start(&["drive", "--all"], Kill::NOBODY);
    }
    if orphan != Orphan::Gone {
        // The end of the agent can only be seen by a process that holds a handle on it.
        until_true("a handle on the agent", || holds_a_process(by.id()));
        place.put(if orphan == Orphan::Alive { "go" } else { "run-agent/p/t/STOP" }, "");
    }
    assert!(!CrashBench::wait(by).killed, "{what}");
    let (agent, expected) = match orphan {
        Orphan::Gone => (Agent::Waits, "crashed"),
        Orphan::Stopped => (Agent::IsStopped, "stopped"),
        // A process other than the parent learns the exit status from Linux 6.15 on.
        Orphan::Alive if kernel() < (6, 15) => (Agent::Waits, "crashed"),
        Orphan::Alive => (Agent::Waits, "completed"),
    };
    let run = place.runs().pop().expect("a run");
    assert_eq!(run.status, expected, "{what}: {run:?}");
    place.check(agent, Lost::End, &what);
    Reached::Yes
}

/// Returns true if a process has a pidfd open, and will therefore see the end of the process behind it.
fn holds_a_process(pid: u32) -> bool {
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    fds.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|to| to.to_string_lossy().contains("pidfd"))
}

fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Breaks everything that a repair mends, at once.
fn break_everything(place: &CrashBench) {
    place.submit(Agent::Fails, Kill::NOBODY);
    let run = place.runs().pop().expect("a run");
    let read = |path: &Path| fs::read_to_string(path).expect("a file");
    let write = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    };
    let record = run.folder.join("run-info.yaml");
    let text = read(&record);
    let keep = |l: &&str| !["end_time", "exit_code", "error_summary"].iter().any(|key| l.starts_with(key));
    let open = text.lines().filter(keep).fold(String::new(), |text, line| text + line + "\n");
    write(&record, &open.replace("status: failed", "status: running"));
    fs::remove_file(run.folder.join("output.md")).expect("removed");
    write(&run.folder.join(".reserved-exit.json"), "");
    write(&place.task().join("runs/20260101-0000000000-1-0001/prompt.md"), "made, and never accepted");
    write(&place.task().join(".tmp-99999999-0-TASK.md"), "");
    write(&place.root().join("_daemon/trash/20260101-0000000000-99999999-0001/x"), "");
    for (number, task, run) in [(1, "t", run.id.as_str()), (2, "gone", "20260101-0000000000-1-0001")] {
        let ticket =
            format!("version: 1\nproject_id: p\ntask_id: {task}\nrun_id: {run}\nkind: job\nattempt: 1\n");
        write(&place.root().join(format!("_planner/live/{number:020}.yaml")), &ticket);
    }
    let bus = place.task().join("TASK-MESSAGE-BUS.jsonl");
    write(&bus, &format!("{}{{\"type\"", read(&bus)));
}

#[test]
fn heavy_a_repair_may_die_at_any_point() {
    let try_one = |at: &u32| {
        let place = CrashBench::new();
        let what = format!("repair killed at {at}");
        break_everything(&place);
        let ran = place.run(&["fsck", "--repair"], Kill::driver(*at));
        place.repair(&what);
        place.check(Agent::Fails, Lost::Nothing, &what);
        Reached::if_true(ran.killed)
    };
    try_all(&every(3), try_one, StopAt::Unreached);
}

#[test]
fn heavy_a_resumption_may_die_at_any_point() {
    let try_one = |at: &u32| {
        let place = CrashBench::new();
        let what = format!("resumption killed at {at}");
        place.submit(Agent::Fails, Kill::NOBODY);
        let ran = place.run(&["resume", "p/t"], Kill::driver(*at));
        place.restart(&what);
        if place.accepted().len() == 1 {
            // The resume was not accepted: the task is as it was, and can be resumed.
            let again = place.run(&["resume", "p/t"], Kill::NOBODY);
            assert_eq!(place.accepted().len(), 2, "{what}: {again:?}");
        }
        let starts = place.starts();
        assert!(starts.len() == 2 && starts.values().all(|n| *n == 1), "{what}: {starts:?}");
        assert!(place.accepted().iter().all(|run| run.status == "failed"), "{what}");
        place.repair(&what);
        Reached::if_true(ran.killed)
    };
    try_all(&every(4), try_one, StopAt::Unreached);
}

#[test]
fn heavy_a_deletion_may_die_at_any_point() {
    let try_one = |at: &u32| {
        let place = CrashBench::new();
        let what = format!("deletion killed at {at}");
        place.submit(Agent::Answers, Kill::NOBODY);
        place.run(&["task", "delete", "p/t", "--yes"], Kill::driver(*at));
        if place.task().exists() {
            // The task is whole, as if it had never been asked to be deleted.
            place.check(Agent::Answers, Lost::Nothing, &what);
            place.run(&["task", "delete", "p/t", "--yes"], Kill::NOBODY);
        }
        assert!(!place.task().exists(), "{what}");
        place.repair(&what);
        let trash = fs::read_dir(place.root().join("_daemon/trash")).into_iter().flatten();
        assert_eq!(trash.count(), 0, "{what}");
        Reached::Yes
    };
    // A deletion takes fewer operations than that.
    try_all(&(1..12).collect::<Vec<_>>(), try_one, StopAt::End);
}

#[test]
fn the_operations_of_a_job_are_few() {
    let place = CrashBench::new();
    let ran = place.submit(Agent::Answers, Kill::driver(120));
    assert!(!ran.killed, "a job takes more operations than it used to");
    place.check(Agent::Answers, Lost::Nothing, "an ordinary job");
}
