//! The call of an agent that is an API: `run-agent chat-agent`, a process like any other.

use crate::request::{Call, PlanFor};

/// The arguments after `run-agent chat-agent --api <api>`.
pub(crate) fn call(of: &PlanFor<'_>) -> Call {
    let mut call = Call::default();
    call.flag("--model", of.model);
    call.flag("--base-url", of.settings.base_url.as_deref());
    call.args.extend(of.settings.args.iter().cloned());
    call
}
