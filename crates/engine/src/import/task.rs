//! Reads one task of the original, and writes it to a temporary folder, from which `place` moves it to its place.

use std::{collections::BTreeMap, path::Path};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    bus,
    report::{ImportError, Origin},
    run_record::{self, RunContext},
    source::{self, Signs},
};
use base::{
    fsx::{RelPath, Root, usable_folder},
    names,
    record::{self, Record},
    telemetry::Redactor,
};
use tree::{
    Tree,
    bus::BusOwner,
    ids::{RunId, TaskId},
    paths::{RunDir, TaskDir, top},
    refs::TaskRef,
    run_info::RunInfo,
    task::{TaskConfig, TaskKind},
};

/// Files of a run that are copied unchanged.
const OF_RUN: [&str; 4] = [names::run::PROMPT, names::run::OUTPUT, names::run::STDOUT, names::run::STDERR];
/// Files of a task that are copied unchanged.
const OF_TASK: [&str; 2] = [names::task::STATE, names::task::THREAD_LINK];
/// Usual number of files and folders of a task, without its runs.
const FILES_OF_TASK: usize = 6;
/// Usual number of files and folders of a run.
const FILES_OF_RUN: usize = 6;
/// Names that the original uses for the request to stop a task.
const STOPS: [&str; 3] = [names::task::STOP, "CANCELLED", "STOP-REQUESTED"];

/// A parsed task of the original.
#[derive(Debug)]
pub(super) struct ParsedTask {
    task: TaskRef,
    folder: RelPath,
    config: TaskConfig,
    prompt: String,
    bus: bus::ConvertedBus,
    runs: Vec<RunInfo>,
    done: bool,
    stop: bool,
    pub(super) notes: Vec<String>,
    /// Reports about parts that were left out.
    pub(super) left_out: Vec<String>,
}

impl ParsedTask {
    /// Parses the task in a folder of the source.
    pub(super) fn read(
        from: &Root,
        folder: &RelPath,
        task: TaskRef,
        redactor: &Redactor,
        now: DateTime<Utc>,
    ) -> Result<Self, ImportError> {
        let (mut notes, mut left_out) = (Vec::new(), Vec::new());
        let home = source::text(from, &folder.parent().join(names::project::ROOT_MARKER)).ok().flatten();
        let runs = runs(from, folder, &task, redactor, now, &mut left_out)?;
        let theirs = source::yaml(from, &folder.join(names::task::CONFIG)).unwrap_or_else(|e| {
            left_out.push(e.chain());
            None
        });
        let owner = BusOwner::Task(task.clone());
        let theirs_bus = folder.join(source::TASK_BUS);
        let written = source::written(from, &theirs_bus).unwrap_or(now);
        let bus = source::bus(from, &theirs_bus)?;
        let bus = bus.map(|text| bus::convert(&text, &owner, written)).unwrap_or_default();
        notes.extend(bus.notes.iter().cloned());
        left_out.extend(bus.left_out.iter().cloned());
        let is = |name: &str| source::has(from, &folder.join(name));
        let config = config(theirs.unwrap_or_default(), home, &runs, &task);
        if let Some(cwd) = config.cwd.as_ref().filter(|cwd| usable_folder(Path::new(cwd)).is_err()) {
            notes.push(format!("its folder {cwd} does not exist: create it before you resume the task"));
        }
        Ok(Self {
            config,
            prompt: source::text(from, &folder.join(names::task::PROMPT))?.unwrap_or_default(),
            done: is(names::task::DONE),
            stop: STOPS.into_iter().any(is),
            task,
            folder: folder.clone(),
            bus,
            runs,
            notes,
            left_out,
        })
    }

    /// Returns the runs that a task of the tree, which was imported before, does not have.
    pub(super) fn missing_runs(&self, tree: &Tree) -> Result<Vec<&RunInfo>, ImportError> {
        let mut missing = Vec::new();
        for info in &self.runs {
            if !tree.root().exists(self.task.dir().run(&info.run_id).path())? {
                missing.push(info);
            }
        }
        Ok(missing)
    }

    /// Adds runs to the task of the tree: all are written to temporary folders and made durable with one sync before
    /// they get their places.
    pub(super) fn add_runs(&self, from: &Root, tree: &Tree, runs: &[&RunInfo]) -> Result<(), ImportError> {
        let root = tree.root();
        let mut written = Vec::new();
        let added = self.write_runs(from, tree, runs, &mut written).and_then(|()| {
            root.sync_file_system()?;
            let mut batch = root.batch();
            for (aside, info) in &written {
                batch.rename(aside, self.task.dir().run(&info.run_id).path())?;
            }
            Ok(batch.commit()?)
        });
        if added.is_err() {
            for (aside, _) in &written {
                root.remove_tree(aside)?;
            }
        }
        added
    }

    fn write_runs<'r>(
        &self,
        from: &Root,
        tree: &Tree,
        runs: &[&'r RunInfo],
        written: &mut Vec<(RelPath, &'r RunInfo)>,
    ) -> Result<(), ImportError> {
        for info in runs {
            let aside = aside(tree)?;
            written.push((aside.clone(), info));
            self.write_run(from, tree, &aside, info)?;
        }
        Ok(())
    }

    /// Writes the task to a temporary folder. Nothing is synced. Returns about the number of files.
    pub(super) fn write(&self, from: &Root, tree: &Tree, aside: &RelPath) -> Result<usize, ImportError> {
        let root = tree.root();
        root.ensure_passing_dir(aside)?;
        root.write_passing(&aside.join(names::task::PROMPT), self.prompt.as_bytes())?;
        write_record(root, &aside.join(names::task::CONFIG), &self.config)?;
        if !self.bus.lines.is_empty() {
            root.write_passing(&aside.join(names::task::BUS), &self.bus.lines)?;
        }
        for name in OF_TASK {
            copy(from, &self.folder.join(name), root, &aside.join(name))?;
        }
        for (there, name) in [(self.done, names::task::DONE), (self.stop, names::task::STOP)] {
            if there {
                root.write_passing(&aside.join(name), b"")?;
            }
        }
        root.ensure_passing_dir(&aside.join(names::task::RUNS))?;
        for info in &self.runs {
            self.write_run(from, tree, &aside.join(names::task::RUNS).join(&info.run_id), info)?;
        }
        let source = from.absolute(&self.folder).display().to_string();
        let origin =
            Origin { version: 1, source, imported_at: tree.clock().now(), notes: self.notes.clone() };
        write_record(root, &aside.join(names::task::IMPORT), &origin)?;
        Ok(FILES_OF_TASK + self.runs.len() * FILES_OF_RUN)
    }

    fn write_run(
        &self,
        from: &Root,
        tree: &Tree,
        aside: &RelPath,
        info: &RunInfo,
    ) -> Result<(), ImportError> {
        let root = tree.root();
        root.ensure_passing_dir(aside)?;
        let theirs = self.folder.join(names::task::RUNS).join(&info.run_id);
        for name in OF_RUN {
            copy(from, &theirs.join(name), root, &aside.join(name))?;
        }
        if !root.exists(&aside.join(names::run::OUTPUT))? {
            root.write_passing(&aside.join(names::run::OUTPUT), b"(the imported run left no answer)\n")?;
        }
        let dir = RunDir::new(&self.task.project, &self.task.task, &info.run_id);
        let path = |rel: RelPath| root.absolute(&rel).display().to_string();
        let info = RunInfo {
            prompt_path: path(dir.prompt()),
            output_path: path(dir.output()),
            stdout_path: path(dir.stdout()),
            stderr_path: path(dir.stderr()),
            ..info.clone()
        };
        write_record(root, &aside.join(names::run::INFO), &info)
    }

    /// Describes the content in words.
    pub(super) fn summary(&self) -> String {
        format!("{} runs, {} messages", self.runs.len(), self.bus.messages)
    }
}

fn write_record<T: Record>(root: &Root, rel: &RelPath, record: &T) -> Result<(), ImportError> {
    Ok(root.write_passing(rel, &record::bytes(root, rel, record)?)?)
}

/// Returns a name in the trash, so that `fsck` removes the folder if this process dies.
pub(super) fn aside(tree: &Tree) -> Result<RelPath, ImportError> {
    tree.root().ensure_dir(&top::trash())?;
    Ok(top::trash().join(RunId::generate(tree.clock().now())))
}

fn copy(from: &Root, theirs: &RelPath, to: &Root, ours: &RelPath) -> Result<(), ImportError> {
    // Opened below its root first, so that a link cannot lead out of it.
    if source::has(from, theirs) {
        from.open_read(theirs)?;
        to.copy_in(&from.absolute(theirs), ours)?;
    }
    Ok(())
}

fn runs(
    from: &Root,
    folder: &RelPath,
    task: &TaskRef,
    redactor: &Redactor,
    now: DateTime<Utc>,
    left_out: &mut Vec<String>,
) -> Result<Vec<RunInfo>, ImportError> {
    let mut runs = Vec::new();
    for name in source::folders(from, &folder.join(names::task::RUNS))? {
        let Ok(id) = name.parse::<RunId>() else {
            left_out.push(format!("run '{}' left out: its name is not a valid id", name.escape_debug()));
            continue;
        };
        let dir = folder.join(names::task::RUNS).join(&name);
        let record = match source::yaml(from, &dir.join(names::run::INFO)) {
            Ok(Some(record)) => record,
            Ok(None) => {
                left_out.push(format!("run {id} left out: it has no run-info.yaml"));
                continue;
            }
            Err(e) => {
                left_out.push(format!("run {id} left out: {}", e.chain()));
                continue;
            }
        };
        let written = |name: &str| source::written(from, &dir.join(name));
        let (last_output, recorded) = (written(names::run::STDOUT), written(names::run::INFO).unwrap_or(now));
        let changed = OF_RUN.into_iter().filter_map(written).chain([recorded]).max();
        let signs = Signs { run: &id, began: run_record::began(&record, &id), changed, now };
        if let Some(pid) = source::seems_live(&record, signs) {
            return Err(ImportError::Skipped(format!(
                "run {id} seems to go on (pid {pid}): import it when it has ended"
            )));
        }
        let context = RunContext { last_output, recorded, redactor };
        runs.push(run_record::convert(&record, &task.run(id), context));
    }
    Ok(runs)
}

/// Builds our settings of the task from the original's settings, the task's runs, and the home of its project.
fn config(theirs: Map<String, Value>, home: Option<String>, runs: &[RunInfo], task: &TaskRef) -> TaskConfig {
    let text = |keys: &[&str]| keys.iter().find_map(|key| theirs.get(*key)?.as_str()).map(str::to_owned);
    let agent = text(&["agent", "agent_type"]).or_else(|| runs.last().map(|run| run.agent.clone()));
    let cwd = folder(text(&["cwd", "project_root", "working_dir"]), home, runs, task);
    let depends_on = match theirs.get("depends_on") {
        Some(Value::Array(ids)) => ids.iter().filter_map(|id| id.as_str()?.parse::<TaskId>().ok()).collect(),
        Some(Value::String(ids)) => ids.split(',').filter_map(|id| id.trim().parse().ok()).collect(),
        _ => Vec::new(),
    };
    let mut extra = BTreeMap::new();
    if !theirs.is_empty() {
        extra.insert("imported".to_owned(), Value::Object(theirs));
    }
    TaskConfig {
        version: 1,
        agent: agent.unwrap_or_else(|| "unknown".to_owned()),
        kind: TaskKind::Task,
        cwd,
        command: Vec::new(),
        depends_on,
        parent_run_id: None,
        idempotency: None,
        resumed: Vec::new(),
        config: BTreeMap::new(),
        extra,
    }
}

/// Returns the folder in which a resumed task works: the folder in its settings, else that of its last run, else the
/// home of its project. `None` if it worked in its own folder.
fn folder(named: Option<String>, home: Option<String>, runs: &[RunInfo], task: &TaskRef) -> Option<String> {
    let of_run = runs.iter().rev().find_map(|run| run.cwd.clone());
    let home = home.map(|text| text.trim_end_matches(['\n', '\r']).to_owned());
    let is_absolute = |dir: &String| Path::new(dir).is_absolute();
    let folder = named.filter(is_absolute).or(of_run.filter(is_absolute)).or(home.filter(is_absolute))?;
    let own = Path::new(task.project.as_str()).join(task.task.as_str());
    (!Path::new(&folder).ends_with(own)).then_some(folder)
}

/// Returns the source that a task was imported from, if it was imported.
pub(super) fn origin(tree: &Tree, task: &TaskRef) -> Option<String> {
    let file = TaskDir::new(&task.project, &task.task).path().join(names::task::IMPORT);
    record::read::<Origin>(tree.root(), &file).ok().flatten().map(|origin| origin.source)
}
