//! The messages between a daemon, its guard and its successor: one word per packet of a socket pair.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// The longest word, in bytes.
const LONGEST: usize = 64 * 1024;
/// Largest number of descriptors that go with one packet.
const DESCRIPTORS: usize = 16;

/// One end of the socket pair.
#[derive(Debug)]
pub struct Wire(OwnedFd);

/// A message on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The guard has everything that it needs.
    Ready,
    /// The daemon now replaces itself with the other program.
    Exec,
    /// The guard has seen the successor answer.
    Go,
    /// The successor has taken its place for good.
    Done,
    /// There will be no successor: the sender ends because it was asked to, or goes on unchanged.
    Bye,
    /// The successor cannot stay; with the reason. It ends, and the old program is to be restored.
    Undo(String),
}

/// Result of listening.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A word arrived.
    Word(Word),
    /// The other end is closed: its process has ended, or has become another program.
    Closed,
    /// No word arrived in time.
    Nothing,
}

impl Word {
    fn spell(&self) -> String {
        match self {
            Self::Ready => "ready".to_owned(),
            Self::Exec => "exec".to_owned(),
            Self::Go => "go".to_owned(),
            Self::Done => "done".to_owned(),
            Self::Bye => "bye".to_owned(),
            Self::Undo(why) => format!("undo {why}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "ready" => Self::Ready,
            "exec" => Self::Exec,
            "go" => Self::Go,
            "done" => Self::Done,
            "bye" => Self::Bye,
            _ => Self::Undo(text.strip_prefix("undo ")?.to_owned()),
        })
    }
}

impl Wire {
    /// Creates a wire and returns both ends.
    ///
    /// # Errors
    /// If the kernel cannot create the sockets.
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let (one, other) = rustix::net::socketpair(family, kind, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one), Self(other)))
    }

    pub(super) fn of(end: OwnedFd) -> Self {
        Self(end)
    }

    pub(super) fn into_fd(self) -> OwnedFd {
        self.0
    }

    /// Sends a word.
    ///
    /// # Errors
    /// If the other end is closed.
    pub fn say(&self, word: &Word) -> io::Result<()> {
        let mut text = word.spell();
        text.truncate(text.floor_char_boundary(LONGEST / 2));
        rustix::net::send(&self.0, text.as_bytes(), SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits at most `limit` for a word.
    ///
    /// # Errors
    /// If the socket fails, or the packet is not a known word.
    pub fn listen(&self, limit: Duration) -> io::Result<Received> {
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(Received::Nothing),
            Ok(_) => {}
            Err(e) => return Err(e.into()),
        }
        let mut bytes = vec![0; LONGEST];
        let (n, _) = match rustix::net::recv(&self.0, &mut bytes[..], RecvFlags::DONTWAIT) {
            Err(rustix::io::Errno::CONNRESET) | Ok((0, _)) => return Ok(Received::Closed),
            received => received?,
        };
        let unknown = || io::Error::new(io::ErrorKind::InvalidData, "no word that is known here");
        let text = std::str::from_utf8(&bytes[..n]).map_err(|_| unknown())?;
        Word::parse(text).map(Received::Word).ok_or_else(unknown)
    }

    /// Sends bytes together with descriptors.
    pub(super) fn send_with(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
        }
        rustix::net::sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Receives the bytes and descriptors that [`Wire::send_with`] has sent.
    pub(super) fn receive_with(&self) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = vec![0; LONGEST];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received =
            rustix::net::recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)?;
        bytes.truncate(received.bytes);
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(more) = message {
                descriptors.extend(more);
            }
        }
        Ok((bytes, descriptors))
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_descriptors_arrive_and_an_end_is_heard() {
        let (one, other) = Wire::pair().unwrap();
        for word in [Word::Ready, Word::Exec, Word::Go, Word::Done, Word::Bye, Word::Undo("a b".into())] {
            one.say(&word).unwrap();
            assert_eq!(other.listen(Duration::from_secs(5)).unwrap(), Received::Word(word));
        }
        assert_eq!(other.listen(Duration::ZERO).unwrap(), Received::Nothing);
        let null =
            rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty()).unwrap();
        one.send_with(b"text", &[null.as_fd(), null.as_fd()]).unwrap();
        let (bytes, descriptors) = other.receive_with().unwrap();
        assert_eq!((bytes.as_slice(), descriptors.len()), (&b"text"[..], 2));
        drop(one);
        assert_eq!(other.listen(Duration::from_secs(5)).unwrap(), Received::Closed);
        assert!(other.say(&Word::Go).is_err());
    }
}
