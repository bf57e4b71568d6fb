//! Names that mark their values as secret.

/// Returns true if a value with this name is secret: `api_key`, `X-Api-Key`, `accessToken`, `OPENAI_API_KEY`; not
/// `max_tokens`, `token_file` or `key`.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    const LAST_WORD: &[&str] = &[
        "token",
        "secret",
        "password",
        "passwd",
        "passphrase",
        "apikey",
        "authorization",
        "credential",
        "credentials",
    ];
    const BEFORE_KEY: &[&str] =
        &["api", "private", "access", "secret", "auth", "signing", "encryption", "account"];
    /// Endings of a word in which several words run together: `PGPASSWORD`, `MYTOKEN`.
    const ENDS: &[&str] = &["token", "secret", "password"];
    /// Words in capitals that end like `MYPAT`, a personal access token.
    const NO_PAT: &[&str] = &["compat", "expat"];
    let words = words(name);
    let capitals = !name.chars().any(char::is_lowercase);
    match words.as_slice() {
        [.., kind, last] if last == "key" => BEFORE_KEY.contains(&kind.as_str()),
        [_, .., last] if last == "pat" => true,
        [.., last] => {
            let pat = capitals && last.len() > 3 && last.ends_with("pat") && !NO_PAT.contains(&last.as_str());
            pat || LAST_WORD.contains(&last.as_str()) || ENDS.iter().any(|end| last.ends_with(end))
        }
        [] => false,
    }
}

/// Returns the words of a name in lower case. They are separated by `_`, `-`, `.`, and by changes from lower case to
/// capitals.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let separator = matches!(c, '_' | '-' | '.' | ' ');
        if (separator || (c.is_uppercase() && before.is_lowercase()))
            && words.last().is_some_and(|w| !w.is_empty())
        {
            words.push(String::new());
        }
        if !separator && let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|w| !w.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "token",
            "api_key",
            "apiKey",
            "X-Api-Key",
            "OPENAI_API_KEY",
            "accessToken",
            "client_secret",
            "Authorization",
            "CONDUCTOR_AGENT_X_TOKEN",
            "db.password",
            "PRIVATE-KEY",
            "PGPASSWORD",
            "MYSECRET",
            "MYTOKEN",
            "GH_PAT",
            "MYPAT",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "",
            "key",
            "max_tokens",
            "input_tokens",
            "token_file",
            "key_file",
            "secretary",
            "monkey",
            "project_key",
            "token_count",
            "tokenizer",
            "author",
            "pat",
            "compat",
            "COMPAT",
            "tokens",
            "secrets_dir",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
