//! Finds the configuration file and merges flags, environment, file and defaults.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    agent::AgentTypes,
    environment::Environment,
    error::ConfigError,
    executor, face,
    node::Node,
    origin::Origin,
    project::{self, PROJECT_FILE, ProjectFile, ProjectUse},
    section::{Reader, Setting, Sources},
    settings::{Config, Defaults, Limits},
    shape, token,
};
use base::fsx::{FsErrorKind, read_outside};

/// The largest configuration file.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// The command line's part of the configuration; absent values were not given.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--root`.
    pub root: Option<PathBuf>,
    /// `--host`.
    pub host: Option<String>,
    /// `--port`.
    pub port: Option<u16>,
    /// `--socket`.
    pub socket: Option<PathBuf>,
    /// `--api-key`.
    pub api_key: Option<String>,
    /// `--api-key-file`.
    pub api_key_file: Option<PathBuf>,
    /// The use of the project's file.
    pub project: ProjectLayer,
}

/// The use of the `conductor.yaml` in the working folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProjectLayer {
    /// The file is used if it is trusted.
    #[default]
    Trusted,
    /// The file is never used: a daemon serves every project, regardless of the folder in which it was started.
    Ignored,
}

/// The settings, with the origin of each.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Every value with its origin, in the order of the documentation.
    pub settings: Vec<Setting>,
    /// The use that was made of the project's file.
    pub project: ProjectUse,
}

/// All sources of settings except a project's file. They are read once, and merged for any folder.
#[derive(Debug, Clone)]
pub struct Loader {
    flags: Flags,
    environment: Environment,
    cwd: PathBuf,
    types: AgentTypes,
    user: Option<(Arc<Path>, Node)>,
}

impl Loader {
    /// Reads the user's file, relative to the folder `cwd`.
    ///
    /// # Errors
    /// If a file that was named is missing, or one that was found is no YAML.
    pub fn new(
        flags: &Flags,
        environment: &Environment,
        cwd: &Path,
        types: AgentTypes,
    ) -> Result<Self, ConfigError> {
        let user = match find(flags, environment, cwd)? {
            Some((path, bytes)) => {
                let node = Node::of_file(&path, &bytes)?;
                Some((path, node))
            }
            None => None,
        };
        Ok(Self { flags: flags.clone(), environment: environment.clone(), cwd: cwd.to_owned(), types, user })
    }

    /// Returns the settings without those of any project.
    ///
    /// # Errors
    /// If there is a problem. The error lists all problems.
    pub fn base(&self) -> Result<Loaded, ConfigError> {
        self.read(None)
    }

    /// Returns the trusted `conductor.yaml` of a folder; `None` if there is none, or it is not trusted.
    #[must_use]
    pub fn trusted_in(&self, folder: &Path) -> Option<ProjectFile> {
        let file = ProjectFile::in_folder(folder).ok().flatten()?;
        (!self.is_own(&file) && file.is_trusted(&self.environment).unwrap_or(false)).then_some(file)
    }

    /// Returns the settings for work in `folder`, including its `conductor.yaml` if that is trusted.
    ///
    /// # Errors
    /// If there is a problem. An untrusted file is not parsed, and is not an error.
    pub fn in_folder(&self, folder: &Path) -> Result<Loaded, ConfigError> {
        let untrusted = |path: &Path| -> Result<Loaded, ConfigError> {
            Ok(Loaded { project: ProjectUse::Untrusted(path.to_owned()), ..self.base()? })
        };
        match ProjectFile::in_folder(folder) {
            Ok(None) => self.base(),
            Ok(Some(file)) if self.is_own(&file) => self.base(),
            Ok(Some(file)) if file.is_trusted(&self.environment).unwrap_or(false) => self.with(&file),
            Ok(Some(file)) => untrusted(file.path()),
            Err(_) => untrusted(&folder.join(PROJECT_FILE)),
        }
    }

    /// Returns the settings including those of a project's file, trusted or not.
    ///
    /// # Errors
    /// If there is a problem.
    pub fn with(&self, file: &ProjectFile) -> Result<Loaded, ConfigError> {
        self.read(Some(file))
    }

    /// Returns true if `--config` or a variable names the project's file, which makes it the user's own.
    fn is_own(&self, file: &ProjectFile) -> bool {
        let user = self.user.as_ref().and_then(|(path, _)| path.canonicalize().ok());
        user.is_some_and(|user| file.path().canonicalize().is_ok_and(|path| path == user))
    }

    fn read(&self, project: Option<&ProjectFile>) -> Result<Loaded, ConfigError> {
        let (source, mut node) = match self.user.clone() {
            Some((path, node)) => (Some(path), node),
            None => (None, Node::nothing()),
        };
        // Without a file every value has another origin, and the name is never shown.
        let mut files = vec![source.clone().unwrap_or_else(|| Arc::from(Path::new("config.yaml")))];
        let mut refused = Vec::new();
        if let Some(file) = project {
            let mut over = file.parse()?.of_number(files.len());
            refused = project::refuse_foreign_sections(&mut over, &file.shared_path());
            files.push(file.shared_path());
            node = node.under(over);
        }
        let mut reader = Reader::new(Sources {
            files,
            overrides: BTreeMap::new(),
            environment: &self.environment,
            cwd: &self.cwd,
        });
        for problem in refused {
            reader.problem(problem.origin, problem.what);
        }
        override_by_environment(&mut reader);
        override_by_flags(&mut reader, &self.flags);
        let config = read(&mut reader, node, source.as_deref().map(Path::to_owned), self.types);
        let settings = reader.finish()?;
        let project = project.map_or(ProjectUse::None, |file| ProjectUse::Used(file.path().to_owned()));
        Ok(Loaded { config, settings, project })
    }
}

/// Loads the configuration, relative to the folder `cwd`.
///
/// # Errors
/// If a file that was named is missing, or one that was found is wrong; all that is wrong is told at once.
pub fn load(
    flags: &Flags,
    environment: &Environment,
    cwd: &Path,
    types: AgentTypes,
) -> Result<Loaded, ConfigError> {
    let loader = Loader::new(flags, environment, cwd, types)?;
    match flags.project {
        ProjectLayer::Trusted => loader.in_folder(cwd),
        ProjectLayer::Ignored => loader.base(),
    }
}

/// Returns the file that [`load`] would read, without parsing it.
///
/// # Errors
/// If the file was named and cannot be read.
pub fn locate(flags: &Flags, environment: &Environment, cwd: &Path) -> Result<Option<PathBuf>, ConfigError> {
    Ok(find(flags, environment, cwd)?.map(|(path, _)| path.to_path_buf()))
}

type FoundFile = Option<(Arc<Path>, Vec<u8>)>;

/// Finds the file that was named, which must exist, or else the user's own file, if there is one.
fn find(flags: &Flags, environment: &Environment, cwd: &Path) -> Result<FoundFile, ConfigError> {
    let flag = flags.config.as_ref().map(|path| (path.clone(), Origin::Flag("--config")));
    let variable = environment.get("CONDUCTOR_CONFIG").map(|text| {
        let path = environment.expand(text).unwrap_or_else(|| PathBuf::from(text));
        (path, Origin::Environment("CONDUCTOR_CONFIG".to_owned()))
    });
    if let Some((path, named_by)) = flag.or(variable) {
        let path = cwd.join(path);
        let bytes = read_outside(&path, MAX_FILE)
            .map_err(|source| ConfigError::Unreadable { named_by: Some(named_by), source })?;
        return Ok(Some((path.into(), bytes)));
    }
    if let Some(path) = usual_place(environment) {
        match read_outside(&path, MAX_FILE) {
            Ok(bytes) => return Ok(Some((path.into(), bytes))),
            // A folder of that name, or a home that is not a folder, is not a configuration.
            Err(e)
                if matches!(
                    e.kind(),
                    FsErrorKind::NotFound | FsErrorKind::NotAFolder | FsErrorKind::NotAFile
                ) => {}
            Err(source) => return Err(ConfigError::Unreadable { named_by: None, source }),
        }
    }
    Ok(None)
}

/// Returns the path of the user's own file, which need not exist; `None` without a home folder. A `config.yaml` in the working folder is not used: other programs have
/// files of that name, and a cloned repository could use one to choose the programs that run and the receivers of
/// prompts.
#[must_use]
pub fn usual_place(environment: &Environment) -> Option<PathBuf> {
    let xdg = environment.get_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let folder = xdg.or_else(|| Some(environment.home()?.join(".config")))?;
    Some(folder.join("conductor").join("config.yaml"))
}

/// The variables, with the keys that they set.
const VARIABLES: &[(&str, &str)] = &[
    ("CONDUCTOR_ROOT", "storage.runs_dir"),
    ("CONDUCTOR_HOST", "api.host"),
    ("CONDUCTOR_PORT", "api.port"),
    ("CONDUCTOR_API_KEY", "api.api_key"),
    ("CONDUCTOR_DISABLE_TASK_START", shape::DISABLE_TASK_START),
];

fn override_by_environment(reader: &mut Reader<'_>) {
    for (variable, key) in VARIABLES {
        let Some(value) = reader.sources.environment.get_os(variable) else { continue };
        let origin = Origin::Environment((*variable).to_owned());
        reader.override_with(key, value.to_str(), origin);
    }
}

fn override_by_flags(reader: &mut Reader<'_>, flags: &Flags) {
    if let Some(root) = &flags.root {
        reader.override_with("storage.runs_dir", root.to_str(), Origin::Flag("--root"));
    }
    if let Some(host) = &flags.host {
        reader.override_with("api.host", Some(host), Origin::Flag("--host"));
    }
    if let Some(port) = flags.port {
        reader.override_with("api.port", Some(&port.to_string()), Origin::Flag("--port"));
    }
    if let Some(socket) = &flags.socket {
        reader.override_with("api.socket", socket.to_str(), Origin::Flag("--socket"));
    }
    if let Some(key) = &flags.api_key {
        reader.override_with("api.api_key", Some(key), Origin::Flag("--api-key"));
    }
    if let Some(file) = &flags.api_key_file {
        let flag = "--api-key-file";
        if let Some(key) = token::of_flag(reader, flag, &reader.sources.cwd.join(file)) {
            reader.override_with("api.api_key", Some(key.expose()), Origin::Flag(flag));
        }
    }
}

fn read(reader: &mut Reader<'_>, node: Node, source: Option<PathBuf>, types: AgentTypes) -> Config {
    let mut top = reader.top(node);
    let agents = shape::agents(top.section("agents"), types);
    let mut section = top.section("defaults");
    let defaults = shape::defaults(&mut section, Defaults::default());
    shape::check_agents(&mut section, &agents, &defaults);
    section.finish();
    let mut section = top.section("limits");
    let limits = shape::limits(&mut section, &Limits::default());
    section.finish();
    let env = shape::agent_env(top.section("env"));
    let config = Config {
        agent_types: types,
        agents,
        defaults,
        limits,
        env,
        api: shape::api(top.section("api")),
        storage: shape::storage(top.section("storage")),
        watch: shape::watch(top.section("watch")),
        webhook: shape::webhook(top.section("webhook")),
        faces: face::faces(top.section("faces")),
        executors: executor::executors(top.section("executors")),
        task_start: shape::task_start(&mut top),
        source,
    };
    top.finish();
    config
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ExecutorSettings;

    fn read(text: &str) -> Result<BTreeMap<String, ExecutorSettings>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        base::fsx::replace_outside(file.path(), text.as_bytes()).unwrap();
        let flags = Flags { config: Some(file.path().to_owned()), ..Flags::default() };
        let environment = Environment::from_iter([("HOME", "/proc/nonexistent")]);
        load(&flags, &environment, Path::new("/"), crate::agent::samples::TYPES)
            .map(|loaded| loaded.config.executors)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn an_executor_has_three_commands() {
        let all =
            "executors:\n  box: {type: command, submit: [s, -x], find: [f], cancel: [c], poll: 200ms}\n";
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let settings = ExecutorSettings {
            submit: words("s -x"),
            find: words("f"),
            cancel: words("c"),
            poll: Duration::from_millis(200),
            start_timeout: Some(Duration::from_hours(24)),
        };
        assert_eq!(read(all).unwrap(), BTreeMap::from([("box".to_owned(), settings)]));
        assert_eq!(read("").unwrap(), BTreeMap::new());
        for (text, problem) in [
            ("executors: {box: {submit: [s], find: [f]}}", "'executors.box.cancel' is missing"),
            ("executors: {local: {submit: [s], find: [f], cancel: [c]}}", "of run-agent itself"),
            ("executors: {box: {type: slurm, submit: [s], find: [f], cancel: [c]}}", "'executors.box.type'"),
            ("executors: {box: {submit: [s], find: [f], cancel: [c], pol: 1s}}", "did you mean"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(problem), "{text}: {said}");
        }
    }
}
