//! Reading: the last messages, those behind a message, those from an offset.

use super::{
    handle::Bus,
    line::{self, MAX_LINE},
    message::Message,
};
use crate::{
    fsx::LineReader,
    tree::{Fault, Result, ids::MsgId},
};

/// So many bytes of messages make a page full, whatever its limit: 64 MiB. One message always fits.
pub const MAX_PAGE: u64 = 4 * MAX_LINE;

/// Some messages, in file order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The messages.
    pub messages: Vec<Message>,
    /// Offset behind each of them, where they were read forwards.
    pub ends: Vec<u64>,
    /// Offset behind the last line that was read: where [`Bus::read_from`] goes on.
    pub next: u64,
    /// Complete lines that were passed over because they are no message.
    pub skipped: usize,
    /// Whether complete lines stood at `next` already.
    pub more: bool,
}

impl Bus {
    /// The last `limit` messages.
    ///
    /// # Errors
    /// [`TreeError::NotFound`](crate::tree::TreeError::NotFound) without the project or
    /// task; a bus that nobody has posted to is empty.
    pub fn tail(&self, limit: usize) -> Result<Page> {
        self.tail_of(limit, |_| true)
    }

    /// The last `limit` messages of those that `wanted` picks; the others are not counted.
    ///
    /// # Errors
    /// As [`Bus::tail`].
    pub fn tail_of(&self, limit: usize, wanted: impl Fn(&Message) -> bool) -> Result<Page> {
        let Some(file) = self.open()? else { return Ok(Page::default()) };
        let lines = LineReader::new(&file).keeping(MAX_LINE);
        let mut page = Page { next: lines.complete_until(file.size()?)?, ..Page::default() };
        let mut bytes = 0;
        for line in lines.backward(page.next) {
            if page.messages.len() >= limit || bytes >= MAX_PAGE {
                break;
            }
            let line = line?;
            let message = line::read(&line, &self.owner);
            if message.as_ref().is_none_or(&wanted) {
                bytes += page.add(message, line.len);
            }
        }
        page.messages.reverse();
        Ok(page)
    }

    /// At most `limit` messages behind the one named `id`, or from the first one.
    ///
    /// # Errors
    /// [`TreeError::NotFound`](crate::tree::TreeError::NotFound) if there is no message of
    /// that name.
    pub fn after(&self, id: Option<&MsgId>, limit: usize) -> Result<Page> {
        let offset = id.map_or(Ok(0), |id| self.position_of(id))?;
        self.read_from(offset, limit)
    }

    /// The last `limit` messages before the one named `id`.
    ///
    /// # Errors
    /// [`TreeError::NotFound`](crate::tree::TreeError::NotFound) if there is no message of
    /// that name.
    pub fn before(&self, id: &MsgId, limit: usize) -> Result<Page> {
        let behind = self.position_of(id)?;
        let Some(file) = self.open()? else { return Ok(Page::default()) };
        let lines = LineReader::new(&file).keeping(MAX_LINE);
        let mut page = Page { next: behind, ..Page::default() };
        let mut bytes = 0;
        // The first one backwards is the named one itself.
        for line in lines.backward(behind).skip(1) {
            if page.messages.len() >= limit || bytes >= MAX_PAGE {
                page.more = true;
                break;
            }
            let line = line?;
            bytes += page.add(line::read(&line, &self.owner), line.len);
        }
        page.messages.reverse();
        Ok(page)
    }

    /// At most `limit` messages from an offset, which is [`Page::next`] of an earlier page.
    ///
    /// Within a line, that line is left out; behind the end, reading goes on at the end.
    ///
    /// # Errors
    /// As [`Bus::tail`].
    pub fn read_from(&self, offset: u64, limit: usize) -> Result<Page> {
        self.read_some(offset, limit, MAX_PAGE)
    }

    /// As [`Bus::read_from`], but no further message once the page has so many bytes of messages.
    ///
    /// # Errors
    /// As [`Bus::tail`].
    pub fn read_some(&self, offset: u64, limit: usize, bytes: u64) -> Result<Page> {
        let Some(file) = self.open()? else { return Ok(Page::default()) };
        let lines = LineReader::new(&file).keeping(MAX_LINE);
        let end = lines.complete_until(file.size()?)?;
        let start = lines.start_from(offset.min(end), end)?.unwrap_or(end);
        let mut page = Page { next: start, ..Page::default() };
        let mut held = 0;
        for line in lines.forward(start, end) {
            if page.messages.len() >= limit || held >= bytes {
                break;
            }
            let line = line?;
            page.next = line.end();
            let message = line::read(&line, &self.owner);
            page.ends.extend(message.is_some().then_some(page.next));
            held += page.add(message, line.len);
        }
        page.more = page.next < end;
        Ok(page)
    }
}

impl Page {
    /// What is wrong with the bus that it was read from, if lines were passed over.
    #[must_use]
    pub fn fault(&self, bus: &Bus) -> Option<Fault> {
        let problem = "has lines that are no messages; they are passed over (`run-agent fsck` says how many)";
        (self.skipped > 0).then(|| Fault { path: bus.path(), problem: problem.to_owned() })
    }

    /// Adds what was made of a line of `len` bytes. Returns how many of them the page holds now: what is passed over
    /// makes no page full, however long it is.
    fn add(&mut self, message: Option<Message>, len: u64) -> u64 {
        let Some(message) = message else {
            self.skipped += 1;
            return 0;
        };
        self.messages.push(message);
        len
    }
}
