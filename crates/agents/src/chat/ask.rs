//! Sends the request and prints the answer: events while it arrives, and DONE after a complete answer.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
    time::Duration,
};

use super::{answer::AnswerDecoder, endpoint::Api, refusal::refusal, sse::Sse};
use crate::preamble;
use base::{
    fsx::{Durability, FsError, RelPath, Root},
    names,
    telemetry::Redactor,
};
use config::Secret;
use tree::event::{EventKind, TurnOutcome};

/// Time limit for opening a connection.
const CONNECT: Duration = Duration::from_secs(30);
/// Maximum size of a stream's line, and of a refusal's body, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The question, and the service that answers it.
#[derive(Debug, Clone)]
pub struct Question {
    /// The service.
    pub api: &'static Api,
    /// The prompt, with or without the runner's preamble.
    pub prompt: String,
    /// The model; absent: the service's default.
    pub model: Option<String>,
    /// The address; absent: the service's own.
    pub base_url: Option<String>,
    /// The key; absent: the service decides if it answers without one.
    pub key: Option<Secret>,
    /// Maximum silence of the service.
    pub patience: Duration,
    /// The task's folder, which gets DONE.
    pub task_folder: Option<PathBuf>,
}

/// The result of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatOutcome {
    /// A complete answer.
    Answered,
    /// Anything else; the events state the reason.
    Failed,
}

/// The reason that an agent could not do its work, apart from the service's own errors.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The agent's own output is closed.
    #[error("cannot write to standard output")]
    Print(#[from] io::Error),
    /// The answer is complete, but DONE cannot be created.
    #[error("cannot mark the task as done")]
    Done(#[from] FsError),
}

/// Asks the question, and prints one event per line to `out`.
///
/// # Errors
/// If `out` cannot be written, or DONE cannot be created. A failure of the service is no such error: it is an event.
pub fn ask(question: &Question, out: &mut dyn Write) -> Result<ChatOutcome, ChatError> {
    let redactor = Redactor::new(question.key.iter().map(Secret::expose));
    let mut print = |what: &[EventKind]| -> io::Result<()> {
        for what in what {
            let line = serde_json::to_string(what).map_err(io::Error::other)?;
            writeln!(out, "{}", redactor.text(&line))?;
        }
        out.flush()
    };
    let outcome = match send(question) {
        Ok(response) if response.status().is_success() => listen(response, question, &mut print)?,
        Ok(response) => {
            print(&[refused(response), EventKind::TurnEnd { outcome: TurnOutcome::Failed, message: None }])?;
            TurnOutcome::Failed
        }
        Err(e) => {
            let (what, outcome) = AnswerDecoder::default().end(Some(broken(&e, question)));
            print(&what)?;
            outcome
        }
    };
    if outcome != TurnOutcome::Completed {
        return Ok(ChatOutcome::Failed);
    }
    if let Some(folder) = &question.task_folder {
        Root::open(folder, Durability::Always)?.mark(&RelPath::top().join(names::task::DONE))?;
    }
    Ok(ChatOutcome::Answered)
}

type Response = ureq::http::Response<ureq::Body>;

fn send(question: &Question) -> Result<Response, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // A redirect could pass the key on to another server.
        .max_redirects(0)
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(question.patience))
        .timeout_per_write(Some(question.patience))
        .user_agent(concat!("conductor/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let base = question.base_url.as_deref().unwrap_or(question.api.base_url);
    let url = format!("{}/chat/completions", base.trim_end_matches('/'));
    let model = question.model.as_deref().unwrap_or(question.api.model);
    let body = question.api.request(model, preamble::without(&question.prompt));
    let mut request =
        agent.post(url).header("Content-Type", "application/json").header("Accept", "text/event-stream");
    if let Some(key) = &question.key {
        request = request.header("Authorization", format!("Bearer {}", key.expose()));
    }
    request.send(body.to_string())
}

/// Reads the answer to its end, and prints it while it arrives.
fn listen(
    response: Response,
    question: &Question,
    print: &mut impl FnMut(&[EventKind]) -> io::Result<()>,
) -> io::Result<TurnOutcome> {
    let whole = header(&response, "content-type").is_some_and(|t| t.starts_with("application/json"));
    let body = if whole { Body::Whole } else { Body::Stream };
    let reader = BufReader::new(response.into_body().into_reader());
    hear(reader, body, |e| silence(e, question), print)
}

/// The format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Server-sent events, one chunk each.
    Stream,
    /// One JSON document.
    Whole,
}

/// Reads the body of an answer to its end, and passes its events to `print` while they arrive. `why` explains a read
/// error.
///
/// # Errors
/// Those of `print`. A body that breaks off is no such error: it is an event.
pub fn hear(
    mut reader: impl BufRead,
    body: Body,
    why: impl Fn(&io::Error) -> String,
    print: &mut impl FnMut(&[EventKind]) -> io::Result<()>,
) -> io::Result<TurnOutcome> {
    let (mut answer, mut sse) = (AnswerDecoder::default(), Sse::default());
    let mut broken_off = None;
    if body == Body::Whole {
        let mut text = String::new();
        match reader.take(LONGEST).read_to_string(&mut text) {
            Ok(_) => print(&answer.take(&text))?,
            Err(e) => broken_off = Some(why(&e)),
        }
    } else {
        loop {
            match line(&mut reader) {
                Ok(Some(line)) => {
                    if let Some(data) = sse.line(&line) {
                        print(&answer.take(&data))?;
                    }
                }
                Ok(None) => break,
                Err(e) => {
                    broken_off = Some(why(&e));
                    break;
                }
            }
        }
        if let (None, Some(data)) = (&broken_off, sse.end()) {
            print(&answer.take(&data))?;
        }
    }
    let (last, outcome) = answer.end(broken_off);
    print(&last)?;
    Ok(outcome)
}

/// Returns the next line without its end; `None` at the end of the stream.
fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() as u64 == LONGEST {
        return Err(io::Error::other(format!("a line is longer than {LONGEST} bytes")));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

fn refused(mut response: Response) -> EventKind {
    let status = response.status().as_u16();
    let retry_after = header(&response, "retry-after").map(str::to_owned);
    // If the body is unreadable, the status alone must do.
    let body = response.body_mut().with_config().limit(LONGEST).read_to_string().unwrap_or_default();
    refusal(status, retry_after.as_deref(), &body)
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Returns the reason that there was no answer at all.
fn broken(error: &ureq::Error, question: &Question) -> String {
    let base = question.base_url.as_deref().unwrap_or(question.api.base_url);
    match error {
        ureq::Error::Io(e) => format!("{base} cannot be reached: {}", silence(e, question)),
        ureq::Error::Timeout(_) => format!("{base} cannot be reached: {}", in_vain(question)),
        other => format!("{base} cannot be asked: {other}"),
    }
}

/// Returns the reason that the answer broke off.
fn silence(error: &io::Error, question: &Question) -> String {
    if error.kind() == io::ErrorKind::TimedOut { in_vain(question) } else { error.to_string() }
}

fn in_vain(question: &Question) -> String {
    format!("no data arrived for {} s", question.patience.as_secs_f64())
}
