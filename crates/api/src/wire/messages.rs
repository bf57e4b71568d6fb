//! Messages of a bus, and posting them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Time;
use tree::{
    bus::{BusOwner, Draft, Link, Message, MessageType, Meta, Parent},
    ids::{MsgId, ProjectId, RunId, TaskId},
};

/// `POST /api/v1/messages`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    pub(crate) project_id: ProjectId,
    #[serde(default)]
    pub(crate) task_id: Option<TaskId>,
    #[serde(default)]
    pub(crate) run_id: Option<RunId>,
    #[serde(rename = "type", default)]
    pub(crate) kind: Option<MessageType>,
    #[schemars(length(min = 1))]
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) parents: Vec<Parent>,
    #[serde(default)]
    pub(crate) links: Vec<Link>,
    #[serde(default)]
    pub(crate) meta: Meta,
}

/// A message: as on the bus, except that `parents` are ids, with the objects beside them.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BusMessage<'a> {
    msg_id: &'a MsgId,
    timestamp: Time,
    /// As `timestamp`, under the name that the original's page reads.
    ts: Time,
    #[serde(rename = "type")]
    kind: &'a MessageType,
    project_id: &'a ProjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<&'a TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a RunId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parents: Vec<&'a MsgId>,
    #[serde(skip_serializing_if = "<[Parent]>::is_empty")]
    parent_refs: &'a [Parent],
    #[serde(skip_serializing_if = "<[Link]>::is_empty")]
    links: &'a [Link],
    #[serde(skip_serializing_if = "Meta::is_empty")]
    meta: &'a Meta,
    body: &'a str,
    /// True if the line of the message does not fit its checksum: its content may have changed on disk.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    damaged: bool,
}

impl<'a> From<&'a Message> for BusMessage<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            msg_id: &message.msg_id,
            timestamp: Time(message.timestamp),
            ts: Time(message.timestamp),
            kind: &message.kind,
            project_id: &message.project_id,
            task_id: message.task_id.as_ref(),
            run_id: message.run_id.as_ref(),
            parents: message.parents.iter().map(|p| &p.msg_id).collect(),
            parent_refs: &message.parents,
            links: &message.links,
            meta: &message.meta,
            body: &message.body,
            damaged: message.damaged,
        }
    }
}

/// `GET /api/v1/messages`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Messages<'a> {
    pub(crate) messages: Vec<BusMessage<'a>>,
    /// True if more messages follow the last one.
    pub(crate) more: bool,
}

/// `POST /api/projects/{p}/messages` and `…/tasks/{t}/messages`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBusMessage {
    #[serde(rename = "type", default)]
    pub(crate) kind: Option<MessageType>,
    #[schemars(length(min = 1))]
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) run_id: Option<RunId>,
    #[serde(default)]
    pub(crate) parents: Vec<Parent>,
    #[serde(default)]
    pub(crate) links: Vec<Link>,
    #[serde(default)]
    pub(crate) meta: Meta,
}

impl NewMessage {
    /// Splits into the owner of the bus and the message.
    pub(crate) fn split(self) -> (BusOwner, NewBusMessage) {
        let Self { project_id, task_id, run_id, kind, body, parents, links, meta } = self;
        let message = NewBusMessage { kind, body, run_id, parents, links, meta };
        (BusOwner::new(project_id, task_id), message)
    }
}

impl NewBusMessage {
    /// Converts the message to the form that the bus takes.
    pub(crate) fn into_draft(self) -> Draft {
        Draft {
            run_id: self.run_id,
            parents: self.parents,
            links: self.links,
            meta: self.meta,
            ..Draft::new(self.kind.unwrap_or(MessageType::USER), self.body)
        }
    }
}

/// The answer to a post.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Posted<'a> {
    pub(crate) msg_id: &'a MsgId,
    pub(crate) timestamp: Time,
}
