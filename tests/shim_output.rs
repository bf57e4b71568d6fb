//! The cost of a shim while it watches: its memory, its wake-ups, its time beside an agent that floods its output.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::common::{
    processes::{status, until, until_true},
    shim::Bench,
};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde::Deserialize;

/// A line of `log-times.jsonl`.
#[derive(Debug, Deserialize)]
struct Mark {
    stream: String,
    offset: u64,
    time: DateTime<Utc>,
}

fn marks(bench: &Bench) -> Vec<Mark> {
    let text = fs::read_to_string(bench.file("log-times.jsonl")).unwrap_or_default();
    // A line is there when it ends.
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The number of a process's context switches so far, voluntary or not.
fn wake_ups(pid: i32) -> u64 {
    status(pid, "voluntary_ctxt_switches") + status(pid, "nonvoluntary_ctxt_switches")
}

/// The processor time of a process so far, from `/proc/<pid>/stat`.
fn processor_time(pid: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[test]
fn heavy_a_flood_arrives_whole_and_costs_the_shim_little() {
    const BYTES: u64 = 100 << 20;
    // Some ten thousand writes.
    let flood = format!(
        "yes 'a line of the flood' | head -c {BYTES}; echo done >&2; until [ -e go ]; do sleep 0.01; done"
    );
    let bench = Bench::of_program(&["/bin/sh", "-c", &flood]);
    let began = Instant::now();
    bench.launch();
    let (shim, err) = (bench.shim(), bench.file("agent-stderr.txt"));
    until_true("the end of the flood", || fs::read_to_string(&err).is_ok_and(|text| text == "done\n"));
    let took = began.elapsed();
    let (used, woken) = (processor_time(shim), wake_ups(shim));
    fs::write(bench.note("go"), "").unwrap();
    bench.end();

    assert_eq!(bench.file("agent-stdout.txt").metadata().unwrap().len(), BYTES);
    let marks = marks(&bench);
    let out: Vec<&Mark> = marks.iter().filter(|m| m.stream == "stdout").collect();
    assert!(out.is_sorted_by(|a, b| a.offset < b.offset && a.time <= b.time), "{out:?}");
    assert_eq!(out.last().unwrap().offset, BYTES);
    assert_eq!(marks.iter().filter(|m| m.stream == "stderr").map(|m| m.offset).collect::<Vec<_>>(), [5]);
    // A mark every 25 ms, two wake-ups for a mark, and a few for the start.
    let ticks = u64::try_from(took.as_millis() / 25).unwrap();
    assert!(out.len() as u64 <= ticks + 3, "{} marks in {took:?}", out.len());
    assert!(woken <= 3 * ticks + 50, "{woken} wake-ups in {took:?}");
    assert!(used <= Duration::from_millis(50) + took / 10, "{used:?} in {took:?}");
}

#[test]
fn a_mark_tells_when_its_bytes_were_there() {
    let steps = [("stdout", "say:one", 4), ("stderr", "err:two", 4), ("stdout", "say:three", 10)];
    let bench = Bench::new(&[]);
    let gates = [0, 1, 2].map(|n| bench.note(&format!("gate-{n}")));
    let waits = gates.each_ref().map(|gate| format!("wait-for:{gate}"));
    let script = waits.iter().zip(steps).flat_map(|(wait, (_, step, _))| [wait.as_str(), step]);
    let bench = bench.doing(script);
    bench.launch();
    for (n, ((stream, _, offset), gate)) in steps.into_iter().zip(gates).enumerate() {
        // A mark has whole microseconds.
        let before = Utc::now().duration_trunc(TimeDelta::microseconds(1)).unwrap();
        fs::write(gate, "").unwrap();
        let mark = until("the mark", || marks(&bench).into_iter().nth(n));
        assert_eq!((mark.stream.as_str(), mark.offset), (stream, offset));
        assert!((before..=Utc::now()).contains(&mark.time), "{before}: {mark:?}");
    }
    bench.end();
    assert_eq!(marks(&bench).len(), steps.len());
}

#[test]
fn an_agent_that_cuts_its_own_output_is_followed_from_there() {
    let gates = "until [ -e cut ]; do sleep 0.01; done; echo x > /dev/stdout; \
                 until [ -e go ]; do sleep 0.01; done; echo y > /dev/stderr";
    let bench = Bench::of_program(&["/bin/sh", "-c", &format!("echo a long line; {gates}")]);
    let offsets =
        || -> Vec<u64> { marks(&bench).iter().filter(|m| m.stream == "stdout").map(|m| m.offset).collect() };
    bench.launch();
    until_true("the mark of the line", || offsets() == [12]);
    fs::write(bench.note("cut"), "").unwrap();
    // There may be a mark between the truncation and the line, too.
    until_true("the mark behind the cut", || matches!(offsets()[..], [12, 2] | [12, 0, 2]));
    fs::write(bench.note("go"), "").unwrap();
    bench.end();
    assert!(matches!(offsets()[..], [12, 2] | [12, 0, 2]), "{:?}", offsets());
}

#[test]
fn alone_a_shim_is_small_and_sleeps_while_nothing_happens() {
    let mut bench = Bench::new(&["say:up", "sleep:60000"]);
    // With every limit set, but far away.
    bench.spec.idle_timeout = Some(Duration::from_mins(10));
    bench.spec.max_run_time = Some(Duration::from_mins(10));
    bench.launch();
    bench.says("up");
    let shim = bench.shim();
    until("the last wake-up for the agent's line", || (!marks(&bench).is_empty()).then_some(()));
    // The shim checks once more for output that was written while it was not looking.
    std::thread::sleep(Duration::from_millis(100));

    let before = status(shim, "voluntary_ctxt_switches");
    std::thread::sleep(Duration::from_secs(2));
    let woken = status(shim, "voluntary_ctxt_switches") - before;
    assert!(woken <= 1, "{woken} wake-ups in 2 s");

    let [own, shared, file] = ["RssAnon", "RssShmem", "RssFile"].map(|name| status(shim, name));
    println!("a shim in KiB: {own} of its own, {shared} shared, {file} of its program in the page cache");
    // A debug build is several times as large, and the page cache decides how much of its file counts as resident. So
    // the shim's own memory is checked here, and the total in a release build.
    let release = !cfg!(debug_assertions);
    assert!(own + shared < if release { 1024 } else { 3072 }, "{own} + {shared} KiB");
    assert!(!release || own + shared + file < 4 * 1024, "{own} + {shared} + {file} KiB");
    assert_eq!(status(shim, "Threads"), 1);
}
