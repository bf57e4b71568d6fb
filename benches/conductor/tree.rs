//! Builds trees with a history: one task is really run, and its files are copied for every task and run, each with
//! its own ids and times.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base::{clock::Clock, fsx::Durability, record};
use chrono::{DateTime, TimeDelta, Utc};
use tree::{
    Tree,
    bus::{BusOwner, Draft, MessageType},
    ids::{RunId, TaskId},
    refs::{RunRef, TaskRef},
    run_info::RunInfo,
    task_end::TaskEnd,
};

use crate::{
    Result,
    daemon::{configure, program},
};

/// The number of tasks, and of runs of each.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub name: &'static str,
    pub tasks: usize,
    pub runs: usize,
}

pub const NONE: Size = Size { name: "empty", tasks: 0, runs: 0 };
pub const SMALL: Size = Size { name: "100 tasks x 10 runs", tasks: 100, runs: 10 };
pub const BIG: Size = Size { name: "1,000 tasks x 20 runs", tasks: 1000, runs: 20 };

/// The task that is really run.
const TEMPLATE: &str = "template";

/// Creates a root with the project `p`.
pub fn make(folder: &Path, size: Size) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let root = folder.join("root");
    let config = configure(folder, "restart_delay: 1s")?;
    let output = program(folder)
        .args([
            "task",
            "--project",
            "p",
            "--task",
            TEMPLATE,
            "--agent",
            "trivial",
            "--prompt",
            "say ok",
            "--root",
        ])
        .arg(&root)
        .arg("--config")
        .arg(config)
        .output()?;
    if !output.status.success() {
        return Err(format!("the template failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let tree = Tree::open(&root, Durability::Never, Clock::System)?;
    let template = Template::read(&tree, &root)?;
    let mut at: DateTime<Utc> = "2026-01-01T00:00:00Z".parse()?;
    for task in 0..size.tasks {
        let name = TaskRef { project: "p".parse()?, task: format!("task-{task:05}").parse()? };
        at = template.write(&tree, &root, &name, size.runs, at)?;
    }
    fs::remove_dir_all(root.join("p").join(TEMPLATE))?;
    Ok(root)
}

/// Fills a task's bus.
pub fn fill_bus(root: &Path, task: &str, messages: usize) -> Result<()> {
    let tree = Tree::open(root, Durability::Never, Clock::System)?;
    fs::create_dir_all(root.join("p").join(task))?;
    let task: TaskId = task.parse()?;
    let bus = tree.bus(BusOwner::new("p".parse()?, Some(task)));
    let draft = Draft::new(MessageType::PROGRESS, "x".repeat(100));
    for _ in 0..messages {
        bus.post(&draft)?;
    }
    Ok(())
}

/// The files of one task and its run.
struct Template {
    info: RunInfo,
    end: TaskEnd,
    /// Names and contents.
    of_task: Vec<(String, Vec<u8>)>,
    of_run: Vec<(String, Vec<u8>)>,
}

impl Template {
    fn read(tree: &Tree, root: &Path) -> Result<Self> {
        let task = TaskRef { project: "p".parse()?, task: TEMPLATE.parse()? };
        let run = tree.runs(&task)?.pop().ok_or("the template has no run")?;
        let folder = root.join("p").join(TEMPLATE);
        Ok(Self {
            info: tree.run_info(&task.run(run.clone()))?,
            end: tree.task_end(&task)?.ok_or("the template has not ended")?,
            of_run: files(&folder.join("runs").join(run.as_str()))?,
            of_task: files(&folder)?,
        })
    }

    /// Writes a task with a first run that began at `at`. Returns the end of its last run.
    fn write(
        &self,
        tree: &Tree,
        root: &Path,
        task: &TaskRef,
        runs: usize,
        mut at: DateTime<Utc>,
    ) -> Result<DateTime<Utc>> {
        let folder = root.join("p").join(task.task.as_str());
        fs::create_dir_all(folder.join("runs"))?;
        let mut previous: Option<RunId> = None;
        for attempt in 1..=runs {
            let run = task.run(RunId::generate(at));
            let info = RunInfo {
                run_id: run.run.clone(),
                task_id: task.task.clone(),
                attempt: u32::try_from(attempt)?,
                start_time: at,
                end_time: Some(at + TimeDelta::seconds(20)),
                previous_run_id: previous.replace(run.run.clone()),
                prompt_path: self.moved(&self.info.prompt_path, &run),
                output_path: self.moved(&self.info.output_path, &run),
                stdout_path: self.moved(&self.info.stdout_path, &run),
                stderr_path: self.moved(&self.info.stderr_path, &run),
                ..self.info.clone()
            };
            self.write_run(tree, &folder.join("runs").join(run.run.as_str()), &run, &info)?;
            at += TimeDelta::seconds(30);
        }
        let last = task.run(previous.ok_or("a task has at least one run")?);
        for (name, bytes) in &self.of_task {
            let file = folder.join(name);
            if file.file_name() == Some(task.dir().end().name().as_ref()) {
                let end = TaskEnd { run_id: last.run.clone(), ended_at: at, ..self.end.clone() };
                fs::write(file, record::bytes(tree.root(), &task.dir().end(), &end)?)?;
            } else {
                fs::write(file, self.moved(&String::from_utf8_lossy(bytes), &last))?;
            }
        }
        Ok(at)
    }

    fn write_run(&self, tree: &Tree, folder: &Path, run: &RunRef, info: &RunInfo) -> Result<()> {
        fs::create_dir(folder)?;
        let record = run.dir().info();
        for (name, bytes) in &self.of_run {
            if name.as_str() == record.name() {
                fs::write(folder.join(name), record::bytes(tree.root(), &record, info)?)?;
            } else {
                fs::write(folder.join(name), self.moved(&String::from_utf8_lossy(bytes), run))?;
            }
        }
        Ok(())
    }

    /// Returns a text of the template with the ids of another run.
    fn moved(&self, text: &str, run: &RunRef) -> String {
        text.replace(self.info.run_id.as_str(), run.run.as_str()).replace(TEMPLATE, run.task.task.as_str())
    }
}

/// Returns the files of a folder, without those in its subfolders.
fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
        }
    }
    Ok(files)
}
