//! Posts messages: under the lock of the file, after everything that it contains.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{SubsecRound, TimeDelta};

use super::{
    draft::Draft,
    handle::Bus,
    line::{self, HEAD, MAX_LINE, UnnamedLine},
    message::Message,
};
use crate::{Result, TreeError, ids::MsgId};
use base::fsx::{FsErrorKind, Tail};

/// Number of bytes that are written at a time when several messages are posted together.
const AT_A_TIME: usize = 4 * 1024 * 1024;

/// Distance into the future beyond which an id counts only if its line is undamaged: one flipped bit in it would move
/// all later ids by years.
const FAR: TimeDelta = TimeDelta::days(1);

/// Number of messages that this process has posted, to any bus.
static POSTED: AtomicU64 = AtomicU64::new(0);

/// Number of bytes of these messages' lines.
static POSTED_BYTES: AtomicU64 = AtomicU64::new(0);

/// Returns the number of messages that this process has posted, to any bus.
#[must_use]
pub fn posted() -> u64 {
    POSTED.load(Ordering::Relaxed)
}

/// Returns the number of bytes of these messages.
#[must_use]
pub fn posted_bytes() -> u64 {
    POSTED_BYTES.load(Ordering::Relaxed)
}

fn count_posted(messages: u64, bytes: u64) {
    POSTED.fetch_add(messages, Ordering::Relaxed);
    POSTED_BYTES.fetch_add(bytes, Ordering::Relaxed);
}

/// The verdict on one earlier message while searching backwards for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookBack {
    /// This is the wanted message.
    Found,
    /// The wanted message may be an earlier one.
    Continue,
    /// No earlier message is the wanted one.
    Stop,
}

/// Result of [`Bus::post_once`].
#[derive(Debug, Clone, PartialEq)]
pub enum Posted {
    /// The draft was posted, as this message.
    New(Message),
    /// This message existed already; nothing was written.
    AlreadyThere(Message),
}

impl Posted {
    /// Returns the message, whether it is new or existed already.
    #[must_use]
    pub fn into_message(self) -> Message {
        match self {
            Self::New(message) | Self::AlreadyThere(message) => message,
        }
    }
}

impl Bus {
    /// Posts a message and returns it with its id and time. On return the message is as durable as the root's setting
    /// demands.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if the project or task does not exist. [`TreeError::Invalid`] for a draft that is longer
    /// than [`MAX_LINE`](super::MAX_LINE), nested too deep, or about another task.
    pub fn post(&self, draft: &Draft) -> Result<Message> {
        self.append(draft, |_| Ok(None)).map(Posted::into_message)
    }

    /// Posts a message unless `decide` finds it among the existing messages, which are shown to it from the last one
    /// backwards, the damaged ones left out. Of several concurrent callers only one posts the message.
    ///
    /// # Errors
    /// As [`Bus::post`].
    pub fn post_once(&self, draft: &Draft, decide: impl FnMut(&Message) -> LookBack) -> Result<Posted> {
        self.append(draft, |tail| self.look_back(tail, decide))
    }

    /// Posts messages of several concurrent posters in this order, and returns for each the result that [`Bus::post`]
    /// would return. The messages are written together and share one wait for the disk.
    #[must_use = "any of them may have failed"]
    pub fn post_all(&self, drafts: &[Draft]) -> Vec<Result<Message>> {
        let mut posted = Vec::with_capacity(drafts.len());
        let mut lines = Vec::new();
        let mut bytes = 0;
        for draft in drafts {
            match self.line_of(draft) {
                Ok((message, line)) => {
                    bytes += line.len();
                    lines.push((message, line));
                }
                Err(e) => {
                    posted.extend(self.write_all(std::mem::take(&mut lines)));
                    posted.push(Err(e));
                }
            }
            if bytes >= AT_A_TIME {
                posted.extend(self.write_all(std::mem::take(&mut lines)));
                bytes = 0;
            }
        }
        posted.extend(self.write_all(lines));
        posted
    }

    fn write_all(&self, lines: Vec<(Message, UnnamedLine)>) -> Vec<Result<Message>> {
        let count = lines.len();
        if count == 0 {
            return Vec::new();
        }
        let written = self.root.append(&self.rel, |tail| {
            let mut last = self.last_id(tail)?;
            let (mut bytes, mut messages) = (Vec::new(), Vec::with_capacity(count));
            for (mut message, line) in lines {
                self.name(&mut message, last.as_ref());
                bytes.extend(line.named(&message));
                last = Some(message.msg_id.clone());
                messages.push(message);
            }
            let size = bytes.len() as u64;
            Ok((bytes, (messages, size)))
        });
        match self.or_missing(written) {
            Ok((messages, size)) => {
                count_posted(count as u64, size);
                messages.into_iter().map(Ok).collect()
            }
            Err(e) => vec![Err(e); count],
        }
    }

    fn append(
        &self,
        draft: &Draft,
        search: impl FnOnce(&Tail<'_>) -> Result<Option<Message>>,
    ) -> Result<Posted> {
        let (mut message, line) = self.line_of(draft)?;
        let mut bytes = 0;
        let posted = self.root.append(&self.rel, |tail| {
            if let Some(found) = search(tail)? {
                return Ok((Vec::new(), Posted::AlreadyThere(found)));
            }
            self.name(&mut message, self.last_id(tail)?.as_ref());
            let line = line.named(&message);
            bytes = line.len() as u64;
            Ok((line, Posted::New(message)))
        });
        let posted = self.or_missing(posted)?;
        if let Posted::New(_) = posted {
            count_posted(1, bytes);
        }
        Ok(posted)
    }

    /// Returns a draft's message and line, without the final id and time.
    fn line_of(&self, draft: &Draft) -> Result<(Message, UnnamedLine)> {
        let message = draft.to_message(&self.owner, self.clock.now())?;
        let line = UnnamedLine::new(&message)?;
        Ok((message, line))
    }

    /// Gives a message its final id, larger than `last`, and its final time.
    fn name(&self, message: &mut Message, last: Option<&MsgId>) {
        let now = self.clock.now();
        message.msg_id = MsgId::after(now, last);
        message.timestamp = now.trunc_subsecs(6);
    }

    /// Replaces the error for a missing folder: the project or task does not exist.
    fn or_missing<T>(&self, posted: Result<T>) -> Result<T> {
        match posted {
            Err(TreeError::Fs(e)) if e.kind() == FsErrorKind::NotFound => Err(self.missing()),
            posted => posted,
        }
    }

    fn look_back(
        &self,
        tail: &Tail<'_>,
        mut decide: impl FnMut(&Message) -> LookBack,
    ) -> Result<Option<Message>> {
        for line in tail.lines().keeping(MAX_LINE).backward(tail.size()) {
            let message = line::read(&line?, &self.owner).filter(|message| !message.damaged);
            let Some(message) = message else { continue };
            match decide(&message) {
                LookBack::Found => return Ok(Some(message)),
                LookBack::Continue => {}
                LookBack::Stop => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Returns the largest id with a time, back to the last line that this program wrote. Lines added by hand after it
    /// may have older ids, which must not make an id of this program repeat.
    fn last_id(&self, tail: &Tail<'_>) -> Result<Option<MsgId>> {
        let lines = tail.lines().keeping(HEAD);
        let far = self.clock.now() + FAR;
        let mut last = None;
        for head in lines.backward(tail.size()) {
            let head = head?;
            let id = line::own_id(lines, &head, &self.owner)?.filter(|id| id.time().is_some());
            if id.as_ref().and_then(MsgId::time) > Some(far)
                && let Some(whole) = lines.keeping(MAX_LINE).at(head.offset, tail.size())?
                && line::is_damaged(&whole)
            {
                continue;
            }
            last = last.max(id);
            if line::is_ours(&head) {
                break;
            }
        }
        Ok(last)
    }
}
