//! `run-agent serve`, and `conductor`: the daemon of a root.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    net::{TcpListener, UnixListener},
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{
    context::Context,
    daemon_resources::{self, DaemonResources},
    error::{CliError, CliResult, Kind},
    print::Printer,
};
use api as http;
use api::Server;
use base::{
    blocking,
    fsx::{self, SocketName},
    shutdown::Shutdown,
};
use config::{Api, Flags, Port, ProjectLayer, TaskStart};
use daemon::{Daemon, Handover, Seat};
use engine::runner::Runner;
use process::{
    handoff::{self, MAIN},
    listening::listener_on,
    memory, open_files,
};

/// Number of ports that are tried if the user named none.
const PORTS: u16 = 100;
/// Maximum number of connections, if the limit of open files allows them.
const CONNECTIONS: usize = 4096;
/// Interval of the looks at the memory of this process, and the growth after which it is given back to the system.
const MEMORY: (Duration, u64) = (Duration::from_secs(5), 8 << 20);
/// Time that requests get to be answered during a shutdown.
const DRAIN: Duration = Duration::from_secs(3);

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent serve
  run-agent serve --port 0 --root /srv/agents
  run-agent serve --host 0.0.0.0 --api-key-file ~/.config/tokens/conductor")]
pub struct Args {
    /// Address to listen on [default: $CONDUCTOR_HOST, api.host, 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on; 0 takes any free port [default: $CONDUCTOR_PORT, api.port, first free from 14355]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Listen on this Unix socket too, open only to your user [default: api.socket]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Require this API key; it is visible in `ps` [default: $CONDUCTOR_API_KEY, api.api_key]
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Require the API key in this file
    #[arg(long, value_name = "FILE", conflicts_with = "api_key")]
    api_key_file: Option<PathBuf>,
    /// Serve the tree but start no task
    #[arg(long)]
    disable_task_start: bool,
}

impl Args {
    /// The settings that these flags override.
    pub(super) fn settings(&self) -> Flags {
        Flags {
            host: self.host.clone(),
            port: self.port,
            socket: self.socket.clone(),
            api_key: self.api_key.clone(),
            api_key_file: self.api_key_file.clone(),
            project: ProjectLayer::Ignored,
            ..Flags::default()
        }
    }
}

/// Serves until a signal arrives or another program takes over.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    memory::tune();
    let open_files = open_files::raise();
    let left = DaemonResources::left(context.environment())?;
    // A refusal creates no root.
    refuse_open_door(&context.config()?.api)?;
    let mut runner = context.runner()?;
    runner.program = daemon_resources::installed(&runner.program);
    if args.disable_task_start {
        Arc::make_mut(&mut runner.config).task_start = TaskStart::Disabled;
    }
    let place = DaemonResources::take(&runner, left)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(serve(context, runner, place, connections(open_files)));
    // A thread that hangs in a read of a dead disk must not delay the exit.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match outcome? {
        End::Asked => Ok(ExitCode::SUCCESS),
        End::HandedOver(handover) => {
            let e = handover.exec();
            Err(CliError::caused(Kind::Failed, "cannot replace this process by the new program", e))
        }
    }
}

/// The end of serving.
enum End {
    /// A signal asked for it.
    Asked,
    /// Another program continues in this process.
    HandedOver(Box<Handover>),
}

async fn serve(
    context: &Context,
    runner: Runner,
    mut place: DaemonResources,
    connections: usize,
) -> CliResult<End> {
    let api = runner.config.api.clone();
    let mut signals = Signals::listen()?;
    handoff::heed_signals();
    let failed = |e| CliError::caused(Kind::Failed, "cannot determine the address of the listener", e);
    let listener = match place.listener(MAIN) {
        Some(left) => daemon_resources::adopt(left).map_err(failed)?,
        None => listen(&api, context.printer()).await?,
    };
    place.close_rest();
    let address = listener.local_addr().map_err(failed)?;
    // An inherited socket may listen on another address than the settings say.
    refuse_open_door(&Api { host: address.ip().to_string(), ..api.clone() })?;
    let url = format!("http://{address}");
    let tree = runner.tree.clone();
    let seat = Seat {
        lock: place.lock,
        listeners: Mutex::new(vec![daemon_resources::share(MAIN, &listener).map_err(failed)?]),
        address,
        command: daemon_resources::command(&runner),
        arrival: place.arrival,
    };
    let mut daemon = Daemon::start(runner, context.hints(&tree)?, seat);
    let (socket, socket_name) = match &api.socket {
        Some(path) => listen_in(path).map(|(socket, name)| (Some(socket), Some(name)))?,
        None => (None, None),
    };
    let guard = http::guard(&api, address.ip());
    let server = Server { listener, socket, guard, connections, drain: DRAIN };
    let server = http::serve(server, daemon.core().clone());
    let socket_address = api.socket.iter().map(|s| format!("unix:{}", s.display()));
    daemon.serve(server, std::iter::once(url.clone()).chain(socket_address).collect())?;
    daemon.core().shutdown.spawn(give_memory_back(daemon.core().shutdown.clone()));
    // The parent process may not read standard output; the daemon continues without.
    let _ = context.printer().line(&format!("listening on {url}"));

    let handover = daemon.ended(signals.next()).await;
    daemon.shut_down().await;
    drop(socket_name);
    if let Some(handover) = handover {
        match signals.next().now_or_never() {
            None => return Ok(End::HandedOver(Box::new(handover))),
            Some(signal) => {
                tracing::info!(
                    signal,
                    "shutting down on a signal; the handover to another program is cancelled"
                );
                handover.call_off();
            }
        }
    }
    daemon.withdraw()?;
    Ok(End::Asked)
}

/// Refuses an address beyond loopback without a key, unless the user insists: the agents behind the API have all
/// permissions.
fn refuse_open_door(api: &Api) -> CliResult<()> {
    let address = bare(&api.host);
    let loopback =
        address == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let keyed = api.api_key.is_some() || !api.keys.is_empty();
    if loopback || keyed || api.allow_unauthenticated {
        if api.auth_enabled && !keyed {
            tracing::warn!("api.auth_enabled is set without a key: requests are not authenticated");
        }
        return Ok(());
    }
    let text = format!(
        "refusing to serve {} without a key: every client that reaches it could start agents",
        api.host
    );
    Err(CliError::new(Kind::Refused, text).with_hint(
        "give a key with --api-key-file or $CONDUCTOR_API_KEY, or set api.allow_unauthenticated: true",
    ))
}

/// Listens on the port of the settings, or on the next free one if the user insists on none. Says so if it is another
/// one: commands that name the usual port would reach another program.
async fn listen(api: &Api, printer: &Printer) -> CliResult<TcpListener> {
    let (first, count) = match api.port {
        Port::Exactly(port) => (port, 1),
        Port::FirstFree(port) => (port, PORTS),
    };
    let host = bare(&api.host);
    let last = first.saturating_add(count - 1);
    let mut port = first;
    loop {
        match TcpListener::bind((host, port)).await {
            Err(e) if e.kind() == ErrorKind::AddrInUse && port < last => port += 1,
            Err(e) => return Err(cannot_listen(host, port, e)),
            Ok(listener) if port == first => return Ok(listener),
            Ok(listener) => {
                printer.word(&format!("port {first} is taken{}; listening on {port}", taken_by(first)))?;
                return Ok(listener);
            }
        }
    }
}

fn cannot_listen(host: &str, port: u16, e: std::io::Error) -> CliError {
    if e.kind() != ErrorKind::AddrInUse {
        return CliError::caused(Kind::Conflict, format!("cannot listen on {host}:{port}"), e)
            .with_hint("choose another address with --host and --port");
    }
    let text = format!("cannot listen on {host}:{port}: the port is taken{}", taken_by(port));
    CliError::new(Kind::Conflict, text)
        .with_hint("stop that program, or choose another port with --port; --port 0 takes any free one")
}

/// Returns " by NAME (pid N)" for the process that listens on a port, if this process may see it.
fn taken_by(port: u16) -> String {
    listener_on(port).map(|by| format!(" by {} (pid {})", by.comm, by.id.pid)).unwrap_or_default()
}

fn listen_in(path: &Path) -> CliResult<(UnixListener, SocketName)> {
    let (socket, name) = fsx::listen_at(path).map_err(|e| {
        CliError::caused(Kind::Conflict, "cannot listen on the socket", e)
            .with_hint("choose another path with --socket, or remove the file")
    })?;
    let socket = UnixListener::from_std(socket)
        .map_err(|e| CliError::caused(Kind::Failed, "cannot listen on the socket", e))?;
    Ok((socket, name))
}

/// Gives memory back after large answers and many tasks, until the shutdown.
async fn give_memory_back(shutdown: Shutdown) {
    let mut kept = memory::resident().unwrap_or(0);
    while shutdown.token().run_until_cancelled(tokio::time::sleep(MEMORY.0)).await.is_some() {
        if memory::resident().is_some_and(|now| now > kept + MEMORY.1) {
            blocking::run(memory::trim).await;
            kept = memory::resident().unwrap_or(0);
        }
    }
}

/// Returns the most connections: each takes a descriptor, and half of the descriptors are for files.
fn connections(open_files: Option<u64>) -> usize {
    let half = open_files.map_or(usize::MAX, |files| usize::try_from(files / 2).unwrap_or(usize::MAX));
    half.min(CONNECTIONS)
}

/// Returns an address without the brackets that URLs put around IPv6 addresses.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
}

fn runtime() -> CliResult<Runtime> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(|e| CliError::caused(Kind::Failed, "cannot start a runtime", e))
}

/// The signals that end a daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> CliResult<Self> {
        let listen =
            |kind| signal(kind).map_err(|e| CliError::caused(Kind::Failed, "cannot listen for signals", e));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal and returns its name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_or_a_word_opens_the_door_to_others() {
        let key = || Some(config::Secret::new("a-key-of-some-length"));
        for (host, api_key, allow_unauthenticated, opens) in [
            ("127.0.0.1", None, false, true),
            ("127.0.0.5", None, false, true),
            ("localhost", None, false, true),
            ("::1", None, false, true),
            ("[::1]", None, false, true),
            ("0.0.0.0", None, false, false),
            ("example.org", None, false, false),
            ("0.0.0.0", key(), false, true),
            ("0.0.0.0", None, true, true),
        ] {
            let api = Api { host: host.to_owned(), api_key, allow_unauthenticated, ..Api::default() };
            assert_eq!(refuse_open_door(&api).is_ok(), opens, "{host}");
        }
    }
}
