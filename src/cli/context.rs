//! The context of every verb: the environment, the settings (read on first use), and the tree.

use std::{
    cell::OnceCell,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::runtime::Runtime;

use super::{
    error::{CliError, CliResult, Kind},
    flags::GlobalFlags,
    print::{Form, Printer},
};
use base::{
    clock::Clock,
    telemetry::{self, LogFormat, Redactor, is_secret_name},
};
use config::{Config, Environment, Flags, Loaded, Loader, Origin, ProjectUse, WatchMode};
use engine::runner::{Runner, Settings};
use tree::Tree;
use view::watch::{Hints, Source};

/// The context of every verb.
#[derive(Debug)]
pub struct Context {
    environment: Environment,
    global: GlobalFlags,
    printer: Printer,
    clock: Clock,
    settings: Flags,
    missing_root: MissingRoot,
    loaded: OnceCell<Loaded>,
    /// The agent that the user chose when asked.
    pub(super) chosen_agent: OnceCell<String>,
}

/// The treatment of a root that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingRoot {
    /// The verb begins something: it creates the root.
    Created,
    /// The verb needs something that is there, so the path may be mistyped: it fails and creates nothing.
    Refused,
}

impl Context {
    /// Creates a context; `settings` are the settings that the verb's flags override.
    pub(super) fn new(
        environment: Environment,
        global: GlobalFlags,
        printer: Printer,
        settings: Flags,
        missing_root: MissingRoot,
    ) -> Self {
        Self {
            environment,
            global,
            printer,
            clock: Clock::System,
            settings,
            missing_root,
            loaded: OnceCell::new(),
            chosen_agent: OnceCell::new(),
        }
    }

    /// Returns a context for another command line in the same environment.
    pub(super) fn of(&self, global: GlobalFlags, settings: Flags) -> Self {
        Self::new(self.environment.clone(), global, self.printer, settings, self.missing_root)
    }

    /// The environment at the start of the program.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The printer, through which all output goes.
    #[must_use]
    pub fn printer(&self) -> &Printer {
        &self.printer
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn log_filter(&self) -> Option<&str> {
        self.global.log.as_deref()
    }

    pub(super) fn log_format(&self) -> LogFormat {
        self.global.log_format.into()
    }

    /// The settings, which are read on first use.
    ///
    /// # Errors
    /// If they are invalid.
    pub fn config(&self) -> CliResult<&Config> {
        Ok(&self.loaded()?.config)
    }

    /// The settings with the origin of each.
    ///
    /// # Errors
    /// If they are invalid.
    pub fn loaded(&self) -> CliResult<&Loaded> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let cwd = self.cwd_of_settings()?;
        let loaded = config::load(&self.flags(), &self.environment, &cwd, agents::agent_types())?;
        self.hint_at(&loaded.project)?;
        Ok(self.loaded.get_or_init(|| loaded))
    }

    /// Prints once that a project's file is not trusted and therefore not used. An agent is not told, because it
    /// could do nothing about it.
    fn hint_at(&self, project: &ProjectUse) -> CliResult<()> {
        let ProjectUse::Untrusted(path) = project else { return Ok(()) };
        if self.printer.form() == Form::Json || self.environment.get_os("JRUN_ID").is_some() {
            return Ok(());
        }
        self.printer.word(&format!(
            "hint: {} is not used; `run-agent config trust` shows what it would change",
            path.display()
        ))
    }

    /// The settings without those of projects.
    ///
    /// # Errors
    /// If the user's file is invalid.
    pub(super) fn loader(&self) -> CliResult<Loader> {
        Ok(Loader::new(&self.flags(), &self.environment, &self.cwd_of_settings()?, agents::agent_types())?)
    }

    /// The path of the configuration file. Its content is not read.
    ///
    /// # Errors
    /// If the file was named explicitly and does not exist.
    pub fn config_file(&self) -> CliResult<Option<PathBuf>> {
        Ok(config::locate(&self.flags(), &self.environment, &self.cwd()?)?)
    }

    /// The root that the command line names, which takes precedence over every other source.
    #[must_use]
    pub fn named_root(&self) -> Option<&Path> {
        self.global.root.as_deref()
    }

    fn flags(&self) -> Flags {
        Flags { config: self.global.config.clone(), root: self.global.root.clone(), ..self.settings.clone() }
    }

    /// The current folder.
    ///
    /// # Errors
    /// If it was removed.
    pub fn cwd(&self) -> CliResult<PathBuf> {
        std::env::current_dir().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                CliError::new(Kind::NotFound, "the current folder no longer exists").with_hint(
                    "change to an existing folder, or name the root by its absolute path with --root",
                )
            }
            _ => CliError::caused(Kind::Failed, "cannot find the working folder", e),
        })
    }

    /// The folder that relative paths of settings refer to. A folder that was removed has no settings of its own, so
    /// it does not matter if the root is named by an absolute path.
    fn cwd_of_settings(&self) -> CliResult<PathBuf> {
        let absolute = |path: Option<&Path>| path.map(Path::is_absolute);
        let variable = |name: &str| self.environment.get_os(name).map(Path::new);
        let root = absolute(self.global.root.as_deref().or_else(|| variable("CONDUCTOR_ROOT")));
        let file = absolute(self.global.config.as_deref().or_else(|| variable("CONDUCTOR_CONFIG")));
        self.cwd().or_else(|e| {
            let unneeded = e.kind() == Kind::NotFound && root == Some(true) && file != Some(false);
            if unneeded { Ok(PathBuf::from("/")) } else { Err(e) }
        })
    }

    /// All known secrets: those of the settings, and the values of variables with secret names.
    ///
    /// # Errors
    /// If the settings are invalid.
    pub fn secrets(&self) -> CliResult<Vec<String>> {
        let own = self.config()?.secrets().map(|secret| secret.expose().to_owned());
        let variables = self.environment.iter();
        let variables = variables.filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
        let named = variables.filter(|(name, _)| is_secret_name(name)).map(|(_, value)| value.to_owned());
        Ok(own.chain(named).collect())
    }

    /// A runner for this process's tree and settings.
    ///
    /// # Errors
    /// If the settings are invalid or the root cannot be used.
    pub fn runner(&self) -> CliResult<Runner> {
        let config = Arc::new(self.config()?.clone());
        let program = std::env::current_exe()
            .map_err(|e| CliError::caused(Kind::Failed, "cannot find the path of this program", e))?;
        let redactor = Redactor::new(self.secrets()?);
        telemetry::hide(&redactor);
        Ok(Runner {
            tree: self.tree()?,
            settings: Arc::new(self.settings_of_folders(&config)?),
            config,
            environment: Arc::new(self.environment.clone()),
            program,
            redactor,
        })
    }

    fn settings_of_folders(&self, here: &Arc<Config>) -> CliResult<Settings> {
        let loader = self.loader()?;
        let base = match self.loaded()?.project {
            ProjectUse::Used(_) => Arc::new(loader.base()?.config),
            ProjectUse::None | ProjectUse::Untrusted(_) => here.clone(),
        };
        Ok(Settings { base, loader })
    }

    /// A runtime for a verb that waits.
    ///
    /// # Errors
    /// If the operating system refuses its resources.
    pub fn runtime(&self) -> CliResult<Runtime> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| CliError::caused(Kind::Failed, "cannot start a runtime", e))
    }

    /// Hints about changes of a tree, from the source that the settings select.
    ///
    /// # Errors
    /// If the settings are invalid.
    pub fn hints(&self, tree: &Tree) -> CliResult<Hints> {
        let settings = &self.config()?.watch;
        let source = match settings.mode {
            WatchMode::Poll => Source::Poll,
            WatchMode::Auto if tree.root().is_remote() => Source::Poll,
            WatchMode::Native | WatchMode::Auto => Source::Native,
        };
        Ok(Hints::new(source, settings.sweep))
    }

    /// The tree, which must exist.
    ///
    /// # Errors
    /// [`Kind::RootUnusable`] if it does not.
    pub fn existing_tree(&self) -> CliResult<Tree> {
        let storage = &self.config()?.storage;
        Tree::open(&storage.runs_dir, storage.fsync, self.clock.clone()).map_err(CliError::of_root)
    }

    /// The tree as in [`Context::own_tree`], with the trees of `storage.extra_roots` in it.
    ///
    /// # Errors
    /// [`Kind::RootUnusable`] if it cannot be a writable folder.
    pub fn tree(&self) -> CliResult<Tree> {
        let extra = &self.config()?.storage.extra_roots;
        let (tree, failed) = self.own_tree()?.showing(extra)?;
        for e in failed {
            tracing::warn!(error = %e, source = %e.source, "ignoring a tree of storage.extra_roots: it cannot be opened");
        }
        Ok(tree)
    }

    /// The tree alone. If the root is missing, it is created, or the verb fails.
    ///
    /// # Errors
    /// [`Kind::RootUnusable`] if it cannot be a writable folder, [`Kind::NotFound`] if it is missing and must not be.
    pub fn own_tree(&self) -> CliResult<Tree> {
        let storage = &self.config()?.storage;
        let missing = self.lacks_root()?;
        if self.missing_root == MissingRoot::Refused {
            self.existing_root()?;
        }
        let tree = Tree::create(&storage.runs_dir, storage.fsync, self.clock.clone());
        let tree = tree.map_err(CliError::of_root)?;
        if missing && self.names_root()? {
            self.printer.word(&format!("created the root {}", storage.runs_dir.display()))?;
        }
        Ok(tree)
    }

    /// The path of the root, which must exist.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if it does not: its path may be mistyped.
    pub fn existing_root(&self) -> CliResult<&Path> {
        let root = &self.config()?.storage.runs_dir;
        if !self.lacks_root()? {
            return Ok(root);
        }
        let error = CliError::new(Kind::NotFound, format!("there is no root at {}", root.display()));
        Err(error.with_hint(if self.names_root()? {
            "correct --root, $CONDUCTOR_ROOT or storage.runs_dir; `run-agent job` creates a root"
        } else {
            "`run-agent job` creates it; --root names another one"
        }))
    }

    /// The tree with those of `storage.extra_roots`; `None` if the root is missing.
    ///
    /// # Errors
    /// As [`Context::own_tree`].
    pub fn tree_if_there(&self) -> CliResult<Option<Tree>> {
        if self.lacks_root()? { Ok(None) } else { self.tree().map(Some) }
    }

    pub(super) fn lacks_root(&self) -> CliResult<bool> {
        Ok(matches!(self.config()?.storage.runs_dir.try_exists(), Ok(false)))
    }

    /// Returns true if the user has named the root in any way.
    pub(super) fn names_root(&self) -> CliResult<bool> {
        let setting = self.loaded()?.settings.iter().find(|setting| setting.key == "storage.runs_dir");
        Ok(setting.is_some_and(|setting| setting.origin != Origin::Default))
    }
}
