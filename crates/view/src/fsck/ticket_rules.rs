//! Rules for tickets.

use std::collections::HashMap;

use super::{Report, Rule, Subject};
use tree::{
    Result, Tree,
    ids::TicketId,
    paths::top,
    refs::{RunRef, TaskRef},
    ticket::{Ticket, TicketFolder},
    ticket_folders::TicketFile,
};

/// The readable tickets, by task.
#[derive(Debug, Default)]
pub(super) struct KnownTickets {
    by_task: HashMap<TaskRef, (TicketId, Ticket)>,
    /// True if some tickets are unreadable, and may therefore name any task.
    some_unreadable: bool,
}

impl KnownTickets {
    pub(super) fn of(&self, task: &TaskRef) -> Option<&Ticket> {
        self.by_task.get(task).map(|(_, ticket)| ticket)
    }

    /// Returns true if a ticket may name this run.
    pub(super) fn may_want(&self, run: &RunRef) -> bool {
        self.some_unreadable || self.of(&run.task).is_some_and(|t| t.run_id == run.run)
    }
}

/// Returns the rule that a ticket violates if it cannot start anything any more.
fn void(tree: &Tree, ticket: &Ticket) -> Result<Option<Rule>> {
    if !tree.root().exists(&ticket.run().dir().info())? {
        return Ok(Some(Rule::TicketWithoutRun));
    }
    let end = tree.task_end(&ticket.task())?;
    Ok(end.is_some_and(|e| e.run_id == ticket.run_id).then_some(Rule::TicketOfEndedLoop))
}

/// Returns true if a ticket cannot start anything any more: its run does not exist, or its loop has ended.
///
/// # Errors
/// If the files of its task cannot be read.
pub fn is_void(tree: &Tree, ticket: &Ticket) -> Result<bool> {
    void(tree, ticket).map(|rule| rule.is_some())
}

pub(super) fn check(tree: &Tree, report: &mut Report) -> KnownTickets {
    let mut known = KnownTickets::default();
    for (place, folder) in [(TicketFolder::Queue, top::queue()), (TicketFolder::Live, top::live())] {
        for file in report.readable(tree.tickets(place)).unwrap_or_default() {
            let path = tree.root().absolute(&top::ticket(&folder, &file.id));
            let TicketFile { id, ticket, .. } = file;
            let Some(ticket) = report.readable(ticket) else {
                known.some_unreadable = true;
                continue;
            };
            let task = ticket.task();
            // An unreadable record of the end is reported with its task.
            let rule = match void(tree, &ticket) {
                Ok(Some(rule)) => Some(rule),
                Ok(None) | Err(_) if place == TicketFolder::Live => Some(Rule::UndrivenLoop),
                Ok(None) | Err(_) => None,
            };
            if let Some(rule) = rule
                && report.readable(tree.is_driven(&task)) == Some(false)
                // The ticket's driver may have ended the task since the ticket was read.
                && report.readable(tree.ticket(place, &id)).flatten().as_ref() == Some(&ticket)
            {
                let subject = Subject::Ticket(place, id.clone(), task.clone());
                report.add(rule, path.clone(), what(rule, &ticket), subject);
            }
            let other = known.by_task.insert(task.clone(), (id.clone(), ticket));
            // The same ticket appears twice if it was admitted between the two listings.
            if let Some((other, _)) = other.filter(|(other, _)| *other != id)
                && is_still_there(tree, &other, &task)
            {
                report.note(Rule::TwoTickets, path, format!("task {task} has ticket {other}, too"));
            }
        }
    }
    known
}

fn is_still_there(tree: &Tree, id: &TicketId, task: &TaskRef) -> bool {
    let there = |place| matches!(tree.ticket(place, id), Ok(Some(ticket)) if ticket.task() == *task);
    there(TicketFolder::Queue) || there(TicketFolder::Live)
}

fn what(rule: Rule, ticket: &Ticket) -> String {
    match rule {
        Rule::TicketWithoutRun => format!("names run {}, which does not exist", ticket.run()),
        Rule::TicketOfEndedLoop => {
            format!("the loop of task {} has ended with run {}", ticket.task(), ticket.run_id)
        }
        _ => format!("task {} has no driver", ticket.task()),
    }
}
