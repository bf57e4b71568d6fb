//! From a launch to an agent: one claim, and an agent that inherits its specified resources and nothing else.

use std::{fs, io::Write as _, path::Path, process::Stdio};

use crate::common::{Sandbox, processes::until_true, shim::Bench};
use base::fsx::{Durability, Published, Root};
use nix::sys::signal::Signal;
use process::{
    claim::{Claim, EndsAs},
    exit::{ProcessEnd, StopBy},
    spec::ShimReport,
};
use tree::run_info::RunStatus;

#[test]
fn of_many_shims_for_a_run_one_wins_and_the_agent_runs_once() {
    let bench = Bench::of_program(&["/bin/sh", "-c", "echo ran >> ran"]);
    let reports: Vec<ShimReport> = std::thread::scope(|scope| {
        let shims: Vec<_> = (0..8).map(|_| scope.spawn(|| bench.start())).collect();
        shims.into_iter().map(|shim| shim.join().unwrap()).collect()
    });
    assert_eq!(reports.iter().filter(|r| **r == ShimReport::Claimed).count(), 1, "{reports:?}");
    assert_eq!(reports.iter().filter(|r| **r == ShimReport::AlreadyClaimed).count(), 7, "{reports:?}");
    assert_eq!(bench.end().end, ProcessEnd::Exited { exit_code: 0 });
    // After the end a claim is too late, too.
    assert_eq!(bench.start(), ShimReport::AlreadyClaimed);
    assert_eq!(fs::read_to_string(bench.note("ran")).unwrap(), "ran\n");
    bench.is_clean();
}

#[test]
fn a_launch_spec_with_a_path_out_of_the_root_is_refused_before_the_claim() {
    let bench = Bench::of_program(&["/bin/sh", "-c", "echo ran >> ran"]);
    for (field, path) in [("stop_marker", "../STOP"), ("stop_marker", ""), ("run_dir", "/p/t/runs/r")] {
        let mut spec = serde_json::to_value(&bench.spec).unwrap();
        spec[field] = path.into();
        let mut shim = std::process::Command::new(env!("CARGO_BIN_EXE_run-agent"))
            .arg("shim")
            .arg(bench.file(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        shim.stdin.take().unwrap().write_all(spec.to_string().as_bytes()).unwrap();
        let said = shim.wait_with_output().unwrap();
        let report = String::from_utf8(said.stdout).unwrap();
        assert!(report.contains(&format!("'{path}' is not a plain path below the root")), "{report}");
        assert!(!said.status.success());
    }
    assert!(!Path::new(&bench.note("ran")).exists() && !bench.file("claim.json").exists());
}

#[test]
fn a_run_that_a_driver_has_claimed_never_starts() {
    let bench = Bench::of_program(&["/bin/sh", "-c", "echo ran >> ran"]);
    let root = Root::open(&bench.spec.root, Durability::Always).unwrap();
    let dir = bench.spec.run_dir.clone();
    let claim = Claim::by_driver(chrono::Utc::now(), EndsAs::Stopped, "cancelled");
    assert_eq!(claim.publish(&root, &dir).unwrap(), Published::Ours);
    assert_eq!(bench.start(), ShimReport::AlreadyClaimed);
    bench.is_clean();
    assert!(!Path::new(&bench.note("ran")).exists() && !bench.file("exit.json").exists());
}

#[test]
fn stop_between_claim_and_exec_is_obeyed() {
    let bench = Bench::of_program(&["/bin/sh", "-c", "echo ran >> ran"]);
    bench.stop();
    let exit = bench.run();
    assert_eq!(exit.stop.unwrap().by, StopBy::StopMarker);
    assert!(matches!(exit.end, ProcessEnd::NotStarted { errno: None, .. }), "{:?}", exit.end);
    assert_eq!(exit.started_at, None);
    assert!(!Path::new(&bench.note("ran")).exists());
    bench.is_clean();
}

#[test]
fn stop_before_the_claim_leaves_the_run_unstarted() {
    let sandbox = Sandbox::new();
    sandbox.configure("defaults: {max_concurrent_root_tasks: 1}\n");
    let go = sandbox.work().join("go");
    let mut first = sandbox.job(&[], &[&format!("wait-for:{}", go.display())]);
    first.runs();
    let mut second = sandbox.job(&[], &["say:ran"]);
    second.run_folder();
    second.stop();
    fs::write(go, "").unwrap();
    assert_eq!(first.finish().status, RunStatus::Completed);
    let info = second.finish();
    assert_eq!((info.status, info.exit_code, info.pid), (RunStatus::Stopped, None, None));
    assert!(!second.run_folder().join("agent-stdout.txt").exists());
}

#[test]
fn a_shim_that_dies_before_it_lets_the_agent_go_leaves_nothing_running() {
    // Killed before each of its changes to the disk in turn, until no change is left.
    for step in 1.. {
        let mut bench = Bench::of_program(&["/bin/sh", "-c", "echo ran >> ran"]);
        bench.env.insert("CONDUCTOR_TEST_KILL_SHIM".into(), step.to_string().into());
        if bench.start() == ShimReport::Claimed {
            assert!(step > 5 && bench.file("claim.json").exists());
            return;
        }
        until_true("the end of the held process", || bench.processes().is_empty());
        assert!(!Path::new(&bench.note("ran")).exists(), "it ran, step {step}");
        assert!(!bench.file("exit.json").exists());
    }
}

/// Starts us like a careless parent, with open descriptors and with signals blocked or ignored.
const CARELESSLY: &str =
    "exec 7</dev/null 8>/dev/null; exec env --ignore-signal --block-signal=TERM,USR1,CHLD";

#[test]
fn an_agent_inherits_no_descriptor_and_no_session() {
    // Without a pipe, because the shell would have its ends open while it starts the programs of the pipe.
    let look = "ls /proc/$$/fd; cut -d' ' -f5,6 /proc/$$/stat; echo $$ $$";
    let bench = Bench::of_program(&["/bin/sh", "-c", look]).started_after(CARELESSLY);
    bench.run();
    let stdout = bench.stdout();
    let lines: Vec<&str> = stdout.lines().collect();
    let [fds @ .., group_and_session, pid] = &lines[..] else { panic!("{stdout}") };
    assert_eq!(fds, ["0", "1", "2"]);
    assert_eq!(group_and_session, pid);
}

#[test]
fn an_agent_inherits_no_signal_that_is_blocked_or_ignored() {
    let look = ["/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"];
    let bench = Bench::of_program(&look).started_after(CARELESSLY);
    bench.run();
    let none = "0000000000000000";
    assert_eq!(bench.stdout(), format!("SigBlk:\t{none}\nSigIgn:\t{none}\n"));
}

#[test]
fn a_driver_that_was_started_with_children_ignored_sees_the_end_all_the_same() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.job(&[], &["say:x", "exit:3"]);
    assert_eq!(job.finish().exit_code, Some(3));
    let mut plain =
        sandbox.command(["job", "--project", "p", "--task", "ignored", "--prompt", "x", "--json"]);
    plain.args(["--", "/bin/sh", "-c", "exit 3"]);
    let program = plain.get_program().to_owned();
    let mut command = std::process::Command::new("/usr/bin/env");
    command.args(["--ignore-signal=CHLD"]).arg(program).args(plain.get_args());
    command.current_dir(sandbox.work()).env_clear().env("HOME", sandbox.home()).env("PATH", "/usr/bin:/bin");
    let outcome = crate::common::outcome(&mut command);
    assert!(outcome.stdout.contains("\"exit_code\": 3"), "{outcome:?}");
}

#[test]
fn the_shim_itself_is_out_of_reach_of_terminals() {
    let bench = Bench::new(&["say:up", "sleep:60000"]);
    bench.launch();
    bench.says("up");
    let shim = bench.shim();
    let stat = fs::read_to_string(format!("/proc/{shim}/stat")).unwrap();
    let session: i32 = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert_eq!(session, shim);
    assert_eq!(fs::read_link(format!("/proc/{shim}/cwd")).unwrap(), Path::new("/"));
    // It lets go of its standard output when it has reported, which is after the agent's first instruction.
    for fd in 0..3 {
        let is = || fs::read_link(format!("/proc/{shim}/fd/{fd}")).unwrap() == Path::new("/dev/null");
        until_true(&format!("descriptor {fd} is /dev/null"), is);
    }
    // The end of a terminal does not end the shim.
    crate::common::processes::signal(shim, Signal::SIGHUP);
    bench.stop();
    assert_eq!(bench.end().stop.unwrap().by, StopBy::StopMarker);
}

#[test]
fn an_agent_is_told_where_it_is_and_no_secret_of_others() {
    let sandbox = Sandbox::new();
    sandbox.configure("defaults: {agent: demo}\n");
    let mut job = sandbox.job_with(
        &[
            ("OPENAI_API_KEY", "secret"),
            ("ANTHROPIC_API_KEY", "secret"),
            ("CONDUCTOR_AGENT_CODEX_TOKEN", "secret"),
            ("CONDUCTOR_API_KEY", "secret"),
            ("CONDUCTOR_TEST_KILL_SHIM", "0"),
            ("CONDUCTOR_TEST_X", "1"),
            ("CLAUDECODE", "1"),
            ("NOTIFY_SOCKET", "/x"),
            ("JRUN_ODD", "1"),
            ("MINE", "1"),
        ],
        &["/usr/bin/env"],
    );
    assert_eq!(job.finish().status, RunStatus::Completed);
    let text = job.read("agent-stdout.txt");
    let value = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('='));
    let folder = job.run_folder();
    let task = job.task_folder();
    let text_of = |path: &Path| path.to_str().unwrap().to_owned();
    for (name, expected) in [
        ("JRUN_PROJECT_ID", "p".to_owned()),
        ("JRUN_TASK_ID", text_of(task.file_name().unwrap().as_ref())),
        ("JRUN_ID", text_of(folder.file_name().unwrap().as_ref())),
        ("JRUN_TASK_FOLDER", text_of(&task)),
        ("JRUN_RUN_FOLDER", text_of(&folder)),
        ("JRUN_RUNS_DIR", text_of(&task.join("runs"))),
        ("JRUN_MESSAGE_BUS", text_of(&task.join("TASK-MESSAGE-BUS.jsonl"))),
        ("CONDUCTOR_ROOT", text_of(&sandbox.root())),
        ("CONDUCTOR_CONFIG", text_of(&sandbox.home().join(".config/conductor/config.yaml"))),
        ("MINE", "1".to_owned()),
    ] {
        assert_eq!(value(name), Some(expected.as_str()), "{name}");
    }
    let own = Path::new(env!("CARGO_BIN_EXE_run-agent")).parent().unwrap();
    assert_eq!(std::env::split_paths(value("PATH").unwrap()).next().unwrap(), own);
    assert!(!text.contains("secret") && !text.contains("CONDUCTOR_TEST_"), "{text}");
    for name in ["CLAUDECODE", "NOTIFY_SOCKET", "JRUN_ODD", "JRUN_PARENT_ID"] {
        assert_eq!(value(name), None, "{name}");
    }
}
