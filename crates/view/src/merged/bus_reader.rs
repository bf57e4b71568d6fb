//! One of several buses that are read as one.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use tree::{
    Fault, Result, TreeError,
    bus::{Bus, MAX_LINE, Message, Page},
    ids::{MsgId, TaskId},
};

/// Number of bytes that are read ahead of all buses together, and of each at least.
const AHEAD_BYTES: (u64, u64) = (64 * 1024, 512);

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
    /// True if lines were skipped because they are no messages.
    has_garbage: bool,
}

/// A message that was read ahead.
#[derive(Debug)]
struct ReadAhead {
    /// The time in its id, or in that of an earlier message.
    key: DateTime<Utc>,
    /// Offset of the message, or of lines before it that are skipped.
    start: u64,
    /// Offset after the message.
    end: u64,
    /// The time in its id.
    time: Option<DateTime<Utc>>,
    /// The message, if it is not too long to be held before its turn.
    message: Option<Message>,
}

impl BusReader {
    pub(super) fn new(task: Option<TaskId>, bus: Bus) -> Self {
        Self {
            task,
            bus,
            sent: 0,
            timed: (0, None),
            disorder: false,
            ahead: VecDeque::new(),
            read: 0,
            may_have_more: true,
            has_garbage: false,
        }
    }

    pub(super) fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Offset after the last sent line.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns true if the bus was sent exactly up to its last message of this time or an earlier one.
    pub(super) fn stands_at(&self, until: DateTime<Utc>) -> bool {
        let (end, time) = self.timed;
        let mut ahead = self.ahead.iter().filter_map(|next| next.time);
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

    /// Returns the sort key of the next message, if there is one. Reads some messages ahead: `most`, if this is one of
    /// `buses` buses.
    pub(super) fn next(&mut self, most: usize, buses: usize) -> Result<Option<DateTime<Utc>>> {
        let bytes = (AHEAD_BYTES.0 / buses.max(1) as u64).max(AHEAD_BYTES.1);
        // A page may consist of lines that are no messages.
        while self.ahead.is_empty() && self.may_have_more {
            let page = match self.bus.read_within(self.read, most, bytes, u64::MAX) {
                // The task may just have been deleted; the project's own bus must exist.
                Err(TreeError::NotFound { .. }) if self.task.is_some() => Page::default(),
                page => page?,
            };
            self.may_have_more = page.more;
            self.has_garbage |= page.skipped > 0;
            let mut start = self.read;
            self.read = page.next.max(self.read);
            let mut key = self.timed.1.unwrap_or(DateTime::UNIX_EPOCH);
            for (message, end) in page.messages.into_iter().zip(page.ends) {
                let time = message.msg_id.time();
                key = time.unwrap_or(key).max(key);
                self.ahead.push_back(ReadAhead { key, start, end, time, message: Some(message) });
                start = end;
            }
            if let Some(large) = page.large {
                let (start, end) = (self.read, self.read + large.len);
                let time = large.id.and_then(|id| id.time());
                key = time.unwrap_or(key).max(key);
                self.ahead.push_back(ReadAhead { key, start, end, time, message: None });
                self.read = end;
            }
        }
        Ok(self.ahead.front().map(|next| next.key))
    }

    /// Returns the number of bytes that the next message takes.
    pub(super) fn next_len(&self) -> u64 {
        self.ahead.front().map_or(0, |next| next.end - next.start)
    }

    /// Returns the bus if it has lines that are no messages, once.
    pub(super) fn take_fault(&mut self) -> Option<Fault> {
        let page = Page { skipped: usize::from(std::mem::take(&mut self.has_garbage)), ..Page::default() };
        page.fault(&self.bus)
    }

    /// Takes the next message; `None` if it turns out to be none.
    pub(super) fn take(&mut self) -> Result<Option<Message>> {
        let Some(ReadAhead { start, end, time, message, .. }) = self.ahead.pop_front() else {
            return Ok(None);
        };
        let message = match message {
            Some(message) => Some(message),
            None => self.read_large(start, end)?,
        };
        self.sent = end;
        if let Some(time) = time {
            self.disorder |= self.timed.1.is_some_and(|before| time <= before);
            self.timed = (end, self.timed.1.max(Some(time)));
        }
        Ok(message)
    }

    fn read_large(&mut self, start: u64, end: u64) -> Result<Option<Message>> {
        let page = match self.bus.read_within(start, 1, MAX_LINE, end) {
            Err(e) => missing(e).map(|()| Page::default()),
            page => page,
        }?;
        self.has_garbage |= page.skipped > 0;
        Ok(page.messages.into_iter().next())
    }
}

/// Treats a missing bus as an empty one.
fn missing(error: TreeError) -> Result<()> {
    if matches!(error, TreeError::NotFound { .. }) { Ok(()) } else { Err(error) }
}
