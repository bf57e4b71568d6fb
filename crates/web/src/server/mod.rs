//! The server: listeners, the guard, and the path of a request from a connection to its endpoint.

mod accept;
mod connection;
mod door;
mod guard;
mod mount;
mod pace;
mod panics;
mod room;
mod site;
mod slots;

pub use accept::{Io, Listener, Server, serve};
pub use guard::Guard;
pub use mount::Mount;
pub use pace::TimeLimits;
pub use site::Site;
