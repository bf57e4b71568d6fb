//! The message bus through its public functions: every posted message is stored whole, once and in order.

#[path = "helpers/helper/bus_flood/body.rs"]
mod body;

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base::{
    checksum::{self, Checksum},
    clock::Clock,
    fsx::Durability,
};
use chrono::{TimeDelta, TimeZone, Utc};
use proptest::prelude::*;
use tempfile::TempDir;
use tree::{
    Tree, TreeError,
    bus::{Bus, BusOwner, Draft, LookBack, MAX_LINE, MAX_PAGE, Message, MessageType, Page, Posted},
    ids::MsgId,
    refs::TaskRef,
};

/// A tree with task `p/t`, and its bus.
struct BusFixture {
    dir: TempDir,
    tree: Tree,
    clock: Clock,
    bus: Bus,
}

fn place_with(durability: Durability) -> BusFixture {
    let dir = crate::common::folder();
    let clock = Clock::manual(Utc.with_ymd_and_hms(2026, 2, 5, 10, 0, 1).unwrap());
    let tree = Tree::create(dir.path(), durability, clock.clone()).unwrap();
    let task = TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() };
    std::fs::create_dir_all(dir.path().join("p/t")).unwrap();
    let bus = tree.task_bus(&task);
    BusFixture { dir, tree, clock, bus }
}

/// Most tests check the written content and not its durability.
fn place() -> BusFixture {
    place_with(Durability::Never)
}

impl BusFixture {
    fn post(&self, body: &str) -> Message {
        self.bus.post(&Draft::new(MessageType::FACT, body)).unwrap()
    }

    /// Appends as a user with an editor would, without the lock and without the rules.
    fn write(&self, bytes: &[u8]) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.bus.path()).unwrap();
        file.write_all(bytes).unwrap();
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.bus.path()).unwrap()
    }

    fn all(&self) -> Page {
        self.bus.read_from(0, usize::MAX).unwrap()
    }
}

fn bodies(page: &Page) -> Vec<&str> {
    page.messages.iter().map(|m| m.body.as_str()).collect()
}

#[test]
fn a_bus_that_nobody_has_posted_to_is_empty() {
    let place = place();
    assert_eq!(place.all(), Page::default());
    assert_eq!(place.bus.tail(5).unwrap(), Page::default());
    assert_eq!(place.bus.after(None, 5).unwrap(), Page::default());
    let unknown = place.bus.after(Some(&"MSG-1".parse().unwrap()), 5).unwrap_err();
    assert_eq!(unknown.to_string(), "there is no message MSG-1 on the bus of task p/t");
    assert!(!place.bus.path().exists());
}

#[test]
fn a_project_or_task_that_is_not_there_is_said() {
    let place = place();
    for (owner, text) in [
        (BusOwner::new("q".parse().unwrap(), None), "there is no project q"),
        (BusOwner::new("p".parse().unwrap(), Some("u".parse().unwrap())), "there is no task p/u"),
    ] {
        let bus = place.tree.bus(owner);
        let draft = Draft::new(MessageType::FACT, "x");
        for result in [bus.post(&draft).map(drop), bus.tail(1).map(drop), bus.after(None, 1).map(drop)] {
            let error = result.unwrap_err();
            assert!(matches!(error, TreeError::NotFound { .. }));
            assert_eq!(error.to_string(), text);
        }
    }
    assert_eq!(std::fs::read_dir(place.dir.path()).unwrap().count(), 1);
}

#[test]
fn a_message_is_one_line_as_the_page_on_the_format_says() {
    let place = place_with(Durability::Always);
    place.clock.advance(TimeDelta::nanoseconds(123_456_789));
    let mut draft = Draft::new(MessageType::PROGRESS, "text").with_meta("k", "v");
    draft.run_id = Some("20260205-1000010000-1-0001".parse().unwrap());
    draft.links.push(tree::bus::Link { url: "https://x".into(), label: None });
    draft.parents.push(tree::bus::Parent { msg_id: "MSG-1".parse().unwrap(), kind: None });
    let posted = place.bus.post(&draft).unwrap();
    let id = format!("MSG-20260205-100001-123456789-PID{:05}-0001", std::process::id() % 100_000);
    let expected = format!(
        concat!(
            r#"{{"msg_id":"{}","timestamp":"2026-02-05T10:00:01.123456Z","type":"PROGRESS","project_id":"p","#,
            r#""task_id":"t","run_id":"20260205-1000010000-1-0001","parents":[{{"msg_id":"MSG-1"}}],"#,
            r#""links":[{{"url":"https://x"}}],"meta":{{"k":"v"}},"body":"text"}}"#,
            "\n"
        ),
        id
    );
    // The checksum is the last key.
    let unsealed = |n: usize| {
        let text = String::from_utf8(place.bytes()).unwrap();
        let line = text.lines().nth(n).unwrap().to_owned();
        assert_eq!(checksum::check(line.as_bytes()), Checksum::Right, "{line}");
        let (content, sum) = line.split_once(r#","crc":""#).unwrap();
        assert_eq!(sum.len(), r#"e3069283"}"#.len());
        format!("{content}}}\n")
    };
    assert_eq!(unsealed(0), expected);
    assert_eq!(place.all().messages, [posted]);
    place.post("");
    let second = unsealed(1);
    assert!(
        second.ends_with("\"type\":\"FACT\",\"project_id\":\"p\",\"task_id\":\"t\",\"body\":\"\"}\n"),
        "{second}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bodies_come_back_byte_for_byte(texts in proptest::collection::vec(".{0,40}|(---|\n|\u{2028}|\u{2029}|\u{85}|\0|\r|\"|é){0,20}", 1..10)) {
        let place = place();
        for text in &texts {
            place.post(text);
        }
        let page = place.all();
        prop_assert_eq!(bodies(&page), texts.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(page.skipped, 0);
        let text = String::from_utf8(place.bytes()).unwrap();
        prop_assert_eq!(text.lines().count(), texts.len());
        let ends_a_line = ['\u{2028}', '\u{2029}', '\u{85}', '\r'];
        prop_assert!(!text.contains(ends_a_line));
    }

    #[test]
    fn ids_increase_whatever_the_clock_does(jumps in proptest::collection::vec(-3_000_000_000_i64..3_000_000_000, 1..30)) {
        let place = place();
        let mut ids = Vec::new();
        for jump in jumps {
            place.clock.advance(TimeDelta::nanoseconds(jump));
            let message = place.post("x");
            let shown = (place.clock.now() - message.timestamp).num_nanoseconds();
            prop_assert!(shown.is_some_and(|ns| (0..1000).contains(&ns)), "the true time, not the id's");
            ids.push(message.msg_id);
        }
        prop_assert!(ids.is_sorted_by(|a, b| a < b), "{:?}", ids);
        prop_assert_eq!(place.all().messages.into_iter().map(|m| m.msg_id).collect::<Vec<_>>(), ids);
    }
}

#[test]
fn bodies_of_a_megabyte_and_up_to_the_cap_come_back() {
    let place = place();
    let large = body::of(1, 1, 2);
    assert_eq!(large.len(), body::MAX);
    place.post("before");
    place.post(&large);
    // The next id is found and larger, even behind a line this long.
    place.clock.advance(TimeDelta::seconds(-60));
    place.post("after");
    let nearly = "x".repeat(usize::try_from(MAX_LINE).unwrap() - 300);
    place.post(&nearly);
    let page = place.all();
    assert!(bodies(&page) == ["before", &large, "after", &nearly]);
    assert!(page.messages.is_sorted_by(|a, b| a.msg_id < b.msg_id));
    let size = place.bytes().len();
    let refused = place.bus.post(&Draft::new(MessageType::FACT, format!("{nearly}{nearly}"))).unwrap_err();
    assert!(matches!(refused, TreeError::Invalid(_)), "{refused}");
    assert_eq!(place.bytes().len(), size);
}

#[test]
fn a_page_is_full_after_so_many_bytes() {
    let place = place();
    let body = "x".repeat(usize::try_from(MAX_LINE).unwrap() - 300);
    for _ in 0..6 {
        place.post(&body);
    }
    let first = place.bus.read_from(0, usize::MAX).unwrap();
    assert_eq!((first.messages.len(), first.more), (5, true));
    assert!(first.next > MAX_PAGE);
    let second = place.bus.read_from(first.next, usize::MAX).unwrap();
    assert_eq!((second.messages.len(), second.more), (1, false));
    assert_eq!(place.bus.tail(6).unwrap().messages.len(), 5);
}

#[test]
fn hands_may_write_and_what_is_no_message_is_counted() {
    let place = place();
    place.write(b"{\"body\":\"first\"}\n");
    let second = place.post("second");
    place.write(b"no json\n\n[1]\n{\"msg_id\":\"note-1\",\"type\":\"note\",\"body\":\"third\"}\n{\"torn\":");
    let page = place.all();
    assert_eq!(bodies(&page), ["first", "second", "third"]);
    assert_eq!((page.skipped, page.more), (3, false));
    assert_eq!(page.messages[0].msg_id.as_str(), "@0");
    assert_eq!(page.messages[2].msg_id.as_str(), "note-1");
    // An unterminated line does not count yet; the next poster terminates it.
    assert_eq!(usize::try_from(page.next).unwrap(), place.bytes().len() - "{\"torn\":".len());
    let fourth = place.post("fourth");
    let page = place.bus.read_from(page.next, 9).unwrap();
    assert_eq!((bodies(&page), page.skipped), (vec!["fourth"], 1));
    assert!(fourth.msg_id > second.msg_id);
    for (id, rest) in [
        ("@0", vec!["second", "third", "fourth"]),
        (second.msg_id.as_str(), vec!["third", "fourth"]),
        ("note-1", vec!["fourth"]),
        (fourth.msg_id.as_str(), vec![]),
    ] {
        assert_eq!(bodies(&place.bus.after(Some(&id.parse().unwrap()), 9).unwrap()), rest, "{id}");
    }
    for unknown in ["@1", "@00", "@99999", "note-2", "MSG-20260205-100001-000000000-PID00000-0009"] {
        let error = place.bus.after(Some(&unknown.parse().unwrap()), 9).unwrap_err();
        assert!(matches!(error, TreeError::NotFound { .. }), "{unknown}: {error}");
    }
    assert_eq!(bodies(&place.bus.tail(2).unwrap()), ["third", "fourth"]);
    assert_eq!(place.bus.tail(9).unwrap().skipped, 4);
}

#[test]
fn a_line_copied_by_hand_neither_repeats_an_id_nor_hides_what_came_between() {
    let place = place();
    let messages: Vec<Message> = (0..50).map(|n| place.post(&n.to_string())).collect();
    let text = String::from_utf8(place.bytes()).unwrap();
    let copy = text.lines().nth(7).unwrap().replace(':', ": ");
    place.write(format!("{copy}\n").as_bytes());
    // The clock stands still or goes back, so that only the ids before the copy keep the order.
    place.clock.advance(TimeDelta::seconds(-1));
    let next = place.post("next");
    assert!(next.msg_id > messages[49].msg_id);
    place.write(format!("{}\n", text.lines().nth(7).unwrap()).as_bytes());
    let after = place.bus.after(Some(&messages[7].msg_id), 1).unwrap();
    assert_eq!(after.messages, [messages[8].clone()]);
}

#[test]
fn reading_goes_on_from_any_offset() {
    let place = place();
    let ends: Vec<u64> = (0..5)
        .map(|n| {
            place.post(&n.to_string());
            place.all().next
        })
        .collect();
    let two = place.bus.read_from(ends[0], 2).unwrap();
    assert_eq!((bodies(&two), two.next, two.more), (vec!["1", "2"], ends[2], true));
    let middle = place.bus.read_from(ends[0] + 1, 9).unwrap();
    assert_eq!((bodies(&middle), middle.skipped), (vec!["2", "3", "4"], 0));
    let none = place.bus.read_from(ends[1], 0).unwrap();
    assert_eq!((none.messages.len(), none.next, none.more), (0, ends[1], true));
    for end in [ends[4], ends[4] + 1, u64::MAX] {
        let page = place.bus.read_from(end, 9).unwrap();
        assert_eq!((page.messages.len(), page.next, page.more), (0, ends[4], false));
    }
}

/// Lines that any program may have written.
#[derive(Debug, Clone)]
enum Written {
    Posted(i64, usize),
    Bare(usize),
    Named(u8),
    Garbage(usize),
    Copied,
}

fn written() -> impl Strategy<Value = Vec<Written>> {
    let one = prop_oneof![
        8 => (-2_000_i64..4_000, 0_usize..9000).prop_map(|(jump, len)| Written::Posted(jump, if len < 6000 { len / 50 } else { len })),
        1 => (0_usize..60).prop_map(Written::Bare),
        1 => any::<u8>().prop_map(Written::Named),
        1 => (0_usize..5000).prop_map(Written::Garbage),
        1 => Just(Written::Copied),
    ];
    proptest::collection::vec(one, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn after_is_what_splitting_the_file_says(lines in written(), limit in 0_usize..70) {
        let place = place();
        for line in lines {
            match line {
                Written::Posted(jump, len) => {
                    place.clock.advance(TimeDelta::microseconds(jump));
                    place.post(&"é".repeat(len));
                }
                Written::Bare(len) => place.write(format!("{{\"body\":\"{}\"}}\n", "b".repeat(len)).as_bytes()),
                Written::Named(n) => place.write(format!("{{\"body\":\"n\",\"msg_id\":\"n-{n}\"}}\n").as_bytes()),
                Written::Garbage(len) => place.write(format!("{}\n", "g".repeat(len)).as_bytes()),
                // An id of ours that was copied by hand, out of order.
                Written::Copied => {
                    let old = Utc.with_ymd_and_hms(2020, 1, 1, 0, 0, 0).unwrap();
                    let size = i64::try_from(place.bus.path().metadata().map_or(0, |m| m.len())).unwrap();
                    let id = MsgId::after(old + TimeDelta::nanoseconds(size), None);
                    place.write(format!("{{\"msg_id\":\"{id}\"}}\n").as_bytes());
                }
            }
        }
        let page = place.all();
        let mut offsets = Vec::new();
        let mut offset = 0;
        let bytes = if place.bus.path().exists() { place.bytes() } else { Vec::new() };
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            offset += line.len() as u64;
            if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line).is_ok() {
                offsets.push(offset);
            }
        }
        prop_assert_eq!(page.messages.len(), offsets.len());
        for (at, message) in page.messages.iter().enumerate() {
            let named_before = page.messages[..at].iter().any(|m| m.msg_id == message.msg_id);
            let position = place.bus.position_of(&message.msg_id).unwrap();
            let behind = offsets.iter().position(|o| *o == position).expect("the end of a message");
            prop_assert_eq!(&page.messages[behind].msg_id, &message.msg_id);
            prop_assert!(named_before || behind == at);
            let after = place.bus.after(Some(&message.msg_id), limit).unwrap();
            let rest = &page.messages[behind + 1..];
            prop_assert_eq!(&after.messages[..], &rest[..limit.min(rest.len())]);
        }
        let tail = place.bus.tail(limit).unwrap();
        prop_assert_eq!(&tail.messages[..], &page.messages[page.messages.len().saturating_sub(limit)..]);
        let unknown = MsgId::after(place.clock.now() + TimeDelta::days(1), None);
        prop_assert!(place.bus.position_of(&unknown).is_err());
    }
}

#[test]
fn heavy_a_bus_cut_at_every_byte_has_exactly_its_whole_lines() {
    const RECORDS: usize = 200;
    let place = place();
    let texts = ["", "---", "a\nb", "é🦀", "\u{2028}", "\"\\\"", "{\"msg_id\":\"MSG-\"}"];
    let mut messages = Vec::new();
    for n in 0..RECORDS {
        place.clock.advance(TimeDelta::milliseconds(7));
        messages.push(place.post(texts[n % texts.len()]));
    }
    let whole = place.bytes();
    let mut ends: Vec<u64> = whole.iter().zip(1..).filter(|(b, _)| **b == b'\n').map(|(_, n)| n).collect();
    assert_eq!(ends.len(), RECORDS);
    let file = OpenOptions::new().write(true).open(place.bus.path()).unwrap();
    for cut in (0..whole.len() as u64).rev() {
        file.set_len(cut).unwrap();
        let boundary = ends.pop_if(|end| *end > cut).is_some();
        let start = ends.last().copied().unwrap_or(0);
        // Everything is read if the cut is at a line boundary. Within a line, the last few messages suffice.
        let known = if boundary { 0 } else { ends.len().saturating_sub(3) };
        let from = known.checked_sub(1).map_or(0, |at| ends[at]);
        let page = place.bus.read_from(from, usize::MAX).unwrap();
        assert!(page.messages == messages[known..ends.len()], "cut at {cut}");
        assert_eq!((page.skipped, page.next), (0, start), "cut at {cut}");

        let next = place.post("next");
        let now = place.bytes();
        let at = usize::try_from(cut).unwrap();
        assert!(now[..at] == whole[..at], "cut at {cut}");
        let page = place.bus.read_from(start, 9).unwrap();
        // A cut that removed only the newline loses nothing: the next poster terminates the line.
        let (mut expected, mut skipped) = (vec![next], usize::from(cut > start));
        if whole[at] == b'\n' {
            expected.insert(0, messages[ends.len()].clone());
            skipped = 0;
        }
        assert_eq!((page.messages, page.skipped), (expected, skipped), "cut at {cut}");
        // Back to the cut, with everything before it intact.
        file.set_len(cut).unwrap();
    }
}

#[test]
fn post_once_looks_back_as_far_as_it_is_told() {
    let place = place();
    let start = place.post("start");
    place.write(b"garbage\n");
    let stop = |body: &str| Draft::new(MessageType::RUN_STOP, body);
    let seen = std::cell::RefCell::new(Vec::new());
    let ended = |m: &Message| {
        seen.borrow_mut().push(m.body.clone());
        match m.kind.as_str() {
            "RUN_STOP" => LookBack::Found,
            _ if m.msg_id == start.msg_id => LookBack::Stop,
            _ => LookBack::Continue,
        }
    };
    place.post("between");
    let Posted::New(first) = place.bus.post_once(&stop("one"), ended).unwrap() else {
        panic!("not there yet")
    };
    assert_eq!(seen.take(), ["between", "start"]);
    place.post("behind");
    let size = place.bytes().len();
    assert_eq!(place.bus.post_once(&stop("two"), ended).unwrap(), Posted::AlreadyThere(first));
    assert_eq!(seen.take(), ["behind", "one"]);
    assert_eq!(place.bytes().len(), size);
    let never = place.bus.post_once(&stop("three"), |_| LookBack::Continue).unwrap();
    assert!(matches!(never, Posted::New(m) if m.body == "three"));
    assert_eq!(bodies(&place.all()), ["start", "between", "one", "behind", "three"]);
}

#[test]
fn a_line_without_a_time_is_shown_with_that_of_its_neighbour() {
    let place = place();
    place.write(b"{\"body\":\"first\"}\n");
    let changed = std::fs::metadata(place.bus.path()).unwrap().modified().unwrap();
    assert_eq!(place.all().messages[0].timestamp, chrono::DateTime::<Utc>::from(changed));
    let second = place.post("second");
    place.write(b"{\"body\":\"third\"}\n{\"timestamp\":\"noon\",\"body\":\"fourth\"}\n");
    place.write(b"{\"msg_id\":\"MSG-mine\",\"timestamp\":\"1970-01-01T00:00:00Z\",\"body\":\"fifth\"}\n");
    place.clock.advance(TimeDelta::seconds(9));
    let sixth = place.post("sixth");
    let (early, late) = (second.timestamp, sixth.timestamp);
    let times = |page: &Page| page.messages.iter().map(|m| m.timestamp).collect::<Vec<_>>();
    let all = place.all();
    assert_eq!(times(&all), [early, early, early, early, early, late]);
    assert_eq!(place.bus.tail(9).unwrap().messages, all.messages);
    assert_eq!(place.bus.before(&sixth.msg_id, 9).unwrap().messages, all.messages[..5]);
    for n in 1..all.messages.len() {
        assert_eq!(place.bus.tail(n).unwrap().messages, all.messages[6 - n..], "the last {n}");
        assert_eq!(
            place.bus.before(&sixth.msg_id, n.min(5)).unwrap().messages,
            all.messages[5 - n.min(5)..5]
        );
    }
    let odd = place.bus.tail_of(2, |m| m.body.starts_with('f')).unwrap();
    assert_eq!(odd.messages, all.messages[3..5]);
    for message in &all.messages {
        assert_eq!(place.bus.message(&message.msg_id).unwrap(), *message);
        let next = all.messages.iter().skip_while(|m| *m != message).nth(1);
        assert_eq!(place.bus.after(Some(&message.msg_id), 1).unwrap().messages.first(), next);
    }
}

#[test]
fn a_flipped_bit_is_shown_and_decides_nothing() {
    let place = place();
    place.post("one");
    let once = |body: &str| {
        let draft = Draft::new(MessageType::TASK_DONE, body);
        let is_done = |m: &Message| {
            if m.kind == MessageType::TASK_DONE { LookBack::Found } else { LookBack::Continue }
        };
        place.bus.post_once(&draft, is_done).unwrap()
    };
    assert!(matches!(once("two"), Posted::New(_)));
    assert!(matches!(once("three"), Posted::AlreadyThere(_)));
    // Flips a bit in the last character of the last such text.
    let flip = |text: &str, bit: u8| {
        let mut bytes = place.bytes();
        let at = bytes.windows(text.len()).rposition(|w| w == text.as_bytes()).unwrap();
        bytes[at + text.len() - 1] ^= bit;
        std::fs::write(place.bus.path(), bytes).unwrap();
    };
    flip("body\":\"t", 1);
    let page = place.all();
    let shown: Vec<(&str, bool)> = page.messages.iter().map(|m| (m.body.as_str(), m.damaged)).collect();
    assert_eq!(shown, [("one", false), ("uwo", true)]);
    assert!(page.messages.iter().all(|m| m.extra.is_empty()), "the checksum is not shown: {page:?}");
    assert!(serde_json::to_string(&page.messages[1]).unwrap().contains("\"damaged\":true"));
    assert!(matches!(once("three"), Posted::New(_)), "a damaged message is no evidence");
    // In the year of the last id: later ids do not follow it.
    flip("MSG-20", 4);
    assert!(place.all().messages[2].msg_id.as_str().starts_with("MSG-2426"));
    assert!(place.post("four").msg_id.as_str().starts_with("MSG-2026"));
    // The newline between two lines.
    flip("\n", 0x20);
    place.post("five");
    assert_eq!((bodies(&place.all()), place.all().skipped), (vec!["one", "uwo", "three", "five"], 1));
}

#[test]
fn of_many_that_post_once_one_does() {
    let place = place_with(Durability::Always);
    let outcomes: Vec<Posted> = std::thread::scope(|scope| {
        let posters: Vec<_> = (0..16)
            .map(|n| {
                let (bus, place) = (&place.bus, &place);
                scope.spawn(move || {
                    place.post("noise");
                    let draft = Draft::new(MessageType::TASK_DONE, n.to_string());
                    let done = |m: &Message| {
                        if m.kind == MessageType::TASK_DONE { LookBack::Found } else { LookBack::Continue }
                    };
                    bus.post_once(&draft, done).unwrap()
                })
            })
            .collect();
        posters.into_iter().map(|p| p.join().unwrap()).collect()
    });
    let news = outcomes.iter().filter(|p| matches!(p, Posted::New(_))).count();
    assert_eq!(news, 1);
    let done: Vec<Message> = outcomes.into_iter().map(Posted::into_message).collect();
    assert!(done.iter().all(|m| *m == done[0]));
    assert_eq!(place.all().messages.len(), 17);
}

/// Bytes that this thread has read, from any file.
fn bytes_read() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    io.lines().find_map(|l| l.strip_prefix("rchar: ")?.parse().ok()).unwrap()
}

#[test]
fn after_reads_what_it_returns_and_little_more_among_100_000() {
    let place = place();
    let first = place.post("first");
    let line = String::from_utf8(place.bytes()).unwrap();
    let start = first.msg_id.time().unwrap();
    let mut text = String::new();
    let mut ids = vec![first.msg_id.clone()];
    for n in 1..100_000 {
        let id = MsgId::after(start + TimeDelta::milliseconds(n), None);
        text.push_str(&line.replacen(first.msg_id.as_str(), id.as_str(), 1));
        ids.push(id);
    }
    place.write(text.as_bytes());
    for at in [0, 1, 777, 50_000, 99_989, 99_998, 99_999] {
        let before = bytes_read();
        let page = place.bus.after(Some(&ids[at]), 10).unwrap();
        let read = bytes_read() - before;
        let found: Vec<&MsgId> = page.messages.iter().map(|m| &m.msg_id).collect();
        assert_eq!(found, ids[at + 1..].iter().take(10).collect::<Vec<_>>());
        assert!(read < 400_000, "{read} bytes of {} read for {at}", text.len());
    }
    let before = bytes_read();
    assert!(place.post("last").msg_id > ids[99_999]);
    assert_eq!(place.bus.tail(20).unwrap().messages.len(), 20);
    let read = bytes_read() - before;
    assert!(read < 50_000, "{read} bytes read");
}

/// Processes that are ended with the test, even if it fails.
struct Writers(Vec<Child>);

impl Drop for Writers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn flooder(place: &BusFixture, args: [&str; 2]) -> Command {
    let mut command = Command::new(crate::common::fake::helper());
    command.arg("bus-flood").arg(place.dir.path()).args(["p", "t"]).args(args).stdin(Stdio::null());
    command
}

#[test]
fn heavy_what_64_processes_post_is_all_there_intact_once_and_in_order() {
    const WRITERS: u64 = 64;
    // The tests read no settings, but this one reads its duration from the environment.
    let count: u64 = if std::env::var_os("CONDUCTOR_SOAK").is_some() { 2000 } else { 40 };
    let place = place_with(Durability::Always);
    let mut writers = Writers(Vec::new());
    for writer in 0..WRITERS {
        writers.0.push(flooder(&place, [&writer.to_string(), &count.to_string()]).spawn().unwrap());
    }
    // Meanwhile a reader follows the bus; every message that it receives must be whole at once.
    let mut seqs: BTreeMap<u64, u64> = BTreeMap::new();
    let mut last: Option<MsgId> = None;
    let (mut offset, mut total) = (0, 0);
    let deadline = Instant::now() + Duration::from_secs(60 + count);
    while total < WRITERS * count {
        let page = place.bus.read_from(offset, 500).unwrap();
        assert_eq!(page.skipped, 0, "behind {offset}");
        offset = page.next;
        for message in &page.messages {
            assert!(last.as_ref() < Some(&message.msg_id), "{} behind {last:?}", message.msg_id);
            let writer = message.meta.get("writer").unwrap().as_u64().unwrap();
            let seq = message.meta.get("seq").unwrap().as_u64().unwrap();
            assert_eq!(seqs.insert(writer, seq), seq.checked_sub(1), "writer {writer}");
            assert!(message.body == body::of(writer, seq, count), "message {seq} of writer {writer}");
            last = Some(message.msg_id.clone());
            total += 1;
        }
        if page.messages.is_empty() {
            assert!(Instant::now() < deadline, "{total} messages so far");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    for child in &mut writers.0 {
        assert!(child.wait().unwrap().success());
    }
    let end = place.bus.read_from(offset, 1).unwrap();
    assert_eq!((end.next, end.messages.len()), (offset, 0));
    assert_eq!(place.bus.path().metadata().unwrap().len(), offset);
    assert!(seqs.len() as u64 == WRITERS && seqs.values().all(|s| *s == count - 1));
}

#[test]
fn a_disk_that_fills_up_costs_the_message_that_did_not_fit_and_nothing_else() {
    // Limits from the middle of a line to the end of one.
    for limit in [100, 1000, 1001, 2000, 4096] {
        let place = place();
        place.post("first");
        let output = flooder(&place, ["full", &limit.to_string()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        let (error, ids) =
            said.lines().collect::<Vec<_>>().split_last().map(|(e, i)| (e.to_string(), i.to_vec())).unwrap();
        assert_eq!(error, "Full");
        let page = place.all();
        let found: Vec<&str> = page.messages.iter().skip(1).map(|m| m.msg_id.as_str()).collect();
        assert_eq!((found, page.skipped), (ids, 0), "limit {limit}");
        assert_eq!(page.next, place.bytes().len() as u64, "no part of a line is left");
        place.post("room again");
        assert_eq!(place.all().skipped, 0);
    }
}

#[test]
fn a_writer_that_takes_no_lock_keeps_his_line() {
    let place = place();
    place.post("ours");
    let by_hand = File::options().append(true).open(place.bus.path()).unwrap();
    (&by_hand).write_all(b"{\"body\":\"by hand\"}\n").unwrap();
    place.post("ours again");
    assert_eq!(bodies(&place.all()), ["ours", "by hand", "ours again"]);
}
