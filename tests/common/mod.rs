//! A sandbox for a test that runs `run-agent` as a user would: its own home, root and working folder, and none of the
//! environment in which the tests were started.

pub mod agents;
pub mod fake;

pub mod cgroups;
pub mod crash;
pub mod job;
pub mod processes;
pub mod shell;
pub mod shim;

pub mod daemon;
pub mod eventsource;
pub mod strace;
pub mod tasks;
pub mod tools;
pub mod tree;
pub mod web;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// The folders of one test, removed with it.
pub struct Sandbox {
    folder: TempDir,
    user: User,
}

/// The user of a sandbox's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    /// That of the tests.
    Ours,
    /// `nobody`, for tests that root has started.
    Nobody,
}

/// The number of `nobody`.
const NOBODY: u32 = 65534;

/// Creates a folder below target/, with a space in its name, as users have them.
pub fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("a test ")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a folder for the test")
}

/// Splits a line into words as a shell would that knows only blanks and single quotes.
pub fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (n, part) in line.split('\'').enumerate() {
        if n % 2 == 1 {
            words.last_mut().expect("a word").push_str(part);
            continue;
        }
        for (n, piece) in part.split(char::is_whitespace).enumerate() {
            if n > 0 && !words.last().expect("a word").is_empty() {
                words.push(String::new());
            }
            words.last_mut().expect("a word").push_str(piece);
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// The result of a command line.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        let folder = folder();
        for name in ["home", "work"] {
            fs::create_dir(folder.path().join(name)).expect("folders of the test");
        }
        Self { folder, user: User::Ours }
    }

    /// A sandbox with programs of an ordinary user: `nobody` if root has started the tests. `None`, with a message on
    /// stderr, if that user cannot run our program.
    pub fn of_ordinary_user() -> Option<Self> {
        let mut sandbox = Self::new();
        if nix::unistd::geteuid().is_root() {
            sandbox.user = User::Nobody;
            for folder in [sandbox.folder.path().to_owned(), sandbox.home(), sandbox.work()] {
                std::os::unix::fs::chown(folder, Some(NOBODY), Some(NOBODY)).expect("root may do that");
            }
            let works = sandbox.command(["version"]).output().is_ok_and(|o| o.status.success());
            if !works {
                skipped("an ordinary user cannot run the program here");
                return None;
            }
        }
        Some(sandbox)
    }

    /// `$HOME`.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The working folder.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The tree, where it lies by default.
    pub fn root(&self) -> PathBuf {
        self.home().join("run-agent")
    }

    /// A path of the sandbox.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file of the sandbox, with the folders it needs.
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a file in a folder")).expect("folders of the file");
        fs::write(&path, text).expect("a file of the test");
        path
    }

    /// Writes the user's configuration file.
    pub fn configure(&self, text: impl AsRef<[u8]>) -> PathBuf {
        self.write("home/.config/conductor/config.yaml", text)
    }

    /// `run-agent` with a clean environment, in the working folder, with nothing on its stdin.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let program = env!("CARGO_BIN_EXE_run-agent");
        let mut command = match self.user {
            User::Ours => Command::new(program),
            User::Nobody => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
                command.args(["--clear-groups", program]);
                command
            }
        };
        command
            .args(args)
            .current_dir(self.work())
            .env_clear()
            .env("HOME", self.home())
            // The sandbox lies in the repository of this project, which git must not find.
            .env("GIT_CEILING_DIRECTORIES", self.folder.path())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command line, written as in a shell that knows single quotes only.
    pub fn run(&self, line: &str) -> Outcome {
        outcome(&mut self.command(words(line)))
    }

    /// Runs a command line with additional variables.
    pub fn run_with(&self, variables: &[(&str, &str)], line: &str) -> Outcome {
        outcome(self.command(words(line)).envs(variables.iter().copied()))
    }
}

/// Reports that a test needs a feature which this machine lacks.
#[expect(clippy::print_stderr, reason = "a note for the user of the tests")]
pub fn skipped(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// Wraps the command so that it leads the session of its own terminal. The terminal's output goes to our stdout. `None`
/// without script(1).
#[track_caller]
/// Wraps the command so that it leads the session of its own terminal. The terminal's output goes to our stdout. `None`
/// without script(1).
pub fn in_terminal(command: &Command) -> Option<Command> {
    tools::program("script")?;
    let quoted = |word: &OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"));
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted);
    let line = format!("exec {}", words.collect::<Vec<_>>().join(" "));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env_clear().current_dir(command.get_current_dir().unwrap());
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("SHELL", "/bin/sh");
    script.stdin(Stdio::null());
    Some(script)
}

/// Runs a command to its end.
pub fn outcome(command: &mut Command) -> Outcome {
    let Output { status, stdout, stderr } = command.output().expect("run-agent can be started");
    Outcome {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).expect("text on stdout"),
        stderr: String::from_utf8(stderr).expect("text on stderr"),
    }
}

impl Outcome {
    /// Returns the stdout of a command line that succeeds and prints nothing to stderr.
    #[track_caller]
    pub fn succeeds(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{self:?}");
        self.stdout
    }

    /// Checks for one error, one hint, the exit code, and nothing on stdout.
    #[track_caller]
    pub fn fails(&self, code: i32, error: &str, hint: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:?}");
        let (said, hinted) =
            self.stderr.split_once("\nhint: ").unwrap_or_else(|| panic!("no hint: {self:?}"));
        assert!(
            said.starts_with("error: ") && format!("{said}\n").contains(error),
            "not '{error}': {self:?}"
        );
        assert!(hinted.contains(hint), "not '{hint}': {self:?}");
        assert_eq!(self.stderr.matches("error: ").count(), 1, "one error: {self:?}");
    }
}
