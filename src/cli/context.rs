//! What every verb works with: the environment, the settings (read when first asked for), the tree.

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
use crate::{
    clock::Clock,
    config::{self, Config, Environment, Flags, Loaded, Loader, ProjectUse, WatchMode},
    runner::{Runner, Settings},
    telemetry::{self, LogFormat, Redactor, is_secret_name},
    tree::Tree,
    watch::{Hints, Source},
};

/// What every verb works with.
#[derive(Debug)]
pub struct Context {
    environment: Environment,
    global: GlobalFlags,
    printer: Printer,
    clock: Clock,
    settings: Flags,
    loaded: OnceCell<Loaded>,
    /// The agent that the user chose when asked.
    pub(super) chosen_agent: OnceCell<String>,
}

impl Context {
    /// `settings` are those that flags of the verb beat.
    pub(super) fn new(
        environment: Environment,
        global: GlobalFlags,
        printer: Printer,
        settings: Flags,
    ) -> Self {
        Self {
            environment,
            global,
            printer,
            clock: Clock::System,
            settings,
            loaded: OnceCell::new(),
            chosen_agent: OnceCell::new(),
        }
    }

    /// The same for another command line of this process's user.
    pub(super) fn of(&self, global: GlobalFlags, settings: Flags) -> Self {
        Self::new(self.environment.clone(), global, self.printer, settings)
    }

    /// The environment as it was when the program started.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The one place that prints.
    #[must_use]
    pub fn printer(&self) -> &Printer {
        &self.printer
    }

    /// The time.
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

    /// The settings, read now if nobody asked before.
    ///
    /// # Errors
    /// If they are wrong.
    pub fn config(&self) -> CliResult<&Config> {
        Ok(&self.loaded()?.config)
    }

    /// The settings with the origin of each.
    ///
    /// # Errors
    /// If they are wrong.
    pub fn loaded(&self) -> CliResult<&Loaded> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let cwd = self.cwd()?;
        let loaded = config::load(&self.flags(), &self.environment, &cwd)?;
        self.hint_at(&loaded.project)?;
        Ok(self.loaded.get_or_init(|| loaded))
    }

    /// Says once that a project's file is not used. An agent could do nothing about it.
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

    /// The settings but for those of projects.
    ///
    /// # Errors
    /// If the user's file is wrong.
    pub(super) fn loader(&self) -> CliResult<Loader> {
        Ok(Loader::new(&self.flags(), &self.environment, &self.cwd()?)?)
    }

    /// The configuration file, whatever stands in it.
    ///
    /// # Errors
    /// If it was named and is not there.
    pub fn config_file(&self) -> CliResult<Option<PathBuf>> {
        Ok(config::locate(&self.flags(), &self.environment, &self.cwd()?)?)
    }

    /// The root that the command line names, which beats whatever else tells one.
    #[must_use]
    pub fn named_root(&self) -> Option<&Path> {
        self.global.root.as_deref()
    }

    fn flags(&self) -> Flags {
        Flags { config: self.global.config.clone(), root: self.global.root.clone(), ..self.settings.clone() }
    }

    /// The working folder.
    ///
    /// # Errors
    /// If it was removed.
    pub fn cwd(&self) -> CliResult<PathBuf> {
        std::env::current_dir().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                CliError::new(Kind::NotFound, "the folder that you stand in is gone")
                    .with_hint("change to a folder that is there")
            }
            _ => CliError::caused(Kind::Failed, "cannot find the working folder", e),
        })
    }

    /// What is secret here: what the settings say, and what stands in variables with secret names.
    ///
    /// # Errors
    /// If the settings are wrong.
    pub fn secrets(&self) -> CliResult<Vec<String>> {
        let own = self.config()?.secrets().map(|secret| secret.expose().to_owned());
        let variables = self.environment.iter();
        let variables = variables.filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
        let named = variables.filter(|(name, _)| is_secret_name(name)).map(|(_, value)| value.to_owned());
        Ok(own.chain(named).collect())
    }

    /// What running tasks takes.
    ///
    /// # Errors
    /// If the settings are wrong or the root cannot be used.
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
    /// If the machine has no room for one.
    pub fn runtime(&self) -> CliResult<Runtime> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| CliError::caused(Kind::Failed, "cannot start a runtime", e))
    }

    /// Hints about changes of a tree, as the settings want them.
    ///
    /// # Errors
    /// If the settings are wrong.
    pub fn hints(&self, tree: &Tree) -> CliResult<Hints> {
        let settings = &self.config()?.watch;
        let source = match settings.mode {
            WatchMode::Poll => Source::Poll,
            WatchMode::Auto if tree.root().is_remote() => Source::Poll,
            WatchMode::Native | WatchMode::Auto => Source::Native,
        };
        Ok(Hints::new(source, settings.sweep))
    }

    /// The tree, which must be there.
    ///
    /// # Errors
    /// [`Kind::RootUnusable`] if it is not.
    pub fn existing_tree(&self) -> CliResult<Tree> {
        let storage = &self.config()?.storage;
        Tree::open(&storage.runs_dir, storage.fsync, self.clock.clone()).map_err(CliError::of_root)
    }

    /// The tree, made where it is missing.
    ///
    /// # Errors
    /// [`Kind::RootUnusable`] if it cannot be a folder that we write to.
    pub fn tree(&self) -> CliResult<Tree> {
        let storage = &self.config()?.storage;
        Tree::create(&storage.runs_dir, storage.fsync, self.clock.clone()).map_err(CliError::of_root)
    }
}
