//! Where in the file a message stands, found by its id.

use chrono::{DateTime, Utc};

use super::{
    handle::Bus,
    line::{self, HEAD, MAX_LINE},
    message::Message,
};
use crate::{
    fsx::{Line, LineReader},
    tree::{Result, TreeError, ids::MsgId},
};

impl Bus {
    /// Offset behind the message named `id`: where the next one begins.
    ///
    /// Ids that were made by [`Bus::post`] are found by bisection. Others, and those that
    /// lines put in by hand hide from it, are looked for in the whole file.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if no message has exactly this name.
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

    /// The message named `id`.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if no message has exactly this name.
    pub fn message(&self, id: &MsgId) -> Result<Message> {
        let unknown = || TreeError::NotFound { what: format!("message {id} on the bus of {}", self.owner) };
        let behind = self.position_of(id)?;
        let file = self.open()?.ok_or_else(unknown)?;
        let line = LineReader::new(&file).keeping(MAX_LINE).before(behind)?;
        line.and_then(|line| line::read(&line, &self.owner)).ok_or_else(unknown)
    }

    /// Where the messages begin whose ids tell this time or a later one, found by bisection.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] without the project or task.
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

    /// The last line before an offset whose id tells a time: the offset behind it, and that time.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] without the project or task.
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

    /// The first line from `start` on whose id tells a time, and that id.
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
    /// Offset behind the last complete line.
    end: u64,
    id: &'a MsgId,
}

impl Search<'_> {
    /// The line at an offset, if one begins there and is named by it.
    fn at(&self, offset: u64) -> Result<Option<Line>> {
        if offset >= self.end || self.lines.start_of(offset)? != offset {
            return Ok(None);
        }
        let line = self.lines.keeping(HEAD).at(offset, self.end)?;
        line.map_or(Ok(None), |line| self.verified(line))
    }

    /// Halves the file by time, as long as ids of ours increase in it.
    fn bisect(&self) -> Result<Option<Line>> {
        let Some(time) = self.id.time() else { return Ok(None) };
        // Both are starts of lines: the wanted one begins at `low` or later, and before `high`.
        let (mut low, mut high) = (0, self.end);
        let mut found = None;
        while low < high {
            let start = self.lines.start_of(low + (high - low) / 2)?;
            match self.first_with_time(start, high)? {
                Some((line, id)) if id.time() < Some(time) => low = line.end(),
                at_or_behind => {
                    // A copy of the line further down must not win over the line itself.
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

    /// Looks at every line.
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

    /// The line again, if it is a message of exactly the wanted name: a torn one is not.
    fn verified(&self, head: Line) -> Result<Option<Line>> {
        let whole = self.lines.keeping(MAX_LINE).at(head.offset, self.end)?;
        let message = whole.and_then(|line| line::read(&line, &self.bus.owner));
        Ok(message.filter(|m| m.msg_id == *self.id).map(|_| head))
    }
}
