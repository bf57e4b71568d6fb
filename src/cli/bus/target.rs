//! Finds the bus that a command line refers to.

use std::path::{Path, PathBuf};

use crate::cli::{
    context::Context,
    error::{CliError, CliResult, Kind},
    reference::References,
};
use base::fsx::{self, Durability};
use engine::runner;
use tree::{
    Tree, TreeError,
    bus::{Bus, BusOwner, Discovered, Hints, SelectionReason, Undiscovered, discover},
    ids::{ProjectId, TaskId},
};

/// Flags that name a bus. An agent needs none of them.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// Project; without --task, the bus of the project [default: the current run's, else the folder's]
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// Use the bus of this task [default: the current run's, else the folder's]
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,
}

impl Target {
    /// Finds the bus that the flags, the environment or the folder name.
    pub(super) fn discover(&self, context: &Context) -> CliResult<Discovered> {
        let env = |name| context.environment().get(name);
        let resolve = |path: &Path| fsx::resolve(path).map_err(|e| CliError::from(TreeError::from(e)));
        let message_bus = env("JRUN_MESSAGE_BUS").map(|path| resolved_text(Path::new(path))).transpose()?;
        let default_root = match context.config() {
            Ok(_) => resolve(context.existing_root()?)?,
            // An agent gets the path of its bus from the environment, so an invalid configuration must not keep it
            // from posting.
            Err(_) if message_bus.is_some() => PathBuf::new(),
            Err(e) => return Err(e),
        };
        let folder = resolve(&context.cwd()?)?;
        let found = discover(&Hints {
            project: self.project.as_ref(),
            task: self.task.as_ref(),
            root: context.named_root().map(resolve).transpose()?.as_deref(),
            default_root: &default_root,
            message_bus: message_bus.as_deref(),
            project_id: env("JRUN_PROJECT_ID"),
            task_id: env("JRUN_TASK_ID"),
            run_id: env("JRUN_ID"),
            folder: &folder,
        });
        match found {
            Err(unnamed @ (Undiscovered::Nothing | Undiscovered::NoProject(_))) => {
                self.in_working_folder(context, &folder)?.ok_or_else(|| unnamed.into())
            }
            found => found.map_err(CliError::from),
        }
    }

    /// Finds the bus as the other verbs find their project or task: by the folder that agents of a project work in,
    /// and for a task also by its id, if only one task of the tree has it.
    fn in_working_folder(&self, context: &Context, folder: &Path) -> CliResult<Option<Discovered>> {
        let runner = context.runner()?;
        let tree = &runner.tree;
        let project = runner::existing_project_of(tree, folder)?;
        let owner = match (&self.task, project) {
            (Some(task), Some(project)) if tree.tasks(&project)?.contains(task) => {
                BusOwner::new(project, Some(task.clone()))
            }
            (Some(task), _) => BusOwner::Task(References::of(context, tree).task(Some(task.as_str()))?),
            (None, Some(project)) => BusOwner::new(project, None),
            (None, None) => return Ok(None),
        };
        let why = if self.task.is_some() { SelectionReason::Named } else { SelectionReason::Folder };
        Ok(Some(Discovered { root: tree.root().path().to_owned(), owner, why, poster: None }))
    }
}

/// Returns the path without links and `..`. A relative path is returned as it is, because `discover` refuses it.
fn resolved_text(path: &Path) -> CliResult<String> {
    let real =
        if path.is_absolute() { fsx::resolve(path).map_err(TreeError::from)? } else { path.to_owned() };
    Ok(real.to_string_lossy().into_owned())
}

/// Opens the tree that was found, and its bus.
pub(super) fn open(found: &Discovered, context: &Context) -> CliResult<(Tree, Bus)> {
    let durability = context.config().map_or(Durability::default(), |c| c.storage.fsync);
    let tree = Tree::open(&found.root, durability, context.clock().clone()).map_err(CliError::of_root)?;
    let further = context.config().map_or(&[][..], |c| &c.storage.extra_roots);
    let (tree, _) = tree.showing(further)?;
    let bus = tree.bus(found.owner.clone());
    Ok((tree, bus))
}

impl From<Undiscovered> for CliError {
    fn from(error: Undiscovered) -> Self {
        match error {
            Undiscovered::BadId { .. } => Self::caused(Kind::BadId, "no bus is named", error),
            Undiscovered::NoBus(_) | Undiscovered::NoProject(_) | Undiscovered::Nothing => {
                Self::new(Kind::Usage, error.to_string())
            }
        }
        .with_hint(
            "give --project for the bus of a project, and --task too for that of a task; or run this in a task's folder",
        )
    }
}
