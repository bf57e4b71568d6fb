//! The steps of the demo agent's work, from the prompt to DONE.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    answer::{Findings, Home, files, left_out, lines},
    call::call,
    child::{self, ChildAnswer},
    question::{NamedPath, Question, Spelling},
    run_environment::{BadRunEnvironment, RunEnvironment},
    survey::{Count, Limits, Survey},
};
use base::fsx::{Durability, FsError, RelPath, Root};
use config::Environment;
use tree::paths::RunDir;

/// Maximum number of folders that the log names one by one.
const LOGGED: usize = 12;
/// Maximum number of characters of the prompt that the log repeats.
const QUOTED: usize = 160;

/// The input of the agent.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The prompt, as it came on stdin.
    pub prompt: String,
    /// The working folder.
    pub cwd: PathBuf,
    /// The environment, with `JRUN_*` in it.
    pub environment: Environment,
    /// The pause between two steps, so that a user can follow them.
    pub pace: Duration,
}

/// The reason that the work was not done.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The process was not started as an agent.
    #[error(transparent)]
    Environment(#[from] BadRunEnvironment),
    /// A file or folder cannot be used.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The log cannot be written.
    #[error("cannot write the log")]
    Log(#[from] io::Error),
}

/// Does the work; `out` is the log for users.
///
/// # Errors
/// Then there is no DONE. An unreachable bus is not such an error; it is only logged.
pub fn main(assignment: &Assignment, out: &mut dyn Write) -> Result<(), DemoError> {
    let place = RunEnvironment::of(&assignment.environment)?;
    let mut agent = Agent { assignment, out };
    let question = Question::of(&assignment.prompt);
    agent.say(&format!("task {}/{}: {}", place.project, place.task, quoted(&question.text)))?;
    let root = Root::open(&assignment.cwd, Durability::Never)?;
    let found = survey_target(&root, &question.places);
    agent.say(&format!("looking at {}", root.absolute(&found.place).display()))?;
    agent.say(&format!("leaving out links, and {}", left_out()))?;
    agent.post("PROGRESS", &format!("looking at {}", found.name))?;
    let own = place.own_files(&assignment.cwd);
    let (survey, largest) = agent.survey(&root, &found.place, own)?;
    let child = agent.ask_child(largest.as_ref())?;
    let findings = Findings {
        question: &question,
        place: found.name,
        missing: &found.missing,
        home: if own.is_empty() { Home::Work } else { Home::Task },
        survey: &survey,
        child,
    };
    agent.say(&findings.headline())?;
    agent.post("PROGRESS", "writing the answer")?;
    agent.finish(&place, &findings)
}

struct Agent<'a> {
    assignment: &'a Assignment,
    out: &'a mut dyn Write,
}

impl Agent<'_> {
    fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()?;
        std::thread::sleep(self.assignment.pace);
        Ok(())
    }

    /// Posts a message. The answer does not depend on the bus, so the work goes on without it.
    fn post(&mut self, kind: &str, body: &str) -> io::Result<()> {
        match call(&self.assignment.environment, "bus post", ["--type", kind, "--body", body]) {
            Ok(_) => self.say(&format!("posted {kind}: {body}")),
            Err(e) => self.say(&format!("not posted: {kind}: {body} ({})", chain(&e))),
        }
    }

    /// Returns the content of the place, and the folder with most lines.
    fn survey(
        &mut self,
        root: &Root,
        place: &RelPath,
        own: &[&str],
    ) -> io::Result<(Survey, Option<RelPath>)> {
        let (mut logged, mut result) = (0, Ok(()));
        let mut largest: Option<(RelPath, Count)> = None;
        let survey = Survey::of(root, place, own, Limits::default(), &mut |folder, count| {
            if count.lines > largest.as_ref().map_or(0, |(_, most)| most.lines) {
                largest = Some((folder.clone(), count));
            }
            logged += 1;
            if logged <= LOGGED && result.is_ok() {
                result = self.say(&format!("  {folder}/: {} in {}", lines(count), files(count)));
            }
        });
        result?;
        if logged > LOGGED {
            self.say(&format!("  … and {} more folders", logged - LOGGED))?;
        }
        Ok((survey, largest.map(|(folder, _)| folder)))
    }

    /// Gives part of the work to a child task. The answer does not depend on the child, so the work goes on without
    /// it.
    fn ask_child(&mut self, folder: Option<&RelPath>) -> io::Result<Option<ChildAnswer>> {
        let Assignment { environment, cwd, .. } = self.assignment;
        let Some(folder) = folder.filter(|_| child::may_ask(environment)) else { return Ok(None) };
        self.say(&format!("asking a child task about {folder}/"))?;
        match child::ask(environment, cwd, folder) {
            Ok(answer) => {
                self.say(&format!("the child task says: {}", answer.headline))?;
                Ok(Some(answer))
            }
            Err(e) => {
                self.say(&format!("no answer of a child task: {}", chain(&e)))?;
                Ok(None)
            }
        }
    }

    /// Writes the answer first, then the files and messages that refer to it, so that a reader that sees DONE finds
    /// everything.
    fn finish(&mut self, place: &RunEnvironment, findings: &Findings<'_>) -> Result<(), DemoError> {
        let run = Root::open(&place.run_folder, Durability::Always)?;
        let output = RunDir::new(&place.project, &place.task, &place.run).output();
        let output = RelPath::top().join(output.name());
        run.replace(&output, findings.markdown().as_bytes())?;
        self.say(&format!("wrote {}", run.absolute(&output).display()))?;
        self.post("FACT", &findings.headline())?;
        let task = Root::open(&place.task_folder, Durability::Always)?;
        task.mark(&RelPath::top().join(place.done().name()))?;
        self.say("made DONE")?;
        Ok(())
    }
}

/// The place to survey.
struct SurveyTarget {
    place: RelPath,
    name: String,
    missing: Vec<String>,
}

/// Returns the first place of the prompt that exists; the whole folder if none does.
fn survey_target(root: &Root, places: &[NamedPath]) -> SurveyTarget {
    let mut missing = Vec::new();
    for NamedPath { name, spelling } in places {
        if let Some(place) = below(root, name).filter(|place| root.exists(place).unwrap_or(false)) {
            return SurveyTarget { name: name_of(root, &place), place, missing };
        }
        if *spelling == Spelling::Path {
            missing.push(name.clone());
        }
    }
    let place = RelPath::top();
    SurveyTarget { name: name_of(root, &place), place, missing }
}

/// Converts a path as users write it to one below the root.
fn below(root: &Root, name: &str) -> Option<RelPath> {
    let relative = match Path::new(name).strip_prefix(root.path()) {
        Ok(rest) => rest.to_str()?,
        Err(_) => name.trim_start_matches("./"),
    };
    match relative.trim_end_matches('/') {
        "" if name.starts_with(['.', '/']) && name != "/" => Some(RelPath::top()),
        plain => RelPath::new(plain).ok(),
    }
}

fn name_of(root: &Root, place: &RelPath) -> String {
    if *place == RelPath::top() {
        root.path().file_name().map_or("/".into(), |name| name.to_string_lossy().into_owned())
    } else {
        place.to_string()
    }
}

fn quoted(text: &str) -> String {
    let line = text.lines().next().unwrap_or("(no prompt)");
    let mut short: String = line.chars().take(QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
