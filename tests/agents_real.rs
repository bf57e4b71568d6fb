//! The real agents, run by us from end to end against a scripted model: every way that a run of theirs can go.

use crate::common::agents::{Lab, Real};
use run_agent::tree::run_info::RunStatus;

fn completes(real: Real) {
    let Some(lab) = Lab::of(real, "") else { return };
    let outcome = lab.job("t", "Make a file. [[run echo made > made.txt]] [[say The file is made.]]");
    assert_eq!(outcome.code, 0, "{outcome:?}\n{}", lab.read("t", "agent-stderr.txt"));
    assert_eq!(std::fs::read_to_string(lab.sandbox.work().join("made.txt")).unwrap(), "made\n");
    let run = lab.runs("t").pop().unwrap();
    assert_eq!((run.status, run.agent.as_str()), (RunStatus::Completed, lab.agent));
}

#[test]
fn heavy_claude_completes_a_run() {
    completes(Real::Claude);
}

#[test]
fn heavy_codex_completes_a_run() {
    completes(Real::Codex);
}

#[test]
fn heavy_gemini_completes_a_run() {
    completes(Real::Gemini);
}

#[test]
fn heavy_opencode_completes_a_run() {
    completes(Real::Opencode);
}
