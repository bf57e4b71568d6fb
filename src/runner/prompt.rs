//! The preamble of an agent's prompt: its run, how to post messages, how to finish. Every command named here exists.

use super::Runner;
use crate::tree::run_info::RunInfo;

/// Stands between the preamble and the prompt of the task.
pub const SEPARATOR: &str = "\n---\n\n";

/// Returns the whole text of an agent's prompt.
pub(super) fn compose(runner: &Runner, info: &RunInfo, prompt: &str) -> String {
    let root = runner.tree.root();
    let run = info.run_ref();
    let task_dir = run.task.dir();
    let path = |rel: &crate::fsx::RelPath| root.absolute(rel).display().to_string();
    let cwd = info.cwd.as_deref().unwrap_or(".");
    format!(
        "# Where you are\n\n\
         Conductor runs you unattended: no person answers questions on a terminal.\n\n\
         - project `{project}`, task `{task}`, run `{run}` (attempt {attempt})\n\
         - working folder: {cwd}\n\
         - task folder: {task_folder} ($JRUN_TASK_FOLDER)\n\
         - run folder: {run_folder} ($JRUN_RUN_FOLDER)\n\n\
         # How to end\n\n\
         - Write your answer, as Markdown, to {output}\n\
         - When the task is finished, and only then, create the empty file {done}\n\
         - Keep notes on your progress for the next attempt in {state}\n\n\
         # How to speak\n\n\
         People and other agents read the task's message bus. These need no further flags here:\n\n\
         - `run-agent bus post --type PROGRESS --body \"what you are doing\"`\n\
         - `run-agent bus post --type FACT --body \"what you found out\"`\n\
         - other types: DECISION, ERROR, QUESTION\n\
         - `run-agent bus read --tail 20` shows what others wrote\n\n\
         # How to delegate\n\n\
         - `run-agent job --agent {agent} --prompt \"…\"` runs an agent, in the folder where you call it, as a task of its own in this project, and prints its answer\n\
         {SEPARATOR}{prompt}",
        project = info.project_id,
        task = info.task_id,
        run = info.run_id,
        agent = info.agent,
        attempt = info.attempt,
        task_folder = path(task_dir.path()),
        run_folder = path(run.dir().path()),
        output = info.output_path,
        done = path(&task_dir.done()),
        state = path(&task_dir.state()),
    )
}
