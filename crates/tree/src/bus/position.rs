//! Finds the position of a message in the file by the message's id.

use chrono::{DateTime, Utc};

use super::{
    handle::Bus,
    line::{self, HEAD, MAX_LINE},
    message::Message,
    untimed::Forwards,
};
use crate::{Result, TreeError, ids::MsgId};
use base::fsx::{Line, LineReader};

impl Bus {
    /// Returns the offset after the message with this `id`, which is where the next message begins.
    ///
    /// Ids made by [`Bus::post`] are found by bisection. Other ids, and ids that bisection misses because of lines
    /// inserted by hand, are searched for in the whole file.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if no message has exactly this id.
    pub fn position_of(&self, id: &MsgId) -> Result<u64> {
        let unknown = || TreeError::NotFound { what: format!("message {id} on the bus of {}", self.owner) };
        let Some(file) = self.open()? else { return Err(unknown()) };
        let lines = LineReader::new(&file);
        let search = Search { bus: self, lines, end: lines.complete_until(file.size()?)?, id };
        let line = match id.offset() {
            Some(offset) => search.at(offset)?,
            None => match search.bisect()? {
                Some(line) => Some(line),
                None => search.scan()?,
            },
        };
        line.map(|l| l.end()).ok_or_else(unknown)
    }

    /// Returns the message with this `id`.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if no message has exactly this id.
    pub fn message(&self, id: &MsgId) -> Result<Message> {
        let unknown = || TreeError::NotFound { what: format!("message {id} on the bus of {}", self.owner) };
        let behind = self.position_of(id)?;
        let file = self.open()?.ok_or_else(unknown)?;
        let line = LineReader::new(&file).keeping(MAX_LINE).before(behind)?.ok_or_else(unknown)?;
        let mut message = line::read(&line, &self.owner).ok_or_else(unknown)?;
        Forwards::default().complete(&mut message, || self.time_near(&file, line.offset))?;
        Ok(message)
    }

    /// Returns the offset of the first message with this time or a later one in its id. Uses bisection.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if the project or task does not exist.
    pub fn position_from(&self, time: DateTime<Utc>) -> Result<u64> {
        let Some(file) = self.open()? else { return Ok(0) };
        let lines = LineReader::new(&file);
        let (mut low, mut high) = (0, lines.complete_until(file.size()?)?);
        while low < high {
            let start = lines.start_of(low + (high - low) / 2)?;
            match self.first_with_time(lines, start, high)? {
                Some((line, id)) if id.time() < Some(time) => low = line.end(),
                _ => high = start,
            }
        }
        Ok(low)
    }

    /// Finds the last line before an offset with a time in its id. Returns the offset after that line, and the time.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if the project or task does not exist.
    pub fn last_time_before(&self, offset: u64) -> Result<Option<(u64, DateTime<Utc>)>> {
        let Some(file) = self.open()? else { return Ok(None) };
        let lines = LineReader::new(&file).keeping(HEAD);
        for head in lines.backward(offset) {
            let head = head?;
            if let Some(time) = line::own_id(lines, &head, &self.owner)?.and_then(|id| id.time()) {
                return Ok(Some((head.end(), time)));
            }
        }
        Ok(None)
    }

    /// Returns the id of the last message before an offset, if there is one; of a line without an id its offset.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if the project or task does not exist.
    pub fn id_before(&self, offset: u64) -> Result<Option<MsgId>> {
        let Some(file) = self.open()? else { return Ok(None) };
        let lines = LineReader::new(&file).keeping(MAX_LINE);
        for line in lines.backward(offset) {
            if let Some(message) = line::read(&line?, &self.owner) {
                return Ok(Some(message.msg_id));
            }
        }
        Ok(None)
    }

    /// Calls `each` with the ids of the messages, the last one first, until it returns false. Messages without an id of
    /// their own are left out.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if the project or task does not exist.
    pub fn ids_backwards(&self, mut each: impl FnMut(MsgId) -> bool) -> Result<()> {
        let Some(file) = self.open()? else { return Ok(()) };
        let lines = LineReader::new(&file).keeping(HEAD);
        for head in lines.backward(lines.complete_until(file.size()?)?) {
            let head = head?;
            if let Some(id) = line::own_id(lines, &head, &self.owner)?
                && !each(id)
            {
                break;
            }
        }
        Ok(())
    }

    /// Returns the first line from `start` on with a time in its id, and that id.
    fn first_with_time(&self, lines: LineReader<'_>, start: u64, end: u64) -> Result<Option<(Line, MsgId)>> {
        for head in lines.keeping(HEAD).forward(start, end) {
            let head = head?;
            if let Some(id) = line::own_id(lines, &head, &self.owner)?
                && id.time().is_some()
            {
                return Ok(Some((head, id)));
            }
        }
        Ok(None)
    }
}

struct Search<'a> {
    bus: &'a Bus,
    lines: LineReader<'a>,
    /// Offset after the last complete line.
    end: u64,
    id: &'a MsgId,
}

impl Search<'_> {
    /// Returns the line at an offset, if a line begins there and has the wanted id.
    fn at(&self, offset: u64) -> Result<Option<Line>> {
        if offset >= self.end || self.lines.start_of(offset)? != offset {
            return Ok(None);
        }
        let line = self.lines.keeping(HEAD).at(offset, self.end)?;
        line.map_or(Ok(None), |line| self.verified(line))
    }

    /// Bisects the file by time. This works as long as the ids made by this program increase.
    fn bisect(&self) -> Result<Option<Line>> {
        let Some(time) = self.id.time() else { return Ok(None) };
        // Both are starts of lines: the wanted line begins at `low` or later, and before `high`.
        let (mut low, mut high) = (0, self.end);
        let mut found = None;
        while low < high {
            let start = self.lines.start_of(low + (high - low) / 2)?;
            match self.first_with_time(start, high)? {
                Some((line, id)) if id.time() < Some(time) => low = line.end(),
                at_or_behind => {
                    // A copy of the line further down must not be preferred to the line itself.
                    found = at_or_behind.filter(|(_, id)| id == self.id).map(|(line, _)| line).or(found);
                    high = start;
                }
            }
        }
        found.map_or(Ok(None), |line| self.verified(line))
    }

    fn first_with_time(&self, start: u64, end: u64) -> Result<Option<(Line, MsgId)>> {
        self.bus.first_with_time(self.lines, start, end)
    }

    /// Searches every line.
    fn scan(&self) -> Result<Option<Line>> {
        for head in self.lines.keeping(HEAD).forward(0, self.end) {
            let head = head?;
            if line::own_id(self.lines, &head, &self.bus.owner)?.as_ref() == Some(self.id)
                && let Some(line) = self.verified(head)?
            {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// Returns the line if it is a message with exactly the wanted id. A torn line is not a message.
    fn verified(&self, head: Line) -> Result<Option<Line>> {
        let whole = self.lines.keeping(MAX_LINE).at(head.offset, self.end)?;
        let message = whole.and_then(|line| line::read(&line, &self.bus.owner));
        Ok(message.filter(|m| m.msg_id == *self.id).map(|_| head))
    }
}
