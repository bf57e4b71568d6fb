//! The only place that starts programs, except for the agent itself, which only a shim starts.
#![expect(clippy::disallowed_methods, reason = "the lint recommends this module")]

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use super::{open_files, sys};

/// A program to start. It inherits nothing by accident.
#[derive(Debug, Clone)]
pub struct CommandSpec {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its complete environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Its working folder.
    pub cwd: Option<PathBuf>,
}

/// The lifetime of a program if the process that started it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// The program continues to its end.
    #[default]
    ItsOwn,
    /// The program is killed when the thread that started it ends.
    EndsWithUs,
}

impl CommandSpec {
    /// Runs the program to its end with stdin closed, and collects its output.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn output(&self) -> io::Result<Output> {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        started(command.spawn())?.wait_with_output()
    }

    /// Starts the program with all its streams closed, in a process group of its own, and does not wait for it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_apart(&self) -> io::Result<()> {
        let mut command = self.command();
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        started(command.spawn()).map(drop)
    }

    /// Starts the program with `stdin` as its standard input and `stdout` as its standard output.
    ///
    /// The program gets a process group of its own, so that keys typed at our terminal reach only us.
    pub(super) fn spawn_with_report(&self, stdin: OwnedFd, stdout: OwnedFd) -> io::Result<Child> {
        let mut command = self.command();
        command.process_group(0).stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout)).stderr(Stdio::null());
        started(command.spawn())
    }

    /// Replaces this process with the program. Returns only if that fails, with the reason.
    #[must_use]
    pub fn become_it(&self) -> io::Error {
        self.command().exec()
    }

    /// Starts the program with the three given streams, in a process group of its own.
    pub(super) fn spawn_quiet(
        &self,
        stdin: OwnedFd,
        stdout: OwnedFd,
        stderr: OwnedFd,
        life: Lifetime,
    ) -> io::Result<Child> {
        let mut command = self.command();
        command
            .process_group(0)
            .stdin(Stdio::from(stdin))
            .stdout(Stdio::from(stdout))
            .stderr(Stdio::from(stderr));
        if life == Lifetime::EndsWithUs {
            sys::end_with_us(&mut command);
        }
        started(command.spawn())
    }

    fn command(&self) -> Command {
        sys::heed_children();
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().envs(&self.env);
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        command
    }
}

/// Gives a started program the limit of open files that this process was started with. Doing so before its first
/// instruction would need a fork of this process, which takes longer than the start of a program otherwise does.
fn started(child: io::Result<Child>) -> io::Result<Child> {
    if let Ok(child) = &child {
        open_files::restore_for(child.id());
    }
    child
}
