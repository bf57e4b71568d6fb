//! Events of lines that are not interpreted. Consecutive lines of this kind are one event, which names their bytes in
//! `agent-stdout.txt` and does not repeat their text: an agent may print gigabytes of them.

use crate::event::{EVENT_VERSION, Event, EventKind, RawReason};
use base::fsx::PassedLines;

/// Number of events of raw lines that a driver stores however short their lines are.
const MOST_SHORT: u32 = 1000;
/// The length in bytes from which lines are stored beyond that number. Their event has about a hundredth of it.
const LONG: u64 = 16 * 1024;

/// Returns the event of lines without any object.
pub(super) fn of_passed(block: PassedLines) -> Event {
    event(block.offset, block.len, block.lines, RawReason::NotJson)
}

/// Returns the event of a raw line without its text. Other events are returned as they are, and so is the event of a
/// line that was cut off: it decides the outcome of a run and is joined with no other.
pub(super) fn without_text(of_line: Event) -> Event {
    match of_line.kind {
        EventKind::Raw { reason, .. } if of_line.parts == 1 && reason != RawReason::CutOff => {
            event(of_line.offset, of_line.length, 1, reason)
        }
        _ => of_line,
    }
}

/// Extends an event of raw lines by the blank lines before it, so that these do not part it from the raw lines before
/// them. Returns other events as they are.
pub(super) fn after_blank(blank: Option<PassedLines>, mut event: Event) -> Event {
    if let (Some(blank), EventKind::Raw { lines: Some(lines), .. }) = (blank, &mut event.kind)
        && blank.offset + blank.len == event.offset
    {
        *lines += blank.lines;
        event.offset = blank.offset;
        event.length += blank.len;
    }
    event
}

/// Adds an event, as a part of the last one if both are raw lines that follow each other.
pub(super) fn add(events: &mut Vec<Event>, next: Event) {
    if !events.last_mut().is_some_and(|last| join(last, &next)) {
        events.push(next);
    }
}

fn event(offset: u64, length: u64, lines: u64, reason: RawReason) -> Event {
    Event {
        version: EVENT_VERSION,
        offset,
        length,
        part: 1,
        parts: 1,
        time: None,
        within: None,
        clipped: false,
        kind: EventKind::Raw { reason, text: String::new(), lines: Some(lines) },
    }
}

/// Extends an event of raw lines by the lines of the next event. Returns false if they are not its continuation.
fn join(last: &mut Event, next: &Event) -> bool {
    let follows = last.end() == next.offset;
    let (
        EventKind::Raw { reason, lines: Some(lines), .. },
        EventKind::Raw { reason: other, lines: Some(more), .. },
    ) = (&mut last.kind, &next.kind)
    else {
        return false;
    };
    let joins = follows && reason == other;
    if joins {
        *lines += more;
        last.length += next.length;
    }
    joins
}

/// Selects the events of raw lines that a driver stores, so that text between the events of an agent cannot fill the
/// disk a second time. A reader does not miss the others: it only counts what it understands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RawLines {
    /// Number of stored events.
    stored: u32,
    /// Raw lines that are too short to be stored. They are stored together with those that follow them.
    held: Option<Event>,
}

impl RawLines {
    /// Returns the events to store, given the next events of the stream.
    pub fn select(&mut self, next: Vec<Event>) -> Vec<Event> {
        let mut events: Vec<Event> = self.held.take().into_iter().collect();
        for event in next {
            add(&mut events, event);
        }
        let last = events.len().saturating_sub(1);
        let mut selected = Vec::new();
        for (n, event) in events.into_iter().enumerate() {
            if !matches!(event.kind, EventKind::Raw { lines: Some(_), .. }) {
                selected.push(event);
            } else if self.stored < MOST_SHORT || event.length >= LONG {
                self.stored = self.stored.saturating_add(1);
                selected.push(event);
            } else if n == last {
                self.held = Some(event);
            }
        }
        selected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(offset: u64, length: u64) -> Event {
        event(offset, length, 1, RawReason::NotJson)
    }

    #[test]
    fn lines_that_follow_each_other_are_one_event() {
        let mut events = Vec::new();
        let unknown = event(20, 5, 1, RawReason::Unknown);
        for next in [raw(0, 10), raw(10, 10), unknown.clone(), raw(30, 5)] {
            add(&mut events, next);
        }
        assert_eq!(events, [event(0, 20, 2, RawReason::NotJson), unknown, raw(30, 5)]);
    }

    #[test]
    fn beyond_a_number_only_long_texts_are_stored() {
        let mut lines = RawLines::default();
        let answer = |offset: u64| {
            let kind = EventKind::Reasoning { text: "a".to_owned() };
            Event { kind, ..raw(offset, 10) }
        };
        // A line of text after each event of the agent.
        for n in 0..u64::from(MOST_SHORT) {
            assert_eq!(lines.select(vec![answer(n * 20), raw(n * 20 + 10, 10)]).len(), 2);
        }
        let at = u64::from(MOST_SHORT) * 20;
        assert_eq!(lines.select(vec![raw(at, 10), answer(at + 10), raw(at + 20, 10)]), [answer(at + 10)]);
        // The last line is stored once enough text has followed it.
        assert_eq!(lines.select(vec![raw(at + 30, 10)]), []);
        let long = lines.select(vec![raw(at + 40, LONG)]);
        assert_eq!(long, [event(at + 20, LONG + 20, 3, RawReason::NotJson)]);
        assert_eq!(lines.select(Vec::new()), []);
    }
}
