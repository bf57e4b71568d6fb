//! The HTTP client of all verbs: finds the daemon, reads its answers, and maps its refusals to exit codes.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::unix;
use crate::cli::{
    context::Context,
    error::{CliError, CliResult, Kind},
    print::Form,
};
use agents::chat::Sse;
use base::fsx;
use config::Secret;

/// Default address of a daemon if nothing else names one.
const USUAL: &str = "http://127.0.0.1:14355";
/// Time limit for opening a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Maximum size of an answer that is read as a whole, in bytes.
const LONGEST: u64 = 256 * 1024 * 1024;
/// Maximum time that a restarting daemon may be unreachable.
pub(super) const AWAY: Duration = Duration::from_mins(1);
/// Pause before a broken stream is requested again.
const AGAIN: Duration = Duration::from_millis(500);

/// Selects a daemon.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ServerFlags {
    /// Daemon to use: http://HOST:PORT or unix:/PATH [default: $JRUN_CONDUCTOR_URL, the daemon of the root, http://127.0.0.1:14355]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// API key; it is visible in `ps` [default: $CONDUCTOR_API_KEY, api.api_key]
    #[arg(long, global = true, value_name = "KEY")]
    api_key: Option<String>,
    /// Read the API key from this file
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "api_key")]
    api_key_file: Option<PathBuf>,
}

/// The context of every verb below `server`.
pub(super) struct Call<'a> {
    pub(super) client: Client,
    pub(super) context: &'a Context,
    pub(super) form: Form,
}

/// A client of one daemon.
#[derive(Debug)]
pub(in crate::cli) struct Client {
    base: String,
    key: Option<Secret>,
    agent: ureq::Agent,
}

type Response = ureq::http::Response<ureq::Body>;

/// The decision of a stream's reader after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Continue with the next event.
    On,
    /// Stop reading.
    Enough,
}

fn key_in(file: &Path) -> CliResult<Secret> {
    config::key_file(file).map_err(|problem| {
        CliError::new(Kind::BadToken, format!("--api-key-file: the file {} {problem}", file.display()))
            .with_hint("write the key into the file, or name another one")
    })
}

impl Client {
    /// Selects the daemon that the flags name, else the one that serves our root, else the one at the default
    /// address.
    pub(in crate::cli) fn new(flags: &ServerFlags, context: &Context) -> CliResult<Self> {
        let environment = context.environment();
        let named = flags.server.clone().or_else(|| environment.get("JRUN_CONDUCTOR_URL").map(str::to_owned));
        let base = match named {
            Some(base) => base,
            None => match daemon_of_root(context)? {
                Some(base) => base,
                None if context.named_root().is_some() => return Err(no_daemon(context)?),
                None => return Self::usual(flags, context),
            },
        };
        Self::at(&base, flags, context)
    }

    /// Returns a client of the daemon at the default address. If that daemon serves another root than ours, a note says
    /// so, because the answers are about other tasks.
    fn usual(flags: &ServerFlags, context: &Context) -> CliResult<Self> {
        let client = Self::at(USUAL, flags, context)?;
        let status = client.get("/api/v1/status").unwrap_or_default();
        let ours = &context.config()?.storage.runs_dir;
        if let Some(root) = status["root"].as_str()
            && fsx::resolve(ours).ok().as_deref() != Some(Path::new(root))
        {
            context.printer().word(&format!(
                "note: no daemon serves {}; the daemon at {USUAL} answers, which serves {root}",
                ours.display()
            ))?;
        }
        Ok(client)
    }

    fn at(base: &str, flags: &ServerFlags, context: &Context) -> CliResult<Self> {
        let environment = context.environment();
        let configured = || context.config().ok().and_then(|c| c.api.api_key.clone());
        let given = match &flags.api_key_file {
            Some(file) => Some(key_in(file)?),
            None => flags.api_key.clone().map(Secret::new),
        };
        let of_environment = || environment.get("CONDUCTOR_API_KEY").map(Secret::new);
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A redirect could pass the key on to another server.
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("run-agent/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent = match base.strip_prefix("unix:") {
            Some(path) => unix::agent(path.into(), config),
            None => config.into(),
        };
        let key = given.or_else(of_environment).or_else(configured);
        Ok(Self { base: base.trim_end_matches('/').to_owned(), key, agent })
    }

    /// Returns a client of the same daemon with another key.
    pub(in crate::cli) fn with_key(mut self, key: Secret) -> Self {
        self.key = Some(key);
        self
    }

    /// The address of the daemon.
    pub(in crate::cli) fn base(&self) -> &str {
        &self.base
    }

    pub(in crate::cli) fn get(&self, path: &str) -> CliResult<Value> {
        self.answer(self.agent.get(self.url(path)).headers(self).call())
    }

    pub(in crate::cli) fn delete(&self, path: &str) -> CliResult<Value> {
        self.answer(self.agent.delete(self.url(path)).headers(self).call())
    }

    /// Posts a JSON body, or none.
    pub(in crate::cli) fn post(&self, path: &str, body: Option<&Value>) -> CliResult<Value> {
        let request = self.agent.post(self.url(path)).headers(self);
        self.answer(match body {
            Some(body) => request.header("Content-Type", "application/json").send(body.to_string()),
            None => request.send_empty(),
        })
    }

    /// Follows a stream to its end. After a break, such as a restart of the daemon, requests the stream again from
    /// the last event on.
    pub(super) fn follow(
        &self,
        path: &str,
        mut take: impl FnMut(&Value) -> CliResult<Next>,
    ) -> CliResult<()> {
        let mut last: Option<String> = None;
        let mut broken: Option<Instant> = None;
        loop {
            let mut request =
                self.agent.get(self.url(path)).headers(self).header("Accept", "text/event-stream");
            if let Some(id) = &last {
                request = request.header("Last-Event-ID", id);
            }
            let response = match request.call() {
                // The stream has been open before, so the daemon is probably restarting.
                Err(_) if last.is_some() && broken.get_or_insert_with(Instant::now).elapsed() < AWAY => {
                    std::thread::sleep(AGAIN);
                    continue;
                }
                result => self.accepted(result)?,
            };
            broken = None;
            // "No content": there is nothing after the last event.
            if response.status() == 204 {
                return Ok(());
            }
            let mut sse = Sse::default();
            let mut lines = BufReader::new(response.into_body().into_reader()).lines();
            while let Some(Ok(line)) = lines.next() {
                let Some(data) = sse.line(&line) else { continue };
                let event = serde_json::from_str(&data).unwrap_or(Value::String(data));
                if take(&event)? == Next::Enough {
                    return Ok(());
                }
                last = sse.id().map(str::to_owned).or(last);
            }
            if last.is_none() {
                return Ok(());
            }
            std::thread::sleep(AGAIN);
        }
    }

    fn url(&self, path: &str) -> String {
        // A daemon behind a socket is on this machine, and its name does not matter.
        let base = if self.base.starts_with("unix:") { "http://localhost" } else { &self.base };
        format!("{base}{path}")
    }

    fn answer(&self, result: Result<Response, ureq::Error>) -> CliResult<Value> {
        let text = text(self.accepted(result)?)?;
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|e| {
            CliError::caused(Kind::Failed, format!("the answer of {} is not JSON", self.base), e)
                .with_hint("check that this is the address of a Conductor daemon")
        })
    }

    /// Returns the answer unless it is a refusal.
    fn accepted(&self, result: Result<Response, ureq::Error>) -> CliResult<Response> {
        let response = result.map_err(|e| {
            CliError::caused(Kind::Unreachable, format!("cannot reach the daemon at {}", self.base), e)
        })?;
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(response);
        }
        let said = text(response).unwrap_or_default();
        let said =
            serde_json::from_str::<Value>(&said).ok().and_then(|v| v["error"].as_str().map(str::to_owned));
        let said = said.unwrap_or_else(|| format!("the daemon at {} answers {status}", self.base));
        let kind = match status {
            401 => Kind::Unauthorised,
            404 | 410 => Kind::NotFound,
            409 => Kind::Conflict,
            400..500 => Kind::Refused,
            _ => Kind::Failed,
        };
        Err(CliError::new(kind, said))
    }
}

/// Returns the address of the daemon that serves our root.
fn daemon_of_root(context: &Context) -> CliResult<Option<String>> {
    let Some(tree) = context.tree_if_there()? else { return Ok(None) };
    Ok(tree.daemon()?.and_then(|daemon| daemon.listen.into_iter().next()))
}

/// The error for a root that the command line names and no daemon serves. The daemon at the default address would answer
/// about the tasks of another root.
fn no_daemon(context: &Context) -> CliResult<CliError> {
    let root = context.config()?.storage.runs_dir.display().to_string();
    Ok(CliError::new(Kind::Unreachable, format!("no daemon serves the root {root}"))
        .with_hint("start it with `run-agent serve`, or name a daemon with --server URL"))
}

fn text(response: Response) -> CliResult<String> {
    let mut text = String::new();
    let mut body = response.into_body().into_reader().take(LONGEST);
    body.read_to_string(&mut text).map_err(|e| {
        CliError::caused(Kind::Unreachable, "the daemon closed the connection in the middle of its answer", e)
    })?;
    Ok(text)
}

/// Adds the key to a request.
trait Headers: Sized {
    fn headers(self, client: &Client) -> Self;
}

impl<B> Headers for ureq::RequestBuilder<B> {
    fn headers(self, client: &Client) -> Self {
        match &client.key {
            Some(key) => self.header("Authorization", format!("Bearer {}", key.expose())),
            None => self,
        }
    }
}
