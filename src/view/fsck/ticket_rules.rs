//! What is wrong with tickets.

use std::collections::HashMap;

use super::{Report, Rule, Subject};
use crate::tree::{
    Result, Tree,
    paths::top,
    refs::TaskRef,
    ticket::{Place, Ticket},
};

/// The readable tickets, by task.
#[derive(Debug, Default)]
pub(super) struct KnownTickets(HashMap<TaskRef, (Place, Ticket)>);

impl KnownTickets {
    pub(super) fn of(&self, task: &TaskRef) -> Option<&(Place, Ticket)> {
        self.0.get(task)
    }
}

pub(super) fn check(tree: &Tree, report: &mut Report) -> Result<KnownTickets> {
    let root = tree.root();
    let mut known = KnownTickets::default();
    for (place, folder) in [(Place::Queue, top::queue()), (Place::Live, top::live())] {
        for file in tree.tickets(place)? {
            let path = root.absolute(&top::ticket(&folder, &file.id));
            let Some(ticket) = report.unless_unreadable(file.ticket)? else { continue };
            let task = ticket.task();
            let subject = Subject::Ticket(place, file.id.clone(), Some(task.clone()));
            let driven = tree.is_driven(&task)?;
            if !root.exists(&ticket.run().dir().info())? {
                let what = format!("names run {}, which does not exist", ticket.run());
                report.add(Rule::TicketWithoutRun, path, what, subject);
                continue;
            }
            let end = report.unless_unreadable(tree.task_end(&task))?.flatten();
            if !driven && end.is_some_and(|e| e.run_id == ticket.run_id) {
                let what = format!("the loop of task {task} has ended with run {}", ticket.run_id);
                report.add(Rule::TicketOfEndedLoop, path, what, subject);
                continue;
            }
            if place == Place::Live && !driven {
                let what = format!("nobody drives task {task}: `run-agent drive {task}` does");
                report.add(Rule::UndrivenLoop, path.clone(), what, Subject::Path);
            }
            if known.0.insert(task.clone(), (place, ticket)).is_some() {
                report.add(Rule::TwoTickets, path, format!("task {task} has another ticket"), Subject::Path);
            }
        }
    }
    Ok(known)
}
