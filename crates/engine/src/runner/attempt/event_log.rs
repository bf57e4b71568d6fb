//! Keeps `events.jsonl` up to date with the agent's output. Only the holder of the task's lock does so.

use crate::runner::{Runner, error::Result};
use base::fsx::FsError;
use tree::{
    event::EventKind,
    refs::RunRef,
    run_info::RunInfo,
    transcript::{Dialect, Follower, RawLines, Refusals, Stream, last_event},
};

/// The events of one run, as far as they are written.
#[derive(Debug)]
pub(in crate::runner) struct EventLog {
    dialect: Dialect,
    /// The position up to which they are written; `None` until it is looked up.
    follower: Option<Follower>,
    /// The refusals that the agent waits out by itself.
    refusals: Refusals,
    /// The selection among the events of lines that are not interpreted.
    raw_lines: RawLines,
    /// True if the agent may have reported the end of its turn.
    may_have_ended: bool,
}

impl EventLog {
    pub(in crate::runner) fn new() -> Self {
        Self {
            dialect: Dialect::Text,
            follower: None,
            refusals: Refusals::default(),
            raw_lines: RawLines::default(),
            may_have_ended: false,
        }
    }

    /// Returns the refusals that the agent waits out by itself, according to its events.
    pub(in crate::runner) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Returns true if the agent may have reported the end of its turn.
    pub(in crate::runner) fn may_have_ended(&self) -> bool {
        self.may_have_ended
    }

    /// Writes the events of the agent's new output. At the end of the stream all of it is durable.
    pub(in crate::runner) fn catch_up(
        &mut self,
        runner: &Runner,
        run: &RunRef,
        info: &RunInfo,
        stream: Stream,
    ) -> Result<()> {
        let (root, dir) = (runner.tree.root(), run.dir());
        if self.follower.is_none() {
            self.dialect = agents::dialect_of(info);
            let last = last_event(root, &dir)?;
            self.follower = Some(
                last.as_ref()
                    .map_or_else(|| Follower::start(self.dialect), |e| Follower::after(self.dialect, e)),
            );
            if let Some(event) = &last {
                self.refusals.add(event);
                // The events before it are not read.
                self.may_have_ended = true;
            }
        }
        let Some(follower) = &mut self.follower else { return Ok(()) };
        while let Some(events) = follower.read(root, &dir, stream)? {
            let mut lines = Vec::new();
            for event in &self.raw_lines.select(events) {
                self.refusals.add(event);
                self.may_have_ended |= matches!(event.kind, EventKind::TurnEnd { .. });
                lines.extend(event.to_line());
            }
            if !lines.is_empty() {
                root.append_derived(&dir.events(), lines)?;
            }
        }
        if stream == Stream::Ended && self.dialect.has_last_word() {
            root.append(&dir.events(), |_| Ok::<_, FsError>((Vec::new(), ())))?;
        }
        Ok(())
    }
}
