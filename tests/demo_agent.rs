//! The demo agent at work: its files, posts and output, in order.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use agents::demo::{Assignment, DemoError, main};
use config::Environment;
use tempfile::TempDir;

/// A project's folder and a task with a run; the posts are noted in `posted`.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: TempDir::new().unwrap() };
        for folder in ["work/src", "task/runs/r1"] {
            fs::create_dir_all(bench.path(folder)).unwrap();
        }
        fs::write(bench.path("work/src/main.rs"), "fn main() {\n}\n").unwrap();
        fs::write(bench.path("work/README.md"), "# x\n").unwrap();
        bench
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap()
    }

    fn assignment(&self, prompt: &str, cwd: &str) -> Assignment {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/helpers/bin:/usr/bin:/bin").to_owned();
        let text = |below| self.path(below).to_str().unwrap().to_owned();
        let environment: Environment = [
            ("PATH", path),
            ("POSTED", text("posted")),
            ("JRUN_PROJECT_ID", "p".to_owned()),
            ("JRUN_TASK_ID", "t".to_owned()),
            ("JRUN_ID", "r1".to_owned()),
            ("JRUN_TASK_FOLDER", text("task")),
            ("JRUN_RUN_FOLDER", text("task/runs/r1")),
        ]
        .into_iter()
        .collect();
        Assignment { prompt: prompt.to_owned(), cwd: self.path(cwd), environment, pace: Duration::ZERO }
    }

    /// Works to the end and returns the log.
    fn work(&self, prompt: &str, cwd: &str) -> String {
        self.finish(&self.assignment(prompt, cwd))
    }

    fn finish(&self, assignment: &Assignment) -> String {
        let mut log = Vec::new();
        main(assignment, &mut log).unwrap();
        assert_eq!(self.read("task/DONE"), "");
        String::from_utf8(log).unwrap()
    }
}

#[test]
fn it_reports_posts_and_is_done_last() {
    let bench = Bench::new();
    let log = bench.work("Tell me what this tree consists of.", "work");
    let headline = "work has 3 lines in 2 files, 66 % of them Rust";
    assert_eq!(
        bench.read("posted"),
        format!(
            "PROGRESS: looking at work\nJOB: How many lines are in `src/`?\nPROGRESS: writing the answer\nFACT: {headline}\n"
        )
    );
    assert!(bench.read("task/runs/r1/output.md").starts_with(&format!("# {headline}\n")));
    let answer = bench.read("task/runs/r1/output.md");
    assert!(answer.contains("\nA child task looked at `src`: The child has counted.\n"), "{answer}");
    let work = bench.path("work");
    assert_eq!(
        log,
        format!(
            "task p/t: Tell me what this tree consists of.\n\
             looking at {}\n\
             leaving out links, and .cache, .git, .hg, .idea, .svn, .venv, __pycache__, node_modules and 1 more\n\
             posted PROGRESS: looking at work\n  \
               src/: 2 lines in 1 file\n\
             asking a child task about src/\n\
             the child task says: The child has counted\n\
             {headline}\n\
             posted PROGRESS: writing the answer\n\
             wrote {}\n\
             posted FACT: {headline}\n\
             made DONE\n",
            work.display(),
            bench.path("task/runs/r1/output.md").display(),
        )
    );
}

#[test]
fn a_child_asks_nobody_and_without_a_folder_there_is_nothing_to_ask() {
    let bench = Bench::new();
    let mut assignment = bench.assignment("report", "work");
    let parent = [("JRUN_PARENT_ID".as_ref(), "20260205-10000100001-1-0001".as_ref())];
    assignment.environment = assignment.environment.iter().chain(parent).collect();
    let alone = bench.finish(&assignment);
    fs::remove_file(bench.path("task/DONE")).unwrap();
    let flat = bench.work("Look at src/main.rs", "work");
    for log in [alone, flat] {
        assert!(!log.contains("child task"), "{log}");
    }
    assert!(!bench.read("posted").contains("JOB"), "{}", bench.read("posted"));
}

#[test]
fn it_keeps_to_the_place_that_the_prompt_names() {
    let bench = Bench::new();
    for (prompt, headline) in [
        ("JRUN_ID is set.\n\n---\n\nHow many lines are in src/?".to_owned(), "src has 2 lines in 1 file"),
        ("Look at `./src/main.rs`".to_owned(), "src/main.rs has 2 lines"),
        (format!("Look at {}/src", bench.path("work").display()), "src has 2 lines"),
        (format!("Look at {}/, please", bench.path("work").display()), "work has 3 lines"),
        ("Look at ./ and / or so".to_owned(), "work has 3 lines"),
        ("Look at lib/".to_owned(), "work has 3 lines; no lib/"),
        ("Look at ../task/ and /etc/".to_owned(), "work has 3 lines; no ../task/; no /etc/"),
    ] {
        bench.work(&prompt, "work");
        let answer = bench.read("task/runs/r1/output.md");
        let mut expected = headline.split("; no ");
        let headline = expected.next().unwrap_or_default();
        assert!(answer.starts_with(&format!("# {headline}")), "{prompt}: {answer}");
        let missing = answer.lines().filter_map(|l| l.strip_prefix("There is no `")?.strip_suffix("` here."));
        assert_eq!(missing.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{prompt}");
    }
}

#[test]
fn a_task_in_its_own_folder_finds_nothing_and_says_so() {
    let bench = Bench::new();
    fs::write(bench.path("task/TASK.md"), "report\n").unwrap();
    bench.work("report", "task");
    let answer = bench.read("task/runs/r1/output.md");
    assert!(answer.starts_with("# There are no files to look at in task\n"), "{answer}");
    assert!(answer.contains("`--cwd`"), "{answer}");
}

#[test]
fn without_a_bus_it_answers_and_says_what_was_not_posted() {
    let bench = Bench::new();
    let log_with = |name: &str, value: &str| {
        let mut assignment = bench.assignment("report", "work");
        let others = assignment.environment.iter().filter(|(other, _)| *other != name);
        assignment.environment = others.chain([(name.as_ref(), value.as_ref())]).collect();
        bench.finish(&assignment)
    };
    let log = log_with("REFUSE", "error: no such project");
    assert!(log.contains("not posted: FACT: work has 3 lines"), "{log}");
    assert!(log.contains("error: no such project"), "{log}");
    let log = log_with("PATH", "/proc/nonexistent");
    assert!(log.contains("cannot run run-agent, which should be in PATH"), "{log}");
}

#[test]
fn what_it_cannot_do_leaves_no_done() {
    let bench = Bench::new();
    let assignment = bench.assignment("report", "work");
    let stranger = Assignment { environment: Environment::default(), ..assignment.clone() };
    assert!(matches!(main(&stranger, &mut Vec::new()), Err(DemoError::Environment(_))));
    let nowhere = Assignment { cwd: Path::new("/proc/nonexistent").to_owned(), ..assignment.clone() };
    assert!(matches!(main(&nowhere, &mut Vec::new()), Err(DemoError::Fs(_))));
    fs::remove_dir_all(bench.path("task/runs/r1")).unwrap();
    assert!(matches!(main(&assignment, &mut Vec::new()), Err(DemoError::Fs(_))));
    assert!(!bench.path("task/DONE").exists());
}
