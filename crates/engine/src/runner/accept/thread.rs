//! A task that answers a message of another task: checks the message, and posts the link to both buses.
//!
//! The child's bus begins with a `USER_REQUEST` that names the message. The parent's bus gets a message after the
//! answered one that names the child. Both are posted once, however often a crash causes another attempt.

use serde_json::json;

use crate::runner::{
    Runner,
    error::{Result, RunnerError},
};
use tree::{
    TreeError,
    bus::{Draft, LookBack, MessageType, Parent},
    refs::{RunRef, TaskRef},
    thread_link::{ThreadLink, ThreadParent},
};

/// The metadata key of a message that must be posted only once.
const ONCE: &str = "once";

/// Looks up the message that a task answers.
///
/// # Errors
/// [`TreeError::NotFound`] if task, run or message do not exist; [`RunnerError::Unanswerable`] unless the
/// message is a question or a fact.
pub(in crate::runner) fn link(runner: &Runner, parent: &ThreadParent) -> Result<ThreadLink> {
    let tree = &runner.tree;
    let task = parent.task();
    let message = tree.task_bus(&task).message(&parent.message_id)?;
    let run = task.run(parent.run_id.clone());
    let other = message.run_id.as_ref().is_some_and(|id| *id != parent.run_id);
    // Nothing is decided by a message that may have been another one.
    if message.damaged || other || !tree.root().exists(run.dir().path())? {
        let what = format!("message {} of run {run}", parent.message_id);
        return Err(TreeError::NotFound { what }.into());
    }
    if message.kind != MessageType::QUESTION && message.kind != MessageType::FACT {
        return Err(RunnerError::Unanswerable { message: parent.message_id.clone(), kind: message.kind });
    }
    Ok(ThreadLink {
        version: 1,
        parent: parent.clone(),
        parent_message_type: message.kind,
        created_at: tree.clock().now(),
    })
}

/// Posts the request to the child's bus.
pub(in crate::runner) fn post_request(
    runner: &Runner,
    child: &RunRef,
    link: &ThreadLink,
    words: &str,
) -> Result<()> {
    let parent = &link.parent;
    let once = format!("thread request {}", parent.message_id);
    let mut draft = Draft::new(kind("USER_REQUEST")?, words)
        .with_meta("thread_parent", json!(parent))
        .with_meta(ONCE, once.as_str());
    draft.run_id = Some(child.run.clone());
    draft.parents = vec![Parent { msg_id: parent.message_id.clone(), kind: Some("answers".to_owned()) }];
    let bus = runner.tree.task_bus(&child.task);
    bus.post_once(&draft, |m| {
        if m.meta.get(ONCE) == Some(json!(once)) { LookBack::Found } else { LookBack::Continue }
    })?;
    Ok(())
}

/// Posts the name of a task that answers a message to that message's bus, unless it is already there. Does nothing
/// for a task that answers none.
///
/// # Errors
/// If the link or the bus cannot be read or written.
pub fn link_back(runner: &Runner, child: &TaskRef) -> Result<()> {
    let Some(link) = runner.tree.thread_link(child)? else { return Ok(()) };
    let parent = &link.parent;
    let once = format!("thread child {child}");
    let body = format!("task {child} was created to answer this message");
    let mut draft = Draft::new(kind("INFO")?, body)
        .with_meta("thread_child", json!({ "project_id": child.project, "task_id": child.task }))
        .with_meta(ONCE, once.as_str());
    draft.parents = vec![Parent { msg_id: parent.message_id.clone(), kind: Some("answered_by".to_owned()) }];
    let bus = runner.tree.task_bus(&parent.task());
    bus.post_once(&draft, |m| {
        if m.meta.get(ONCE) == Some(json!(once)) {
            LookBack::Found
        } else if m.msg_id == parent.message_id {
            LookBack::Stop
        } else {
            LookBack::Continue
        }
    })?;
    Ok(())
}

fn kind(word: &str) -> Result<MessageType> {
    Ok(word.parse()?)
}
