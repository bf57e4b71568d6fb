//! Reads messages: the last ones, those after or before a message, or those from an offset.

use super::{
    handle::Bus,
    line::{self, HEAD, MAX_LINE},
    message::Message,
    untimed::{Backwards, Forwards},
};
use crate::{Fault, Result, ids::MsgId};
use base::fsx::{Line, LineReader};

/// Number of bytes of messages that make a page full, regardless of its limit: 64 MiB. One message always fits.
pub const MAX_PAGE: u64 = 4 * MAX_LINE;

/// A page of messages, in file order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The messages.
    pub messages: Vec<Message>,
    /// Offset after each message; filled only when reading forwards.
    pub ends: Vec<u64>,
    /// Offset after the last line that was read. [`Bus::read_from`] continues there.
    pub next: u64,
    /// Number of complete lines that were skipped because they are not messages.
    pub skipped: usize,
    /// True if more complete lines exist at `next`.
    pub more: bool,
    /// The line at `next`, if it alone is longer than the page could be.
    pub large: Option<LargeLine>,
}

/// A line that was not read because of its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeLine {
    /// Its length in bytes, newline included.
    pub len: u64,
    /// The id of the message, if the line has one.
    pub id: Option<MsgId>,
}

/// A part of a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Offset of its first line.
    pub from: u64,
    /// Offset after its last line.
    pub until: u64,
}

impl Bus {
    /// Returns the last `limit` messages.
    ///
    /// # Errors
    /// [`TreeError::NotFound`](crate::TreeError::NotFound) if the project or task does not exist. A bus without
    /// messages is empty, not an error.
    pub fn tail(&self, limit: usize) -> Result<Page> {
        self.tail_of(limit, |_| true)
    }

    /// Returns the last `limit` messages that `wanted` accepts. The others are not counted.
    ///
    /// # Errors
    /// As [`Bus::tail`].
    pub fn tail_of(&self, limit: usize, wanted: impl Fn(&Message) -> bool) -> Result<Page> {
        let Some(file) = self.open()? else { return Ok(Page::default()) };
        let lines = LineReader::new(&file).keeping(MAX_LINE);
        let mut page = Page { next: lines.complete_until(file.size()?)?, ..Page::default() };
        let (mut bytes, mut at, mut untimed) = (0, page.next, Backwards::default());
        for line in lines.backward(page.next) {
            if page.messages.len() >= limit || bytes >= MAX_PAGE {
                break;
            }
            let line = line?;
            at = line.offset;
            let message = line::read(&line, &self.owner);
            untimed.meet(message.as_ref(), &mut page.messages);
            if message.as_ref().is_none_or(&wanted) {
                untimed.append(message.as_ref());
                bytes += page.add(message, line.len);
            }
        }
        untimed.finish(&mut page.messages, || self.time_near(&file, at))?;
        page.messages.reverse();
        Ok(page)
    }

    /// Returns at most `limit` messages after the one with this `id`, or from the first one.
    ///
    /// # Errors
    /// [`TreeError::NotFound`](crate::TreeError::NotFound) if no message has this id.
    pub fn after(&self, id: Option<&MsgId>, limit: usize) -> Result<Page> {
        let offset = id.map_or(Ok(0), |id| self.position_of(id))?;
        self.read_from(offset, limit)
    }

    /// Returns the last `limit` messages before the one with this `id`.
    ///
    /// # Errors
    /// [`TreeError::NotFound`](crate::TreeError::NotFound) if no message has this id.
    pub fn before(&self, id: &MsgId, limit: usize) -> Result<Page> {
        let behind = self.position_of(id)?;
        let Some(file) = self.open()? else { return Ok(Page::default()) };
        let lines = LineReader::new(&file).keeping(MAX_LINE);
        let mut page = Page { next: behind, ..Page::default() };
        let (mut bytes, mut at, mut untimed) = (0, behind, Backwards::default());
        // Backwards, the first line is the named message itself.
        for line in lines.backward(behind).skip(1) {
            if page.messages.len() >= limit || bytes >= MAX_PAGE {
                page.more = true;
                break;
            }
            let line = line?;
            at = line.offset;
            let message = line::read(&line, &self.owner);
            untimed.meet(message.as_ref(), &mut page.messages);
            untimed.append(message.as_ref());
            bytes += page.add(message, line.len);
        }
        untimed.finish(&mut page.messages, || self.time_near(&file, at))?;
        page.messages.reverse();
        Ok(page)
    }

    /// Returns at most `limit` messages from an offset, which is [`Page::next`] of an earlier page.
    ///
    /// An offset inside a line skips that line. An offset after the end means the end.
    ///
    /// # Errors
    /// As [`Bus::tail`].
    pub fn read_from(&self, offset: u64, limit: usize) -> Result<Page> {
        self.read_some(offset, limit, MAX_PAGE)
    }

    /// Reads as [`Bus::read_from`], but adds no further message once the page holds `bytes` bytes of messages.
    ///
    /// # Errors
    /// As [`Bus::tail`].
    pub fn read_some(&self, offset: u64, limit: usize, bytes: u64) -> Result<Page> {
        let Some(file) = self.open()? else { return Ok(Page::default()) };
        let lines = LineReader::new(&file).keeping(MAX_LINE);
        let end = lines.complete_until(file.size()?)?;
        let start = lines.start_from(offset.min(end), end)?.unwrap_or(end);
        let mut page = Page { next: start, ..Page::default() };
        let (mut held, mut times) = (0, Forwards::default());
        for line in lines.forward(start, end) {
            if page.messages.len() >= limit || held >= bytes {
                break;
            }
            let line = line?;
            page.next = line.end();
            let mut message = line::read(&line, &self.owner);
            if let Some(message) = &mut message {
                times.complete(message, || self.time_near(&file, line.offset))?;
            }
            page.ends.extend(message.is_some().then_some(page.next));
            held += page.add(message, line.len);
        }
        page.more = page.next < end;
        Ok(page)
    }

    /// Reads as [`Bus::read_from`] up to the offset `until`, and never holds more than about `bytes` bytes. If the first
    /// line alone is longer, the page is empty and names the line; a caller with room for it calls again.
    ///
    /// # Errors
    /// As [`Bus::tail`].
    pub fn read_within(&self, offset: u64, limit: usize, bytes: u64, until: u64) -> Result<Page> {
        let Some(file) = self.open()? else { return Ok(Page::default()) };
        let lines = LineReader::new(&file).keeping(bytes.min(MAX_LINE));
        let end = lines.complete_until(file.size()?)?.min(until);
        let start = lines.start_from(offset.min(end), end)?.unwrap_or(end);
        let mut page = Page { next: start, ..Page::default() };
        let (mut held, mut times) = (0, Forwards::default());
        for line in lines.forward(start, end) {
            if page.messages.len() >= limit {
                break;
            }
            let line = line?;
            let is_large = !line.is_whole();
            // A line that is too long to be a message is skipped below.
            if line.len < MAX_LINE && (is_large || held + line.len > bytes) {
                if page.messages.is_empty() && is_large {
                    let id = line::own_id(lines, &line, &self.owner)?;
                    page.large = Some(LargeLine { len: line.len + 1, id });
                }
                break;
            }
            page.next = line.end();
            let mut message = line::read(&line, &self.owner);
            if let Some(message) = &mut message {
                times.complete(message, || self.time_near(&file, line.offset))?;
            }
            page.ends.extend(message.is_some().then_some(page.next));
            held += page.add(message, line.len);
        }
        page.more = page.next < end;
        Ok(page)
    }

    /// Returns the part of the bus from an offset to the present end.
    ///
    /// # Errors
    /// As [`Bus::tail`].
    pub fn rest_from(&self, offset: u64) -> Result<Stretch> {
        let Some(file) = self.open()? else { return Ok(Stretch { from: 0, until: 0 }) };
        let until = LineReader::new(&file).complete_until(file.size()?)?;
        Ok(Stretch { from: offset.min(until), until })
    }

    /// Returns the part of the bus with the last `limit` messages before the one with the id `before`, or before the end.
    /// It holds one line at a time, and of the lines that this program wrote only their beginning.
    ///
    /// # Errors
    /// [`TreeError::NotFound`](crate::TreeError::NotFound) if no message has this id, or the project or task does not
    /// exist.
    pub fn last(&self, limit: usize, before: Option<&MsgId>) -> Result<Stretch> {
        let behind = before.map(|id| self.position_of(id)).transpose()?;
        let Some(file) = self.open()? else { return Ok(Stretch { from: 0, until: 0 }) };
        let heads = LineReader::new(&file).keeping(HEAD);
        let until = match behind {
            // The line before this offset is the named message itself.
            Some(behind) => heads.before(behind)?.map_or(0, |named| named.offset),
            None => heads.complete_until(file.size()?)?,
        };
        let (mut from, mut found) = (until, 0);
        for head in heads.backward(until) {
            if found >= limit {
                break;
            }
            let head = head?;
            from = head.offset;
            found += usize::from(self.is_message(heads, &head)?);
        }
        Ok(Stretch { from, until })
    }

    /// Returns true if a line is a message, as far as its head shows it for a line that this program wrote.
    fn is_message(&self, lines: LineReader<'_>, head: &Line) -> Result<bool> {
        if head.is_whole() {
            return Ok(line::read(head, &self.owner).is_some());
        }
        if line::is_ours(head) || head.len >= MAX_LINE {
            return Ok(head.len < MAX_LINE);
        }
        let whole = lines.keeping(MAX_LINE).at(head.offset, head.end())?;
        Ok(whole.is_some_and(|line| line::read(&line, &self.owner).is_some()))
    }
}

impl Page {
    /// Returns the fault of the bus that the page was read from, if lines were skipped.
    #[must_use]
    pub fn fault(&self, bus: &Bus) -> Option<Fault> {
        let problem = "has lines that are not messages; they are skipped (`run-agent fsck` counts them)";
        (self.skipped > 0).then(|| Fault { path: bus.path(), problem: problem.to_owned() })
    }

    /// Adds the result of parsing a line of `len` bytes. Returns the number of bytes that the page now holds of it: a
    /// skipped line does not fill the page, however long it is.
    fn add(&mut self, message: Option<Message>, len: u64) -> u64 {
        let Some(message) = message else {
            self.skipped += 1;
            return 0;
        };
        self.messages.push(message);
        len
    }
}
