//! Posting: under the lock of the file, behind everything that stands there.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::SubsecRound;

use super::{
    draft::Draft,
    handle::Bus,
    line::{self, HEAD, MAX_LINE, UnnamedLine},
    message::Message,
};
use crate::{
    fsx::{FsErrorKind, Tail},
    tree::{Result, TreeError, ids::MsgId},
};

/// So many bytes of messages that are posted together are written at a time.
const AT_A_TIME: usize = 4 * 1024 * 1024;

/// Messages that this process has posted, to any bus.
static POSTED: AtomicU64 = AtomicU64::new(0);

/// Bytes of their lines.
static POSTED_BYTES: AtomicU64 = AtomicU64::new(0);

/// How many messages this process has posted, to any bus.
#[must_use]
pub fn posted() -> u64 {
    POSTED.load(Ordering::Relaxed)
}

/// How many bytes these messages have.
#[must_use]
pub fn posted_bytes() -> u64 {
    POSTED_BYTES.load(Ordering::Relaxed)
}

fn count_posted(messages: u64, bytes: u64) {
    POSTED.fetch_add(messages, Ordering::Relaxed);
    POSTED_BYTES.fetch_add(bytes, Ordering::Relaxed);
}

/// What a look at an earlier message says of the search for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookBack {
    /// This is it.
    Found,
    /// It may be an earlier one.
    Continue,
    /// It is none of the earlier ones.
    Stop,
}

/// What came of [`Bus::post_once`].
#[derive(Debug, Clone, PartialEq)]
pub enum Posted {
    /// The draft was posted, as this message.
    New(Message),
    /// This message was there; nothing was written.
    AlreadyThere(Message),
}

impl Posted {
    /// The message, whoever posted it.
    #[must_use]
    pub fn into_message(self) -> Message {
        match self {
            Self::New(message) | Self::AlreadyThere(message) => message,
        }
    }
}

impl Bus {
    /// Posts a message and returns it with the id and the time that it got. It is as
    /// durable then as the root asks.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] without the project or task; [`TreeError::Invalid`] for a
    /// draft beyond [`MAX_LINE`](super::MAX_LINE), nested too deep, or of another task.
    pub fn post(&self, draft: &Draft) -> Result<Message> {
        self.append(draft, |_| Ok(None)).map(Posted::into_message)
    }

    /// Posts a message unless `decide`, shown the messages from the last one backwards,
    /// finds that it is there: of any number of callers one posts it.
    ///
    /// # Errors
    /// As [`Bus::post`].
    pub fn post_once(&self, draft: &Draft, decide: impl FnMut(&Message) -> LookBack) -> Result<Posted> {
        self.append(draft, |tail| self.look_back(tail, decide))
    }

    /// Posts messages of many who post at a time, in this order: for each what [`Bus::post`] would return. They are
    /// written together and share the wait for the disk.
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

    /// What a draft becomes; its id and its time are still to come.
    fn line_of(&self, draft: &Draft) -> Result<(Message, UnnamedLine)> {
        let message = draft.to_message(&self.owner, self.clock.now())?;
        let line = UnnamedLine::new(&message)?;
        Ok((message, line))
    }

    /// Gives a message the id and the time that it has behind the last one.
    fn name(&self, message: &mut Message, last: Option<&MsgId>) {
        let now = self.clock.now();
        message.msg_id = MsgId::after(now, last);
        message.timestamp = now.trunc_subsecs(6);
    }

    /// A bus without its folder is one of a project or task that is not there.
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
            let Some(message) = line::read(&line?, &self.owner) else { continue };
            match decide(&message) {
                LookBack::Found => return Ok(Some(message)),
                LookBack::Continue => {}
                LookBack::Stop => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The largest id that tells a time, back to the last line that we wrote. What hands put behind it
    /// may be older: an id of ours must not come again for that.
    fn last_id(&self, tail: &Tail<'_>) -> Result<Option<MsgId>> {
        let lines = tail.lines().keeping(HEAD);
        let mut last = None;
        for head in lines.backward(tail.size()) {
            let head = head?;
            last = last.max(line::own_id(lines, &head, &self.owner)?.filter(|id| id.time().is_some()));
            if line::is_ours(&head) {
                break;
            }
        }
        Ok(last)
    }
}
