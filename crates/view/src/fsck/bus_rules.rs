//! Rules for a bus, checked line by line and without holding it in memory.

use std::collections::{HashMap, HashSet};

use super::{Report, Rule};
use base::words;
use tree::{
    Result, Tree,
    bus::{Bus, Message, MessageType, Scanned},
    ids::{MsgId, RunId},
    refs::RunRef,
};

/// A run that has ended. Its start and its end must be on its task's bus.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) run: RunRef,
    /// True if it ever had a process, and therefore a start to report.
    pub(super) began: bool,
    /// True if it was imported: another program ran it, and kept its bus by rules of its own.
    pub(super) imported: bool,
}

pub(super) fn check(tree: &Tree, bus: &Bus, ended: &[Ended], report: &mut Report) {
    let mut seen = BusScan::default();
    seen.told.extend(ended.iter().map(|e| (e.run.run.clone(), (0, 0))));
    if report.readable(seen.look(bus)).is_none() {
        return;
    }
    for (rule, count, what) in [
        (
            Rule::BusDamaged,
            seen.damaged,
            ["line that does not fit its checksum", "lines that do not fit their checksum"],
        ),
        (Rule::BusGarbage, seen.garbage, ["line that is not a message", "lines that are not messages"]),
        (
            Rule::BusOrder,
            seen.disorder,
            ["id that is not larger than those before", "ids that are not larger than those before"],
        ),
        (
            Rule::BusDuplicate,
            seen.duplicates,
            ["id that occurs more than once", "ids that occur more than once"],
        ),
        (Rule::BusTorn, usize::from(seen.torn), ["unfinished line at the end"; 2]),
    ] {
        if count > 0 {
            let what = what[usize::from(count > 1)];
            report.note(rule, bus.path(), format!("has {count} {what}"));
        }
    }
    for Ended { run, began, .. } in ended.iter().filter(|e| !e.imported) {
        let (starts, ends) = seen.told.get(&run.run).copied().unwrap_or_default();
        // A damaged line may have been the missing one.
        let some_missing = ends == 0 || (starts == 0 && *began);
        if ends > 1 || starts > 1 || (some_missing && seen.damaged == 0) {
            let (starts, ends) = (words::count(starts.into(), "start"), words::count(ends.into(), "end"));
            let what = format!("the bus has {starts} and {ends} of run {}", run.run);
            report.note(Rule::BusDisagrees, tree.root().absolute(run.dir().path()), what);
        }
    }
}

/// The result of one pass over a bus.
#[derive(Debug, Default)]
struct BusScan {
    garbage: usize,
    damaged: usize,
    torn: bool,
    disorder: usize,
    duplicates: usize,
    /// The number of start and end messages of each ended run.
    told: HashMap<RunId, (u32, u32)>,
}

impl BusScan {
    fn look(&mut self, bus: &Bus) -> Result<()> {
        let mut last: Option<MsgId> = None;
        let (mut chosen, mut late) = (HashSet::new(), HashMap::new());
        bus.scan(|scanned| match scanned {
            Scanned::Garbage { damaged: true, .. } => self.damaged += 1,
            Scanned::Garbage { damaged: false, .. } => self.garbage += 1,
            Scanned::Torn { .. } => self.torn = true,
            Scanned::Message(message) if message.damaged => self.damaged += 1,
            Scanned::Message(message) => {
                self.count(&message);
                let id = message.msg_id;
                if id.offset().is_some() {
                    // Such an id is the offset of the line and therefore unique.
                } else if id.time().is_none() {
                    // Lines written by hand have any id, in any order.
                    self.duplicates += usize::from(!chosen.insert(id));
                } else if last.as_ref().is_some_and(|last| id <= *last) {
                    *late.entry(id).or_insert(0_usize) += 1;
                } else {
                    last = Some(id);
                }
            }
        })?;
        if late.is_empty() {
            return Ok(());
        }
        // An id that is out of order may also be a repetition. There are few of them, so a second pass counts them.
        let mut often: HashMap<MsgId, usize> = HashMap::new();
        bus.scan(|scanned| {
            if let Scanned::Message(message) = scanned
                && !message.damaged
                && late.contains_key(&message.msg_id)
            {
                *often.entry(message.msg_id).or_default() += 1;
            }
        })?;
        let twice = |id: &MsgId| often.get(id).is_some_and(|n| *n > 1);
        self.duplicates += late.keys().filter(|id| twice(id)).count();
        self.disorder += late.iter().filter(|(id, _)| !twice(id)).map(|(_, n)| n).sum::<usize>();
        Ok(())
    }

    fn count(&mut self, message: &Message) {
        let run = message.run_id.as_ref().and_then(|run| self.told.get_mut(run));
        let Some((starts, ends)) = run else { return };
        if message.kind == MessageType::RUN_START {
            *starts += 1;
        } else if message.kind == MessageType::RUN_STOP || message.kind == MessageType::RUN_CRASH {
            *ends += 1;
        }
    }
}
