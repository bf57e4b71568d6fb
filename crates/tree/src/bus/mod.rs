//! The message bus: one file of messages per project and per task, one JSON object per line.
//!
//! Any process posts with [`Bus::post`] or with `echo`. A line is present whole or not at all, ids increase in file
//! order, and a body is read back byte for byte. A reader that waits for new messages keeps [`Page::next`] and
//! continues from there. A line that this program writes has a checksum; one that
//! does not fit it is delivered as damaged. The `watch` module does the waiting, and only the reader of a message interprets it.

mod discover;
mod draft;
mod handle;
mod line;
mod message;
mod meta;
mod position;
mod post;
mod read;
mod scan;
mod untimed;

pub use discover::{Discovered, Hints, SelectionReason, Undiscovered, discover};
pub use draft::{Draft, MAX_META_DEPTH};
pub use handle::{Bus, BusOwner};
pub use line::MAX_LINE;
pub use message::{Link, Message, MessageType, Parent};
pub use meta::Meta;
pub use post::{LookBack, Posted, posted, posted_bytes};
pub use read::{LargeLine, MAX_PAGE, Page, Stretch};
pub use scan::Scanned;
