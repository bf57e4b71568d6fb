//! Imports trees of the original Conductor Loop. They differ from ours in their buses (Markdown with YAML between `---`
//! lines) and in the meaning of their records.
//!
//! The source is only read, and no program is started. Content that cannot be interpreted is reported and omitted. A
//! task appears whole or not at all, and IMPORT.yaml records its origin.

mod bus;
mod front_matter;
mod place;
mod report;
mod run_record;
mod source;
mod task;
mod tree;

pub use report::{Imported, Kind, Outcome};
pub use tree::{Importer, Mode};
