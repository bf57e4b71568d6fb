//! Resolves the names that users write: `PROJECT`, `PROJECT/TASK`, `PROJECT/TASK/RUN`, or a bare id, which is
//! searched for in the tree. The beginning of an id is enough to name a run.
//!
//! A bare id means a thing of the surrounding project before a namesake elsewhere: inside a run the project of
//! `JRUN_PROJECT_ID`, else the project of the folder that the user stands in. A choice that the user may not expect is
//! named on stderr.
//!
//! Without a name, `JRUN_PROJECT_ID`, `JRUN_TASK_ID` and `JRUN_ID` select the surrounding project, task or run.

use std::{cell::RefCell, path::PathBuf};

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    print::{Form, Printer},
};
use config::Environment;
use engine::runner;
use tree::{
    Tree,
    ids::{ProjectId, RunId, TaskId},
    refs::{RunRef, TaskRef},
};

/// Maximum number of candidates that an error lists.
const LISTED: usize = 10;

/// Resolves names of things in a tree.
#[derive(Debug)]
pub struct References<'a> {
    tree: &'a Tree,
    environment: &'a Environment,
    /// The folder that the user stands in, by its canonical path.
    folder: Option<PathBuf>,
    printer: Option<Printer>,
    /// The notes so far: a verb may resolve one name twice.
    notes: RefCell<Vec<String>>,
}

/// The project in which a bare id is looked for first.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Surrounding {
    /// That of the run of the calling agent.
    Run(ProjectId),
    /// That of the folder.
    Folder(ProjectId),
}

impl Surrounding {
    fn project(&self) -> &ProjectId {
        let (Self::Run(project) | Self::Folder(project)) = self;
        project
    }
}

/// A thing that a user named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A project.
    Project(ProjectId),
    /// A task.
    Task(TaskRef),
    /// A run.
    Run(RunRef),
}

impl<'a> References<'a> {
    /// Resolves names in `tree` for a verb; its folder and its environment supply the defaults.
    #[must_use]
    pub fn of(context: &'a Context, tree: &'a Tree) -> Self {
        Self {
            folder: context.cwd().ok(),
            printer: Some(*context.printer()),
            ..Self::new(tree, context.environment())
        }
    }

    /// Resolves names in `tree`; only the environment supplies defaults.
    fn new(tree: &'a Tree, environment: &'a Environment) -> Self {
        Self { tree, environment, folder: None, printer: None, notes: RefCell::default() }
    }

    /// Resolves a project.
    ///
    /// # Errors
    /// If the text is no valid id, or there is no name at all.
    pub fn project(&self, text: Option<&str>) -> CliResult<ProjectId> {
        let Some(text) = text.or_else(|| self.environment.get("JRUN_PROJECT_ID")) else {
            return Err(nothing_named("a project", "PROJECT", "JRUN_PROJECT_ID"));
        };
        let project: ProjectId = text.parse()?;
        if self.tree.projects()?.contains(&project) { Ok(project) } else { Err(absent("project", text)) }
    }

    /// Resolves a task; a run stands for its task.
    ///
    /// # Errors
    /// If no task has that name, or several have.
    pub fn task(&self, text: Option<&str>) -> CliResult<TaskRef> {
        let Some(text) = text else {
            return self.own_task()?.ok_or_else(|| nothing_named("a task", "PROJECT/TASK", "JRUN_TASK_ID"));
        };
        match self.named(text)? {
            Named::Task(task) => Ok(task),
            Named::Run(run) => Ok(run.task),
            Named::Project(project) => Err(self.too_short(&project, "a task")?),
        }
    }

    /// Resolves a run; a task stands for its latest run.
    ///
    /// # Errors
    /// If no run has that name, or several have.
    pub fn run(&self, text: Option<&str>) -> CliResult<RunRef> {
        let Some(text) = text else {
            let own = (self.own_task()?, self.environment.get("JRUN_ID"));
            let (Some(task), Some(run)) = own else {
                return Err(nothing_named("a run", "PROJECT/TASK/RUN", "JRUN_ID"));
            };
            return Ok(task.run(run.parse()?));
        };
        match self.named(text)? {
            Named::Run(run) => Ok(run),
            Named::Task(task) => match self.tree.runs(&task)?.pop() {
                Some(run) => Ok(task.run(run)),
                None => Err(CliError::new(Kind::NotFound, format!("task {task} has no runs yet"))),
            },
            Named::Project(project) => Err(self.too_short(&project, "a run")?),
        }
    }

    /// Resolves any name. A bare name is a task before it is a run, and a run before it is a project.
    ///
    /// # Errors
    /// If nothing has that name, or several things of one kind have.
    pub fn named(&self, text: &str) -> CliResult<Named> {
        let parts: Vec<&str> = text.trim_end_matches('/').split('/').collect();
        match parts.as_slice() {
            [one] => self.bare(one),
            [project, task] => self.task_of(project, task).map(Named::Task),
            [project, task, run] => {
                let task = self.task_of(project, task)?;
                let runs = self.tree.runs(&task)?;
                let found = runs.into_iter().filter(|r| r.as_str().starts_with(run)).map(|r| task.run(r));
                choose("run", text, prefer_exact(found.collect(), run)).map(Named::Run)
            }
            _ => Err(CliError::new(Kind::Usage, format!("'{text}' is not a name"))
                .with_hint("names are PROJECT, PROJECT/TASK, PROJECT/TASK/RUN, or a task or run id alone")),
        }
    }

    fn own_task(&self) -> CliResult<Option<TaskRef>> {
        let own = (self.environment.get("JRUN_PROJECT_ID"), self.environment.get("JRUN_TASK_ID"));
        let (Some(project), Some(task)) = own else { return Ok(None) };
        Ok(Some(TaskRef { project: project.parse()?, task: task.parse()? }))
    }

    fn task_of(&self, project: &str, task: &str) -> CliResult<TaskRef> {
        let found = TaskRef { project: project.parse()?, task: task.parse()? };
        // A task without its folder is still wanted while it has a ticket.
        if self.tree.root().exists(found.dir().path()).map_err(tree::TreeError::from)?
            || self.tree.ticket_of(&found)?.is_some()
        {
            Ok(found)
        } else {
            Err(absent("task", &found.to_string()))
        }
    }

    fn bare(&self, text: &str) -> CliResult<Named> {
        // The characters of every kind of id are the same, so one parse checks them all.
        let id: TaskId = text.parse::<RunId>().map_err(CliError::from).and_then(|_| Ok(text.parse()?))?;
        let (mut tasks, mut runs) = (Vec::new(), Vec::new());
        let projects = self.tree.projects()?;
        for project in &projects {
            // What cannot be read has no part in the search, and hides nothing else.
            for task in self.tree.tasks(project).unwrap_or_default() {
                let task = TaskRef { project: project.clone(), task };
                let of_task = self
                    .tree
                    .runs(&task)
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|r| r.as_str().starts_with(text));
                runs.extend(of_task.map(|r| task.run(r)));
                if task.task == id {
                    tasks.push(task);
                }
            }
        }
        let surrounding = self.surrounding();
        if !tasks.is_empty() {
            return self
                .nearest("task", text, tasks, surrounding.as_ref(), |task| &task.project)
                .map(Named::Task);
        }
        if !runs.is_empty() {
            let runs = prefer_exact(runs, text);
            return self
                .nearest("run", text, runs, surrounding.as_ref(), |run| &run.task.project)
                .map(Named::Run);
        }
        match projects.into_iter().find(|p| p.as_str() == text) {
            Some(project) => Ok(Named::Project(project)),
            None => Err(absent("project, task or run", text)),
        }
    }

    fn surrounding(&self) -> Option<Surrounding> {
        if let Some(own) = self.environment.get("JRUN_PROJECT_ID") {
            return own.parse().ok().map(Surrounding::Run);
        }
        // A project without its home must not keep the user from naming a task.
        let project = runner::existing_project_of(self.tree, self.folder.as_deref()?).ok()?;
        project.map(Surrounding::Folder)
    }

    /// Chooses among the things of one name: those of the surrounding project come first.
    fn nearest<T: ToString>(
        &self,
        kind: &'static str,
        text: &str,
        found: Vec<T>,
        surrounding: Option<&Surrounding>,
        project_of: impl Fn(&T) -> &ProjectId,
    ) -> CliResult<T> {
        let Some(surrounding) = surrounding else { return choose(kind, text, found) };
        let project = surrounding.project();
        let (near, far): (Vec<T>, Vec<T>) = found.into_iter().partition(|one| project_of(one) == project);
        let is_here = matches!(surrounding, Surrounding::Folder(_));
        if near.is_empty() {
            let chosen = choose(kind, text, far)?;
            if is_here {
                self.note(&format!(
                    "note: project {project}, of this folder, has no {kind} '{text}'; this is {}",
                    chosen.to_string()
                ))?;
            }
            return Ok(chosen);
        }
        let chosen = choose(kind, text, near)?;
        if is_here && !far.is_empty() {
            let others = list(far.iter().map(ToString::to_string));
            let named = chosen.to_string();
            self.note(&format!("note: this is {named}, of this folder's project; there is also {others}"))?;
        }
        Ok(chosen)
    }

    fn note(&self, text: &str) -> CliResult<()> {
        let Some(printer) = self.printer.filter(|printer| printer.form() == Form::Text) else {
            return Ok(());
        };
        if self.notes.borrow().iter().any(|note| note == text) {
            return Ok(());
        }
        self.notes.borrow_mut().push(text.to_owned());
        printer.word(text)
    }

    fn too_short(&self, project: &ProjectId, wanted: &str) -> CliResult<CliError> {
        let tasks = self.tree.tasks(project)?;
        let names = list(tasks.iter().map(|task| format!("{project}/{task}")));
        let hint =
            if tasks.is_empty() { "it has no tasks".to_owned() } else { format!("its tasks are {names}") };
        Ok(CliError::new(Kind::NotFound, format!("'{project}' is a project, and {wanted} is needed"))
            .with_hint(hint))
    }
}

fn prefer_exact(mut runs: Vec<RunRef>, text: &str) -> Vec<RunRef> {
    if runs.iter().any(|r| r.run.as_str() == text) {
        runs.retain(|r| r.run.as_str() == text);
    }
    runs
}

fn choose<T: ToString>(kind: &'static str, text: &str, mut found: Vec<T>) -> CliResult<T> {
    match (found.pop(), found.len()) {
        (None, _) => Err(absent(kind, text)),
        (Some(one), 0) => Ok(one),
        (Some(last), others) => {
            found.push(last);
            let names = list(found.iter().map(ToString::to_string));
            Err(CliError::new(Kind::NotFound, format!("'{text}' is the name of {} {kind}s", others + 1))
                .with_hint(format!("say which: {names}")))
        }
    }
}

fn list(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let mut text = names.take(LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text = format!("{text} and {more} more");
    }
    text
}

fn absent(kind: &str, name: &str) -> CliError {
    CliError::new(Kind::NotFound, format!("there is no {kind} '{name}'"))
}

fn nothing_named(what: &str, form: &str, variable: &str) -> CliError {
    CliError::new(Kind::Usage, format!("{what} must be named"))
        .with_hint(format!("give {form}; inside a run the default is ${variable}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::clock::Clock;

    const OLD: &str = "20260205-10000100001-1-0001";
    const NEW: &str = "20260206-10000100001-1-0001";

    /// A tree with p/t of two runs, q/t of one, p/u of none, and the empty project r.
    fn tree() -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), base::fsx::Durability::Never, Clock::System).unwrap();
        for (task, runs) in [("p/t", &[OLD, NEW][..]), ("q/t", &["20260207-1-1-1"]), ("p/u", &[])] {
            let task = task_ref(task);
            tree.root().ensure_dir(&task.dir().runs()).unwrap();
            for run in runs {
                tree.root().ensure_dir(task.run(run.parse().unwrap()).dir().path()).unwrap();
            }
        }
        let empty: ProjectId = "r".parse().unwrap();
        tree.root().mkdir(tree::paths::ProjectDir::new(&empty).path()).unwrap();
        (folder, tree)
    }

    fn task_ref(text: &str) -> TaskRef {
        let (project, task) = text.split_once('/').unwrap();
        TaskRef { project: project.parse().unwrap(), task: task.parse().unwrap() }
    }

    #[test]
    fn things_are_found_by_the_names_people_write() {
        let (_folder, tree) = tree();
        let nowhere = Environment::default();
        let names = References::new(&tree, &nowhere);
        let (old, new) =
            (task_ref("p/t").run(OLD.parse().unwrap()), task_ref("p/t").run(NEW.parse().unwrap()));
        for (text, named) in [
            ("p", Named::Project("p".parse().unwrap())),
            ("p/t", Named::Task(task_ref("p/t"))),
            ("p/t/", Named::Task(task_ref("p/t"))),
            ("u", Named::Task(task_ref("p/u"))),
            (OLD, Named::Run(old.clone())),
            ("20260205", Named::Run(old.clone())),
            ("p/t/20260206", Named::Run(new.clone())),
        ] {
            assert_eq!(names.named(text).unwrap(), named, "{text}");
        }
        assert_eq!(names.run(Some("p/t")).unwrap(), new, "a task stands for its latest run");
        assert_eq!(names.task(Some("20260205")).unwrap(), task_ref("p/t"), "a run stands for its task");
        assert_eq!(names.project(Some("r")).unwrap().as_str(), "r");
    }

    #[test]
    fn what_cannot_be_found_says_why() {
        let (_folder, tree) = tree();
        let nowhere = Environment::default();
        let names = References::new(&tree, &nowhere);
        for (text, kind, error) in [
            ("t", Kind::NotFound, "'t' is the name of 2 tasks (say which: p/t, q/t)"),
            ("2026", Kind::NotFound, "'2026' is the name of 3 runs"),
            ("nobody", Kind::NotFound, "there is no project, task or run 'nobody'"),
            ("p/nobody", Kind::NotFound, "there is no task 'p/nobody'"),
            ("p/t/2027", Kind::NotFound, "there is no run 'p/t/2027'"),
            ("p/u", Kind::NotFound, "task p/u has no runs yet"),
            ("p", Kind::NotFound, "'p' is a project, and a run is needed (its tasks are p/t, p/u)"),
            ("a/b/c/d", Kind::Usage, "'a/b/c/d' is not a name"),
            ("..", Kind::BadId, "'..' is not a valid"),
            ("p/..", Kind::BadId, "'..' is not a valid task id"),
            ("", Kind::BadId, "it is empty"),
        ] {
            let said = names.run(Some(text)).unwrap_err();
            let whole = format!("{} ({})", said.chain(), said.hint().unwrap_or_default());
            assert!(whole.contains(error), "{text}: {whole}");
            assert_eq!(said.kind(), kind, "{text}");
        }
        assert_eq!(names.task(None).unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn a_bare_id_means_a_thing_of_the_folder_first() {
        let (_folder, tree) = tree();
        let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let canonical = |folder: &tempfile::TempDir| folder.path().canonicalize().unwrap();
        let q: ProjectId = "q".parse().unwrap();
        let marker = tree::paths::ProjectDir::new(&q).root_marker();
        tree.root().replace(&marker, format!("{}\n", canonical(&home).display()).as_bytes()).unwrap();
        let nowhere = Environment::default();
        let at = |folder| References { folder: Some(folder), ..References::new(&tree, &nowhere) };
        let here = at(canonical(&home));
        assert_eq!(here.task(Some("t")).unwrap(), task_ref("q/t"));
        assert_eq!(here.run(Some("2026")).unwrap().task, task_ref("q/t"), "the beginning of a run's id");
        assert_eq!(here.task(Some("u")).unwrap(), task_ref("p/u"), "only another project has it");
        assert_eq!(here.task(Some("p/t")).unwrap(), task_ref("p/t"));
        let there = at(canonical(&elsewhere)).task(Some("t")).unwrap_err();
        assert_eq!(there.kind(), Kind::NotFound, "a folder without a project prefers none");
        let inside = Environment::from_iter([("JRUN_PROJECT_ID", "p")]);
        let run = References { folder: Some(canonical(&home)), ..References::new(&tree, &inside) };
        assert_eq!(run.task(Some("t")).unwrap(), task_ref("p/t"), "the project of the run comes first");
    }

    #[test]
    fn inside_of_a_run_nothing_need_be_named() {
        let (_folder, tree) = tree();
        let inside = Environment::from_iter([
            ("JRUN_PROJECT_ID", "q"),
            ("JRUN_TASK_ID", "t"),
            ("JRUN_ID", "20260207-1-1-1"),
        ]);
        let names = References::new(&tree, &inside);
        assert_eq!(names.project(None).unwrap().as_str(), "q");
        assert_eq!(names.task(None).unwrap(), task_ref("q/t"));
        assert_eq!(names.run(None).unwrap().run.as_str(), "20260207-1-1-1");
        assert_eq!(names.task(Some("t")).unwrap(), task_ref("q/t"), "its own project's task is meant");
    }
}
