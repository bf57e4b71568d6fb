//! A run without its shim, which was killed: its agent goes on, and its driver follows it to the end.

use std::{fs, time::Duration};

use crate::common::{
    Sandbox,
    job::Job,
    processes::{is_alive, signal, until, until_true},
};
use nix::sys::signal::Signal;
use tree::run_info::{RunInfo, RunStatus};

/// Returns true if the kernel reliably reports the end of a process that is not our child: Linux 6.15 and later.
fn kernel_tells() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|n| n.parse::<u32>().ok());
    (numbers.next().unwrap(), numbers.next().unwrap()) >= (6, 15)
}

/// A job with an agent that waits for a file; its shim is killed.
fn without_shim(sandbox: &Sandbox, script: &[&str]) -> Job {
    let go = format!("wait-for:{}", sandbox.work().join("go").display());
    let job = sandbox.job(&[], &[&["say:up", &go], script].concat());
    job.runs();
    job.says("up");
    let claim = job.claim();
    let [shim, agent] = [claim.shim, claim.agent].map(|id| id.unwrap().pid);
    signal(shim, Signal::SIGKILL);
    until_true("the end of the shim", || !is_alive(shim));
    assert!(is_alive(agent), "the agent ended with its shim");
    job
}

fn finish(sandbox: &Sandbox, job: &mut Job) -> RunInfo {
    fs::write(sandbox.work().join("go"), "").unwrap();
    let info = job.finish();
    assert!(!job.run_folder().join("exit.json").exists());
    let files = fs::read_dir(job.run_folder()).unwrap().flatten();
    let hidden = files.map(|e| e.file_name()).find(|name| name.to_string_lossy().starts_with(".reserved-"));
    assert_eq!(hidden, None, "room for a record that is never written is left");
    is_clean(job);
    info
}

#[track_caller]
fn is_clean(job: &Job) {
    until_true("the end of all", || job.processes().is_empty());
    if let Some(group) = job.claim().cgroup {
        assert!(!group.exists(), "{} is left", group.display());
    }
}

#[test]
fn the_agent_goes_on_and_its_exit_code_is_the_true_one_or_nobodys() {
    for (step, status, exit_code, signal) in [
        ("exit:0", RunStatus::Completed, Some(0), None),
        ("exit:5", RunStatus::Failed, Some(5), None),
        ("kill-self:SEGV", RunStatus::Failed, None, Some(11)),
    ] {
        let sandbox = Sandbox::new();
        let mut job = without_shim(&sandbox, &["say:went on", step]);
        let info = finish(&sandbox, &mut job);
        let seen = (info.status, info.exit_code, info.signal);
        let unseen = (RunStatus::Crashed, None, None);
        assert!(seen == (status, exit_code, signal) || seen == unseen && !kernel_tells(), "{step}: {seen:?}");
        assert_eq!(job.read("output.md"), "up\nwent on\n");
    }
}

#[test]
fn what_the_agent_left_behind_is_ended_by_the_driver() {
    let sandbox = Sandbox::new();
    sandbox.configure("defaults: {stop_grace: 200ms}\n");
    let mut job = without_shim(&sandbox, &["double-fork:60000", "setsid-child:60000"]);
    finish(&sandbox, &mut job);
}

#[test]
fn stop_still_works() {
    let sandbox = Sandbox::new();
    sandbox.configure("defaults: {stop_grace: 200ms}\n");
    let go = format!("wait-for:{}", sandbox.work().join("go").display());
    let mut job =
        without_shim(&sandbox, &[&go, "ignore-term", "double-fork:60000", "say:still", "sleep:60000"]);
    fs::write(sandbox.work().join("go"), "").unwrap();
    job.says("still");
    job.stop();
    let info = job.finish();
    assert_eq!(info.status, RunStatus::Stopped);
    is_clean(&job);
}

#[test]
fn a_run_whose_shim_and_agent_were_killed_is_no_success() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.job(&[], &["say:up", "sleep:60000"]);
    job.runs();
    let claim = job.claim();
    for id in [claim.shim, claim.agent] {
        signal(id.unwrap().pid, Signal::SIGKILL);
    }
    let info = job.finish();
    let seen = (info.status, info.signal);
    let unseen = (RunStatus::Crashed, None);
    assert!(seen == (RunStatus::Failed, Some(9)) || seen == unseen && !kernel_tells(), "{seen:?}");
    is_clean(&job);
}

#[test]
fn a_shim_needs_no_driver() {
    let sandbox = Sandbox::new();
    let go = sandbox.work().join("go");
    let job = sandbox.job(&[], &[&format!("wait-for:{}", go.display()), "say:on", "exit:4"]);
    job.runs();
    signal(job.driver(), Signal::SIGKILL);
    until_true("the end of the driver", || !is_alive(job.driver()));
    std::thread::sleep(Duration::from_millis(50));
    fs::write(go, "").unwrap();
    until("exit.json", || fs::read(job.run_folder().join("exit.json")).ok());
    assert_eq!(serde_json::to_value(job.exit()).unwrap()["exit_code"], 4);
    assert_eq!(job.info().status, RunStatus::Running, "nobody was there to say more");
    is_clean(&job);
}

#[test]
fn a_success_is_only_said_of_an_agent_that_ran() {
    // The shim is killed before each of its changes to the disk in turn, until no change is left.
    for step in 1.. {
        let sandbox = Sandbox::new();
        let ran = sandbox.work().join("ran");
        let variables = [("CONDUCTOR_TEST_KILL_SHIM", step.to_string())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let mut job =
            sandbox.job_with(&variables, &["/bin/sh", "-c", &format!("echo ran >> '{}'", ran.display())]);
        let info = job.finish();
        is_clean(&job);
        let exit_is_there = job.run_folder().join("exit.json").exists();
        match info.status {
            RunStatus::Completed => assert_eq!(fs::read_to_string(&ran).unwrap(), "ran\n", "step {step}"),
            RunStatus::Failed | RunStatus::Crashed => assert!(info.error_summary.is_some(), "step {step}"),
            other => panic!("{other:?}, step {step}"),
        }
        assert!(job.claim().shim.is_some() || !ran.exists(), "step {step}");
        let left_over = fs::read_dir(job.run_folder()).unwrap().flatten();
        let left_over = left_over.filter(|e| e.file_name().to_string_lossy().starts_with('.')).count();
        if exit_is_there && left_over == 0 {
            assert_eq!(info.status, RunStatus::Completed);
            return;
        }
    }
}
