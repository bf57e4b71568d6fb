//! Converts the original's messages: ids are kept where possible, the order is kept, and every loss is reported.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Map, Value};

use super::front_matter::{self, Raw};
use base::checksum;
use tree::{
    bus::{BusOwner, Link, MAX_LINE, Message, MessageType, Parent},
    ids::MsgId,
};

/// A converted bus.
#[derive(Debug, Default)]
pub(super) struct ConvertedBus {
    /// Its lines, in the format of our bus.
    pub(super) lines: Vec<u8>,
    pub(super) messages: usize,
    /// Reports about changed parts.
    pub(super) notes: Vec<String>,
    /// Reports about parts that were left out.
    pub(super) left_out: Vec<String>,
}

/// Converts the text of a bus. `written` is the time of its last change, for messages without any time.
pub(super) fn convert(text: &str, owner: &BusOwner, written: DateTime<Utc>) -> ConvertedBus {
    let (raws, stray) = front_matter::parse(text);
    let mut understood = ConvertedBus::default();
    if !stray.is_empty() {
        understood.left_out.push(format!(
            "{} lines of the bus belong to no message: {}",
            stray.len(),
            stray[0]
        ));
    }
    let mut names: HashMap<String, MsgId> = HashMap::new();
    let mut last: Option<(MsgId, DateTime<Utc>)> = None;
    let mut renamed = 0;
    for raw in raws {
        let old = text_of(&raw.head, "msg_id").unwrap_or_default();
        let message = message(&raw, owner, last.as_ref(), written, &names);
        if message.msg_id.as_str() != old {
            renamed += 1;
        }
        let Ok(mut line) = serde_json::to_vec(&message) else {
            understood.left_out.push(format!("the message in line {} cannot be spelled", raw.line));
            continue;
        };
        checksum::add(&mut line);
        line.push(b'\n');
        if line.len() as u64 > MAX_LINE {
            understood.left_out.push(format!("the message in line {} is too large", raw.line));
            continue;
        }
        names.insert(old, message.msg_id.clone());
        last = Some((message.msg_id, message.timestamp));
        understood.lines.extend(line);
        understood.messages += 1;
    }
    if renamed > 0 {
        understood
            .notes
            .push(format!("{renamed} messages have new ids; the old ones are in meta.imported_msg_id"));
    }
    understood
}

/// Keys with a field of their own in our messages. The others go to `meta`.
const KNOWN: [&str; 10] =
    ["msg_id", "timestamp", "ts", "time", "type", "project_id", "task_id", "run_id", "parents", "meta"];

fn message(
    raw: &Raw,
    owner: &BusOwner,
    last: Option<&(MsgId, DateTime<Utc>)>,
    written: DateTime<Utc>,
    names: &HashMap<String, MsgId>,
) -> Message {
    let head = &raw.head;
    let last_time = last.map(|(_, time)| *time);
    let last = last.map(|(id, _)| id);
    let old = text_of(head, "msg_id").unwrap_or_default();
    let stamp = ["timestamp", "ts", "time"].iter().find_map(|key| time_of(head, key));
    // An id in our format can be kept if its time is later than the previous id's.
    let own = old.parse::<MsgId>().ok().filter(|id| id.time().is_some() && last.is_none_or(|last| id > last));
    let timestamp = stamp.or_else(|| own.as_ref().and_then(MsgId::time)).or(last_time).unwrap_or(written);
    let mut meta: BTreeMap<String, Value> = match head.get("meta") {
        Some(Value::Object(map)) => map.clone().into_iter().collect(),
        _ => BTreeMap::new(),
    };
    let msg_id = own.unwrap_or_else(|| {
        meta.insert("imported_msg_id".to_owned(), Value::from(old));
        MsgId::after(timestamp, last)
    });
    for (key, value) in head.iter().filter(|(key, _)| !KNOWN.contains(&key.as_str()) && *key != "links") {
        meta.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Message {
        msg_id,
        timestamp: timestamp.trunc_subsecs(6),
        kind: kind(head),
        project_id: owner.project().clone(),
        task_id: owner.task().cloned().or_else(|| text_of(head, "task_id")?.parse().ok()),
        run_id: text_of(head, "run_id").and_then(|id| id.parse().ok()),
        parents: list(head, "parents").iter().filter_map(|p| parent(p, names)).collect(),
        links: list(head, "links").into_iter().filter_map(link).collect(),
        meta: meta.into_iter().collect(),
        body: raw.body.clone(),
        damaged: false,
        extra: BTreeMap::new(),
    }
}

/// Returns the type. A type that our messages do not allow becomes `USER`.
fn kind(head: &Map<String, Value>) -> MessageType {
    text_of(head, "type").and_then(|kind| kind.parse().ok()).unwrap_or(MessageType::USER)
}

fn parent(value: &Value, names: &HashMap<String, MsgId>) -> Option<Parent> {
    let (old, kind) = match value {
        Value::String(id) => (id.as_str(), None),
        Value::Object(map) => (map.get("msg_id")?.as_str()?, map.get("kind").and_then(Value::as_str)),
        _ => return None,
    };
    let msg_id = names.get(old).cloned().or_else(|| old.parse().ok())?;
    Some(Parent { msg_id, kind: kind.map(str::to_owned) })
}

fn link(value: Value) -> Option<Link> {
    serde_json::from_value(value).ok()
}

fn list(head: &Map<String, Value>, key: &str) -> Vec<Value> {
    match head.get(key) {
        Some(Value::Array(items)) => items.clone(),
        Some(one @ Value::String(_)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

fn text_of(head: &Map<String, Value>, key: &str) -> Option<String> {
    match head.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn time_of(head: &Map<String, Value>, key: &str) -> Option<DateTime<Utc>> {
    text_of(head, key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_where_they_can_be_and_parents_follow() {
        let owner = BusOwner::new("p".parse().unwrap(), Some("t".parse().unwrap()));
        let good = "MSG-20260222-160200-000000000-PID12345-0001";
        let text = format!(
            "---\nmsg_id: {good}\nts: 2026-02-22T16:02:00Z\ntype: FACT\nproject_id: p\nissue_id: 7\n---\none\n\
             ---\nmsg_id: 2026-02-21T10:00:01.000000000Z-001\nts: 2026-02-21T10:00:01Z\ntype: a b\nparents: [{good}]\n---\ntwo\n\
             ---\nmsg_id: msg_3\ntype: USER\nparents: [{{msg_id: 2026-02-21T10:00:01.000000000Z-001, kind: reply}}]\n---\nthree\n"
        );
        let written = "2026-02-23T00:00:00Z".parse().unwrap();
        let understood = convert(&text, &owner, written);
        let lines: Vec<Message> = understood
            .lines
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect();
        assert_eq!((lines.len(), understood.messages), (3, 3));
        assert_eq!((lines[0].msg_id.as_str(), lines[0].meta.get("issue_id")), (good, Some(Value::from(7))));
        assert!(lines.windows(2).all(|w| w[0].msg_id < w[1].msg_id), "order holds");
        assert_eq!(lines[1].meta.get("imported_msg_id").unwrap(), "2026-02-21T10:00:01.000000000Z-001");
        assert_eq!((lines[1].kind.clone(), lines[1].parents[0].msg_id.as_str()), (MessageType::USER, good));
        assert_eq!(lines[2].parents[0].msg_id, lines[1].msg_id);
        assert_eq!(lines[2].timestamp, lines[1].timestamp, "the time of the message before");
        let untimed = convert("---\nmsg_id: msg_1\ntype: FACT\n---\none\n", &owner, written);
        let first: Message = serde_json::from_slice(untimed.lines.trim_ascii_end()).unwrap();
        assert_eq!((first.timestamp, first.msg_id.time()), (written, Some(written)));
        assert_eq!(understood.notes, ["2 messages have new ids; the old ones are in meta.imported_msg_id"]);
    }
}
