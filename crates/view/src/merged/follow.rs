//! Reads the buses of a project as one growing bus, and continues exactly where a reader was cut.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    bus_reader::BusReader,
    cursor::{BusesCursor, Tally},
    last::before_the_last,
};
use tree::{
    Fault, Result, Tree, TreeError,
    bus::{BusOwner, Message},
    ids::{MsgId, ProjectId, TaskId},
};

/// Number of messages that are read ahead of all buses together, and at least one of each.
const AHEAD: usize = 512;
/// Maximum number of messages, and of their bytes, that are returned at once.
const PAGE: (usize, u64) = (128, 64 * 1024);
/// Maximum delay with which a message with an earlier time in its id may appear: its writer has chosen the id under
/// the lock of the bus, and writes at once.
const LATE: TimeDelta = TimeDelta::seconds(10);

/// The start of a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusesBegin {
    /// At the first message.
    First,
    /// At the last messages, this many.
    Last(usize),
    /// After this message of any of the buses.
    After(MsgId),
    /// At the first message with this time or a later one in its id.
    Since(DateTime<Utc>),
    /// At the position of an earlier reader.
    At(BusesCursor),
}

/// The buses that may have grown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedBuses {
    /// Any.
    Any,
    /// These; `None`: the project's own.
    These(BTreeSet<Option<TaskId>>),
}

/// Some messages, each with the position after it.
#[derive(Debug, Default)]
pub struct MergedPage {
    /// The messages.
    pub messages: Vec<(Message, BusesCursor)>,
    /// The number of bytes of the next message, if there was no room for it and the page is empty.
    pub large: Option<u64>,
}

/// Reads the buses of a project and its tasks.
#[derive(Debug)]
pub struct BusesLog {
    tree: Tree,
    project: ProjectId,
    /// Sorted by name, the project's own bus first.
    buses: Vec<BusReader>,
    /// The time of the last returned message.
    reached: DateTime<Utc>,
    /// The time of the last look at all buses.
    looked: DateTime<Utc>,
}

impl BusesLog {
    /// Creates a reader of the buses of a project and of these tasks. Returns true if the position is unknown, and
    /// the reader starts again.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] without the project, or without the message to start after.
    pub fn begin(
        tree: Tree,
        project: ProjectId,
        tasks: &[TaskId],
        begin: BusesBegin,
    ) -> Result<(Self, bool)> {
        // The project itself must exist.
        tree.project_bus(&project).read_from(0, 0)?;
        let epoch = DateTime::UNIX_EPOCH;
        let mut log = Self { tree, project, buses: Vec::new(), reached: epoch, looked: epoch };
        log.set_tasks(tasks);
        let fits = match begin {
            BusesBegin::First => true,
            BusesBegin::After(id) => log.go_behind(&id).map(|()| true)?,
            BusesBegin::Last(most) => log.go_before_the_last(most).map(|()| true)?,
            BusesBegin::Since(time) => log.go_to_time(time).map(|()| true)?,
            BusesBegin::At(cursor) => log.go_to(&cursor)?,
        };
        if !fits {
            log.buses.clear();
            log.set_tasks(tasks);
        }
        Ok((log, !fits))
    }

    /// Updates the set of tasks. The bus of a new task is read from its beginning.
    pub fn set_tasks(&mut self, tasks: &[TaskId]) {
        let wanted: BTreeSet<Option<&TaskId>> = std::iter::once(None).chain(tasks.iter().map(Some)).collect();
        self.buses.retain(|one| wanted.contains(&one.task.as_ref()));
        for task in wanted {
            if let Err(at) = self.buses.binary_search_by(|one| one.task.as_ref().cmp(&task)) {
                let owner = BusOwner::new(self.project.clone(), task.cloned());
                self.buses.insert(at, BusReader::new(task.cloned(), self.tree.bus(owner)));
            }
        }
    }

    /// Returns the next messages, of at most `most` messages and about `room` bytes; empty if there is nothing new.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if the project is gone.
    pub fn read(&mut self, changed_buses: &ChangedBuses, most: usize, room: u64) -> Result<MergedPage> {
        let now = self.tree.clock().now();
        for one in &mut self.buses {
            one.may_have_more |= match changed_buses {
                ChangedBuses::Any => true,
                ChangedBuses::These(names) => names.contains(&one.task),
            };
        }
        let count = self.buses.len().max(1);
        let ahead = (AHEAD / count).max(1);
        let mut next = BTreeSet::new();
        for n in 0..self.buses.len() {
            next.extend(self.buses[n].next(ahead, count)?.map(|key| (key, n)));
        }
        if *changed_buses == ChangedBuses::Any {
            self.looked = now;
        }
        let (mut page, mut bytes) = (MergedPage::default(), 0);
        while page.messages.len() < most.min(PAGE.0) && bytes < PAGE.1 {
            let Some((key, n)) = next.pop_first() else { break };
            let len = self.buses[n].next_len();
            if bytes + len > room {
                page.large = page.messages.is_empty().then_some(len);
                break;
            }
            let message = self.buses[n].take()?;
            next.extend(self.buses[n].next(ahead, count)?.map(|key| (key, n)));
            let Some(message) = message else { continue };
            self.reached = self.reached.max(key);
            bytes += len;
            page.messages.push((message, self.position()));
        }
        Ok(page)
    }

    /// Returns true if there are more messages.
    ///
    /// # Errors
    /// As [`BusesLog::read`].
    pub fn has_more(&mut self) -> Result<bool> {
        let count = self.buses.len();
        for one in &mut self.buses {
            if one.next(1, count)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the buses with lines that were skipped because they are no messages, each once.
    pub fn take_faults(&mut self) -> Vec<Fault> {
        self.buses.iter_mut().filter_map(BusReader::take_fault).collect()
    }

    /// The position of the next message.
    #[must_use]
    pub fn position(&self) -> BusesCursor {
        let until = self.reached.min(self.looked - LATE);
        let (mut odd, mut sent) = (Vec::new(), Tally::default());
        for one in &self.buses {
            if one.stands_at(until) {
                sent.add(one.sent());
            } else {
                odd.push((one.task.clone(), one.sent()));
            }
        }
        BusesCursor { until, odd, sent }
    }

    /// Moves to the position of an earlier reader. Returns false if that position cannot be found any more.
    fn go_to(&mut self, cursor: &BusesCursor) -> Result<bool> {
        let mut sent = Tally::default();
        for one in &mut self.buses {
            match cursor.odd.iter().find(|(task, _)| *task == one.task) {
                Some((_, offset)) => one.go_to(*offset)?,
                None => sent.add(one.go_behind(cursor.until)?),
            }
        }
        self.reached = cursor.until;
        Ok(sent.follows(cursor.sent))
    }

    fn go_behind(&mut self, id: &MsgId) -> Result<()> {
        let unknown =
            || TreeError::NotFound { what: format!("message {id} on the buses of project {}", self.project) };
        let time = id.time().ok_or_else(unknown)?;
        let mut found = None;
        for (n, one) in self.buses.iter_mut().enumerate() {
            if one.go_behind_message(id, time)? {
                found = Some(n);
                break;
            }
        }
        let found = found.ok_or_else(unknown)?;
        for (n, one) in self.buses.iter_mut().enumerate().filter(|(n, _)| *n != found) {
            // Of two messages with the same time, the one on the bus with the smaller name comes first.
            one.go_behind(if n < found { time } else { time - TimeDelta::nanoseconds(1) })?;
        }
        self.reached = time;
        Ok(())
    }

    fn go_before_the_last(&mut self, most: usize) -> Result<()> {
        match before_the_last(self.buses.iter().map(BusReader::bus), most)? {
            Some(id) => self.go_behind(&id),
            None => Ok(()),
        }
    }

    fn go_to_time(&mut self, time: DateTime<Utc>) -> Result<()> {
        let before = time - TimeDelta::nanoseconds(1);
        for one in &mut self.buses {
            one.go_behind(before)?;
        }
        self.reached = before;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{clock::Clock, fsx::Durability};
    use tree::{
        bus::{Draft, MessageType},
        refs::TaskRef,
    };

    struct Buses {
        _folder: tempfile::TempDir,
        tree: Tree,
        project: ProjectId,
        tasks: Vec<TaskId>,
        posted: usize,
    }

    impl Buses {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
            let mut buses =
                Self { _folder: folder, tree, project: "p".parse().unwrap(), tasks: Vec::new(), posted: 0 };
            buses.add("b");
            buses.add("d");
            buses
        }

        fn add(&mut self, task: &str) {
            let task = TaskRef { project: self.project.clone(), task: task.parse().unwrap() };
            self.tree.root().ensure_dir(task.dir().path()).unwrap();
            self.tasks.push(task.task);
            self.tasks.sort();
        }

        fn owner(&self, n: usize) -> BusOwner {
            let task = n.checked_sub(1).map(|n| self.tasks[n].clone());
            BusOwner::new(self.project.clone(), task)
        }

        fn post(&mut self, bus: usize) {
            let draft = Draft::new(MessageType::FACT, self.posted.to_string());
            self.tree.bus(self.owner(bus)).post(&draft).unwrap();
            self.posted += 1;
        }

        fn line(&self, bus: usize, line: &str) {
            let rel = self.owner(bus).path();
            self.tree
                .root()
                .append(&rel, |_| Ok::<_, TreeError>((format!("{line}\n").into_bytes(), ())))
                .unwrap();
        }

        fn begin(&self, begin: BusesBegin) -> (BusesLog, bool) {
            BusesLog::begin(self.tree.clone(), self.project.clone(), &self.tasks, begin).unwrap()
        }
    }

    fn bodies(log: &mut BusesLog) -> Vec<String> {
        std::iter::from_fn(|| {
            Some(log.read(&ChangedBuses::Any, usize::MAX, u64::MAX).unwrap().messages)
                .filter(|sent| !sent.is_empty())
        })
        .flatten()
        .map(|(message, _)| message.body)
        .collect()
    }

    fn numbers(numbers: std::ops::Range<usize>) -> Vec<String> {
        numbers.map(|n| n.to_string()).collect()
    }

    #[test]
    fn it_goes_on_behind_each_message_and_nothing_comes_twice() {
        let mut buses = Buses::new();
        for n in 0..40 {
            buses.post([0, 1, 2, 2, 0][n % 5]);
        }
        buses.line(1, r#"{"body":"by hand"}"#);
        buses.line(1, "garbage");
        let (mut log, reset) = buses.begin(BusesBegin::First);
        assert!(!reset, "a beginning has no place that could be lost");
        let all = log.read(&ChangedBuses::Any, usize::MAX, u64::MAX).unwrap().messages;
        let sent: Vec<&str> = all.iter().map(|(m, _)| m.body.as_str()).collect();
        assert_eq!((sent.len(), sent[0]), (41, "0"));
        let by_hand = sent.iter().position(|b| *b == "by hand").unwrap();
        assert!(sent[..by_hand].contains(&"36"), "it follows the one before it: {sent:?}");
        for n in 0..all.len() {
            let cursor: BusesCursor = all[n].1.to_string().parse().unwrap();
            let (mut behind, reset) = buses.begin(BusesBegin::At(cursor));
            assert!(!reset, "{n}: {}", all[n].1);
            assert_eq!(bodies(&mut behind), sent[n + 1..], "{n}: {}", all[n].1);
        }
        // A later message comes once, also on a new bus or written by hand.
        let last = all.last().unwrap().1.clone();
        buses.add("c");
        buses.post(2);
        buses.line(0, r#"{"body":"x"}"#);
        buses.post(0);
        let (mut behind, _) = buses.begin(BusesBegin::At(last));
        let mut later = bodies(&mut behind);
        later.sort();
        assert_eq!(later, ["40", "41", "x"]);
        assert_eq!(bodies(&mut behind), numbers(0..0));
        assert!(behind.position().to_string().len() < 200);
    }

    #[test]
    fn the_last_ones_and_those_behind_one() {
        let mut buses = Buses::new();
        (0..30).for_each(|n| buses.post(n % 3));
        let (mut log, _) = buses.begin(BusesBegin::Last(7));
        assert_eq!(bodies(&mut log), numbers(23..30));
        let (mut log, _) = buses.begin(BusesBegin::Last(30));
        let all: Vec<_> = log.read(&ChangedBuses::Any, usize::MAX, u64::MAX).unwrap().messages;
        assert_eq!(all.len(), 30);
        for n in [0, 1, 2, 28, 29] {
            let (mut log, _) = buses.begin(BusesBegin::After(all[n].0.msg_id.clone()));
            assert_eq!(bodies(&mut log), numbers(n + 1..30));
        }
        let unknown = BusesBegin::After("MSG-20260101-000000-000000000-PID00001-0001".parse().unwrap());
        let begun = BusesLog::begin(buses.tree.clone(), buses.project.clone(), &buses.tasks, unknown);
        assert!(matches!(begun, Err(TreeError::NotFound { .. })));
    }

    #[test]
    fn a_message_that_was_put_in_late_is_not_lost_unseen() {
        let mut buses = Buses::new();
        (0..9).for_each(|n| buses.post(n % 3));
        let (mut log, _) = buses.begin(BusesBegin::First);
        let at = log.read(&ChangedBuses::Any, usize::MAX, u64::MAX).unwrap().messages.pop().unwrap().1;
        // An hour later no late message is expected any more.
        let later = BusesCursor { until: at.until + TimeDelta::hours(1), ..at.clone() };
        let later = {
            let (mut log, _) = buses.begin(BusesBegin::At(at));
            assert!(log.read(&ChangedBuses::Any, usize::MAX, u64::MAX).unwrap().messages.is_empty());
            log.looked += TimeDelta::hours(1);
            log.reached = later.until;
            log.position()
        };
        assert!(later.odd.is_empty(), "{later}");
        let (mut log, reset) = buses.begin(BusesBegin::At(later.clone()));
        assert!(!reset && bodies(&mut log).is_empty());
        buses.post(1);
        let (mut log, reset) = buses.begin(BusesBegin::At(later));
        assert!(reset, "everything is sent again");
        assert_eq!(bodies(&mut log).len(), 10);
    }
}
