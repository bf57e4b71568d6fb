//! The call of Codex: `codex exec --json`, the prompt on stdin.
//!
//! Settings as <https://developers.openai.com/codex/config-reference> names them. Without
//! `--dangerously-bypass-approvals-and-sandbox` its sandbox is the one of its own config.toml, read-only where
//! that says nothing. `exec` asks for no approval.

use crate::request::{Call, PlanFor};
use config::Permissions;

/// The name under which Codex knows the provider of `base_url`.
const PROVIDER: &str = "conductor";

pub(super) fn call(of: &PlanFor<'_>) -> Call {
    // Without the last flag it refuses to start outside a git repository.
    let mut call = Call::of(&["exec", "--json", "--skip-git-repo-check"]);
    if of.settings.permissions == Permissions::Bypass {
        call.args(&["--dangerously-bypass-approvals-and-sandbox"]);
    }
    call.flag("--model", of.model);
    // With this feature it waits for ever for a network.
    set(&mut call, "features.unbounded_connection_retries", "false");
    if let Some(url) = &of.settings.base_url {
        provider(&mut call, url, of.key);
    }
    call.args.extend(of.settings.args.iter().cloned());
    // After `resume` it does not read flags of `exec` any more.
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
        // A missing variable would be an error, and a provider on this machine needs none.
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

#[cfg(test)]
mod tests {
    use crate::testing::{ask, asks, everything, url};

    #[test]
    fn it_is_called() {
        let codex = || ask("codex");
        let plain = "/bin/true exec --json --skip-git-repo-check";
        let bypass = format!("{plain} --dangerously-bypass-approvals-and-sandbox");
        let bounded = "-c features.unbounded_connection_retries=false";
        codex().is(&format!("{bypass} {bounded} -"), &[]);
        codex().with(asks).is(&format!("{plain} {bounded} -"), &[]);
        codex().with(everything).is(&format!("{bypass} --model m {bounded} --more x resume id-1 -"), &[]);
        let provider = "-c model_provider=\"conductor\" -c model_providers.conductor.name=\"conductor\" \
             -c model_providers.conductor.base_url=\"http://127.0.0.1:1/v1\" -c model_providers.conductor.wire_api=\"responses\"";
        codex().with(url).is(&format!("{bypass} {bounded} {provider} -"), &[]);
        codex().with(url).with(|a| a.key = Some("CODEX_API_KEY")).is(
            &format!(
                "{bypass} {bounded} {provider} -c model_providers.conductor.env_key=\"CODEX_API_KEY\" -"
            ),
            &[],
        );
        codex().comes_from("@openai/codex");
    }
}
