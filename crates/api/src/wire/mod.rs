//! The wire types: the words and shapes of the API's document, one file per noun.
//!
//! `/api/v1` has words of its own for the status of a run; `/api/projects` shows the words on disk.

mod access;
mod daemon;
mod failure;
mod figures;
mod files;
mod messages;
mod projects;
mod runs;
mod self_update;
mod tasks;
mod time;
mod topics;

pub(super) use access::{Code, GivenCode, Key, Keys, NewCode, NewTicket, Ticket, WhoAsks};
pub(super) use daemon::{Health, Healthz, RunningTask, Status, Version};
pub(super) use failure::Failure;
pub(super) use figures::{
    Activity, Agent, Agents, Disk, DiskUse, Line, LineIndex, LineMatch, LineMatches, Lines, Step,
};
pub(super) use files::{FileEvent, FileText};
pub(super) use messages::{BusMessage, Messages, NewBusMessage, NewMessage, Posted};
pub(super) use projects::{
    Collected, DeletedProject, File, FlatRun, FlatRuns, Folders, Listed, NewProject, Project, ProjectRun,
    Projects, Resumed, Signalled, Stats, TaskDetail, TaskItem,
};
pub(super) use runs::{
    LogEvent, Output, Run, RunChange, RunDetail, RunWord, Runs, Stopped, TaskLogEvent, Words,
};
pub(super) use self_update::{NewSelfUpdate, SelfUpdate};
pub(super) use tasks::{AttachMode, Cancelled, NewTask, Started, Task, Tasks};
pub(super) use time::Time;
pub(super) use topics::{Own as TopicOwn, TopicEvent, TopicSaid, WithRuns};
