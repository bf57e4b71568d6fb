//! The folders of the tickets, `queue/` and `live/`.
//!
//! Ids are assigned and files are renamed only under `planner.lock`.

use super::{
    Tree,
    error::{Result, TreeError},
    ids::TicketId,
    paths::top,
    refs::TaskRef,
    ticket::{Ticket, TicketFolder},
};
use base::{
    fsx::{Batch, Holder, Lock, Stat, Unnamed},
    record,
};

/// A file in `queue/` or `live/`.
#[derive(Debug)]
pub struct TicketFile {
    /// Its id.
    pub id: TicketId,
    /// Its folder.
    pub place: TicketFolder,
    /// Its content, or the reason why it cannot be read. An unreadable ticket neither starts nor stops anything.
    pub ticket: Result<Ticket>,
}

/// A ticket that is written but not yet accepted. It has no effect before its acceptance.
#[derive(Debug)]
#[must_use = "dropped, it was never there"]
pub struct NewTicket {
    ticket: Ticket,
    file: Unnamed,
}

impl NewTicket {
    /// Returns its content.
    #[must_use]
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }
}

/// The tickets of a tree, seen at one time under the planner's lock. Each list is sorted, the oldest first.
#[derive(Debug)]
pub struct AllTickets {
    /// The files in `queue/`.
    pub queue: Vec<TicketFile>,
    /// The files in `live/`.
    pub live: Vec<TicketFile>,
}

impl AllTickets {
    /// Returns the number for a new ticket.
    #[must_use]
    pub fn next_id(&self) -> TicketId {
        TicketId::after(self.all().map(|file| &file.id).max())
    }

    fn has(&self, task: &TaskRef) -> bool {
        self.all().any(|file| file.ticket.as_ref().is_ok_and(|ticket| ticket.task() == *task))
    }

    fn all(&self) -> impl Iterator<Item = &TicketFile> {
        self.queue.iter().chain(&self.live)
    }
}

/// The planner's lock while it is held: the right to assign ids and to move tickets.
#[derive(Debug)]
pub struct PlannerLock<'a> {
    tree: &'a Tree,
    _lock: Lock,
}

impl Tree {
    /// Waits for the planner's lock. It is held only briefly, so take no other lock before it.
    ///
    /// # Errors
    /// If the root cannot be written.
    pub fn planner(&self) -> Result<PlannerLock<'_>> {
        let root = self.root();
        for folder in [top::queue(), top::live()] {
            root.ensure_dir(&folder)?;
        }
        let pid = i32::try_from(std::process::id()).ok();
        let holder = Holder { who: "the gate".to_owned(), pid, started: None };
        let lock = root.lock(&top::planner_lock(), &holder)?;
        Ok(PlannerLock { tree: self, _lock: lock })
    }

    /// Writes a ticket that becomes durable with the batch. It receives its id, and takes effect, when it is accepted.
    ///
    /// # Errors
    /// If the queue cannot be written.
    pub fn new_ticket(&self, batch: &mut Batch<'_>, ticket: &Ticket) -> Result<NewTicket> {
        let queue = top::queue();
        self.root().ensure_dir(&queue)?;
        let bytes = record::bytes(self.root(), &queue, ticket)?;
        Ok(NewTicket { ticket: ticket.clone(), file: batch.write_unnamed(&queue, &bytes)? })
    }

    /// Returns the tickets in a folder, oldest first.
    ///
    /// # Errors
    /// If the folder cannot be read. An unreadable ticket is an entry with an error.
    pub fn tickets(&self, place: TicketFolder) -> Result<Vec<TicketFile>> {
        let there = self.root().list_with_stats(&place.folder())?;
        let number = |name: &str| name.strip_suffix(".yaml")?.parse::<TicketId>().ok();
        let there: Vec<(TicketId, Stat)> =
            there.into_iter().filter_map(|(name, stat)| Some((number(&name)?, stat))).collect();
        self.ticket_cache.keep_only(place, &there.iter().map(|(id, _)| id).collect());
        let mut files = Vec::new();
        for (id, stat) in there {
            // A cached entry was a regular file. A link that replaced it has other stats.
            let known = self.ticket_cache.get(place, &id, stat.into());
            match known.map_or_else(|| self.ticket(place, &id), |ticket| Ok(Some(ticket))) {
                Ok(Some(ticket)) => files.push(TicketFile { id, place, ticket: Ok(ticket) }),
                // The ticket was moved or closed after the folder was listed.
                Ok(None) => {}
                Err(e) => files.push(TicketFile { id, place, ticket: Err(e) }),
            }
        }
        Ok(files)
    }

    /// Returns the ids of the tickets in a folder, oldest first, without reading the files.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn ticket_ids(&self, place: TicketFolder) -> Result<Vec<TicketId>> {
        let names = self.root().list(&place.folder())?;
        Ok(names.iter().filter_map(|e| e.name.strip_suffix(".yaml")?.parse().ok()).collect())
    }

    /// Returns the ticket of a task from either folder.
    ///
    /// # Errors
    /// If the folders cannot be read.
    pub fn ticket_of(&self, task: &TaskRef) -> Result<Option<(TicketId, TicketFolder, Ticket)>> {
        // The queue first: a ticket that is admitted between the two steps is found in the second.
        for place in [TicketFolder::Queue, TicketFolder::Live] {
            for file in self.tickets(place)? {
                if let Ok(ticket) = file.ticket
                    && ticket.task() == *task
                {
                    return Ok(Some((file.id, place, ticket)));
                }
            }
        }
        Ok(None)
    }

    /// Reads one ticket; `None` if it does not exist any more.
    ///
    /// # Errors
    /// If it cannot be parsed.
    pub fn ticket(&self, place: TicketFolder, id: &TicketId) -> Result<Option<Ticket>> {
        let rel = place.file(id);
        let Some(stat) = self.root().stat(&rel)? else { return Ok(None) };
        let version = stat.into();
        if let Some(ticket) = self.ticket_cache.get(place, id, version) {
            return Ok(Some(ticket));
        }
        let ticket: Option<Ticket> = record::read(self.root(), &rel)?;
        if let Some(ticket) = &ticket {
            self.ticket_cache.put(place, id, version, self.clock().now(), ticket);
        }
        Ok(ticket)
    }

    /// Writes the progress of an admitted loop. Only the holder of the task's lock may call this.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn update_ticket(&self, id: &TicketId, ticket: &Ticket) -> Result<()> {
        Ok(record::write(self.root(), &top::ticket(&top::live(), id), ticket)?)
    }

    /// Removes the ticket of a loop that has ended.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn close_ticket(&self, place: TicketFolder, id: &TicketId) -> Result<()> {
        self.root().remove(&top::ticket(&place.folder(), id))?;
        Ok(())
    }
}

impl PlannerLock<'_> {
    /// Reads all tickets.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn tickets(&self) -> Result<AllTickets> {
        let [queue, live] = [TicketFolder::Queue, TicketFolder::Live].map(|place| self.tree.tickets(place));
        Ok(AllTickets { queue: queue?, live: live? })
    }

    /// Accepts a ticket, once its batch is durable, into one of the folders. From here on the loop is promised. `all`
    /// was read under this lock.
    ///
    /// # Errors
    /// [`TreeError::Exists`] if the task has a ticket already.
    pub fn accept(&self, new: NewTicket, place: TicketFolder, all: &AllTickets) -> Result<TicketId> {
        let task = new.ticket.task();
        if all.has(&task) {
            return Err(TreeError::Exists { what: format!("a ticket of task {task}") });
        }
        let id = all.next_id();
        new.file.name(&place.file(&id))?;
        Ok(id)
    }

    /// Moves tickets from the queue to the live tickets.
    ///
    /// # Errors
    /// If one of them is not in the queue.
    pub fn admit(&self, ids: &[TicketId]) -> Result<()> {
        let mut batch = self.tree.root().batch();
        for id in ids {
            batch.rename(&TicketFolder::Queue.file(id), &TicketFolder::Live.file(id))?;
        }
        Ok(batch.commit()?)
    }
}
