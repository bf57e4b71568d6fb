//! `run-agent service`: installs the daemon as a service of the user's systemd.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
};
use base::fsx;
use config::Port;
use process::command::CommandSpec;
use tree::TreeError;

const SERVICE: &str = "run-agent.service";
const SOCKET: &str = "run-agent.socket";
const NO_SYSTEMCTL: &str = "systemctl is not installed, or not in $PATH: this machine may not run systemd";
const SERVICE_TEXT: &str = include_str!("../../packaging/systemd/run-agent.service");
const SOCKET_TEXT: &str = include_str!("../../packaging/systemd/run-agent.socket");

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The unit starts this program with the --root and --config that you give here and with the PATH of this shell. Agents \
keep running when the service stops or restarts. Without `loginctl enable-linger`, the service ends when you log out.

Examples:
  run-agent service install --dry-run
  run-agent service install --socket
  run-agent service uninstall")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// Verbs for the service.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the unit file and start the service
    #[command(after_help = "Examples:
  run-agent service install --dry-run
  run-agent service install --socket")]
    Install {
        /// Let systemd open the port and start the daemon with the first connection
        #[arg(long)]
        socket: bool,
        /// Show what would be done and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Stop the service and remove the unit file
    #[command(after_help = "Examples:
  run-agent service uninstall")]
    Uninstall {
        /// Show what would be done and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Show whether the service is installed and running
    #[command(after_help = "Examples:
  run-agent service status")]
    Status,
}

/// Selects if the commands are executed or only printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Execute,
    Print,
}

/// The change of the unit files that a failed call of systemctl does not undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    Written,
    Removed,
}

/// Runs the verb.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let units = Units { folder: folder(context)?, context };
    match args.verb {
        Verb::Install { socket, dry_run } => units.install(socket, doing(dry_run)),
        Verb::Uninstall { dry_run } => units.uninstall(doing(dry_run)),
        Verb::Status => units.status(),
    }
}

fn doing(dry_run: bool) -> Mode {
    if dry_run { Mode::Print } else { Mode::Execute }
}

fn folder(context: &Context) -> CliResult<PathBuf> {
    let environment = context.environment();
    let config = environment.get_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let config = config.or_else(|| Some(environment.home()?.join(".config")));
    let config =
        config.ok_or_else(|| CliError::new(Kind::Failed, "cannot find the home folder: $HOME is not set"))?;
    Ok(config.join("systemd/user"))
}

struct Units<'a> {
    folder: PathBuf,
    context: &'a Context,
}

impl Units<'_> {
    fn install(&self, socket: bool, doing: Mode) -> CliResult<ExitCode> {
        let mut files = vec![(SERVICE, self.service()?)];
        if socket {
            files.push((SOCKET, self.socket()?));
        }
        for (name, text) in &files {
            let path = self.folder.join(name);
            self.say(&format!("write {}", path.display()))?;
            match doing {
                Mode::Execute => fsx::replace_outside(&path, text.as_bytes()).map_err(TreeError::from)?,
                Mode::Print => self.context.printer().word(text)?,
            }
        }
        let last = files.last().map_or(SERVICE, |(name, _)| *name);
        self.manager(&[&["daemon-reload"], &["enable", "--now", last]], doing, Changed::Written)?;
        if socket && doing == Mode::Execute {
            self.say("the daemon starts with the first connection")?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn uninstall(&self, doing: Mode) -> CliResult<ExitCode> {
        let there = |name: &&str| fsx::exists_outside(&self.folder.join(name));
        let names: Vec<&str> = [SOCKET, SERVICE].into_iter().filter(|name| there(name)).collect();
        if names.is_empty() {
            self.say(&format!("nothing is installed in {}", self.folder.display()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let stop: Vec<&str> = ["disable", "--now"].into_iter().chain(names.iter().copied()).collect();
        let stopped = self.manager(&[&stop], doing, Changed::Removed);
        for name in &names {
            let path = self.folder.join(name);
            self.say(&format!("remove {}", path.display()))?;
            if doing == Mode::Execute {
                fsx::remove_outside(&path).map_err(TreeError::from)?;
            }
        }
        stopped?;
        self.manager(&[&["daemon-reload"]], doing, Changed::Removed)?;
        Ok(ExitCode::SUCCESS)
    }

    fn status(&self) -> CliResult<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        for name in [SERVICE, SOCKET] {
            let path = self.folder.join(name);
            if fsx::exists_outside(&path) {
                let state = match self.systemctl(&["is-active", name]).output() {
                    Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {
                        format!("of unknown state: {NO_SYSTEMCTL}")
                    }
                    Err(e) => format!("of unknown state: systemctl cannot be started: {e}"),
                };
                let state = if state.is_empty() { "of unknown state" } else { &state };
                self.say(&format!("{name} is {state} ({})", path.display()))?;
            } else if name == SERVICE {
                self.say("the service is not installed (run-agent service install)")?;
                code = ExitCode::from(Kind::NotFound.code());
            }
        }
        Ok(code)
    }

    fn service(&self) -> CliResult<String> {
        let program = std::env::current_exe()
            .map_err(|e| CliError::caused(Kind::Failed, "cannot find the path of this program", e))?;
        let mut line = vec![quoted(&program.to_string_lossy())];
        if let Some(config) = self.context.config_file()? {
            line.extend(["--config".to_owned(), quoted(&absolute(&config)?)]);
        }
        line.extend(["--root".to_owned(), quoted(&absolute(&self.context.config()?.storage.runs_dir)?)]);
        line.push("serve".to_owned());
        let path = self.context.environment().get("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin");
        Ok(SERVICE_TEXT
            .replace("@EXEC@", &line.join(" "))
            .replace("@PATH@", &quoted(&format!("PATH={path}")).replace("$$", "$")))
    }

    fn socket(&self) -> CliResult<String> {
        let api = &self.context.config()?.api;
        let (Port::Exactly(port) | Port::FirstFree(port)) = api.port;
        let host = if api.host == "localhost" { "127.0.0.1" } else { api.host.as_str() };
        let host =
            if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
        Ok(SOCKET_TEXT.replace("@LISTEN@", &format!("{host}:{port}")))
    }

    /// Calls systemctl and prints each call. Stops at the first call that fails.
    fn manager(&self, calls: &[&[&str]], doing: Mode, files: Changed) -> CliResult<()> {
        let files = match files {
            Changed::Written => "written",
            Changed::Removed => "removed",
        };
        for call in calls {
            let shown = format!("systemctl --user {}", call.join(" "));
            self.say(&shown)?;
            if doing == Mode::Print {
                continue;
            }
            let failed = |why: String| {
                CliError::new(Kind::Failed, format!("{shown} failed: {why}")).with_hint(format!(
                    "the unit files are {files}; run the command yourself where systemd runs for this user"
                ))
            };
            let output = self.systemctl(call).output().map_err(|e| match e.kind() {
                io::ErrorKind::NotFound => CliError::new(Kind::ProgramMissing, NO_SYSTEMCTL).with_hint(format!(
                    "the unit files are {files}; without systemd, start the daemon with `run-agent serve` and \
                     stop it with Ctrl-C, or use another supervisor"
                )),
                _ => failed(e.to_string()),
            })?;
            if !output.status.success() {
                return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
            }
        }
        Ok(())
    }

    fn systemctl(&self, call: &[&str]) -> CommandSpec {
        let env: BTreeMap<_, _> =
            self.context.environment().iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let args = std::iter::once("--user").chain(call.iter().copied()).map(Into::into).collect();
        CommandSpec { program: "systemctl".into(), args, env, cwd: None }
    }

    fn say(&self, words: &str) -> CliResult<()> {
        self.context.printer().word(words)
    }
}

fn absolute(path: &Path) -> CliResult<String> {
    let path = std::path::absolute(path)
        .map_err(|e| CliError::caused(Kind::Failed, "cannot find the working folder", e))?;
    path.to_str().map(str::to_owned).ok_or_else(|| {
        CliError::new(Kind::Usage, "a path that is not UTF-8 cannot be written into a unit file")
    })
}

/// Quotes a word of a unit file, see systemd.syntax(7) and systemd.service(5).
fn quoted(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_systemd_reads_them() {
        assert_eq!(quoted("/a b/run-agent"), "\"/a b/run-agent\"");
        assert_eq!(quoted("50%$\\\""), "\"50%%$$\\\\\\\"\"");
    }
}
