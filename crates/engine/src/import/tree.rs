//! Imports a whole source: its projects, and the tasks in them.

use std::path::Path;

use super::{
    bus,
    place::{Unplaced, WrittenTask},
    report::{ImportError, Imported, Kind, Outcome},
    source,
    task::{self, ParsedTask},
};
use base::{
    fsx::{Durability, RelPath, Root},
    names,
    telemetry::Redactor,
};
use process::identity::holder;
use tree::{Result, Tree, TreeError, bus::BusOwner, ids::ProjectId, paths::ProjectDir, refs::TaskRef};

/// Decides if the import writes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The import writes.
    Import,
    /// The import only reports what it would do.
    DryRun,
}

/// Imports one source.
#[derive(Debug)]
pub struct Importer<'a> {
    tree: &'a Tree,
    from: Root,
    redactor: &'a Redactor,
    mode: Mode,
}

impl<'a> Importer<'a> {
    /// Opens a source, which must not be the tree itself.
    ///
    /// # Errors
    /// If the folder does not exist, or one of the two folders is inside the other.
    pub fn open(tree: &'a Tree, from: &Path, redactor: &'a Redactor, mode: Mode) -> Result<Self> {
        let from = base::fsx::resolve(from)?;
        let own = base::fsx::resolve(tree.root().path())?;
        if from.starts_with(&own) || own.starts_with(&from) {
            return Err(TreeError::Invalid(format!("{} is, or holds, the tree itself", from.display())));
        }
        Ok(Self { tree, from: Root::open(&from, Durability::Never)?, redactor, mode })
    }

    /// Imports every project, or only one.
    ///
    /// # Errors
    /// If the source's top folder cannot be read.
    pub fn run(&self, only: Option<&ProjectId>) -> Result<Vec<Imported>> {
        let mut all = Vec::new();
        let mut unplaced = Unplaced::new(self.tree.root());
        for name in source::folders(&self.from, &RelPath::top()).map_err(as_tree)? {
            // Such a name belongs to the original's own folders, or to other programs.
            if name.starts_with(['_', '.']) {
                continue;
            }
            match name.parse::<ProjectId>() {
                Ok(project) if only.is_none_or(|o| *o == project) => {
                    self.project(&project, &mut unplaced, &mut all);
                }
                Ok(_) => {}
                Err(_) => {
                    all.push(skipped(
                        Kind::Folder,
                        name.escape_debug().to_string(),
                        "its name is not a valid id",
                    ));
                }
            }
        }
        unplaced.place(&mut all);
        Ok(all)
    }

    fn project(&self, project: &ProjectId, unplaced: &mut Unplaced<'_>, all: &mut Vec<Imported>) {
        let folder = RelPath::top().join(project);
        let names = match source::folders(&self.from, &folder) {
            Ok(names) => names,
            Err(e) => return all.push(skipped(Kind::Project, project.to_string(), &e.chain())),
        };
        let own = [names::project::ROOT_MARKER, source::PROJECT_BUS];
        if own.iter().any(|name| source::has(&self.from, &folder.join(*name))) {
            all.push(
                self.own_files(project, &folder)
                    .unwrap_or_else(|e| skipped(Kind::Project, project.to_string(), &e.chain())),
            );
        }
        for name in names.into_iter().filter(|n| !n.starts_with(['_', '.'])) {
            let place = folder.join(&name);
            match name.parse() {
                Ok(_) if !self.is_task(&place) => {
                    all.push(skipped(
                        Kind::Folder,
                        format!("{project}/{name}"),
                        "it holds nothing of a task",
                    ));
                }
                Ok(id) => self.task(&place, TaskRef { project: project.clone(), task: id }, unplaced, all),
                Err(_) => {
                    let name = format!("{project}/{}", name.escape_debug());
                    all.push(skipped(Kind::Folder, name, "its name is not a valid id"));
                }
            }
        }
    }

    fn is_task(&self, folder: &RelPath) -> bool {
        let has = |name: &str| source::has(&self.from, &folder.join(name));
        let runs =
            source::folders(&self.from, &folder.join(names::task::RUNS)).is_ok_and(|runs| !runs.is_empty());
        runs || [names::task::PROMPT, source::TASK_BUS, names::task::CONFIG].into_iter().any(has)
    }

    fn task(&self, folder: &RelPath, task: TaskRef, unplaced: &mut Unplaced<'_>, all: &mut Vec<Imported>) {
        let name = task.to_string();
        let (line, mut written) = (all.len(), None);
        let imported = self.try_task(folder, &task, &mut written);
        all.push(imported.unwrap_or_else(|e| skipped(Kind::Task, name, &e.chain())));
        if let Some((aside, files)) = written {
            unplaced.add(WrittenTask { task, aside, files, line }, all);
        }
    }

    /// Reads a task and, in a real import, writes it to a folder in the trash. Returns that folder in `written`, with the number
    /// of files.
    fn try_task(
        &self,
        folder: &RelPath,
        task: &TaskRef,
        written: &mut Option<(RelPath, usize)>,
    ) -> std::result::Result<Imported, ImportError> {
        let root = self.tree.root();
        let is_there = root.exists(task.dir().path())?;
        if is_there {
            let source = self.from.absolute(folder).display().to_string();
            let other = match task::origin(self.tree, task) {
                Some(origin) if origin == source => None,
                Some(origin) => Some(format!("a task of that name was imported from {origin}")),
                None => Some("there is another task of that name".to_owned()),
            };
            if let Some(other) = other {
                return Err(ImportError::Skipped(other));
            }
        }
        let now = self.tree.clock().now();
        let found = ParsedTask::read(&self.from, folder, task.clone(), self.redactor, now)?;
        let (outcome, mut notes) = if is_there {
            self.add_missing_runs(&found, task)?
        } else {
            if self.mode == Mode::Import {
                let aside = task::aside(self.tree)?;
                match found.write(&self.from, self.tree, &aside) {
                    Ok(files) => *written = Some((aside, files)),
                    Err(e) => {
                        root.remove_tree(&aside)?;
                        return Err(e);
                    }
                }
            }
            (Outcome::Imported, [vec![found.summary()], found.notes.clone()].concat())
        };
        notes.extend(found.left_out.iter().cloned());
        let incomplete = !found.left_out.is_empty();
        Ok(Imported { kind: Kind::Task, name: task.to_string(), outcome, notes, incomplete })
    }

    /// Imports the runs of a task that an earlier import has left out, or that are newer than it.
    fn add_missing_runs(
        &self,
        found: &ParsedTask,
        task: &TaskRef,
    ) -> std::result::Result<(Outcome, Vec<String>), ImportError> {
        let missing = found.missing_runs(self.tree)?;
        if missing.is_empty() {
            return Ok((Outcome::AlreadyThere, Vec::new()));
        }
        if self.mode == Mode::Import {
            // A driver decides from the runs that it has seen.
            let locked = self.tree.lock_task(task, &holder("import"));
            let _lock = locked.map_err(|e| match e {
                TreeError::Locked { .. } => {
                    let text = format!(
                        "{} runs are missing, and the task is at work: import them when it has ended",
                        missing.len()
                    );
                    ImportError::Skipped(text)
                }
                e => e.into(),
            })?;
            found.add_runs(&self.from, self.tree, &missing)?;
        }
        let names: Vec<&str> = missing.iter().map(|info| info.run_id.as_str()).collect();
        Ok((Outcome::Imported, vec![format!("added to the task: {}", names.join(", "))]))
    }

    /// Imports the work folder and the bus of a project, if our project has none yet.
    fn own_files(&self, project: &ProjectId, folder: &RelPath) -> std::result::Result<Imported, ImportError> {
        let root = self.tree.root();
        let dir = ProjectDir::new(project);
        let owner = BusOwner::Project(project.clone());
        let mut notes = Vec::new();
        let home = source::text(&self.from, &folder.join(names::project::ROOT_MARKER))?;
        let theirs = folder.join(source::PROJECT_BUS);
        let written_at = source::written(&self.from, &theirs).unwrap_or_else(|| self.tree.clock().now());
        let bus = source::bus(&self.from, &theirs)?;
        let bus = bus.map(|text| bus::convert(&text, &owner, written_at)).filter(|bus| bus.messages > 0);
        let wanted = [
            (dir.root_marker(), home.map(String::into_bytes)),
            (dir.bus(), bus.as_ref().map(|bus| bus.lines.clone())),
        ];
        let mut written = 0;
        for (rel, bytes) in wanted {
            let Some(bytes) = bytes else { continue };
            if root.exists(&rel)? {
                notes.push(format!("{} already exists, and stays as it is", rel.name()));
                continue;
            }
            written += 1;
            if self.mode == Mode::Import {
                root.ensure_dir(dir.path())?;
                root.replace(&rel, &bytes)?;
            }
        }
        let mut incomplete = false;
        let outcome = if written > 0 { Outcome::Imported } else { Outcome::AlreadyThere };
        if let Some(bus) = bus.filter(|_| outcome == Outcome::Imported) {
            notes.push(format!("{} messages", bus.messages));
            incomplete = !bus.left_out.is_empty();
            notes.extend(bus.notes.into_iter().chain(bus.left_out));
        }
        Ok(Imported { kind: Kind::Project, name: project.to_string(), outcome, notes, incomplete })
    }
}

fn skipped(kind: Kind, name: String, why: &str) -> Imported {
    Imported { kind, name, outcome: Outcome::Skipped, notes: vec![why.to_owned()], incomplete: false }
}

fn as_tree(trouble: ImportError) -> TreeError {
    match trouble {
        ImportError::Fs(e) => e.into(),
        ImportError::Tree(e) => e,
        ImportError::Record(e) => e.into(),
        ImportError::Skipped(why) => TreeError::Invalid(why),
    }
}
