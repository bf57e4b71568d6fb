//! A page of messages of several buses, in one order.

use chrono::{DateTime, Utc};

use tree::{
    Fault, Result, Tree, TreeError,
    bus::{Bus, BusOwner, Message},
    ids::{MsgId, ProjectId, TaskId},
};

/// The requested messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Those after this message, which is on any of the buses; the first ones first.
    After(MsgId),
    /// Those with this time or a later one in their id; the first ones first.
    Since(DateTime<Utc>),
    /// The last ones.
    Last,
}

/// Some messages of several buses.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Merged {
    /// The messages.
    pub messages: Vec<Message>,
    /// True if more follow.
    pub more: bool,
    /// The buses with lines that were skipped because they are no messages.
    pub faults: Vec<Fault>,
}

/// Reads at most `limit` messages of a project and of these tasks of it.
///
/// # Errors
/// [`TreeError::NotFound`] without the project, or if no bus has the message.
pub fn read(tree: &Tree, project: &ProjectId, tasks: &[TaskId], span: &Span, limit: usize) -> Result<Merged> {
    let own = BusOwner::Project(project.clone());
    let task = |t: &TaskId| BusOwner::new(project.clone(), Some(t.clone()));
    let buses: Vec<Bus> =
        std::iter::once(own).chain(tasks.iter().map(task)).map(|owner| tree.bus(owner)).collect();
    let behind = match span {
        Span::After(id) => Some(position_of(&buses, id)?),
        Span::Since(_) | Span::Last => None,
    };
    let mut found: Vec<(Key, Message)> = Vec::new();
    // The unread rest of a bus comes after the bus's last read message.
    let mut known_until: Option<Key> = None;
    let mut faults = Vec::new();
    for (n, bus) in buses.iter().enumerate() {
        let from = |time| bus.position_from(time).and_then(|at| bus.read_from(at, limit));
        let page = match (span, behind) {
            (Span::Last, _) => bus.tail(limit),
            (Span::Since(time), _) => from(*time),
            (Span::After(_), Some(place)) if place.bus != n => from(place.time),
            (Span::After(_), place) => bus.read_from(place.map_or(0, |p| p.offset), limit),
        };
        let page = match page {
            // The task may just have been deleted; the project itself must exist.
            Err(TreeError::NotFound { .. }) if n > 0 => continue,
            page => page?,
        };
        faults.extend(page.fault(bus));
        let mut key = (DateTime::UNIX_EPOCH, n);
        for message in page.messages {
            key.0 = message.msg_id.time().unwrap_or(key.0).max(key.0);
            if behind.is_none_or(|place| place.bus == n || key > (place.time, place.bus)) {
                found.push((key, message));
            }
        }
        if page.more {
            known_until = Some(known_until.map_or(key, |until| until.min(key)));
        }
    }
    found.sort_by_key(|(key, _)| *key);
    let all = found.len();
    if let Some(until) = known_until {
        found.retain(|(key, _)| *key <= until);
    }
    let mut messages: Vec<Message> = found.into_iter().map(|(_, message)| message).collect();
    let more = *span != Span::Last && (known_until.is_some() || all > limit);
    match span {
        Span::After(_) | Span::Since(_) => messages.truncate(limit),
        Span::Last => drop(messages.drain(..messages.len().saturating_sub(limit))),
    }
    Ok(Merged { messages, more, faults })
}

/// The sort key of messages: the time in their ids, and the number of their bus.
type Key = (DateTime<Utc>, usize);

/// The position of a message.
#[derive(Debug, Clone, Copy)]
struct MessagePosition {
    time: DateTime<Utc>,
    bus: usize,
    /// Offset after the message.
    offset: u64,
}

/// Finds the position of a message on one of the buses.
fn position_of(buses: &[Bus], id: &MsgId) -> Result<MessagePosition> {
    let unknown =
        || TreeError::NotFound { what: format!("message {id} on the buses of {}", buses[0].owner()) };
    let time = id.time().ok_or_else(unknown)?;
    for (bus, reader) in buses.iter().enumerate() {
        match reader.position_of(id) {
            Ok(offset) => return Ok(MessagePosition { time, bus, offset }),
            Err(TreeError::NotFound { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    Err(unknown())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{clock::Clock, fsx::Durability};
    use tree::bus::{Draft, MessageType};

    #[test]
    fn messages_of_all_buses_come_in_one_order_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
        let project: ProjectId = "p".parse().unwrap();
        let tasks: Vec<TaskId> = ["a", "b"].map(|t| t.parse().unwrap()).to_vec();
        for task in &tasks {
            let task = tree::refs::TaskRef { project: project.clone(), task: task.clone() };
            tree.root().ensure_dir(task.dir().path()).unwrap();
        }
        let owner = |n: usize| match n % 3 {
            0 => BusOwner::Project(project.clone()),
            n => BusOwner::new(project.clone(), Some(tasks[n - 1].clone())),
        };
        for n in 0..30 {
            tree.bus(owner(n)).post(&Draft::new(MessageType::FACT, n.to_string())).unwrap();
        }
        let numbers = |m: &Merged| m.messages.iter().map(|m| m.body.parse().unwrap()).collect::<Vec<usize>>();
        let all = read(&tree, &project, &tasks, &Span::Last, usize::MAX).unwrap();
        assert_eq!(numbers(&all), (0..30).collect::<Vec<_>>());
        let last = read(&tree, &project, &tasks, &Span::Last, 4).unwrap();
        assert_eq!((numbers(&last), last.more), (vec![26, 27, 28, 29], false));
        for limit in [1, 2, 7, 100] {
            let mut told = vec![0];
            let mut at = all.messages[0].msg_id.clone();
            loop {
                let page = read(&tree, &project, &tasks, &Span::After(at.clone()), limit).unwrap();
                told.extend(numbers(&page));
                let Some(last) = page.messages.last() else { break };
                assert!(page.messages.len() <= limit);
                assert_eq!(page.more, told.len() < 30, "{told:?}");
                at = last.msg_id.clone();
            }
            assert_eq!(told, (0..30).collect::<Vec<_>>(), "{limit} at a time");
        }
        let unknown = Span::After("MSG-20260101-000000-000000000-PID00001-0001".parse().unwrap());
        assert!(matches!(read(&tree, &project, &tasks, &unknown, 1), Err(TreeError::NotFound { .. })));
    }
}
