//! A run that an agent has started is independent of its parent: the end of one is not the end of the other.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::common::{
    Sandbox,
    cgroups::Group,
    job::{self, Job},
    processes::{is_alive, until, until_true},
};
use nix::sys::signal::Signal;
use process::{
    claim::Claim,
    exit::{ExitRecord, ProcessEnd, StopBy},
};
use tree::run_info::RunStatus;

/// A job with an agent that has started a job of its own, task `child`, in the background.
struct Family {
    parent: Job,
    child: PathBuf,
    go: PathBuf,
}

/// Starts the family. `then` is the action of the parent's agent once its child is up.
fn family(sandbox: &Sandbox, before: &str, then: &str) -> Family {
    sandbox.configure("defaults: {stop_grace: 200ms}\n");
    let go = sandbox.work().join("go");
    let agent = crate::common::fake::agent();
    let script = format!(
        "{before} run-agent job --task child --prompt x -- '{}' double-fork:60000 say:up 'wait-for:{}' exit:3 & \
         while ! grep -q up \"$JRUN_RUNS_DIR\"/../../child/runs/*/agent-stdout.txt 2>/dev/null; do sleep 0.01; done; \
         echo 'child is up'; {then}",
        agent.display(),
        go.display()
    );
    let parent = sandbox.job_of(&[], &["/bin/sh", "-c", &script]);
    parent.says("child is up");
    let runs = parent.task_folder().parent().unwrap().join("child/runs");
    let child = fs::read_dir(runs).unwrap().flatten().next().unwrap().path();
    Family { parent, child, go }
}

impl Family {
    /// Checks that both processes of the child live, unaffected by the fate of its parent.
    #[track_caller]
    fn the_child_lives(&self) -> Claim {
        let claim = job::claim(&self.child);
        assert!(!self.child.join("exit.json").exists(), "the child has ended");
        for id in [claim.shim, claim.agent] {
            assert!(is_alive(id.unwrap().pid), "{claim:?}");
        }
        claim
    }

    /// Checks that the child ends by itself, and properly.
    #[track_caller]
    fn the_child_ends(&self) {
        fs::write(&self.go, "").unwrap();
        let exit = exit(&self.child);
        assert_eq!((exit.end, exit.stop), (ProcessEnd::Exited { exit_code: 3 }, None));
        assert_eq!(exit.leftovers.len(), 1, "the process that had left its parent");
        until_true("the end of all", || self.parent.processes().is_empty());
    }
}

fn exit(run_folder: &Path) -> ExitRecord {
    let bytes = until("exit.json", || fs::read(run_folder.join("exit.json")).ok());
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_child_outlives_a_parent_that_ends_by_itself() {
    let sandbox = Sandbox::new();
    let mut family = family(&sandbox, "", "exit 0");
    let info = family.parent.finish();
    assert_eq!(info.status, RunStatus::Completed);
    family.the_child_lives();
    // The child's driver belonged to the parent and is gone; the child itself is not among the parent's leftovers.
    let left = family.parent.exit().leftovers;
    assert_eq!(left.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["run-agent"]);
    family.the_child_ends();
}

#[test]
fn a_child_outlives_the_stop_of_its_parent_and_rounds_of_sigkill() {
    let sandbox = Sandbox::new();
    let mut family = family(&sandbox, "trap '' TERM;", "sleep 60");
    family.parent.stop();
    let info = family.parent.finish();
    assert_eq!((info.status, info.signal), (RunStatus::Stopped, Some(9)));
    assert!(family.parent.exit().survivors.is_empty());
    family.the_child_lives();
    family.the_child_ends();
}

#[test]
fn the_same_holds_where_no_control_group_may_be_made() {
    let Some(group) = Group::without_groups() else { return };
    let sandbox = Sandbox::new();
    // The parent has a group; the child's shim and agent get none and stay outside of the parent's.
    let before = format!("trap '' TERM; echo 0 > {};", group.door().display());
    let mut family = family(&sandbox, &before, "sleep 60");
    family.parent.stop();
    assert_eq!(family.parent.finish().status, RunStatus::Stopped);
    assert!(family.the_child_lives().cgroup.is_none());
    family.the_child_ends();
}

#[test]
fn a_child_is_beside_its_parent_in_a_group_of_its_own() {
    let sandbox = Sandbox::new();
    let family = family(&sandbox, "", "sleep 60");
    let (parent, child) = (family.parent.claim().cgroup, family.the_child_lives().cgroup);
    let (Some(parent), Some(child)) = (parent, child) else {
        crate::common::skipped("no control group of version 2 may be made here");
        return;
    };
    assert_eq!(parent.parent(), child.parent());
}

#[test]
fn a_group_is_not_killed_as_one_while_another_run_is_in_it() {
    let sandbox = Sandbox::new();
    let mut family = family(&sandbox, "trap '' TERM;", "sleep 60");
    let Some(group) = family.parent.claim().cgroup else {
        crate::common::skipped("no control group of version 2 may be made here");
        return;
    };
    let child = family.the_child_lives();
    for id in [child.shim, child.agent] {
        fs::write(group.join("cgroup.procs"), id.unwrap().pid.to_string()).unwrap();
    }
    family.parent.stop();
    assert_eq!(family.parent.finish().status, RunStatus::Stopped);
    family.the_child_lives();
    family.the_child_ends();
    fs::remove_dir(group).unwrap();
}

#[test]
fn stopping_the_child_leaves_the_parent_alone() {
    let sandbox = Sandbox::new();
    let mut family = family(&sandbox, "", "wait; echo 'child has ended'");
    fs::write(family.child.parent().unwrap().parent().unwrap().join("STOP"), "").unwrap();
    assert_eq!(exit(&family.child).stop.unwrap().by, StopBy::StopMarker);
    let info = family.parent.finish();
    assert_eq!((info.status, info.exit_code), (RunStatus::Completed, Some(0)));
    assert!(family.parent.read("agent-stdout.txt").ends_with("child has ended\n"));
}

#[test]
fn a_stop_on_the_command_line_reaches_the_child_too() {
    let sandbox = Sandbox::new();
    let mut family = family(&sandbox, "", "sleep 60");
    let task = family.parent.task_folder().file_name().unwrap().to_str().unwrap().to_owned();
    let outcome = sandbox.run(&format!("stop p/{task}"));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(family.parent.finish().status, RunStatus::Stopped);
    assert_eq!(exit(&family.child).stop.unwrap().by, StopBy::StopMarker);
    until_true("the end of all", || family.parent.processes().is_empty());
}

#[test]
fn a_child_whose_shim_was_killed_is_ended_with_its_parent() {
    let sandbox = Sandbox::new();
    let mut family = family(&sandbox, "", "sleep 60");
    let claim = family.the_child_lives();
    crate::common::processes::signal(claim.shim.unwrap().pid, Signal::SIGKILL);
    family.parent.stop();
    assert_eq!(family.parent.finish().status, RunStatus::Stopped);
    until_true("the end of all", || family.parent.processes().is_empty());
}
