//! The files by which a driver hands a run over to an executor that starts its shim elsewhere: the launch spec without secrets, the
//! secrets in a file of their own, and the executor's name for the job.
//!
//! The secrets lie on disk only while the run waits. The shim removes them as soon as the run is claimed, and so does the
//! driver when it cancels the run or takes it over. No bundle contains them, and no route shows them.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spec::LaunchSpec;
use base::{
    fsx::{RelPath, Root},
    names,
    record::{self, Record, Spelling},
};

/// The environment of an agent.
pub type Env = Vec<(OsString, OsString)>;

/// `launch.json`: everything that a shim needs to run an agent, secrets aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchRecord {
    /// Format version; 1.
    pub version: u64,
    /// The launch spec. Its command line is empty here, because it may hold secrets.
    pub spec: LaunchSpec,
}

impl Record for LaunchRecord {
    const SPELLING: Spelling = Spelling::Json;
}

/// `launch-secrets.json`: the parts of a launch that may hold secrets. Only the owner of the tree may read it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSecrets {
    /// Format version; 1.
    pub version: u64,
    /// The program (an absolute path) and its arguments.
    pub argv: Vec<String>,
    /// The whole environment of the agent, `NAME=value`, as bytes.
    env: Vec<Vec<u8>>,
}

impl Record for LaunchSecrets {
    const SPELLING: Spelling = Spelling::Json;
    /// An environment may be larger than a record usually is: `ARG_MAX` of execve(2) is the limit.
    const MAX_BYTES: u64 = 64 * 1024 * 1024;
}

impl std::fmt::Debug for LaunchSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LaunchSecrets(…)")
    }
}

impl LaunchSecrets {
    /// The environment of the agent.
    #[must_use]
    pub fn env(&self) -> Env {
        let split = |entry: &Vec<u8>| {
            let at = entry.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (entry[..at].to_vec(), entry[at + 1..].to_vec());
            Some((OsString::from_vec(name), OsString::from_vec(value)))
        };
        self.env.iter().filter_map(split).collect()
    }
}

/// `job.json`: the name under which an executor knows a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobRecord {
    /// Format version; 1.
    pub version: u64,
    /// The executor.
    pub executor: String,
    /// The executor's name for the job.
    pub job: String,
    /// The time of the submission.
    pub submitted_at: DateTime<Utc>,
}

impl Record for JobRecord {
    const SPELLING: Spelling = Spelling::Json;
    const MAX_BYTES: u64 = 64 * 1024;
}

impl JobRecord {
    /// Reads the job of a run; `None` if none was handed over.
    ///
    /// # Errors
    /// If the file is no such record.
    pub fn read(root: &Root, run_dir: &RelPath) -> record::Result<Option<Self>> {
        record::read(root, &run_dir.join(names::run::JOB))
    }

    /// Writes the record.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn write(&self, root: &Root, run_dir: &RelPath) -> record::Result<()> {
        record::write(root, &run_dir.join(names::run::JOB), self)
    }
}

/// Writes both parts of a launch into the run's folder, the secrets last: with them the launch is complete.
///
/// # Errors
/// If the disk fails.
pub fn write(root: &Root, spec: &LaunchSpec, env: &BTreeMap<OsString, OsString>) -> record::Result<()> {
    let entry = |(name, value): (&OsString, &OsString)| {
        [name.as_bytes(), OsStr::new("=").as_bytes(), value.as_bytes()].concat()
    };
    let secrets = LaunchSecrets { version: 1, argv: spec.argv.clone(), env: env.iter().map(entry).collect() };
    let launch = LaunchRecord { version: 1, spec: LaunchSpec { argv: Vec::new(), ..spec.clone() } };
    record::write(root, &spec.run_dir.join(names::run::LAUNCH), &launch)?;
    record::write(root, &spec.run_dir.join(names::run::LAUNCH_SECRETS), &secrets)
}

/// Reads both parts of a launch from the run's folder; `None` if they are not complete.
///
/// # Errors
/// If a file is no such record.
pub fn read(root: &Root, run_dir: &RelPath) -> record::Result<Option<(LaunchSpec, Env)>> {
    let launch: Option<LaunchRecord> = record::read(root, &run_dir.join(names::run::LAUNCH))?;
    let secrets: Option<LaunchSecrets> = record::read(root, &run_dir.join(names::run::LAUNCH_SECRETS))?;
    Ok(launch.zip(secrets).map(|(launch, secrets)| {
        let env = secrets.env();
        (LaunchSpec { argv: secrets.argv, ..launch.spec }, env)
    }))
}

/// Removes the secrets of a launch, if they are there.
///
/// # Errors
/// If the disk fails.
pub fn remove_secrets(root: &Root, run_dir: &RelPath) -> base::fsx::Result<()> {
    root.remove(&run_dir.join(names::run::LAUNCH_SECRETS)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

    use super::*;
    use crate::spec::StdinPlan;
    use base::fsx::Durability;

    fn spec(root: &Root, run_dir: &RelPath) -> LaunchSpec {
        LaunchSpec {
            root: root.path().to_owned(),
            run_dir: run_dir.clone(),
            argv: vec!["/bin/agent".to_owned(), "--key=sk-secret-1".to_owned()],
            cwd: PathBuf::from("/"),
            stdin: StdinPlan::Null,
            stop_marker: RelPath::new("p/t/STOP").unwrap(),
            idle_timeout: None,
            max_run_time: None,
            stop_grace: Duration::from_secs(10),
            exit_grace: None,
            heartbeat: Some(Duration::from_secs(10)),
            open_files: Some(1024),
        }
    }

    #[test]
    fn what_may_be_secret_lies_in_a_file_of_its_own_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path(), Durability::Never).unwrap();
        let run_dir = RelPath::new("p/t/runs/r").unwrap();
        root.ensure_dir(&run_dir).unwrap();
        let spec = spec(&root, &run_dir);
        let env: BTreeMap<OsString, OsString> = [
            ("KEY".into(), "sk-secret-2=".into()),
            ("BYTES".into(), OsString::from_vec(vec![0xff, b'=', 0xfe])),
            ("EMPTY".into(), OsString::new()),
        ]
        .into();
        assert_eq!(read(&root, &run_dir).unwrap(), None);
        write(&root, &spec, &env).unwrap();
        let text = |name: &str| {
            let bytes = root.read_opt(&run_dir.join(name), 1 << 20).unwrap().unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert!(!text(names::run::LAUNCH).contains("sk-secret"), "{}", text(names::run::LAUNCH));
        let secrets = root.absolute(&run_dir.join(names::run::LAUNCH_SECRETS));
        let mode = std::fs::metadata(&secrets).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (read_spec, read_env) = read(&root, &run_dir).unwrap().unwrap();
        assert_eq!((read_spec, read_env), (spec, env.into_iter().collect()));
        remove_secrets(&root, &run_dir).unwrap();
        remove_secrets(&root, &run_dir).unwrap();
        assert!(!root.exists(&run_dir.join(names::run::LAUNCH_SECRETS)).unwrap());
        assert_eq!(read(&root, &run_dir).unwrap(), None);
    }
}
