//! `exit.json` and `run-info.yaml` state exactly the end of a process.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::common::{Sandbox, cgroups::Group, shim::Bench};
use process::{
    exit::{ProcessEnd, RESERVED_BYTES},
    spec::ShimReport,
};
use tree::run_info::RunStatus;
use view::outcome;

const EXITED_0: ProcessEnd = ProcessEnd::Exited { exit_code: 0 };

fn signaled(signal: i32) -> ProcessEnd {
    ProcessEnd::Signaled { signal, core_dumped: false }
}

#[test]
fn exit_codes_and_signals_arrive_as_they_are() {
    let sandbox = Sandbox::new();
    for (step, end, status, exit_code, signal) in [
        ("exit:0", EXITED_0, RunStatus::Completed, Some(0), None),
        ("exit:3", ProcessEnd::Exited { exit_code: 3 }, RunStatus::Failed, Some(3), None),
        ("exit:255", ProcessEnd::Exited { exit_code: 255 }, RunStatus::Failed, Some(255), None),
        ("kill-self:SEGV", signaled(11), RunStatus::Failed, None, Some(11)),
        ("kill-self:KILL", signaled(9), RunStatus::Failed, None, Some(9)),
        ("kill-self:TERM", signaled(15), RunStatus::Failed, None, Some(15)),
    ] {
        let mut job = sandbox.job(&[], &["say:x", step]);
        let info = job.finish();
        assert_eq!((info.status, info.exit_code, info.signal), (status, exit_code, signal), "{step}");
        let exit = job.exit();
        assert_eq!(exit.end, end, "{step}");
        let (claimed, started) = (job.claim().claimed_at, exit.started_at.unwrap());
        assert!(claimed <= started && started <= exit.ended_at);
        assert_eq!((info.start_time, info.end_time), (claimed, Some(exit.ended_at)));
        assert_eq!((exit.stop, exit.out_of_memory), (None, None), "{step}");
        assert!(exit.leftovers.is_empty() && exit.survivors.is_empty());
    }
}

#[test]
fn a_real_time_signal_has_its_number() {
    assert_eq!(Bench::of_program(&["/bin/sh", "-c", "kill -36 $$"]).run().end, signaled(36));
}

#[test]
fn what_the_agent_used_is_written_down() {
    let usage = Bench::new(&["eat:64"]).run().rusage.unwrap();
    assert!(usage.max_rss_bytes > 64 << 20, "{usage:?}");
    assert!(usage.user_seconds + usage.system_seconds > 0.0, "{usage:?}");
}

#[test]
fn an_agent_that_exits_at_once_is_no_special_case() {
    for _ in 0..10 {
        let bench = Bench::of_program(&["/bin/true"]);
        assert_eq!(bench.run().end, EXITED_0);
        bench.is_clean();
    }
}

#[test]
fn half_a_character_at_the_end_is_kept_and_spoils_nothing() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.job(&[], &["say:ends in ", "half-utf8"]);
    assert_eq!(job.finish().status, RunStatus::Completed);
    assert_eq!(fs::read(job.run_folder().join("agent-stdout.txt")).unwrap(), b"ends in \n\xe2\x82");
    assert_eq!(job.read("output.md"), "ends in \n\u{fffd}");
}

/// A script in the bench's folder.
fn script(bench: &Bench, text: &str, mode: u32) -> String {
    let path = bench.note("script");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn what_cannot_be_started_says_why_and_what_to_do() {
    for (text, mode, errno, hint) in [
        ("#!/no/such/interpreter\n", 0o755, libc::ENOENT, "the interpreter that its first line names"),
        ("#!/bin/sh\n", 0o644, libc::EACCES, "chmod +x"),
        ("no program at all\n", 0o755, libc::ENOEXEC, "'#!' line"),
    ] {
        let mut bench = Bench::of_program(&[""]);
        bench.spec.argv = vec![script(&bench, text, mode)];
        not_started(&bench, "cannot execute", errno, hint);
    }
    let bench = Bench::of_program(&["/no/such/program"]);
    not_started(&bench, "cannot execute /no/such/program", libc::ENOENT, "exists");
    let mut bench = Bench::new(&["say:x"]);
    bench.spec.cwd = "/no/such/folder".into();
    not_started(&bench, "cannot enter the working folder /no/such/folder", libc::ENOENT, "--cwd");
    let mut bench = Bench::new(&["say:x"]);
    bench.spec.argv.push("x".repeat(256 * 1024));
    not_started(&bench, "cannot execute", libc::E2BIG, "prompt by stdin or file");
}

#[track_caller]
fn not_started(bench: &Bench, what: &str, number: i32, advice: &str) {
    let exit = bench.run();
    let ProcessEnd::NotStarted { error, hint, errno } = &exit.end else { panic!("{exit:?}") };
    assert_eq!(*errno, Some(number), "{exit:?}");
    assert!(error.starts_with(what), "{error}");
    assert!(hint.as_ref().unwrap().contains(advice), "{hint:?}");
    assert_eq!((exit.started_at, exit.rusage), (None, None));
    assert_eq!(bench.stdout(), "");
    bench.is_clean();
}

#[test]
fn a_name_of_any_length_fits_into_the_room_that_was_reserved() {
    let mut bench = Bench::new(&["say:x"]);
    // Each byte takes six in JSON.
    bench.spec.cwd = PathBuf::from("/").join("\u{1}".repeat(3900));
    assert!(matches!(bench.run().end, ProcessEnd::NotStarted { errno: Some(libc::ENAMETOOLONG), .. }));
    let size = bench.file("exit.json").metadata().unwrap().len();
    assert!(size <= RESERVED_BYTES as u64, "{size}");
}

#[test]
fn a_job_that_cannot_be_started_has_failed_and_says_why() {
    let sandbox = Sandbox::new();
    let program = sandbox.write("work/script", "#!/no/such/interpreter\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut job = sandbox.job_of(&[], &[program.to_str().unwrap()]);
    let info = job.finish();
    assert_eq!((info.status, info.exit_code), (RunStatus::Failed, None));
    let why = info.error_summary.unwrap();
    assert!(why.starts_with(&format!("cannot execute {}", program.display())), "{why}");
}

#[test]
fn the_end_fits_on_a_disk_that_is_full() {
    let folder = crate::common::folder();
    let Some(_small) = SmallDisk::mount(folder.path()) else { return };
    let agent = Bench::new(&["say:filled", "flood:4"]);
    let argv: Vec<&str> = agent.spec.argv.iter().map(String::as_str).collect();
    let bench = Bench::below(folder.path().to_owned(), &argv);
    let exit = bench.run();
    // The agent reports the problem itself: its stdout could not be written any more.
    assert_eq!(exit.end, ProcessEnd::Exited { exit_code: 70 });
    assert!(fs::write(folder.path().join("more"), vec![1; 65536]).is_err(), "the disk is not full");
    bench.is_clean();
}

#[test]
fn a_run_for_whose_end_there_is_no_room_does_not_begin() {
    let folder = crate::common::folder();
    let Some(_small) = SmallDisk::mount(folder.path()) else { return };
    let bench = Bench::below(folder.path().to_owned(), &["/bin/true"]);
    fs::write(bench.file("fill"), vec![1; 2 << 20]).unwrap_err();
    let ShimReport::Failed(why) = bench.start() else { panic!("it began") };
    assert!(why.contains("exit.json"), "{why}");
    assert!(!bench.file("claim.json").exists() && !bench.file("exit.json").exists());
}

/// One megabyte in memory, mounted for a test.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).output();
        if status.is_ok_and(|o| o.status.success()) {
            return Some(Self(at));
        }
        crate::common::skipped("no file system may be mounted here");
        None
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_kill_for_want_of_memory_is_told_from_another() {
    let Some(group) = Group::of_memory(48) else { return };
    let exit = Bench::new(&["eat:200"]).inside(&group).run();
    assert_eq!(exit.end, signaled(9));
    let evidence = exit.out_of_memory.clone().unwrap();
    assert!(evidence.contains("oom_kill went up"), "{evidence}");
    assert_eq!(outcome::of_exit(&exit, None).error_summary.unwrap(), "killed by the kernel: out of memory");

    // The same signal from another sender, in a group with a counter that is at one by now.
    let exit = Bench::new(&["kill-self:KILL"]).inside(&group).run();
    assert_eq!((exit.end, exit.out_of_memory), (signaled(9), None));
}
