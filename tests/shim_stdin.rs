//! The content of an agent's standard input: nothing, a file, or the whole lines of `stdin.jsonl`.

use std::{fs, time::Duration};

use crate::common::{
    Sandbox,
    processes::{status, until, until_true},
    shim::Bench,
};
use process::{exit::ProcessEnd, spec::StdinPlan};
use tree::run_info::RunStatus;

const END_OF_INPUT: &str = "{\"type\":\"end_of_input\"}\n";
const EXITED_0: ProcessEnd = ProcessEnd::Exited { exit_code: 0 };

fn pumped(script: &[&str]) -> Bench {
    let mut bench = Bench::new(script);
    bench.spec.stdin = StdinPlan::Pump;
    bench
}

#[test]
fn a_prompt_of_a_megabyte_may_be_read_or_left_alone() {
    let sandbox = Sandbox::new();
    let prompt = sandbox.write("work/prompt.md", "p".repeat(1 << 20));
    let file = prompt.to_str().unwrap();
    for (step, output) in [("never-read", 0), ("read-stdin", 1 << 20)] {
        let mut job = sandbox.job_about(file, &[step]);
        assert_eq!(job.finish().status, RunStatus::Completed, "{step}");
        let size = job.run_folder().join("agent-stdout.txt").metadata().unwrap().len();
        assert!(size >= output && (output > 0 || size == 0), "{step}: {size}");
    }
}

#[test]
fn without_a_prompt_there_is_the_end_at_once() {
    assert_eq!(Bench::new(&["read-stdin", "say:end"]).run().end, EXITED_0);
}

#[test]
fn whole_lines_are_forwarded_as_they_come_and_half_ones_are_not() {
    // `cat` returns everything that arrives, whole lines or not.
    let mut bench = Bench::of_program(&["/bin/cat"]);
    bench.spec.stdin = StdinPlan::Pump;
    bench.append("stdin.jsonl", "before the start\n");
    bench.launch();
    bench.says("before the start");
    bench.append("stdin.jsonl", "two\nthr");
    bench.says("two");
    // A later line in another file shows that the shim has looked at the half line.
    bench.append("inbox.jsonl", "{\"type\":\"turn\"}\nno json\n");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(bench.stdout(), "before the start\ntwo\n");
    bench.append("stdin.jsonl", "ee\n");
    bench.says("three");
    bench.append("inbox.jsonl", END_OF_INPUT);
    assert_eq!(bench.end().end, EXITED_0);
    assert_eq!(bench.stdout(), "before the start\ntwo\nthree\n");
}

#[test]
fn what_was_appended_before_the_end_of_input_arrives_before_it() {
    for _ in 0..10 {
        let bench = pumped(&["read-stdin"]);
        bench.launch();
        // More than a pipe holds, so that it cannot all be written when the end is requested.
        let lines = "a line of some length, again and again\n".repeat(10_000);
        bench.append("stdin.jsonl", &lines);
        bench.append("inbox.jsonl", END_OF_INPUT);
        assert_eq!(bench.end().end, EXITED_0);
        assert!(bench.stdout() == lines, "{} of {} bytes", bench.stdout().len(), lines.len());
    }
}

#[test]
fn lines_of_a_megabyte_pass_and_the_shim_stays_small() {
    let bench = pumped(&["echo-lines"]);
    bench.launch();
    let shim = bench.shim();
    let line = "x".repeat(1 << 20) + "\n";
    for _ in 0..3 {
        // In pieces, as no writer should.
        let (first, second) = line.split_at(700_000);
        bench.append("stdin.jsonl", first);
        bench.append("stdin.jsonl", second);
    }
    let whole = 3 * line.len() as u64;
    let size = || bench.file("agent-stdout.txt").metadata().unwrap().len();
    until_true("all lines", || size() == whole);
    let own = status(shim, "RssAnon");
    assert!(own < 3072, "{own} KiB");
    bench.append("inbox.jsonl", END_OF_INPUT);
    assert_eq!(bench.end().end, EXITED_0);
    assert!(bench.stdout() == line.repeat(3));
}

#[test]
fn an_agent_that_closes_its_input_early_is_left_in_peace() {
    let bench = pumped(&["close-stdin", "say:closed", "wait-for:go"]);
    bench.launch();
    bench.says("closed");
    let shim = bench.shim();
    bench.append("stdin.jsonl", &"nobody reads this\n".repeat(10_000));
    // Meanwhile the shim neither spins nor ends.
    std::thread::sleep(Duration::from_millis(100));
    let before = status(shim, "voluntary_ctxt_switches");
    std::thread::sleep(Duration::from_millis(300));
    assert!(status(shim, "voluntary_ctxt_switches") - before <= 2);
    fs::write(bench.note("go"), "").unwrap();
    assert_eq!(bench.end().end, EXITED_0);
}

#[test]
fn an_agent_that_does_not_read_keeps_nobody_from_ending_it() {
    let bench = pumped(&["say:up", "sleep:60000"]);
    bench.append("stdin.jsonl", &"nobody reads this\n".repeat(100_000));
    bench.launch();
    bench.says("up");
    bench.append("inbox.jsonl", "{\"type\":\"stop\"}\n");
    let exit = bench.end();
    assert_eq!(exit.end, ProcessEnd::Signaled { signal: 15, core_dumped: false });
    bench.is_clean();
}

#[test]
fn the_input_of_an_agent_ends_with_its_shim() {
    let bench = pumped(&["echo-lines", "say:end of input", "touch:ended"]);
    bench.launch();
    bench.append("stdin.jsonl", "one\n");
    bench.says("one");
    crate::common::processes::signal(bench.shim(), nix::sys::signal::Signal::SIGKILL);
    bench.says("end of input");
    until("the end of the agent", || bench.processes().is_empty().then_some(()));
}
