//! The listeners of the daemon, and this API on each of them.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::net::{TcpListener, UnixListener};

use super::{Api, manners::manners, routes};
use daemon::Core;
use web::{Guard, Io, Listener, Mount, Site, TimeLimits};

/// The sockets of a daemon, and its limits.
#[derive(Debug)]
pub struct Server {
    /// The socket at an address.
    pub listener: TcpListener,
    /// The socket in the file system, for the user only.
    pub socket: Option<UnixListener>,
    /// Decides which requests are let in.
    pub guard: Guard,
    /// Maximum number of concurrent connections.
    pub connections: usize,
    /// Time limit of a drain.
    pub drain: Duration,
}

/// A guard for a server with these settings that listens at this address.
#[must_use]
pub fn guard(api: &config::Api, address: IpAddr) -> Guard {
    Guard::new(address, std::iter::once(&api.host).chain(&api.allowed_hosts).cloned())
}

/// Serves until the shutdown begins, and then until every request has its answer or the drain's time is over.
pub async fn serve(server: Server, core: Arc<Core>) {
    let shutdown = core.shutdown.clone();
    let manners = manners(&core.runner.config.api);
    let api = Api::new(core, routes::table());
    let mount = Mount {
        prefix: "",
        table: api.table.clone(),
        keys: api.keys.clone(),
        live: api.live.clone(),
        manners: Arc::new(manners),
        api,
    };
    let site = Site::new(server.guard, mount);
    let main = Listener { name: "main".to_owned(), io: Io::Tcp(server.listener), site: site.clone() };
    let socket =
        server.socket.map(|socket| Listener { name: "socket".to_owned(), io: Io::Unix(socket), site });
    let listeners = std::iter::once(main).chain(socket).collect();
    let (connections, drain) = (server.connections, server.drain);
    let server = web::Server { listeners, connections, drain, limits: TimeLimits::default() };
    web::serve(server, shutdown).await;
}
