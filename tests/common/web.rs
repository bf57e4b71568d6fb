//! Servers of `web` alone, for tests of what stands below every API.

use std::{net::IpAddr, time::Duration};

use base::shutdown::Shutdown;
use tokio::net::TcpListener;
use web::{Guard, Identity, Io, Keyring, Listener, Proof, Scope, Server, Site, TimeLimits};

/// The address of every listener.
const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// One key, `secret`, which may read.
#[derive(Debug)]
pub struct OneKey;

impl Keyring for OneKey {
    fn is_required(&self) -> bool {
        true
    }

    fn identify(&self, key: &str) -> Option<Identity> {
        let name = Some("reader".to_owned());
        (key == "secret").then_some(Identity { name, scope: Scope::Read, proof: Proof::None })
    }
}

/// Returns a guard for the listeners below, which also answer to these names.
pub fn guard(names: &[&str]) -> Guard {
    Guard::new(ADDRESS, names.iter().map(ToString::to_string))
}

/// Listens at a free port.
pub async fn listener(name: &str, site: Site) -> (u16, Listener) {
    let listener = TcpListener::bind((ADDRESS, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (port, Listener { name: name.to_owned(), io: Io::Tcp(listener), site })
}

/// Serves in the background until the shutdown.
pub fn serve(listeners: Vec<Listener>, connections: usize, shutdown: &Shutdown) {
    let server =
        Server { listeners, connections, drain: Duration::from_secs(3), limits: TimeLimits::default() };
    shutdown.spawn(web::serve(server, shutdown.clone()));
}
