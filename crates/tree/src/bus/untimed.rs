//! The time of messages that have none: lines written by hand, without a readable `timestamp` and without a time in
//! their id.
//!
//! Such a message is shown with the time of the message before it in the file, else with that of the message after it,
//! else with the time of the file's last change. So the order of the file is the order of the times, and all readers
//! show the same one.

use chrono::{DateTime, Utc};

use super::{
    handle::Bus,
    line::{self, MAX_LINE},
    message::{Message, UNKNOWN_TIME},
};
use crate::Result;
use base::fsx::{FsError, Line, LineReader, ReadFile};

/// Number of bytes that are searched in each direction for a message with a time.
const SEARCHED: u64 = 256 * 1024;

/// Returns the message's own time.
fn own_time(message: &Message) -> Option<DateTime<Utc>> {
    (!is_untimed(message)).then_some(message.timestamp)
}

/// Returns true if the message has to get the time of another one.
fn is_untimed(message: &Message) -> bool {
    message.timestamp == UNKNOWN_TIME
}

impl Bus {
    /// Returns the time for the message without one whose line begins at `offset`.
    pub(super) fn time_near(&self, file: &ReadFile, offset: u64) -> Result<DateTime<Utc>> {
        let lines = LineReader::new(file).keeping(MAX_LINE);
        if let Some(time) = self.first_time(lines.backward(offset))? {
            return Ok(time);
        }
        if let Some(time) = self.first_time(lines.forward(offset, file.size()?))? {
            return Ok(time);
        }
        let changed = self.root.stat(&self.rel)?.and_then(|stat| i64::try_from(stat.modified_ns).ok());
        Ok(changed.map_or_else(|| self.clock.now(), DateTime::from_timestamp_nanos))
    }

    fn first_time(
        &self,
        lines: impl Iterator<Item = std::result::Result<Line, FsError>>,
    ) -> Result<Option<DateTime<Utc>>> {
        let mut searched = 0;
        for line in lines {
            let line = line?;
            searched += line.len + 1;
            let time = line::read(&line, &self.owner).as_ref().and_then(own_time);
            if time.is_some() || searched > SEARCHED {
                return Ok(time);
            }
        }
        Ok(None)
    }
}

/// The time of the last message while messages are read forwards.
#[derive(Debug, Default)]
pub(super) struct Forwards(Option<DateTime<Utc>>);

impl Forwards {
    /// Completes the next message; `search` finds a time if no earlier message of this reader has one.
    pub(super) fn complete(
        &mut self,
        message: &mut Message,
        search: impl FnOnce() -> Result<DateTime<Utc>>,
    ) -> Result<()> {
        if is_untimed(message) {
            message.timestamp = self.0.map_or_else(search, Ok)?;
        }
        self.0 = Some(message.timestamp);
        Ok(())
    }
}

/// The messages at the end of a list that wait for the time of an earlier one, while messages are read backwards.
#[derive(Debug, Default)]
pub(super) struct Backwards(usize);

impl Backwards {
    /// Notes the next message, which stands in the file before those of the list, and completes these.
    pub(super) fn meet(&mut self, message: Option<&Message>, list: &mut [Message]) {
        if let Some(time) = message.and_then(own_time) {
            self.complete(list, time);
        }
    }

    /// Notes that this message will be appended to the list.
    pub(super) fn append(&mut self, message: Option<&Message>) {
        self.0 += usize::from(message.is_some_and(is_untimed));
    }

    /// Completes the messages that still wait; `search` finds their time.
    pub(super) fn finish(
        &mut self,
        list: &mut [Message],
        search: impl FnOnce() -> Result<DateTime<Utc>>,
    ) -> Result<()> {
        if self.0 > 0 {
            self.complete(list, search()?);
        }
        Ok(())
    }

    fn complete(&mut self, list: &mut [Message], time: DateTime<Utc>) {
        for message in list.iter_mut().rev().take(std::mem::take(&mut self.0)) {
            message.timestamp = time;
        }
    }
}
