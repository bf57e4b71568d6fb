//! The logins of Gemini CLI: <https://geminicli.com/docs/get-started/authentication>.

use std::path::PathBuf;

use crate::login::{Folder, Login, Search};

const FOLDER: Folder = Folder { variable: "GEMINI_CLI_HOME", below_home: "", inside: ".gemini" };

/// Its own login.
pub(super) const LOGIN: Login = Login {
    folder: Some(FOLDER),
    files: &["oauth_creds.json", "gemini-credentials.json"],
    hint: "log in with `gemini`, ",
};

/// A sign of Vertex AI, of the machine's account, or of a key in `.env`.
pub(super) fn another_way(of: &Search<'_>) -> Option<String> {
    let is_sign = |name: &str| {
        name.starts_with("GOOGLE_") || name == "CLOUD_SHELL" || name == "GEMINI_CLI_USE_COMPUTE_ADC"
    };
    let own = FOLDER.path(of.environment);
    let home = of.environment.home();
    let above = of.cwd.ancestors().flat_map(|folder| [folder.join(".env"), folder.join(".gemini/.env")]);
    let variables =
        above.chain(home.map(|home| home.join(".env"))).chain(own.clone().map(|f| f.join(".env")));
    let system = PathBuf::from("/etc/gemini-cli/settings.json");
    let settings = [
        own.map(|folder| folder.join("settings.json")),
        Some(of.cwd.join(".gemini/settings.json")),
        Some(system),
    ];
    of.variable(is_sign).or_else(|| of.file(variables, &["GEMINI_", "GOOGLE_"])).or_else(|| {
        of.file(settings.into_iter().flatten(), &["selectedType", "selectedAuthType", "\"auth\""])
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{are_no_signs, are_signs, logs_in_with};

    #[test]
    fn its_login_is_found() {
        logs_in_with("gemini", &[], "/h/.gemini/oauth_creds.json");
        logs_in_with("gemini", &[], "/h/.gemini/gemini-credentials.json");
    }

    #[test]
    fn another_way_to_log_in_lets_it_run() {
        are_signs(
            "gemini",
            &[
                (&[("GOOGLE_GENAI_USE_VERTEXAI", "true")], &[]),
                (&[("GOOGLE_APPLICATION_CREDENTIALS", "/k.json")], &[]),
                (&[], &[("/h/.gemini/.env", "GEMINI_API_KEY=x")]),
                (&[], &[("/w/.env", "GEMINI_API_KEY=x")]),
                (&[], &[("/h/.gemini/settings.json", r#"{"security": {"auth": {"selectedType": "x"}}}"#)]),
            ],
        );
    }

    #[test]
    fn other_settings_are_no_login() {
        are_no_signs("gemini", &[(&[], &[]), (&[], &[("/w/p/.env", "DATABASE_URL=x")])]);
    }
}
