//! How Codex is called: `codex exec --json`, the prompt on stdin.
//!
//! Settings as <https://developers.openai.com/codex/config-reference> names them. Without
//! `--dangerously-bypass-approvals-and-sandbox` its sandbox is the one of its own config.toml, read-only where
//! that says nothing; nobody is asked for approval in `exec`.

use super::request::{Call, PlanFor};
use crate::config::Permissions;

/// The name under which Codex knows the provider of `base_url`.
const PROVIDER: &str = "conductor";

pub(super) fn call(of: &PlanFor<'_>) -> Call {
    // Outside a git repository it would not begin.
    let mut call = Call::of(&["exec", "--json", "--skip-git-repo-check"]);
    if of.settings.permissions == Permissions::Bypass {
        call.args(&["--dangerously-bypass-approvals-and-sandbox"]);
    }
    call.flag("--model", of.model);
    // With it, it waits for ever for a network that does not come.
    set(&mut call, "features.unbounded_connection_retries", "false");
    if let Some(url) = &of.settings.base_url {
        provider(&mut call, url, of.key);
    }
    call.args.extend(of.settings.args.iter().cloned());
    // What stands behind `resume` is no longer read as a flag of `exec`.
    call.flag("resume", of.resume);
    call.args(&["-"]);
    call
}

/// A provider of its own: the built-in one would try websockets first, for half a minute.
fn provider(call: &mut Call, url: &str, key: Option<&str>) {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    set(call, "model_provider", &quoted(PROVIDER));
    let settings = [
        ("name", Some(PROVIDER)),
        ("base_url", Some(url)),
        ("wire_api", Some("responses")),
        // A variable that is not there would be an error; a provider on the own machine needs none.
        ("env_key", key),
    ];
    for (name, value) in settings {
        if let Some(value) = value {
            set(call, &format!("model_providers.{PROVIDER}.{name}"), &quoted(value));
        }
    }
}

fn set(call: &mut Call, key: &str, toml: &str) {
    call.args(&["-c", &format!("{key}={toml}")]);
}
