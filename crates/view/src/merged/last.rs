//! Finds the last messages of several buses without reading them.

use std::{cmp::Reverse, collections::BinaryHeap};

use chrono::{DateTime, Utc};

use tree::{Result, TreeError, bus::Bus, ids::MsgId};

/// The sort key of a message, the time in its id and the number of its bus, with the id.
type Found = (DateTime<Utc>, usize, MsgId);

/// Returns the id of the message before the last `most` messages of these buses, if there is one. Messages without a time
/// in their id are not counted.
pub(super) fn before_the_last<'a>(
    buses: impl Iterator<Item = &'a Bus>,
    most: usize,
) -> Result<Option<MsgId>> {
    // The last messages so far, the first of them on top.
    let mut last: BinaryHeap<Reverse<Found>> = BinaryHeap::new();
    for (n, bus) in buses.enumerate() {
        let noted = bus.ids_backwards(|id| {
            let Some(time) = id.time() else { return true };
            let found = Reverse((time, n, id));
            if last.len() <= most {
                last.push(found);
                return true;
            }
            // The ids of a bus increase, so all earlier messages of this bus come before those that were found.
            let is_later = last.peek().is_some_and(|first| found < *first);
            if is_later {
                last.pop();
                last.push(found);
            }
            is_later
        });
        match noted {
            // The task may just have been deleted; the project itself must exist.
            Err(TreeError::NotFound { .. }) if n > 0 => {}
            noted => noted?,
        }
    }
    Ok(if last.len() > most { last.pop().map(|Reverse((_, _, id))| id) } else { None })
}
