//! One of several buses that are read as one.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use tree::{
    Result, TreeError,
    bus::{Bus, Message, Page},
    ids::{MsgId, TaskId},
};

/// Number of bytes of a bus that are read ahead, plus the rest of the last message.
const AHEAD_BYTES: u64 = 16 * 1024;

/// A bus, and the offset up to which it was sent.
#[derive(Debug)]
pub(super) struct BusReader {
    pub(super) task: Option<TaskId>,
    bus: Bus,
    /// Offset after the last sent line.
    sent: u64,
    /// Offset after the last sent line with a time in its id, and that time.
    timed: (u64, Option<DateTime<Utc>>),
    /// True if the times do not increase: then the position of the bus is its offset.
    disorder: bool,
    ahead: VecDeque<ReadAhead>,
    /// Offset after the lines that were read.
    read: u64,
    /// True if the bus may be longer than that.
    pub(super) may_have_more: bool,
}

/// A message that was read ahead.
#[derive(Debug)]
struct ReadAhead {
    /// The time in its id, or in that of an earlier message.
    key: DateTime<Utc>,
    /// Offset after the message.
    end: u64,
    message: Message,
}

impl BusReader {
    pub(super) fn new(task: Option<TaskId>, bus: Bus) -> Self {
        let ahead = VecDeque::new();
        Self { task, bus, sent: 0, timed: (0, None), disorder: false, ahead, read: 0, may_have_more: true }
    }

    /// Offset after the last sent line.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns true if the bus was sent exactly up to its last message of this time or an earlier one.
    pub(super) fn stands_at(&self, until: DateTime<Utc>) -> bool {
        let (end, time) = self.timed;
        let mut ahead = self.ahead.iter().filter_map(|next| next.message.msg_id.time());
        let before_what_follows = match ahead.next() {
            Some(next) => next > until,
            None => !self.may_have_more,
        };
        !self.disorder && self.sent == end && time.is_none_or(|t| t <= until) && before_what_follows
    }

    /// Moves to an offset.
    pub(super) fn go_to(&mut self, offset: u64) -> Result<()> {
        // A shorter file is another one: the task was deleted and created again.
        let offset = if offset <= self.end()? { offset } else { 0 };
        let timed = match self.bus.last_time_before(offset) {
            Err(e) => missing(e).map(|()| None),
            timed => timed,
        }?;
        self.stand(offset, timed.map_or((0, None), |(end, time)| (end, Some(time))));
        Ok(())
    }

    /// Moves after the last message of this time or an earlier one, and returns the offset.
    pub(super) fn go_behind(&mut self, time: DateTime<Utc>) -> Result<u64> {
        let offset = match self.bus.position_from(time + TimeDelta::nanoseconds(1)) {
            Err(e) => missing(e).map(|()| 0),
            offset => offset,
        }?;
        self.stand(offset, (offset, (offset > 0).then_some(time)));
        Ok(offset)
    }

    /// Moves after a message. Returns false if this bus does not have it.
    pub(super) fn go_behind_message(&mut self, id: &MsgId, time: DateTime<Utc>) -> Result<bool> {
        match self.bus.position_of(id) {
            Err(e) => missing(e).map(|()| false),
            Ok(offset) => {
                self.stand(offset, (offset, Some(time)));
                Ok(true)
            }
        }
    }

    fn stand(&mut self, offset: u64, timed: (u64, Option<DateTime<Utc>>)) {
        (self.sent, self.read, self.timed, self.disorder) = (offset, offset, timed, false);
        self.ahead.clear();
        self.may_have_more = true;
    }

    fn end(&self) -> Result<u64> {
        match self.bus.read_from(u64::MAX, 0) {
            Err(e) => missing(e).map(|()| 0),
            page => page.map(|page| page.next),
        }
    }

    /// Returns the sort key of the next message, if there is one. Reads some messages ahead.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<DateTime<Utc>>> {
        // A page may consist of lines that are no messages.
        while self.ahead.is_empty() && self.may_have_more {
            let page = match self.bus.read_some(self.read, most, AHEAD_BYTES) {
                // The task may just have been deleted; the project's own bus must exist.
                Err(TreeError::NotFound { .. }) if self.task.is_some() => Page::default(),
                page => page?,
            };
            self.may_have_more = page.more;
            self.read = page.next.max(self.read);
            let mut key = self.timed.1.unwrap_or(DateTime::UNIX_EPOCH);
            for (message, end) in page.messages.into_iter().zip(page.ends) {
                key = message.msg_id.time().unwrap_or(key).max(key);
                self.ahead.push_back(ReadAhead { key, end, message });
            }
        }
        Ok(self.ahead.front().map(|next| next.key))
    }

    /// Takes the next message.
    pub(super) fn take(&mut self) -> Option<Message> {
        let ReadAhead { end, message, .. } = self.ahead.pop_front()?;
        self.sent = end;
        if let Some(time) = message.msg_id.time() {
            self.disorder |= self.timed.1.is_some_and(|before| time <= before);
            self.timed = (end, self.timed.1.max(Some(time)));
        }
        Some(message)
    }
}

/// Treats a missing bus as an empty one.
fn missing(error: TreeError) -> Result<()> {
    if matches!(error, TreeError::NotFound { .. }) { Ok(()) } else { Err(error) }
}
