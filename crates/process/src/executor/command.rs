//! An executor that consists of three commands of the configuration: one submits a job, one finds it, one cancels it.
//!
//! The commands bring `run-agent shim <run folder> from-folder` to the place where the run is to happen, on a machine that
//! sees the tree under the same path. There the shim reads the launch from the run's folder. It stays in the foreground,
//! so that the job lasts as long as the run.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    super::{
        bounded::{self, Bounds},
        command::{CommandSpec, Lifetime},
        launch_files::{self, JobRecord},
        spec::{FROM_FOLDER, ShimReport},
    },
    Executor, JobState, Launch, Submitted,
};
use base::{
    clock::Clock,
    fsx::{RelPath, Root},
};

/// The longest that a command may take.
const DEADLINE: Duration = Duration::from_mins(1);
/// The most that a command may print, in bytes.
const OUTPUT: u64 = 64 * 1024;
/// The longest name of a job, in bytes.
const LONGEST_NAME: usize = 255;

/// Has commands start, find and cancel the shims of runs.
#[derive(Debug, Clone)]
pub struct ByCommand {
    /// Its name in the configuration.
    pub name: String,
    /// The `run-agent` program.
    pub program: PathBuf,
    /// The command that submits. The command line of the shim is appended to it; the last line that it prints is the name
    /// of the job.
    pub submit: Vec<String>,
    /// The command that finds. The name of the job is appended to it; it prints `queued`, `running` or `gone`.
    pub find: Vec<String>,
    /// The command that cancels. The name of the job is appended to it.
    pub cancel: Vec<String>,
    /// The environment of the commands.
    pub env: BTreeMap<OsString, OsString>,
}

impl ByCommand {
    /// Runs one of the commands and returns what it has printed.
    fn call(&self, command: &[String], more: &[OsString]) -> io::Result<String> {
        let (program, args) =
            command.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
        let spec = CommandSpec {
            program: program.into(),
            args: args.iter().map(Into::into).chain(more.iter().cloned()).collect(),
            env: self.env.clone(),
            cwd: Some(Path::new("/").to_owned()),
        };
        let bounds = Bounds { deadline: Instant::now() + DEADLINE, output: OUTPUT, life: Lifetime::ItsOwn };
        let (finished, output) = bounded::output(&spec, b"", bounds).map_err(io::Error::other)?;
        if !finished.status.success() {
            let words = finished.words.trim().lines().last().unwrap_or("it printed nothing").to_owned();
            return Err(io::Error::other(format!("{program}: {}: {words}", finished.status)));
        }
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    fn hand_over(&self, launch: &Launch<'_>) -> io::Result<()> {
        launch_files::write(launch.root, launch.spec, launch.env).map_err(io::Error::other)?;
        let run_dir = launch.spec.root.join(launch.spec.run_dir.as_path());
        let shim = [self.program.clone().into(), "shim".into(), run_dir.into(), FROM_FOLDER.into()];
        let output = self.call(&self.submit, &shim)?;
        let name = job_name(&output).unwrap_or_else(|| launch.spec.run_dir.name().to_owned());
        let record = JobRecord {
            version: 1,
            executor: self.name.clone(),
            job: name,
            submitted_at: Clock::System.now(),
        };
        record.write(launch.root, &launch.spec.run_dir).map_err(io::Error::other)
    }
}

impl Executor for ByCommand {
    fn submit(&self, launch: &Launch<'_>, before: &mut dyn FnMut()) -> io::Result<Submitted> {
        // The shim may start at any time from the submission on.
        before();
        match self.hand_over(launch) {
            Ok(()) => Ok(Submitted::HandedOver),
            Err(e) => {
                launch_files::remove_secrets(launch.root, &launch.spec.run_dir).map_err(io::Error::other)?;
                Ok(Submitted::Reported(ShimReport::Failed(format!(
                    "executor {} cannot submit it: {e}",
                    self.name
                ))))
            }
        }
    }

    fn find(&self, root: &Root, run_dir: &RelPath) -> io::Result<JobState> {
        let Some(record) = JobRecord::read(root, run_dir).map_err(io::Error::other)? else {
            return Ok(JobState::Gone);
        };
        let output = self.call(&self.find, &[record.job.into()])?;
        state(&output).ok_or_else(|| {
            let said = output.trim().chars().take(40).collect::<String>();
            io::Error::other(format!("'{}' is not one of queued, running and gone", said.escape_debug()))
        })
    }

    fn cancel(&self, root: &Root, run_dir: &RelPath) -> io::Result<()> {
        match JobRecord::read(root, run_dir).map_err(io::Error::other)? {
            Some(record) => self.call(&self.cancel, &[record.job.into()]).map(drop),
            None => Ok(()),
        }
    }
}

/// The name of a job: the last line that a command has printed, `None` if that is no name.
fn job_name(output: &str) -> Option<String> {
    let name = output.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    let fits = name.len() <= LONGEST_NAME && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned())
}

/// The state that a command has printed.
fn state(output: &str) -> Option<JobState> {
    match output.trim().to_ascii_lowercase().as_str() {
        "queued" => Some(JobState::Queued),
        "running" => Some(JobState::Running),
        "gone" => Some(JobState::Gone),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_names_the_job() {
        let long = "x".repeat(LONGEST_NAME + 1);
        for (output, name) in [
            ("17\n", Some("17")),
            ("Submitted batch job\n  17  \n\n", Some("17")),
            ("", None),
            (" \n\t\n", None),
            ("a\u{7}b\n", None),
            (long.as_str(), None),
        ] {
            assert_eq!(job_name(output).as_deref(), name, "{output:?}");
        }
    }

    #[test]
    fn a_job_is_queued_running_or_gone_and_nothing_else() {
        for (output, found) in [
            ("queued\n", Some(JobState::Queued)),
            ("RUNNING", Some(JobState::Running)),
            (" gone \n", Some(JobState::Gone)),
            ("succeeded\n", None),
            ("", None),
        ] {
            assert_eq!(state(output), found, "{output:?}");
        }
    }
}
