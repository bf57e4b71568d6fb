//! How OpenCode is called: `opencode run --format json`, the prompt on stdin.
//!
//! Flags, variables and the shape of the settings as `opencode run --help` of 1.18 and <https://opencode.ai/docs/config/>
//! have them. It allows its tools everything unless told otherwise; what it would have to ask somebody about is rejected in `run`.

use serde_json::{Value, json};

use super::request::{Call, PlanFor};
use crate::config::Permissions;

/// The name under which OpenCode knows the provider of `base_url`, where the model names none.
const PROVIDER: &str = "conductor";
/// The variable with the key of whichever provider the model names.
const KEY: &str = "OPENCODE_API_KEY";
/// Providers that OpenCode knows how to speak to.
const KNOWN: [&str; 6] = ["anthropic", "google", "openai", "opencode", "openrouter", "xai"];

pub(super) fn call(of: &PlanFor<'_>) -> Call {
    let mut call = Call::of(&["run", "--format", "json"]);
    // A refusal that it waits out by itself, however long, stands in its log alone: on standard error then.
    call.variable("OPENCODE_PRINT_LOGS", "1");
    call.variable("OPENCODE_LOG_LEVEL", "ERROR");
    match of.settings.permissions {
        Permissions::Bypass => call.args(&["--auto"]),
        Permissions::Ask => {
            let ask = json!({"bash": "ask", "edit": "ask", "external_directory": "ask", "webfetch": "ask"});
            call.variable("OPENCODE_PERMISSION", ask.to_string());
        }
    }
    let url = of.settings.base_url.as_deref();
    let model = of
        .model
        .map(|m| if url.is_none() || m.contains('/') { m.to_owned() } else { format!("{PROVIDER}/{m}") });
    call.flag("--model", model.as_deref());
    call.flag("--session", of.resume);
    if let Some(settings) = settings(of, url, model.as_deref()) {
        call.variable("OPENCODE_CONFIG_CONTENT", settings.to_string());
    }
    call.args.extend(of.settings.args.iter().cloned());
    call
}

/// The settings laid over OpenCode's own: where the provider of the model is, and its key.
fn settings(of: &PlanFor<'_>, url: Option<&str>, model: Option<&str>) -> Option<Value> {
    let (provider, model) = model.and_then(|m| m.split_once('/')).unwrap_or((PROVIDER, ""));
    let mut options = json!({});
    if let Some(url) = url {
        options["baseURL"] = url.into();
    }
    // By the name of its variable: the value stands nowhere else. Keys of known providers are not for others.
    if of.key == Some(KEY) && (url.is_some() || of.settings.token.is_some()) {
        options["apiKey"] = format!("{{env:{KEY}}}").into();
    }
    if options == json!({}) || (url.is_none() && provider == PROVIDER) {
        // Nothing to say, or nobody knows of which provider.
        return None;
    }
    let mut about = json!({"options": options});
    if url.is_some() && !KNOWN.contains(&provider) {
        about["npm"] = "@ai-sdk/openai-compatible".into();
        about["models"] = if model.is_empty() { json!({}) } else { json!({model: {}}) };
    }
    Some(json!({"provider": {provider: about}}))
}
