//! Resolves the names that users write: `PROJECT`, `PROJECT/TASK`, `PROJECT/TASK/RUN`, or a bare id, which is
//! searched for in the tree. The beginning of an id is enough to name a run.
//!
//! Without a name, `JRUN_PROJECT_ID`, `JRUN_TASK_ID` and `JRUN_ID` select the surrounding project, task or run.

use super::error::{CliError, CliResult, Kind};
use config::Environment;
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
    /// Resolves names in `tree`; the environment supplies the defaults.
    #[must_use]
    pub fn new(tree: &'a Tree, environment: &'a Environment) -> Self {
        Self { tree, environment }
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
        if self.tree.root().exists(found.dir().path()).map_err(tree::TreeError::from)? {
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
            for task in self.tree.tasks(project)? {
                let task = TaskRef { project: project.clone(), task };
                let of_task = self.tree.runs(&task)?.into_iter().filter(|r| r.as_str().starts_with(text));
                runs.extend(of_task.map(|r| task.run(r)));
                if task.task == id {
                    tasks.push(task);
                }
            }
        }
        // Inside of a project, a name means a task of that project and not a namesake elsewhere.
        if let Some(own) = self.environment.get("JRUN_PROJECT_ID")
            && let Some(at) = tasks.iter().position(|t| t.project.as_str() == own)
        {
            return Ok(Named::Task(tasks.swap_remove(at)));
        }
        if !tasks.is_empty() {
            return choose("task", text, tasks).map(Named::Task);
        }
        if !runs.is_empty() {
            return choose("run", text, prefer_exact(runs, text)).map(Named::Run);
        }
        match projects.into_iter().find(|p| p.as_str() == text) {
            Some(project) => Ok(Named::Project(project)),
            None => Err(absent("project, task or run", text)),
        }
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
