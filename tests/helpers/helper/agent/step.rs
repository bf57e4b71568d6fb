//! The script: the names of the steps and their parameters.

use std::{path::PathBuf, str::FromStr, time::Duration};

use nix::sys::signal::Signal;

/// Maximum sleep of the agent and of the processes that it leaves behind.
const LONGEST: Duration = Duration::from_mins(2);
/// Maximum number of processes of one `spawn-tree`.
const MOST_PROCESSES: u32 = 1000;

/// One step. In the notes, MS is milliseconds and MB is 1,048,576 bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// `say:TEXT`: a line to stdout, flushed.
    Say(String),
    /// `err:TEXT`: a line to stderr.
    Err(String),
    /// `sleep:MS`
    Sleep(Duration),
    /// `exit:CODE`
    Exit(i32),
    /// `kill-self:SIGNAL`, by name, with or without `SIG`.
    KillSelf(Signal),
    /// `ignore-term`: SIGTERM does nothing from here on.
    IgnoreTerm,
    /// `setsid-child:MS`: leaves a child in a session of its own.
    SetsidChild(Duration),
    /// `double-fork:MS`: leaves a grandchild without parent, in another session, that ignores SIGTERM.
    DoubleFork(Duration),
    /// `hold-stdout:MS`: leaves a child that keeps stdout open.
    HoldStdout(Duration),
    /// `spawn-tree:DEPTHxWIDTH:MS`: leaves a tree in which each process has WIDTH children.
    SpawnTree(Tree),
    /// `flood:MB`: lines to stdout, as fast as they are taken.
    Flood(usize),
    /// `half-utf8`: the first two of the three bytes of a character, to stdout.
    HalfUtf8,
    /// `read-stdin`: copies stdin to stdout until its end.
    ReadStdin,
    /// `echo-lines`: gives back each line of stdin as it comes, until the end.
    EchoLines,
    /// `close-stdin`: closes it, unread.
    CloseStdin,
    /// `never-read`: leaves stdin alone, as every step but the two above does.
    NeverRead,
    /// `eat:MB`: takes memory and touches it, 1 MB after the other; keeps it to the end of the step.
    Eat(usize),
    /// `write:PATH=TEXT`: a file, whole at once.
    Write(PathBuf, String),
    /// `touch:PATH`: an empty file.
    Touch(PathBuf),
    /// `env:NAME`: says `NAME=value` or `NAME unset`.
    Env(String),
    /// `cwd`: says the working folder.
    Cwd,
    /// `wait-for:PATH`: until the file exists; fails after 60 s.
    WaitFor(PathBuf),
    /// `pid-file:PATH`: a file with the own pid.
    PidFile(PathBuf),
    /// `first-instruction:PATH`: a file with the time at which `main` began: nanoseconds of `CLOCK_MONOTONIC`.
    FirstInstruction(PathBuf),
    /// `bus:TYPE:BODY`: runs `run-agent bus post`, as found in PATH.
    Bus(String, String),
    /// `done`: makes `$JRUN_TASK_FOLDER/DONE`.
    Done,
    /// `output:TEXT`: writes `$JRUN_RUN_FOLDER/output.md`.
    Output(String),
    /// `leftover`: marks a process that was left behind. For the program's own use, as all that follow.
    Leftover,
    /// `new-session`
    NewSession,
    /// `orphan:MS`: leaves a child that ignores SIGTERM.
    Orphan(Duration),
    /// `ready`: reports to the parent that the steps before it are done.
    Ready,
}

/// A tree of processes below one that is not counted.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct Tree {
    /// Number of generations.
    pub depth: u32,
    /// Number of children of each process except those of the last generation.
    pub width: u32,
    /// The lifetime of each process.
    pub stay: Duration,
}

impl FromStr for Step {
    type Err = String;

    fn from_str(arg: &str) -> Result<Self, String> {
        let (word, rest) = arg.split_once(':').unwrap_or((arg, ""));
        let text = || rest.to_owned();
        let step = match word {
            "say" => Self::Say(text()),
            "err" => Self::Err(text()),
            "sleep" => Self::Sleep(millis(rest)?),
            "exit" => Self::Exit(number(rest)?),
            "kill-self" => Self::KillSelf(signal(rest)?),
            "ignore-term" => Self::IgnoreTerm,
            "setsid-child" => Self::SetsidChild(millis(rest)?),
            "double-fork" => Self::DoubleFork(millis(rest)?),
            "hold-stdout" => Self::HoldStdout(millis(rest)?),
            "spawn-tree" => Self::SpawnTree(rest.parse()?),
            "flood" => Self::Flood(number(rest)?),
            "half-utf8" => Self::HalfUtf8,
            "read-stdin" => Self::ReadStdin,
            "echo-lines" => Self::EchoLines,
            "close-stdin" => Self::CloseStdin,
            "never-read" => Self::NeverRead,
            "eat" => Self::Eat(number(rest)?),
            "write" => {
                let (path, text) = rest.split_once('=').ok_or("write:PATH=TEXT")?;
                Self::Write(path.into(), text.to_owned())
            }
            "touch" => Self::Touch(rest.into()),
            "env" => Self::Env(text()),
            "cwd" => Self::Cwd,
            "wait-for" => Self::WaitFor(rest.into()),
            "pid-file" => Self::PidFile(rest.into()),
            "first-instruction" => Self::FirstInstruction(rest.into()),
            "bus" => {
                let (kind, body) = rest.split_once(':').ok_or("bus:TYPE:BODY")?;
                Self::Bus(kind.to_owned(), body.to_owned())
            }
            "done" => Self::Done,
            "output" => Self::Output(text()),
            "leftover" => Self::Leftover,
            "new-session" => Self::NewSession,
            "orphan" => Self::Orphan(millis(rest)?),
            "ready" => Self::Ready,
            _ => return Err(format!("there is no step '{word}'")),
        };
        Ok(step)
    }
}

impl FromStr for Tree {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (size, stay) = text.split_once(':').ok_or("spawn-tree:DEPTHxWIDTH:MS")?;
        let (depth, width) = size.split_once('x').ok_or("spawn-tree:DEPTHxWIDTH:MS")?;
        let (depth, width) = (number(depth)?, number(width)?);
        let tree = Self { depth, width, stay: millis(stay)? };
        let processes = (1..=depth).try_fold(0_u32, |sum, row| sum.checked_add(width.checked_pow(row)?));
        match processes {
            Some(n) if n <= MOST_PROCESSES => Ok(tree),
            _ => Err(format!("'{size}' is more than {MOST_PROCESSES} processes")),
        }
    }
}

fn millis(text: &str) -> Result<Duration, String> {
    Ok(Duration::from_millis(number(text)?).min(LONGEST))
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("'{text}' is no number that fits here"))
}

fn signal(text: &str) -> Result<Signal, String> {
    let name = if text.starts_with("SIG") { text.to_owned() } else { format!("SIG{text}") };
    name.parse().map_err(|_| format!("there is no signal '{text}'"))
}
