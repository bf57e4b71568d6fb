//! Names as spelled on a command line and in the path of a request.

use super::{client::Call, folder};
use crate::cli::error::{CliError, CliResult, Kind};
use tree::{ids::ProjectId, refs::TaskRef};

/// Names a task.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct TaskName {
    /// PROJECT/TASK, or a task id with --project
    #[arg(value_name = "TASK")]
    task: String,
    /// Project of the task [default: $JRUN_PROJECT_ID, else the project of the working folder]
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
}

impl TaskName {
    pub(super) fn resolve(&self, call: &Call<'_>) -> CliResult<TaskRef> {
        task(&self.task, self.project.as_ref(), call)
    }
}

/// Parses a task: `PROJECT/TASK`, or an id alone if the project is given separately.
pub(super) fn task(name: &str, project: Option<&ProjectId>, call: &Call<'_>) -> CliResult<TaskRef> {
    match name.split_once('/') {
        Some((project, task)) => Ok(TaskRef { project: project.parse()?, task: task.parse()? }),
        None => Ok(TaskRef { project: self::project(project, call)?, task: name.parse()? }),
    }
}

/// Returns the named project, else the one that the caller is in: that of the calling run, or of the caller's folder.
pub(super) fn project(named: Option<&ProjectId>, call: &Call<'_>) -> CliResult<ProjectId> {
    match (named, call.context.environment().get("JRUN_PROJECT_ID")) {
        (Some(project), _) => Ok(project.clone()),
        (None, Some(id)) => Ok(id.parse()?),
        (None, None) => folder::existing_project(call)?.ok_or_else(|| {
            CliError::new(Kind::Usage, "no project is named")
                .with_hint("give PROJECT/TASK, or --project ID; a folder with a project needs neither")
        }),
    }
}

/// The path of a task, `/api/v1/tasks/…`.
pub(super) fn task_path(task: &TaskRef) -> String {
    format!("/api/v1/tasks/{}?project_id={}", task.task, task.project)
}

/// The path of a task below its project, `/api/projects/…`.
pub(super) fn project_path(task: &TaskRef) -> String {
    format!("/api/projects/{}/tasks/{}", task.project, task.task)
}

/// Escapes a value of a query as RFC 3986 requires.
pub(super) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        assert_eq!(escaped("a-Z_0.~"), "a-Z_0.~");
        assert_eq!(escaped("2026-02-05T10:00:00+01:00 &ä"), "2026-02-05T10%3A00%3A00%2B01%3A00%20%26%C3%A4");
    }
}
