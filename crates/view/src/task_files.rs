//! The state of a task, read in one consistent look at its ticket, its markers and the records of its runs.
//!
//! A driver advances a task while others read it: the end is committed, TASK-END.yaml is written, the ticket is
//! removed. A reader that combined an old ticket with a new end would contradict itself. So the ticket is read first
//! and last, and the look is repeated if the ticket has changed in between.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    run::Driven,
    task::{Access, TaskFacts},
    wrong_kind::is_set,
};
use process::launch_files::JobRecord;
use tree::{
    EntryKind, Fault, Holder, Result, Tree, TreeError,
    ids::{RunId, TicketId},
    refs::TaskRef,
    run_info::RunStatus,
    task::{TaskConfig, TaskKind},
    task_end::TaskEnd,
    ticket::{Ticket, TicketFolder},
};

/// Maximum number of looks: a task that changes faster than it can be read is shown in its last seen state.
const LOOKS: usize = 4;

/// The files of a task that determine its status, without the records of its runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFiles {
    /// A loop or a single run.
    pub kind: TaskKind,
    /// Its ticket, and the ticket's place.
    pub ticket: Option<(TicketFolder, Ticket)>,
    /// The process that holds the task's lock.
    pub driver: Option<Holder>,
    /// True if DONE exists.
    pub done: bool,
    /// True if STOP exists.
    pub stop: bool,
    /// The end of its last loop.
    pub end: Option<TaskEnd>,
    /// The run of the ticket, else the last one.
    pub run: Option<Attempt>,
    /// The reason that its folder or one of its markers cannot be read, with the path.
    pub unreadable: Option<String>,
    /// Says if its folder and DONE can be read.
    pub access: Access,
}

/// The facts about a run that the state of its task depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its name.
    pub id: RunId,
    /// The time of its start; before that the time when it was created.
    pub start: DateTime<Utc>,
    /// The status as shown to all readers.
    pub status: RunStatus,
    /// One sentence on its failure.
    pub error: Option<String>,
    /// The executor's job, while the run waits there for its claim.
    pub job: Option<Arc<JobRecord>>,
}

/// A run as one of the readers keeps it.
pub trait ShownRun {
    /// Its name.
    fn id(&self) -> &RunId;
    /// The status as shown to all readers; `None` if its record cannot be read.
    fn status(&self) -> Option<RunStatus>;
    /// The facts that the state of its task depends on; `None` if its record cannot be read.
    fn attempt(&self) -> Option<Attempt>;
}

/// A task, as one look found it.
#[derive(Debug)]
pub struct TaskSnapshot<R> {
    /// Its files.
    pub files: TaskFiles,
    /// Its settings, or the reason that they cannot be read.
    pub config: Result<TaskConfig>,
    /// The number of its ticket.
    pub ticket_id: Option<TicketId>,
    /// The runs that were read, oldest first.
    pub runs: Vec<R>,
    /// The unreadable files, without those of runs.
    pub faults: Vec<Fault>,
}

impl<R: ShownRun> TaskSnapshot<R> {
    /// Returns the facts that determine its status, for a reader that drives every ticket. All its runs must have been
    /// read.
    #[must_use]
    pub fn facts(&self) -> TaskFacts {
        TaskFacts {
            kind: self.files.kind,
            ticket: self.files.ticket.as_ref().map(|(place, _)| *place),
            end: self.files.end.as_ref().map(|end| end.status),
            done: self.files.done,
            stop: self.files.stop,
            last_run: self.runs.iter().filter_map(ShownRun::status).next_back(),
            any_running: self.runs.iter().any(|run| run.status() == Some(RunStatus::Running)),
            driven: Driven::Yes,
            access: self.files.access,
        }
    }
}

/// Reads the state of a task. `ticket` is the number of its ticket, as far as the caller knows one; `read_runs` reads those of its
/// runs that the caller needs, for a task with or without a ticket.
///
/// Returns `None` if there is no such task. A task with a folder of the wrong kind, or one that may not be read, has a look that
/// says so: it hides no other task.
///
/// # Errors
/// If the disk fails.
pub fn look<R: ShownRun>(
    tree: &Tree,
    task: &TaskRef,
    ticket: Option<TicketId>,
    read_runs: impl FnMut(Option<&(TicketFolder, Ticket)>) -> Result<Vec<R>>,
) -> Result<Option<TaskSnapshot<R>>> {
    match look_into(tree, task, ticket.clone(), read_runs) {
        Err(e) => match e.lasting_fault() {
            Some(fault) => Ok(Some(unreadable(tree, task, ticket, e, fault))),
            None => Err(e),
        },
        look => look,
    }
}

/// The look at a task with a folder that cannot be read. Its ticket lies elsewhere.
fn unreadable<R>(
    tree: &Tree,
    task: &TaskRef,
    ticket: Option<TicketId>,
    e: TreeError,
    fault: Fault,
) -> TaskSnapshot<R> {
    let known = KnownTicket::of(tree, task, ticket);
    let ticket_id = known.id.filter(|_| known.found.is_some());
    let files = TaskFiles {
        ticket: known.found,
        unreadable: Some(words(&fault)),
        access: Access::Unreadable,
        ..TaskFiles::default()
    };
    TaskSnapshot { files, config: Err(e), ticket_id, runs: Vec::new(), faults: vec![fault] }
}

fn words(fault: &Fault) -> String {
    format!("{} {}", fault.path.display(), fault.problem)
}

fn look_into<R: ShownRun>(
    tree: &Tree,
    task: &TaskRef,
    ticket: Option<TicketId>,
    mut read_runs: impl FnMut(Option<&(TicketFolder, Ticket)>) -> Result<Vec<R>>,
) -> Result<Option<TaskSnapshot<R>>> {
    // A plain file in the folder of a project is no task, unless a ticket says that there was one.
    match tree.root().stat(task.dir().path())? {
        None => return Ok(None),
        Some(found) if found.kind != EntryKind::Dir && ticket.is_none() => return Ok(None),
        Some(_) => {}
    }
    let mut before = KnownTicket::of(tree, task, ticket);
    let mut looks = 1;
    loop {
        let runs = read_runs(before.found.as_ref())?;
        let mut look = look_once(tree, task, &before, runs)?;
        let after = KnownTicket::of(tree, task, before.id.clone());
        if looks == LOOKS || after.found == before.found {
            look.faults.extend(after.fault);
            return Ok(Some(look));
        }
        before = after;
        looks += 1;
    }
}

/// A ticket of which the number may be known.
struct KnownTicket {
    id: Option<TicketId>,
    found: Option<(TicketFolder, Ticket)>,
    fault: Option<Fault>,
}

impl KnownTicket {
    /// Reads a ticket, in whichever folder it lies by now. An unreadable ticket counts as none, and so does one of another
    /// task: the number of a removed ticket may be given again.
    fn of(tree: &Tree, task: &TaskRef, id: Option<TicketId>) -> Self {
        let (mut found, mut fault) = (None, None);
        // Reads the queue first: a ticket that is admitted between the two looks is found in the second.
        for place in [TicketFolder::Queue, TicketFolder::Live] {
            match id.as_ref().map(|id| tree.ticket(place, id)) {
                Some(Ok(Some(ticket))) if ticket.task() == *task => {
                    found = Some((place, ticket));
                    break;
                }
                Some(Err(e)) => fault = e.fault(),
                Some(Ok(_)) | None => {}
            }
        }
        Self { id, found, fault }
    }
}

fn look_once<R: ShownRun>(
    tree: &Tree,
    task: &TaskRef,
    known: &KnownTicket,
    runs: Vec<R>,
) -> Result<TaskSnapshot<R>> {
    let dir = task.dir();
    let KnownTicket { id, found: ticket, .. } = known;
    let config = tree.task_config(task);
    let end = tree.task_end(task);
    let faults = [config.as_ref().err(), end.as_ref().err()];
    let mut faults: Vec<Fault> = faults.into_iter().flatten().filter_map(TreeError::fault).collect();
    let mut odd = Vec::new();
    let done = is_set(tree, &dir.done(), &mut odd)?;
    let access = if odd.is_empty() { Access::Readable } else { Access::Unreadable };
    let stop = is_set(tree, &dir.stop(), &mut odd)?;
    let unreadable = odd.first().map(words);
    faults.extend(odd);
    let about = ticket.as_ref().and_then(|(_, ticket)| runs.iter().find(|run| *run.id() == ticket.run_id));
    let files = TaskFiles {
        kind: config.as_ref().map_or(TaskKind::Task, |config| config.kind),
        // The driver of a task without a ticket is of no interest.
        driver: if ticket.is_some() { tree.driver_of(task)? } else { None },
        done,
        stop,
        unreadable,
        access,
        // A record that cannot be read says nothing; it is among the faults.
        end: end.ok().flatten(),
        run: about.or(runs.last()).and_then(ShownRun::attempt),
        ticket: ticket.clone(),
    };
    let ticket_id = id.clone().filter(|_| ticket.is_some());
    Ok(TaskSnapshot { files, config, ticket_id, runs, faults })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{self, TaskStatus};
    use base::{clock::Clock, fsx::Durability};
    use tree::task_end::EndStatus;

    const RUN: &str = "20260205-10000100001-1-0001";

    /// A run of which only the status is known.
    struct Run(RunId, RunStatus);

    impl ShownRun for Run {
        fn id(&self) -> &RunId {
            &self.0
        }

        fn status(&self) -> Option<RunStatus> {
            Some(self.1)
        }

        fn attempt(&self) -> Option<Attempt> {
            Some(Attempt {
                id: self.0.clone(),
                start: DateTime::UNIX_EPOCH,
                status: self.1,
                error: None,
                job: None,
            })
        }
    }

    /// A tree with the task `p/t`, which has no ticket yet.
    struct Bench {
        _folder: tempfile::TempDir,
        tree: Tree,
        task: TaskRef,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
            let task = TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() };
            tree.root().ensure_dir(task.dir().path()).unwrap();
            Self { _folder: folder, tree, task }
        }

        fn accept(&self) -> TicketId {
            let ticket = Ticket {
                version: 1,
                project_id: self.task.project.clone(),
                task_id: self.task.task.clone(),
                run_id: RUN.parse().unwrap(),
                kind: TaskKind::Task,
                parent_run_id: None,
                depends_on: Vec::new(),
                attempt: 1,
                restarts: 0,
                not_before: None,
                reason: None,
            };
            let mut batch = self.tree.root().batch();
            let new = self.tree.new_ticket(&mut batch, &ticket).unwrap();
            batch.commit().unwrap();
            let planner = self.tree.planner().unwrap();
            planner.accept(new, TicketFolder::Queue, &planner.tickets().unwrap()).unwrap()
        }

        fn admit(&self, id: &TicketId) {
            self.tree.planner().unwrap().admit(std::slice::from_ref(id)).unwrap();
        }

        /// The loop ends as its driver ends it: the record first, then the ticket.
        fn end(&self, id: &TicketId) {
            let end = TaskEnd {
                version: 1,
                status: EndStatus::Stopped,
                reason: "stopped on request".to_owned(),
                run_id: RUN.parse().unwrap(),
                attempt: 1,
                ended_at: DateTime::UNIX_EPOCH,
            };
            let lock = self.tree.lock_task(&self.task, &Holder::named("the driver")).unwrap();
            lock.write_end(&self.tree, &end).unwrap();
            self.tree.close_ticket(TicketFolder::Live, id).unwrap();
        }

        /// A look during which something happens after the ticket was read for the nth time, counted from 0.
        fn look(
            &self,
            ticket: Option<TicketId>,
            status: RunStatus,
            mut during: impl FnMut(usize),
        ) -> TaskSnapshot<Run> {
            let mut reads = 0;
            let runs = |_: Option<&(TicketFolder, Ticket)>| {
                during(reads);
                reads += 1;
                Ok(vec![Run(RUN.parse().unwrap(), status)])
            };
            look(&self.tree, &self.task, ticket, runs).unwrap().unwrap()
        }
    }

    fn stands(look: &TaskSnapshot<Run>) -> (TaskStatus, Option<TicketFolder>, Option<EndStatus>) {
        let end = look.files.end.as_ref().map(|end| end.status);
        (task::status(&look.facts(), None), look.files.ticket.as_ref().map(|(place, _)| *place), end)
    }

    #[test]
    fn a_loop_that_ends_during_a_look_has_ended_in_all_of_it() {
        let bench = Bench::new();
        let id = bench.accept();
        bench.admit(&id);
        let live = bench.look(Some(id.clone()), RunStatus::Stopped, |_| {});
        assert_eq!(stands(&live), (TaskStatus::Running, Some(TicketFolder::Live), None));
        let look = bench.look(Some(id.clone()), RunStatus::Stopped, |nth| {
            if nth == 0 {
                bench.end(&id);
            }
        });
        assert_eq!(stands(&look), (TaskStatus::Stopped, None, Some(EndStatus::Stopped)));
        assert_eq!((look.ticket_id, look.files.driver), (None, None));
    }

    #[test]
    fn a_ticket_is_found_where_it_lies_by_now() {
        let bench = Bench::new();
        let id = bench.accept();
        let queued = bench.look(Some(id.clone()), RunStatus::Created, |_| {});
        assert_eq!(stands(&queued), (TaskStatus::Queued, Some(TicketFolder::Queue), None));
        let look = bench.look(Some(id.clone()), RunStatus::Created, |nth| {
            if nth == 0 {
                bench.admit(&id);
            }
        });
        assert_eq!(stands(&look), (TaskStatus::Running, Some(TicketFolder::Live), None));
        assert_eq!(look.ticket_id, Some(id));
    }

    #[test]
    fn a_task_that_never_rests_is_shown_as_it_was_seen_last() {
        let bench = Bench::new();
        let id = bench.accept();
        bench.admit(&id);
        let mut looks = 0;
        let look = bench.look(Some(id.clone()), RunStatus::Running, |nth| {
            looks += 1;
            let (_, _, ticket) = bench.tree.ticket_of(&bench.task).unwrap().unwrap();
            let next = Ticket { attempt: ticket.attempt + 1, ..ticket };
            bench.tree.update_ticket(&id, &next).unwrap();
            assert!(nth < LOOKS);
        });
        assert_eq!(stands(&look).0, TaskStatus::Running);
        assert_eq!(looks, LOOKS);
    }

    #[test]
    fn there_is_nothing_to_see_of_a_task_that_is_not_there() {
        let bench = Bench::new();
        let other = bench.task.sibling("other".parse().unwrap());
        assert!(look::<Run>(&bench.tree, &other, None, |_| Ok(Vec::new())).unwrap().is_none());
    }
}
