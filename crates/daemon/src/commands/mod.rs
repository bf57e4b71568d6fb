//! Commands to the daemon, and their rules. An answer means that the command was executed; a client that disconnects
//! cancels only the wait.

mod post;
mod start;
mod stop;

use std::sync::Arc;

use super::core::Core;
use base::blocking;
use engine::runner::Result;
use tree::refs::TaskRef;

pub use start::{Existing, StartError, Submitted, TaskRequest};

/// States if the request was executed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It was executed now.
    New,
    /// The same request was executed before, and nothing was done again.
    Repeated,
}

impl Core {
    /// Brings a change of our own into the index.
    pub(super) async fn seen(self: &Arc<Self>, task: &TaskRef) -> Result<()> {
        let (keeper, task) = (self.keeper.clone(), task.clone());
        Ok(blocking::run(move || keeper.refresh(&task)).await?)
    }
}
