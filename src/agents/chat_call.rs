//! How the agents are called that are an API and no program: as `run-agent chat-agent`, a process like any other.

use super::request::{Call, PlanFor};

/// The arguments behind `run-agent chat-agent --api <api>`.
pub(super) fn call(of: &PlanFor<'_>) -> Call {
    let mut call = Call::default();
    call.flag("--model", of.model);
    call.flag("--base-url", of.settings.base_url.as_deref());
    call.args.extend(of.settings.args.iter().cloned());
    call
}
