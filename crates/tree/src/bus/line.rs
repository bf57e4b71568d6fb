//! A message as bytes: one line of JSON, written by this program or by hand.

use std::{collections::BTreeMap, io};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, ser::Formatter};

use super::{
    handle::BusOwner,
    message::{Link, Message, MessageType, Parent, UNKNOWN_TIME},
    meta::Meta,
};
use crate::{
    Result, TreeError,
    ids::{MsgId, ProjectId, RunId, TaskId},
};
use base::{
    checksum::{self, Checksum},
    fsx::{Line, LineReader},
};

/// The longest line of a bus in bytes, newline included. This program writes no longer line, and readers skip a longer
/// one like a line that is not a message.
pub const MAX_LINE: u64 = 16 * 1024 * 1024;

/// Number of bytes that contain the id, if this program wrote the line.
pub(super) const HEAD: u64 = 256;

const BEFORE_ID: &[u8] = br#"{"msg_id":""#;
const BEHIND_ID: &[u8] = br#"","timestamp":""#;

/// A line without its final id and time. It is serialized before the lock is taken, because that is slow.
#[derive(Debug)]
pub(super) struct UnnamedLine {
    bytes: Vec<u8>,
    /// Length of the part that [`head`] produces for the message.
    head: usize,
}

impl UnnamedLine {
    /// Serializes the message as a line.
    pub(super) fn new(message: &Message) -> Result<Self> {
        let mut bytes = Vec::with_capacity(message.body.len() + message.meta.as_str().len() + 512);
        let mut writer = serde_json::Serializer::with_formatter(&mut bytes, OneLineFormatter);
        message.serialize(&mut writer).map_err(|e| TreeError::Invalid(format!("unwritable message: {e}")))?;
        checksum::reserve(&mut bytes);
        bytes.push(b'\n');
        if bytes.len() as u64 > MAX_LINE {
            let text =
                format!("a message of {} bytes is longer than the {MAX_LINE} it may have", bytes.len());
            return Err(TreeError::Invalid(text));
        }
        let head = head(message);
        debug_assert!(bytes.starts_with(head.as_bytes()), "id and time stand first");
        Ok(Self { bytes, head: head.len() })
    }

    /// Returns its length in bytes. The id does not change the length.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the line with the message's current id and time, and with its checksum.
    pub(super) fn named(mut self, message: &Message) -> Vec<u8> {
        // Ids and times have a fixed width, so the bytes after them do not move.
        self.bytes.splice(..self.head, head(message).into_bytes());
        let newline = self.bytes.len() - 1;
        checksum::renew(&mut self.bytes[..newline]);
        self.bytes
    }
}

/// Returns the beginning of a line. Neither an id nor a time contains a character that JSON escapes.
fn head(message: &Message) -> String {
    format!(r#"{{"msg_id":"{}","timestamp":"{}""#, message.msg_id, base::clock::rfc3339(message.timestamp))
}

/// Formats compact JSON without the characters that some readers treat as the end of a line. (Any JSON escapes those
/// below U+0020.)
struct OneLineFormatter;

impl Formatter for OneLineFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, to: &mut W, text: &str) -> io::Result<()> {
        if text.is_ascii() {
            return to.write_all(text.as_bytes());
        }
        let mut rest = text;
        while let Some(at) = rest.find(['\u{85}', '\u{2028}', '\u{2029}']) {
            to.write_all(&rest.as_bytes()[..at])?;
            let mut behind = rest[at..].chars();
            if let Some(c) = behind.next() {
                write!(to, "\\u{:04x}", u32::from(c))?;
            }
            rest = behind.as_str();
        }
        to.write_all(rest.as_bytes())
    }
}

/// A line as it was read. It may have been written by hand.
#[derive(Debug, Default, Deserialize)]
struct RawLine {
    msg_id: Option<MsgId>,
    timestamp: Option<DateTime<Utc>>,
    r#type: Option<MessageType>,
    project_id: Option<ProjectId>,
    task_id: Option<TaskId>,
    run_id: Option<RunId>,
    #[serde(default)]
    parents: Vec<Parent>,
    #[serde(default)]
    links: Vec<Link>,
    #[serde(default)]
    meta: Meta,
    body: Option<String>,
    #[serde(flatten)]
    extra: BTreeMap<String, Value>,
}

/// The keys of [`RawLine`].
const KNOWN: [&str; 10] =
    ["msg_id", "timestamp", "type", "project_id", "task_id", "run_id", "parents", "links", "meta", "body"];

/// Parses a line of the bus of `owner`; `None` if it is not a message.
pub(super) fn read(line: &Line, owner: &BusOwner) -> Option<Message> {
    if line.len >= MAX_LINE || !line.is_whole() {
        return None;
    }
    let checksum = checksum::check(&line.bytes);
    let mut found = match serde_json::from_slice::<RawLine>(&line.bytes) {
        Ok(found) => found,
        // Strings and numbers are JSON, too, but not messages. A line that ends in the middle is not JSON.
        Err(e) if e.is_eof() || !line.bytes.trim_ascii_start().starts_with(b"{") => return None,
        Err(_) => salvage(&line.bytes)?,
    };
    if checksum != Checksum::Absent {
        found.extra.remove(checksum::KEY);
    }
    let msg_id = found.msg_id.filter(|id| id.offset().is_none());
    let timestamp = found.timestamp.filter(|time| *time > UNKNOWN_TIME);
    Some(Message {
        timestamp: timestamp.or_else(|| msg_id.as_ref()?.time()).unwrap_or(UNKNOWN_TIME),
        msg_id: msg_id.unwrap_or_else(|| MsgId::at_offset(line.offset)),
        kind: found.r#type.unwrap_or(MessageType::USER),
        project_id: found.project_id.unwrap_or_else(|| owner.project().clone()),
        task_id: found.task_id.or_else(|| owner.task().cloned()),
        run_id: found.run_id,
        parents: found.parents,
        links: found.links,
        meta: found.meta,
        body: found.body.unwrap_or_default(),
        damaged: checksum == Checksum::Wrong,
        extra: found.extra,
    })
}

/// Returns true if the line is damaged: this program wrote it, and it was changed afterwards. It need not be a message
/// any more.
pub(super) fn is_damaged(line: &Line) -> bool {
    line.is_whole() && checksum::check(&line.bytes) == Checksum::Wrong
}

/// Parses an object in which some values do not fit their keys. Those values are moved below `unreadable`.
fn salvage(bytes: &[u8]) -> Option<RawLine> {
    let mut map: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    let mut unreadable = Map::new();
    for key in KNOWN {
        let Some(value) = map.remove(key) else { continue };
        let alone = Map::from_iter([(key.to_owned(), value.clone())]);
        if serde_json::from_value::<RawLine>(Value::Object(alone)).is_ok() {
            map.insert(key.to_owned(), value);
        } else {
            unreadable.insert(key.to_owned(), value);
        }
    }
    let mut found: RawLine = serde_json::from_value(Value::Object(map)).ok()?;
    if !unreadable.is_empty() {
        found.extra.insert("unreadable".to_owned(), Value::Object(unreadable));
    }
    Some(found)
}

/// Returns the line's own id, if it has one; `head` is the beginning of the line. If this program wrote the line, only
/// the head is read.
pub(super) fn own_id(lines: LineReader<'_>, head: &Line, owner: &BusOwner) -> Result<Option<MsgId>> {
    if let Some(id) = leading_id(&head.bytes) {
        return Ok(Some(id));
    }
    let whole = if head.is_whole() || head.len >= MAX_LINE {
        None
    } else {
        lines.keeping(MAX_LINE).at(head.offset, head.end())?
    };
    Ok(read(whole.as_ref().unwrap_or(head), owner).map(|m| m.msg_id).filter(|id| id.offset().is_none()))
}

/// Returns true if the line is spelled as [`UnnamedLine`] spells it and its id contains a time. Such an id is larger
/// than the ids of all such lines before it.
pub(super) fn is_ours(head: &Line) -> bool {
    split_id(&head.bytes).is_some_and(|(id, rest)| rest.starts_with(BEHIND_ID) && id.time().is_some())
}

/// Returns the id at the beginning of a line that is spelled as [`UnnamedLine`] spells it. The id of a torn line is
/// returned, too, because the next id must be larger than it.
fn leading_id(bytes: &[u8]) -> Option<MsgId> {
    split_id(bytes).map(|(id, _)| id)
}

fn split_id(bytes: &[u8]) -> Option<(MsgId, &[u8])> {
    let rest = bytes.strip_prefix(BEFORE_ID)?;
    let (id, rest) = rest.split_at(rest.iter().position(|b| *b == b'"')?);
    let id: MsgId = std::str::from_utf8(id).ok()?.parse().ok()?;
    id.offset().is_none().then_some((id, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Draft;
    use proptest::prelude::*;

    fn owner() -> BusOwner {
        BusOwner::new("p".parse().unwrap(), Some("t".parse().unwrap()))
    }

    fn line(bytes: &[u8]) -> Line {
        Line { offset: 7, len: bytes.len() as u64, bytes: bytes.to_vec() }
    }

    fn read_text(text: &str) -> Option<Message> {
        read(&line(text.as_bytes()), &owner())
    }

    /// Characters at which Python's `splitlines`, JavaScript or an editor ends a line.
    const ENDS_A_LINE: [char; 10] =
        ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

    /// Generates text with characters that confuse readers, shells and formats, and with any other characters.
    fn bodies() -> impl Strategy<Value = String> {
        let odd = proptest::sample::select(vec![
            "---",
            "\n",
            "\r\n",
            "\0",
            "\u{85}",
            "\u{2028}",
            "\u{2029}",
            "\"",
            "\\",
            "\u{b}",
            "\u{c}",
            "\u{1c}",
            "\u{feff}",
            "\u{7f}",
            "🦀",
            "e\u{301}",
            "{\"msg_id\":\"",
            "}",
            " ",
        ]);
        let part = prop_oneof![odd.prop_map(str::to_owned), any::<String>()];
        proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn a_message_comes_back_as_it_went(body in bodies(), key in bodies(), url in bodies()) {
            let mut draft = Draft::new(MessageType::FACT, body).with_meta(&key, url.clone());
            draft.links = vec![Link { url, label: Some(key) }];
            draft.parents = vec![Parent { msg_id: "MSG-1".parse().unwrap(), kind: Some("reply".into()) }];
            let mut message = draft.to_message(&owner(), Utc::now()).unwrap();
            let unnamed = UnnamedLine::new(&message).unwrap();
            message.msg_id = MsgId::after(Utc::now(), Some(&message.msg_id));
            let bytes = unnamed.named(&message);
            let text = std::str::from_utf8(&bytes).unwrap();
            prop_assert!(bytes.starts_with(BEFORE_ID), "{}", text);
            prop_assert_eq!(text.find(ENDS_A_LINE), Some(text.len() - 1));
            prop_assert_eq!(leading_id(&bytes), Some(message.msg_id.clone()));
            prop_assert_eq!(read(&line(&bytes[..bytes.len() - 1]), &owner()), Some(message));
        }

        #[test]
        fn no_part_of_a_line_is_a_message(body in bodies(), cut in any::<proptest::sample::Index>()) {
            let message = Draft::new(MessageType::FACT, body).to_message(&owner(), Utc::now()).unwrap();
            let bytes = UnnamedLine::new(&message).unwrap().bytes;
            let cut = cut.index(bytes.len() - 1);
            prop_assert_eq!(read(&line(&bytes[..cut]), &owner()), None);
            if cut > 0 {
                prop_assert_eq!(read(&line(&bytes[cut..bytes.len() - 1]), &owner()), None);
            }
        }
    }

    #[test]
    fn what_a_hand_left_out_is_filled_in() {
        let bare = read_text("{}").unwrap();
        assert_eq!(bare.msg_id.as_str(), "@7");
        assert_eq!(bare.timestamp, UNKNOWN_TIME);
        assert_eq!(bare.kind, MessageType::USER);
        assert_eq!((bare.project_id.as_str(), bare.task_id.unwrap().as_str()), ("p", "t"));
        assert_eq!(bare.body, "");
        let id = "MSG-20260205-100001-000000001-PID00001-0001";
        let named = read_text(&format!(r#"{{"body":"x","msg_id":"{id}"}}"#)).unwrap();
        assert_eq!(named.msg_id.as_str(), id);
        assert_eq!(named.timestamp, named.msg_id.time().unwrap());
        let parents = read_text(r#" {"parents": ["MSG-1"], "type": "note", "x": 1} "#).unwrap();
        assert_eq!(parents.parents[0].msg_id.as_str(), "MSG-1");
        assert_eq!(parents.kind.as_str(), "note");
        assert_eq!(parents.extra["x"], 1);
        assert_eq!(read_text(r#"{"msg_id":"@3"}"#).unwrap().msg_id.as_str(), "@7");
    }

    #[test]
    fn a_value_that_does_not_fit_costs_only_itself() {
        let text = r#"{"msg_id":"../x","type":"a b","timestamp":"noon","meta":[],"body":"kept","project_id":null,"body":"last","z":1}"#;
        let message = read_text(text).unwrap();
        assert_eq!((message.msg_id.as_str(), message.kind.as_str()), ("@7", "USER"));
        assert_eq!((message.body.as_str(), message.timestamp), ("last", UNKNOWN_TIME));
        let expected = serde_json::json!({"msg_id": "../x", "type": "a b", "timestamp": "noon", "meta": []});
        assert_eq!(message.extra["unreadable"], expected);
        assert_eq!(message.extra["z"], 1);
    }

    #[test]
    fn what_is_no_object_is_no_message() {
        for text in
            ["", " ", "5", "null", "[]", "[{}]", "\"x\"", "{", "{}}", "{} {}", "---", "{\"a\":}", "\u{0}"]
        {
            assert_eq!(read_text(text), None, "{text:?}");
        }
        assert_eq!(read(&line(b"{\"body\":\"\xff\"}"), &owner()), None);
        assert_eq!(read_text(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), None);
        assert_eq!(read(&Line { offset: 0, len: 9, bytes: b"{}".to_vec() }, &owner()), None);
    }

    #[test]
    fn a_message_beyond_the_cap_is_refused_with_its_size() {
        let cap = usize::try_from(MAX_LINE).unwrap();
        let post = |n| {
            let message =
                Draft::new(MessageType::FACT, "x".repeat(n)).to_message(&owner(), Utc::now()).unwrap();
            UnnamedLine::new(&message).map(|l| l.bytes.len())
        };
        let around = post(0).unwrap();
        assert_eq!(post(cap - around).unwrap(), cap);
        let error = post(cap - around + 1).unwrap_err().to_string();
        assert_eq!(error, "a message of 16777217 bytes is longer than the 16777216 it may have");
    }
}
