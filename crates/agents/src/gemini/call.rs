//! The call of Gemini CLI: the prompt on stdin, `-o stream-json` on stdout.
//!
//! Flags and variables as in `gemini --help` of 0.61 and <https://geminicli.com/docs/reference/configuration/>.
//! Without `--yolo` the tools that run commands and write files are not even offered to the model.

use serde_json::json;

use crate::request::{Call, PlanFor, RunFile};
use config::Permissions;

pub(super) fn call(of: &PlanFor<'_>) -> Call {
    // Without the last flag it refuses a folder that was not trusted at a terminal, with exit code 55.
    let mut call = Call::of(&["--output-format", "stream-json", "--skip-trust"]);
    if of.settings.permissions == Permissions::Bypass {
        call.args(&["--yolo"]);
    }
    call.flag("--model", of.model);
    call.flag("--resume", of.resume);
    if let Some(url) = &of.settings.base_url {
        call.variable("GOOGLE_GEMINI_BASE_URL", url);
        // That variable alone selects a way to log in that Gemini then refuses (exit code 41). This is the
        // weakest of its settings files, so the user's own choice holds.
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

#[cfg(test)]
mod tests {
    use crate::testing::{ask, asks, everything, url};

    #[test]
    fn it_is_called() {
        let gemini = || ask("gemini");
        let plain = "/bin/true --output-format stream-json --skip-trust";
        gemini().is(&format!("{plain} --yolo"), &[]);
        gemini().with(asks).is(plain, &[]);
        gemini().with(everything).is(&format!("{plain} --yolo --model m --resume id-1 --more x"), &[]);
        let elsewhere = gemini().with(url);
        elsewhere.is(&format!("{plain} --yolo"), &[("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1/v1")]);
        let file = elsewhere.plan(None).unwrap().file.unwrap();
        assert_eq!(file.variable, "GEMINI_CLI_SYSTEM_DEFAULTS_PATH");
        assert!(file.content.contains("gemini-api-key"), "{file:?}");
        assert_eq!(gemini().plan(None).unwrap().file, None);
        gemini().comes_from("@google/gemini-cli");
    }
}
