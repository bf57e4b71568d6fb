//! The real agents in a sandbox: against a scripted model on loopback, in a network namespace that has nothing else.
//!
//! The agents must never reach a real service. They get base URLs on 127.0.0.1 and dummy keys, telemetry and updates
//! are off, and there is no other route if the machine allows it. `scripts/test` installs them.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use base::{clock::Clock, fsx::Durability};
use serde_json::{Value, json};
use tree::{Tree, refs::TaskRef, run_info::RunInfo};

use super::{
    Outcome, Sandbox, outcome,
    processes::{Cleanup, Marked, marked},
    skipped,
    tools::lacks,
};

/// A real agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RealAgent {
    Claude,
    Codex,
    Gemini,
    Opencode,
}

impl RealAgent {
    /// The name in the configuration and of the program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
        }
    }

    /// The path of the model's address that the agent takes as its base URL.
    fn base(self) -> &'static str {
        match self {
            Self::Claude | Self::Gemini => "",
            Self::Codex | Self::Opencode => "/v1",
        }
    }

    fn model(self) -> &'static str {
        match self {
            Self::Claude => "claude-opus-5-5",
            // A model for which Codex prints no additional message.
            Self::Codex => "gpt-5.5",
            Self::Gemini => "gemini-2.5-pro",
            Self::Opencode => "fake-model",
        }
    }
}

/// Variables that keep the agents off the network, and let them give up quickly.
const QUIET: [(&str, &str); 12] = [
    ("ANTHROPIC_API_KEY", "dummy"),
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ("CLAUDE_CODE_MAX_RETRIES", "1"),
    ("CODEX_API_KEY", "dummy"),
    ("DISABLE_AUTOUPDATER", "1"),
    ("DISABLE_ERROR_REPORTING", "1"),
    ("DISABLE_TELEMETRY", "1"),
    ("GEMINI_API_KEY", "dummy"),
    ("OPENCODE_API_KEY", "dummy"),
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
    ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
    ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
];

/// A sandbox with one agent, its model, and a tree.
pub struct Lab {
    pub sandbox: Sandbox,
    pub tree: Tree,
    pub agent: &'static str,
    path: OsString,
    mark: String,
    // Fields are dropped in this order, so the started processes end first.
    _cleanup: Cleanup,
    model: FakeModel,
}

impl Lab {
    /// Creates a lab; `None`, with the reason on stderr, if the agent is not installed. `more` are lines of its
    /// settings.
    pub fn of(real: RealAgent, more: &str) -> Option<Self> {
        let folders = installed().as_ref().map_err(|why| lacks(why, "scripts/test --prepare")).ok()?;
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("tmp")).unwrap();
        let model = FakeModel::start(&sandbox);
        let settings = format!(
            "{name}:\n    base_url: {url}{base}\n    model: {of}\n{more}",
            name = real.name(),
            url = model.url,
            base = real.base(),
            of = real.model()
        );
        sandbox.write("home/.gemini/settings.json", gemini_settings(&sandbox));
        sandbox.write("home/.codex/config.toml", CODEX);
        let path = folders.iter().cloned().chain(std::env::split_paths("/usr/local/bin:/usr/bin:/bin"));
        Some(Self::with(sandbox, model, real.name(), &settings, std::env::join_paths(path).unwrap()))
    }

    /// Creates a lab for an agent that calls a chat API, with the same model.
    pub fn of_api(api: &'static str, more: &str) -> Self {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("tmp")).unwrap();
        let model = FakeModel::start(&sandbox);
        let settings = format!("{api}:\n    base_url: {}/v1\n{more}", model.url);
        Self::with(sandbox, model, api, &settings, "/usr/local/bin:/usr/bin:/bin".into())
    }

    fn with(sandbox: Sandbox, model: FakeModel, agent: &'static str, settings: &str, path: OsString) -> Self {
        sandbox.write(
            "home/.config/conductor/config.yaml",
            format!(
                "agents:\n  {settings}defaults: {{stop_grace: 2s, restart_delay: 10ms, max_run_time: 100s}}\n"
            ),
        );
        let mark = format!("lab-{}-{}", std::process::id(), model.server.id());
        let tree = Tree::create(&sandbox.root(), Durability::Never, Clock::System).unwrap();
        let cleanup = Cleanup::of(&format!("TEST_MARK={mark}"));
        Self { sandbox, tree, agent, path, mark, _cleanup: cleanup, model }
    }

    /// Returns `run-agent ARGS` in the network of the model.
    pub fn command(&self, args: &[&str]) -> Command {
        let plain = self.sandbox.command(args);
        let mut command = self.model.beside(plain.get_program());
        command
            .args(plain.get_args())
            .current_dir(self.sandbox.work())
            .env_clear()
            .envs(QUIET)
            .env("HOME", self.sandbox.home())
            .env("CODEX_HOME", self.sandbox.home().join(".codex"))
            // Not above $CODEX_HOME, because Codex puts no helpers below a temporary folder.
            .env("TMPDIR", self.sandbox.path("tmp"))
            .env("PATH", &self.path)
            .env("PERPLEXITY_API_KEY", "dummy-perplexity")
            .env("XAI_API_KEY", "dummy-xai")
            .env("TEST_MARK", &self.mark)
            .stdin(Stdio::null());
        command
    }

    /// Returns `run-agent VERB` with a task of the agent and JSON output.
    pub fn verb(&self, verb: &str, task: &str, prompt: &str, flags: &[&str]) -> Command {
        let fixed = [verb, "--agent", self.agent, "--project", "p", "--task", task, "--prompt", prompt];
        let mut command = self.command(&[&fixed[..], &["--json"], flags].concat());
        command.arg("--cwd").arg(self.sandbox.work());
        command
    }

    /// Runs a job of the agent to its end.
    pub fn job(&self, task: &str, prompt: &str) -> Outcome {
        outcome(&mut self.verb("job", task, prompt, &[]))
    }

    /// The records of a task's runs, oldest first.
    pub fn runs(&self, task: &str) -> Vec<RunInfo> {
        let task = named(task);
        let ids = self.tree.runs(&task).unwrap_or_default();
        ids.into_iter().filter_map(|id| self.tree.run_info(&task.run(id)).ok()).collect()
    }

    /// A file of a task's last run.
    pub fn read(&self, task: &str, file: &str) -> String {
        let run = named(task).run(self.runs(task).pop().expect("a run").run_id);
        let path = self.tree.root().absolute(&run.dir().path().join(file));
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    pub fn task_file(&self, task: &str, file: &str) -> PathBuf {
        self.sandbox.root().join("p").join(task).join(file)
    }

    /// The requests to the model, in order.
    pub fn requests(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.model.log).unwrap_or_default();
        text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect()
    }

    /// The live processes that the tests started here, except the model.
    pub fn processes(&self) -> Vec<Marked> {
        marked(&format!("TEST_MARK={}", self.mark))
    }
}

pub fn named(task: &str) -> TaskRef {
    TaskRef { project: "p".parse().unwrap(), task: task.parse().unwrap() }
}

/// The settings of a Gemini user. They hold no login method if Gemini reads it from the file that Conductor writes,
/// which it does only if root alone could have written that file.
fn gemini_settings(sandbox: &Sandbox) -> String {
    let folder = sandbox.path("").canonicalize().unwrap();
    let of_root_alone = folder.ancestors().all(|folder| {
        let metadata = fs::metadata(folder).unwrap();
        metadata.uid() == 0 && metadata.mode() & 0o022 == 0
    });
    let mut settings = json!({
        "general": {"enableAutoUpdate": false, "enableAutoUpdateNotification": false},
        "privacy": {"usageStatisticsEnabled": false},
        "telemetry": {"enabled": false},
        "ide": {"enabled": false}
    });
    if !of_root_alone {
        settings["security"] = json!({"auth": {"selectedType": "gemini-api-key"}});
    }
    settings.to_string()
}

const CODEX: &str = "check_for_update_on_startup = false\nweb_search = \"disabled\"\n\
    [analytics]\nenabled = false\n[otel]\nexporter = \"none\"\n\
    [model_providers.conductor]\nrequest_max_retries = 0\nstream_max_retries = 0\n";

/// Returns the folders of the installed agents and of their node, or the reason for their absence.
fn installed() -> &'static Result<Vec<PathBuf>, String> {
    static INSTALLED: OnceLock<Result<Vec<PathBuf>, String>> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("agents");
        let wanted = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/package-lock.json");
        let there = fs::read(folder.join("installed-lock.json")).unwrap_or_default();
        if fs::read(wanted).unwrap() != there {
            return Err(format!(
                "the agents of tests/agents/package-lock.json in {}, which holds other ones or none",
                folder.display()
            ));
        }
        let modules = folder.join("node_modules");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut nodes = std::env::split_paths(&path).filter(|dir| dir.join("node").is_file());
        let node = nodes.next().ok_or("node 20 or newer, and there is none in $PATH")?;
        let said = Command::new(node.join("node")).arg("--version").output().map_err(|e| e.to_string())?;
        let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        let major = version.strip_prefix('v').and_then(|v| v.split('.').next()?.parse::<u32>().ok());
        if major.is_none_or(|major| major < 20) {
            return Err(format!("node 20 or newer, and {} is {version:?}", node.display()));
        }
        Ok(vec![modules.join(".bin"), modules.join("opencode-linux-x64/bin"), node])
    })
}

/// `fake_model.py`, in a network namespace of its own if the machine allows one.
struct FakeModel {
    server: Child,
    url: String,
    log: PathBuf,
    apart: Isolation,
}

/// The isolation of the model from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Isolation {
    /// Loopback only, set up by root.
    Namespace,
    /// Loopback only, set up by an unprivileged user.
    UserNamespace,
    /// No isolation; the agents still have addresses of 127.0.0.1 only.
    Not,
}

impl Isolation {
    fn possible() -> Self {
        static POSSIBLE: OnceLock<Isolation> = OnceLock::new();
        *POSSIBLE.get_or_init(|| {
            let works = |args: &[&str]| {
                let mut command = Command::new("unshare");
                command.args(args).args(["--net", "true"]).stdin(Stdio::null());
                command.output().is_ok_and(|o| o.status.success())
            };
            if works(&[]) {
                Self::Namespace
            } else if works(&["--user", "--map-current-user"]) {
                Self::UserNamespace
            } else {
                skipped("no network namespace may be made: the agents could reach the network, but have no address in it");
                Self::Not
            }
        })
    }
}

impl FakeModel {
    fn start(sandbox: &Sandbox) -> Self {
        let apart = Isolation::possible();
        let log = sandbox.path("model.jsonl");
        let mut command = match apart {
            Isolation::Namespace => Command::new("unshare"),
            Isolation::UserNamespace => {
                let mut command = Command::new("unshare");
                command.args(["--user", "--map-current-user", "--keep-caps"]);
                command
            }
            Isolation::Not => Command::new("python3"),
        };
        if apart != Isolation::Not {
            command.args(["--net", "python3"]);
        }
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/fake_model.py"));
        command.arg("--log").arg(&log);
        if apart != Isolation::Not {
            command.arg("--loopback-up");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut server = command.spawn().expect("python3 can be started");
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening ").unwrap_or_else(|| panic!("no address: {line:?}"));
        Self { url: url.to_owned(), server, log, apart }
    }

    /// Returns a command for a program that can reach the model.
    fn beside(&self, program: &std::ffi::OsStr) -> Command {
        let pid = self.server.id();
        let mut command = Command::new("nsenter");
        match self.apart {
            Isolation::Not => return Command::new(program),
            Isolation::Namespace => {}
            Isolation::UserNamespace => {
                command.arg(format!("--user=/proc/{pid}/ns/user")).arg("--preserve-credentials");
            }
        }
        command.arg(format!("--net=/proc/{pid}/ns/net")).arg("--").arg(program);
        command
    }
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
