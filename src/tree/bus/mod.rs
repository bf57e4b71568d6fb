//! The message bus: one file of messages per project and per task, one JSON object per line.
//!
//! Everybody posts to it with [`Bus::post`] or with `echo`; a line is there whole or
//! not at all, ids increase in file order, and a body comes back byte for byte. Who
//! waits for new messages keeps [`Page::next`] and reads on from there; the waiting
//! itself is left to `watch`, and what a message means to everybody but its reader.

mod discover;
mod draft;
mod handle;
mod line;
mod message;
mod position;
mod post;
mod read;
mod scan;

pub use discover::{Discovered, Hints, Undiscovered, Why, discover};
pub use draft::{Draft, MAX_META_DEPTH};
pub use handle::{Bus, BusOwner};
pub use line::MAX_LINE;
pub use message::{Link, Message, MessageType, Parent, UNKNOWN_TIME};
pub use post::{LookBack, Posted, posted, posted_bytes};
pub use read::{MAX_PAGE, Page};
pub use scan::Scanned;
