//! The properties that every reader must have for arbitrary bytes.
//!
//! The seeds are the lines of `fixtures/agents` and of the buses in `fixtures/trees`, the answers in `fixtures/chat`,
//! and a bundle that `scripts/fuzz` makes.

use std::{fs, sync::OnceLock};

use agents::chat::{self, Body};
use base::{clock::Clock, fsx::Durability};
use tree::{
    Tree, archive,
    bus::{Bus, Message},
    event::{Event, TurnOutcome, EventKind},
    transcript::{Account, MOST_EVENTS, events_of_line},
};

/// Reads the bytes as the stream of the agent of that type. Checks that no line is fatal, that each line gives the same events again,
/// and that the events survive a round trip to disk.
///
/// # Panics
///
/// If one of these does not hold.
pub fn stream(agent: &str, bytes: &[u8]) {
    let dialect = agents::of_word(agent).expect("an agent").dialect();
    let mut account = Account::default();
    let mut offset = 0;
    for whole in bytes.split_inclusive(|b| *b == b'\n') {
        let (line, length) = (whole.strip_suffix(b"\n").unwrap_or(whole), whole.len() as u64);
        let events = events_of_line(dialect, offset, length, line);
        assert_eq!(events, events_of_line(dialect, offset, length, line));
        assert!(events.len() <= MOST_EVENTS);
        for event in &events {
            assert_eq!((event.offset, event.end()), (offset, offset + length));
            let text = serde_json::to_string(event).expect("an event is JSON");
            let back: Event = serde_json::from_str(&text).expect("an event is read back");
            assert_eq!(&back, event);
            account.add(event);
        }
        offset += length;
    }
    let _ = account.answer();
    let said = "2026-11-22T12:00:00+01:00".parse().expect("a time");
    let _ = account.failure.and_then(|f| f.not_before(said));
}

/// More messages than an input can contain.
const ALL: usize = 1_000_000;

/// Returns a bus that is created once for the process, in a folder that the system's cleaning of temporary files
/// removes.
fn shared_bus() -> &'static Bus {
    static BUS: OnceLock<Bus> = OnceLock::new();
    BUS.get_or_init(|| {
        let root = tempfile::tempdir().expect("a temporary folder").keep();
        let tree = Tree::create(&root, Durability::Never, Clock::default()).expect("a tree");
        let bus = tree.project_bus(&"p".parse().expect("an id"));
        fs::create_dir_all(bus.path().parent().expect("a folder")).expect("the project's folder");
        bus
    })
}

/// Reads the bytes as a message bus. Checks that every message of a page is found again by its id, and that pages of
/// one message give the same as one long page.
///
/// # Panics
///
/// If one of these does not hold.
pub fn bus(bytes: &[u8]) {
    let bus = shared_bus();
    fs::write(bus.path(), bytes).expect("the bus is written");
    let page = bus.read_from(0, ALL).expect("a bus is read");
    let mut again: Vec<Message> = Vec::new();
    let mut at = 0;
    while again.len() < page.messages.len() {
        let one = bus.read_from(at, 1).expect("a bus is read");
        assert!(one.next > at, "{} of {}", again.len(), page.messages.len());
        again.extend(one.messages);
        at = one.next;
    }
    assert_eq!(again, page.messages);
    let tail = bus.tail(ALL).expect("a bus is read");
    assert_eq!(tail.messages.last(), page.messages.last());
    if let Some(message) = page.messages.first() {
        let _ = bus.after(Some(&message.msg_id), ALL);
    }
}

/// Reads the bytes as the body of a chat completion, whole and as a stream. Checks that its turn ends once, at its
/// end, and that an answer which is called complete has words.
///
/// # Panics
///
/// If one of these does not hold.
pub fn chat(bytes: &[u8]) {
    for body in [Body::Stream, Body::Whole] {
        let mut said = Vec::new();
        let mut print = |what: &[EventKind]| {
            said.extend_from_slice(what);
            Ok(())
        };
        let outcome =
            chat::hear(bytes, body, ToString::to_string, &mut print).expect("nothing is printed in vain");
        let (last, before) = said.split_last().expect("it ends");
        assert!(matches!(last, EventKind::TurnEnd { outcome: o, .. } if *o == outcome));
        assert!(!before.iter().any(|w| matches!(w, EventKind::TurnEnd { .. })));
        let spoke = said.iter().any(|w| matches!(w, EventKind::Message { text, .. } if !text.trim().is_empty()));
        assert!(spoke || outcome != TurnOutcome::Completed);
        for what in &said {
            let text = serde_json::to_string(what).expect("an event is JSON");
            stream("xai", text.as_bytes());
        }
    }
}

/// Opens the bytes as a bundle: gzip as they are, and a tar archive, packed, that they may be. Checks that nothing is
/// written outside the given folder, and that nothing stays in it.
///
/// # Panics
///
/// If one of these does not hold.
pub fn bundle(bytes: &[u8]) {
    static PLACE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let place = PLACE.get_or_init(|| tempfile::tempdir().expect("a temporary folder")).path();
    let (file, inside) = (place.join("b.tar.gz"), place.join("inside"));
    fs::create_dir_all(&inside).expect("a folder");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut packed, bytes).expect("memory");
    for bytes in [bytes, &packed.finish().expect("memory")] {
        fs::write(&file, bytes).expect("the bundle is written");
        drop(archive::open(&file, &inside));
        assert_eq!(fs::read_dir(&inside).expect("a folder").count(), 0);
        let mut there: Vec<_> =
            fs::read_dir(place).expect("a folder").filter_map(|e| Some(e.ok()?.file_name())).collect();
        there.sort();
        assert_eq!(there, ["b.tar.gz", "inside"]);
    }
}
