//! Finds the configuration file and lays flags, environment, file and defaults over each other.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    environment::Environment,
    error::{ConfigError, Problem, What},
    node::{self, Node, Raw},
    origin::Origin,
    section::{Reader, Setting, Sources},
    settings::{Config, Defaults, Limits},
    shape,
};
use crate::fsx::{FsErrorKind, read_outside};

/// The largest configuration file.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// What the command line says about the configuration; absent: nothing.
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
}

/// The settings, and where each came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Every value with its origin, in the order of the documentation.
    pub settings: Vec<Setting>,
}

/// Loads the configuration as seen from the folder `cwd`.
///
/// # Errors
/// If a file that was named is missing, or one that was found is wrong; all that is wrong is told at once.
pub fn load(flags: &Flags, environment: &Environment, cwd: &Path) -> Result<Loaded, ConfigError> {
    let found = find(flags, environment, cwd)?;
    let (source, node) = match found {
        Some((path, bytes)) => {
            let node = parse(&path, &bytes)?;
            (Some(path), node)
        }
        None => (None, Node { line: 0, raw: Raw::Null }),
    };
    let mut reader = Reader::new(Sources {
        // Without a file every value has another origin, and the name is never shown.
        file: Some(source.clone().unwrap_or_else(|| Arc::from(Path::new("config.yaml")))),
        overrides: BTreeMap::new(),
        environment,
        cwd,
    });
    override_by_environment(&mut reader);
    override_by_flags(&mut reader, flags);
    let config = read(&mut reader, node, source.as_deref().map(Path::to_owned));
    let settings = reader.finish()?;
    Ok(Loaded { config, settings })
}

/// The file that [`load`] would read, without looking at what stands in it.
///
/// # Errors
/// If it was named and cannot be read.
pub fn locate(flags: &Flags, environment: &Environment, cwd: &Path) -> Result<Option<PathBuf>, ConfigError> {
    Ok(find(flags, environment, cwd)?.map(|(path, _)| path.to_path_buf()))
}

type Found = Option<(Arc<Path>, Vec<u8>)>;

/// The first file there is. One that somebody named must be there.
fn find(flags: &Flags, environment: &Environment, cwd: &Path) -> Result<Found, ConfigError> {
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
    for path in usual_places(environment, cwd) {
        match read_outside(&path, MAX_FILE) {
            Ok(bytes) => return Ok(Some((path.into(), bytes))),
            // A folder of that name, or a home that is none, is no configuration.
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

fn usual_places(environment: &Environment, cwd: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    // In an agent's environment the working folder is the project it works on, whose config.yaml is not ours.
    if environment.get_os("JRUN_ID").is_none() {
        places.push(cwd.join("config.yaml"));
    }
    let xdg = environment.get_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    if let Some(folder) = xdg.or_else(|| Some(environment.home()?.join(".config"))) {
        places.push(folder.join("conductor").join("config.yaml"));
    }
    places
}

fn parse(path: &Arc<Path>, bytes: &[u8]) -> Result<Node, ConfigError> {
    let wrong = |line, problem| {
        let origin = Origin::File(path.clone(), line);
        ConfigError::Invalid(vec![Problem { origin, what: What::Syntax(problem) }])
    };
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let lines = bytes[..e.valid_up_to()].split(|b| *b == b'\n').count();
        wrong(lines as u64, "it is not UTF-8 text".to_owned())
    })?;
    node::parse(text).map_err(|syntax| wrong(syntax.line, syntax.problem))
}

/// Which variable stands for which key.
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
}

fn read(reader: &mut Reader<'_>, node: Node, source: Option<PathBuf>) -> Config {
    let mut top = reader.top(node);
    let agents = shape::agents(top.section("agents"));
    let mut section = top.section("defaults");
    let defaults = shape::defaults(&mut section, Defaults::default());
    shape::check_agents(&mut section, &agents, &defaults);
    section.finish();
    let mut section = top.section("limits");
    let limits = shape::limits(&mut section, &Limits::default());
    section.finish();
    let config = Config {
        agents,
        defaults,
        limits,
        api: shape::api(top.section("api")),
        storage: shape::storage(top.section("storage")),
        watch: shape::watch(top.section("watch")),
        webhook: shape::webhook(top.section("webhook")),
        faces: shape::faces(top.section("faces")),
        task_start: shape::task_start(&mut top),
        source,
    };
    top.finish();
    config
}
