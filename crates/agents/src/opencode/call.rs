//! The call of OpenCode: `opencode run --format json`, the prompt on stdin.
//!
//! Flags, variables and the shape of the settings as in `opencode run --help` of 1.18 and
//! <https://opencode.ai/docs/config/>. OpenCode allows its tools everything unless configured otherwise. `run`
//! rejects everything that needs an approval.

use serde_json::{Value, json};

use crate::request::{Call, PlanFor};
use config::Permissions;

/// The name under which OpenCode knows the provider of `base_url`, if the model names none.
const PROVIDER: &str = "conductor";
/// The variable with the key of the provider that the model names.
pub(super) const KEY: &str = "OPENCODE_API_KEY";
/// Providers that OpenCode supports itself.
const KNOWN: [&str; 6] = ["anthropic", "google", "openai", "opencode", "openrouter", "xai"];

pub(super) fn call(of: &PlanFor<'_>) -> Call {
    let mut call = Call::of(&["run", "--format", "json"]);
    // A refusal that OpenCode waits out appears only in its log, which therefore goes to standard error.
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

/// Returns the settings that override OpenCode's own: the address of the model's provider, and its key.
fn settings(of: &PlanFor<'_>, url: Option<&str>, model: Option<&str>) -> Option<Value> {
    let (provider, model) = model.and_then(|m| m.split_once('/')).unwrap_or((PROVIDER, ""));
    let mut options = json!({});
    if let Some(url) = url {
        options["baseURL"] = url.into();
    }
    // The key is given by the name of its variable, so that the value appears nowhere else. The key of a known
    // provider must not go to another one.
    if of.key == Some(KEY) && (url.is_some() || of.settings.token.is_some()) {
        options["apiKey"] = format!("{{env:{KEY}}}").into();
    }
    if options == json!({}) || (url.is_none() && provider == PROVIDER) {
        // There is nothing to configure, or the provider is unknown.
        return None;
    }
    let mut about = json!({"options": options});
    if url.is_some() && !KNOWN.contains(&provider) {
        about["npm"] = "@ai-sdk/openai-compatible".into();
        about["models"] = if model.is_empty() { json!({}) } else { json!({model: {}}) };
    }
    Some(json!({"provider": {provider: about}}))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Ask, ask, asks, everything, url};
    use config::Secret;

    #[test]
    fn it_is_called() {
        let opencode = || ask("opencode");
        let bypass = "/bin/true run --format json --auto";
        let logs = [("OPENCODE_PRINT_LOGS", "1"), ("OPENCODE_LOG_LEVEL", "ERROR")];
        opencode().is(bypass, &logs);
        let ask = r#"{"bash":"ask","edit":"ask","external_directory":"ask","webfetch":"ask"}"#;
        let [print, level] = logs;
        opencode()
            .with(asks)
            .is("/bin/true run --format json", &[print, level, ("OPENCODE_PERMISSION", ask)]);
        opencode().with(everything).is(&format!("{bypass} --model m --session id-1 --more x"), &logs);
        let model = |model| move |a: &mut Ask| a.model = Some(model);
        let key = |a: &mut Ask| {
            a.key = Some("OPENCODE_API_KEY");
            a.settings.token = Some(Secret::new("sk-1"));
        };
        let at = r#""baseURL":"http://127.0.0.1:1/v1""#;
        let from = r#""apiKey":"{env:OPENCODE_API_KEY}""#;
        for (ask, model, content) in [
            // A name alone is a model of the provider behind the address.
            (
                opencode().with(url).with(model("m")),
                "conductor/m",
                format!(
                    r#"{{"provider":{{"conductor":{{"options":{{{at}}},"npm":"@ai-sdk/openai-compatible","models":{{"m":{{}}}}}}}}}}"#
                ),
            ),
            (
                opencode().with(url).with(key).with(model("anthropic/m")),
                "anthropic/m",
                format!(r#"{{"provider":{{"anthropic":{{"options":{{{at},{from}}}}}}}}}"#),
            ),
            (
                opencode().with(key).with(model("openai/m")),
                "openai/m",
                format!(r#"{{"provider":{{"openai":{{"options":{{{from}}}}}}}}}"#),
            ),
        ] {
            let planned = ask.plan(None).unwrap();
            assert_eq!(planned.argv.join(" "), format!("{bypass} --model {model}"));
            let [_, _, (name, settings)] = &planned.env[..] else { panic!("{planned:?}") };
            assert_eq!(*name, "OPENCODE_CONFIG_CONTENT");
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(value(settings), value(&content));
        }
        // Only the model determines the provider of the key.
        opencode().with(key).is(bypass, &logs);
        opencode().comes_from("opencode-ai");
    }
}
