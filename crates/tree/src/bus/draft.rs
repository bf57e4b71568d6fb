//! A message before it is posted. The bus adds the id and the time.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::Value;

use super::{
    handle::BusOwner,
    message::{Link, Message, MessageType, Parent},
    meta::Meta,
};
use crate::{
    Result, TreeError,
    ids::{MsgId, RunId, TaskId},
};

/// Deepest nesting of `meta`, because readers of JSON have a limit, too (often 128).
pub const MAX_META_DEPTH: usize = 64;

/// A message before it is posted.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The kind of message.
    pub kind: MessageType,
    /// The text.
    pub body: String,
    /// On a project's bus the task that the message is about; on a task's bus that task, or `None`.
    pub task_id: Option<TaskId>,
    /// The run that posts it.
    pub run_id: Option<RunId>,
    /// The messages that it answers or belongs to.
    pub parents: Vec<Parent>,
    /// Pages and files that it refers to.
    pub links: Vec<Link>,
    /// Any data for programs.
    pub meta: Meta,
}

impl Draft {
    /// Creates a message with a kind and a text, and nothing else.
    #[must_use]
    pub fn new(kind: MessageType, body: impl Into<String>) -> Self {
        Self {
            kind,
            body: body.into(),
            task_id: None,
            run_id: None,
            parents: Vec::new(),
            links: Vec::new(),
            meta: Meta::default(),
        }
    }

    /// Sets the run that posts the message.
    #[must_use]
    pub fn by_run(self, run: &RunId) -> Self {
        Self { run_id: Some(run.clone()), ..self }
    }

    /// Adds one entry to `meta`.
    #[must_use]
    pub fn with_meta(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.meta.insert(key, &value.into());
        self
    }

    /// Returns the message that the draft becomes on the bus of `owner` at `now`.
    pub(super) fn to_message(&self, owner: &BusOwner, now: DateTime<Utc>) -> Result<Message> {
        if let (Some(own), Some(other)) = (owner.task(), &self.task_id)
            && own != other
        {
            let text = format!("a message of task '{other}' does not belong on the bus of {owner}");
            return Err(TreeError::Invalid(text));
        }
        if self.meta.depth() > MAX_META_DEPTH {
            return Err(TreeError::Invalid(format!("meta is nested deeper than {MAX_META_DEPTH}")));
        }
        Ok(Message {
            msg_id: MsgId::after(now, None),
            // Truncated as in the line, so that the poster and a reader see the same time.
            timestamp: now.trunc_subsecs(6),
            kind: self.kind.clone(),
            project_id: owner.project().clone(),
            task_id: owner.task().or(self.task_id.as_ref()).cloned(),
            run_id: self.run_id.clone(),
            parents: self.parents.clone(),
            links: self.links.clone(),
            meta: self.meta.clone(),
            body: self.body.clone(),
            damaged: false,
            extra: BTreeMap::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> BusOwner {
        BusOwner::new("p".parse().unwrap(), Some("t".parse().unwrap()))
    }

    #[test]
    fn a_task_bus_takes_its_own_messages_only() {
        let mut draft = Draft::new(MessageType::FACT, "x");
        assert_eq!(draft.to_message(&owner(), Utc::now()).unwrap().task_id, Some("t".parse().unwrap()));
        draft.task_id = Some("other".parse().unwrap());
        let error = draft.to_message(&owner(), Utc::now()).unwrap_err().to_string();
        assert_eq!(error, "a message of task 'other' does not belong on the bus of task p/t");
        let project = BusOwner::Project("p".parse().unwrap());
        assert_eq!(draft.to_message(&project, Utc::now()).unwrap().task_id, draft.task_id);
    }

    #[test]
    fn meta_that_no_reader_could_parse_is_refused() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        let post = |v| Draft::new(MessageType::FACT, "x").with_meta("k", v).to_message(&owner(), Utc::now());
        assert!(post(nested(MAX_META_DEPTH)).is_ok());
        let error = post(nested(MAX_META_DEPTH + 1)).unwrap_err().to_string();
        assert_eq!(error, "meta is nested deeper than 64");
    }
}
