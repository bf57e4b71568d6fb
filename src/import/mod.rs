//! Takes in trees of the original Conductor Loop, which differ from ours in their buses (Markdown with YAML between
//! `---` lines) and in what their records mean.
//!
//! The source is read and never changed, nothing is started, and what cannot be understood is named and left out.
//! A task appears whole or not at all, and says in IMPORT.yaml where it came from.

mod bus;
mod front_matter;
mod report;
mod run_record;
mod source;
mod task;
mod tree;

pub use report::{Imported, Kind, Outcome};
pub use tree::{Importer, Mode};
