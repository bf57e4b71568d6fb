//! How Gemini CLI is called: the prompt on stdin, `-o stream-json` on stdout.
//!
//! Flags and variables as `gemini --help` of 0.61 and <https://geminicli.com/docs/reference/configuration/> have them. Without
//! `--yolo` the tools that run commands and write files are not even offered to the model.

use serde_json::json;

use super::request::{Call, PlanFor, RunFile};
use crate::config::Permissions;

pub(super) fn call(of: &PlanFor<'_>) -> Call {
    // In a folder that nobody has trusted on a terminal it would not begin: exit code 55.
    let mut call = Call::of(&["--output-format", "stream-json", "--skip-trust"]);
    if of.settings.permissions == Permissions::Bypass {
        call.args(&["--yolo"]);
    }
    call.flag("--model", of.model);
    call.flag("--resume", of.resume);
    if let Some(url) = &of.settings.base_url {
        call.variable("GOOGLE_GEMINI_BASE_URL", url);
        // From that variable alone it concludes a way to log in that it then refuses (exit code 41);
        // this is the weakest of its settings files, so that the user's own choice holds.
        let defaults = json!({"security": {"auth": {"selectedType": "gemini-api-key"}}});
        call.file = Some(RunFile {
            name: "gemini-defaults.json",
            content: format!("{defaults}\n"),
            variable: "GEMINI_CLI_SYSTEM_DEFAULTS_PATH",
        });
    }
    call.args.extend(of.settings.args.iter().cloned());
    call
}
