//! Removes secrets from texts, command lines and JSON values before they are shown or stored.
//!
//! A secret is recognized in three ways: this process knows it, a secret name precedes it, or it has a typical shape. A
//! text that only looks like a secret is hidden, too, because a hidden word costs less than a leaked key.

use std::{borrow::Cow, fmt, ops::Range};

use serde_json::Value;

use super::{names::is_secret_name, rules, shapes};

/// The replacement of a secret.
pub const REDACTED: &str = "[REDACTED]";

/// Shorter secrets are not searched for in texts, because they would be found in ordinary words.
const SHORTEST: usize = 8;

/// Knows the secrets of this process and the shapes of others. Cheap to keep, but expensive to create.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that begins with another one is hidden completely.
    secrets: Vec<String>,
}

impl Redactor {
    /// Creates a redactor that knows these texts to be secret.
    #[must_use]
    pub fn new<S: Into<String>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut secrets: Vec<String> =
            secrets.into_iter().map(Into::into).filter(|s: &String| s.len() >= SHORTEST).collect();
        secrets.sort_unstable_by_key(|s| std::cmp::Reverse(s.len()));
        secrets.dedup();
        Self { secrets }
    }

    /// Adds texts that are secret, if they have at least `shortest` bytes. This is for a copy that is given to others,
    /// where a hidden word too many costs nothing.
    #[must_use]
    pub fn and<S: Into<String>>(mut self, secrets: impl IntoIterator<Item = S>, shortest: usize) -> Self {
        let more = secrets.into_iter().map(Into::into).filter(|s: &String| s.len() >= shortest.max(1));
        self.secrets.extend(more);
        self.secrets.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.secrets.dedup();
        self
    }

    /// Returns the text without secrets.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut known = Cow::Borrowed(text);
        for secret in &self.secrets {
            if known.contains(secret) {
                known = Cow::Owned(known.replace(secret, REDACTED));
            }
        }
        match without_shapes(&known) {
            Some(clean) => Cow::Owned(clean),
            None => known,
        }
    }

    /// Returns the text with `with` in place of each byte of a secret, so that nothing after it moves. Line breaks are
    /// kept, and JSON stays valid JSON.
    #[must_use]
    pub fn mask<'a>(&self, text: &'a str, with: u8) -> Cow<'a, str> {
        let mut hidden = shaped(text);
        for secret in &self.secrets {
            hidden.extend(text.match_indices(secret.as_str()).map(|(at, found)| at..at + found.len()));
        }
        if hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut bytes = text.as_bytes().to_vec();
        for range in hidden {
            bytes[range].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = with);
        }
        // Whole characters were replaced by ASCII bytes.
        Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Returns the words of a command line without secrets: `--token x`, `--token=x`, `TOKEN=x`, and the ones that
    /// [`Self::text`] finds.
    #[must_use]
    pub fn commandline(&self, words: &[String]) -> Vec<String> {
        let mut value_follows = false;
        let mut clean = Vec::with_capacity(words.len());
        for word in words {
            let is_value = value_follows && !word.starts_with("--");
            value_follows = announces_secret(word);
            clean.push(if is_value { REDACTED.to_owned() } else { self.text(word).into_owned() });
        }
        clean
    }

    /// Removes the secrets from a JSON value, at every depth.
    pub fn json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.text(text) {
                    *text = clean;
                }
            }
            Value::Array(items) => {
                let mut value_follows = false;
                for item in items {
                    let word = item.as_str().unwrap_or_default();
                    // A command line as a list: `["--token", "x"]`.
                    let is_value = value_follows && !word.is_empty() && !word.starts_with("--");
                    value_follows = announces_secret(word);
                    if is_value {
                        *item = Value::from(REDACTED);
                    } else {
                        self.json(item);
                    }
                }
            }
            Value::Object(map) => {
                for (key, value) in map {
                    if is_secret_name(key) && !value.is_null() {
                        *value = Value::from(REDACTED);
                    } else {
                        self.json(value);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Returns true if the next word of the command line is a secret.
fn announces_secret(word: &str) -> bool {
    word.starts_with('-') && is_secret_name(word.trim_start_matches('-'))
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

/// Returns the ranges of a text that are shaped like a secret, in order and apart. What is redacted already is none.
fn shaped(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    rules::find_all(text, &mut found);
    let mut at = 0;
    while at < text.len() {
        match shapes::find(text, at) {
            Some(secret) => {
                at = secret.end;
                found.push(secret);
            }
            None => at += 1,
        }
    }
    found.sort_unstable_by_key(|range| (range.start, range.end));
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart.retain(|range| !text[range.clone()].contains(REDACTED) && !REDACTED.contains(&text[range.clone()]));
    apart
}

/// Returns the text without parts that are shaped like a secret; `None` if there are none.
fn without_shapes(text: &str) -> Option<String> {
    let hidden = shaped(text);
    let mut clean = String::new();
    let mut kept = 0;
    for range in &hidden {
        clean.push_str(&text[kept..range.start]);
        clean.push_str(REDACTED);
        kept = range.end;
    }
    (!hidden.is_empty()).then(|| clean + &text[kept..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KEY: &str = "sk-ant-api03-Ab1Cd2Ef3Gh4Ij5Kl6";

    #[test]
    fn secrets_leave_texts_and_the_rest_stays() {
        let redactor = Redactor::new(["hunter2hunter2", "short"]);
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLTEyMw";
        for (text, clean) in [
            (format!("key {KEY}."), "key [REDACTED].".to_owned()),
            (format!("é{KEY}ü"), "é[REDACTED]ü".to_owned()),
            (format!("'{KEY}','{KEY}'"), "'[REDACTED]','[REDACTED]'".to_owned()),
            (format!("ghp_{}", "a1".repeat(18)), "[REDACTED]".to_owned()),
            (format!("github_pat_{}", "a1".repeat(20)), "[REDACTED]".to_owned()),
            (format!("xai-{}", "a1".repeat(20)), "[REDACTED]".to_owned()),
            (format!("AIza{}", "a1".repeat(18)), "[REDACTED]".to_owned()),
            (format!("pplx-{}", "a1".repeat(20)), "[REDACTED]".to_owned()),
            (format!("see {jwt}, or"), "see [REDACTED], or".to_owned()),
            ("Authorization: Bearer abcdef123456".to_owned(), "Authorization: [REDACTED]".to_owned()),
            ("got bearer abcdef123456 from".to_owned(), "got bearer [REDACTED] from".to_owned()),
            (
                "curl -u x https://me:pa55@host/x".to_owned(),
                "curl -u x https://me:[REDACTED]@host/x".to_owned(),
            ),
            ("OPENAI_API_KEY=abc run".to_owned(), "OPENAI_API_KEY=[REDACTED] run".to_owned()),
            ("a?token=abc&x=1".to_owned(), "a?token=[REDACTED]&x=1".to_owned()),
            ("password='a b' rest".to_owned(), "password='[REDACTED]' rest".to_owned()),
            (r#"{"api_key": "abc", "n": 1}"#.to_owned(), r#"{"api_key": "[REDACTED]", "n": 1}"#.to_owned()),
            ("+password: leakedInDiff99\n+x".to_owned(), "+password: [REDACTED]\n+x".to_owned()),
            ("-  db_password: hunter2".to_owned(), "-  db_password: [REDACTED]".to_owned()),
            (r"a\npassword: leaked99\n+b c".to_owned(), r"a\npassword: [REDACTED]\n+b c".to_owned()),
            (format!(r"a\n{KEY}"), r"a\n[REDACTED]".to_owned()),
            ("PGPASSWORD=abc psql".to_owned(), "PGPASSWORD=[REDACTED] psql".to_owned()),
            ("export GH_PAT=abc".to_owned(), "export GH_PAT=[REDACTED]".to_owned()),
            (format!("npm_{} x", "aB".repeat(18)), "[REDACTED] x".to_owned()),
            ("Cookie: a=b; c=d\nnext".to_owned(), "Cookie: [REDACTED]\nnext".to_owned()),
            ("-H 'Set-Cookie: sid=abc; Path=/' x".to_owned(), "-H 'Set-Cookie: [REDACTED]' x".to_owned()),
            (r#"{"Cookie": "a=b", "n": 1}"#.to_owned(), r#"{"Cookie": "[REDACTED]", "n": 1}"#.to_owned()),
            ("it is hunter2hunter2!".to_owned(), "it is [REDACTED]!".to_owned()),
            ("mysql --password hunter2 -e x".to_owned(), "mysql --password [REDACTED] -e x".to_owned()),
            ("x --api-key 'a b' y".to_owned(), "x --api-key '[REDACTED]' y".to_owned()),
            (r#"["--token", "abc", "x"]"#.to_owned(), r#"["--token", "[REDACTED]", "x"]"#.to_owned()),
            (r#"["--token","a\"b","x"]"#.to_owned(), r#"["--token","[REDACTED]","x"]"#.to_owned()),
            (r#"{"o":"--token abc\n"}"#.to_owned(), r#"{"o":"--token [REDACTED]"}"#.to_owned()),
            (r#"{"password":"a\"b","n":1}"#.to_owned(), r#"{"password":"[REDACTED]","n":1}"#.to_owned()),
            (
                r#"{"o":"{\"password\":\"hunter2\",\"n\":1}"}"#.to_owned(),
                r#"{"o":"{\"password\":\"[REDACTED]\",\"n\":1}"}"#.to_owned(),
            ),
            (
                r#"{"o":"{\"password\":\"hun\\\"ter2\\\\\",\"n\":1}"}"#.to_owned(),
                r#"{"o":"{\"password\":\"[REDACTED]\",\"n\":1}"}"#.to_owned(),
            ),
            (
                r#"{"o":"{\"p\":\"{\\\"token\\\":\\\"abc\\\"}\"}"}"#.to_owned(),
                r#"{"o":"{\"p\":\"{\\\"token\\\":\\\"[REDACTED]\\\"}\"}"}"#.to_owned(),
            ),
            (r#"{"cmd":"TOKEN=\"abc\" run"}"#.to_owned(), r#"{"cmd":"TOKEN=\"[REDACTED]\" run"}"#.to_owned()),
            (r#"{"cmd":"TOKEN=abc"}"#.to_owned(), r#"{"cmd":"TOKEN=[REDACTED]"}"#.to_owned()),
            (r#"{"cmd":"\"TOKEN=abc\""}"#.to_owned(), r#"{"cmd":"\"TOKEN=[REDACTED]\""}"#.to_owned()),
        ] {
            assert_eq!(redactor.text(&text), clean, "{text}");
            assert_eq!(redactor.text(&clean), clean, "what is clean stays clean");
        }
    }

    /// Samples of the keys of services, made up. The beginnings are joined here, so that no scanner reports this file.
    #[test]
    fn keys_of_services_are_recognized() {
        let hex = "0a1b2c3d4e5f".repeat(12);
        let mixed = "a1B2c3D4e5F6".repeat(12);
        for (prefix, rest) in [
            ("gl", format!("rt-{}", &mixed[..20])),
            ("gl", format!("ptt-{}", &hex[..40])),
            ("gl", format!("dt-{}", &mixed[..20])),
            ("GR", format!("1348941{}", &mixed[..20])),
            ("https://hooks.sl", format!("ack.com/services/T00000000/B00000000/{}", &mixed[..24])),
            ("https://disc", format!("ord.com/api/webhooks/123456789012345678/{}", &mixed[..68])),
            ("https://disc", format!("ordapp.com/api/webhooks/123456789012345678/{}", &mixed[..68])),
            ("sk_", format!("live_{}", &mixed[..24])),
            ("sk_", format!("test_{}", &mixed[..24])),
            ("rk_", format!("live_{}", &mixed[..24])),
            ("S", format!("G.{}.{}", &mixed[..22], &mixed[..43])),
            ("py", format!("pi-AgEIcHlwaS5vcmc{}", &mixed[..60])),
            ("np", format!("m_{}", &mixed[..36])),
            ("h", format!("f_{}", &mixed[..34])),
            ("gs", format!("k_{}", &mixed[..52])),
            ("hv", format!("s.{}", &mixed[..90])),
            ("hv", format!("b.{}", &mixed[..138])),
            ("xox", format!("b-123456789012-123456789012-{}", &mixed[..24])),
            ("xap", format!("p-1-A0123456789-1234567890123-{}", &hex[..64])),
            ("xox", format!("e-1-{}", &mixed[..140])),
            ("shp", format!("at_{}", &hex[..32])),
            ("dckr_", format!("pat_{}", &mixed[..27])),
            ("lin_", format!("api_{}", &mixed[..40])),
            ("da", format!("pi{}", &hex[..32])),
            ("dop", format!("_v1_{}", &hex[..64])),
            ("r8", format!("_{}", &mixed[..37])),
            ("PM", format!("AK-{}-{}", &hex[..24], &hex[..34])),
            ("nt", format!("n_12345678901{}", &mixed[..35])),
            ("pul", format!("-{}", &hex[..40])),
            ("figd", format!("_{}", &mixed[..40])),
            (
                "AGE-SEC",
                format!(
                    "RET-KEY-1{}",
                    "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".repeat(2).get(..58).unwrap_or_default()
                ),
            ),
            ("ABIA", "A2B3C4D5E6F7G2H3".to_owned()),
            ("glsa", format!("_{}_{}", &mixed[..32], &hex[..8])),
            ("sntryu", format!("_{}", &hex[..64])),
        ] {
            let key = format!("{prefix}{rest}");
            let secret = &rest[rest.len() - 12..];
            for text in [key.clone(), format!("see {key}, or"), format!(r#"{{"o":"a\n{key}\nb"}}"#)] {
                let clean = Redactor::default().text(&text).into_owned();
                assert!(!clean.contains(secret), "{prefix}…: {clean}");
                let masked = Redactor::default().mask(&text, b'*').into_owned();
                assert!(!masked.contains(secret), "{prefix}…: {masked}");
                assert_eq!(masked.len(), text.len());
            }
        }
    }

    #[test]
    fn ordinary_words_stay() {
        let redactor = Redactor::new(["short"]);
        for text in [
            "short",
            "a risk-assessment-2026-of-everything",
            "sk-learn-compatible-estimators",
            "the token: it is used up",
            "bearer of bad news",
            "max_tokens=4096",
            "tokens: 5",
            "author: me2you44",
            "secretary: Ms. Smith42",
            "Password: required",
            "npm_config_some_very_long_setting_of_npm1",
            "Cookie: the app stores one",
            "COMPAT=1",
            "token_file=/home/me/token",
            "https://host:8080/a@b",
            "eyJ.a.b",
            "20260205-10000112345-4242-0001",
            "--token-file /home/me/token --verbose",
            "the flag --password, like --token",
            "https://discord.com/api/webhooks/",
            "a commit 88dd491aa0b1c2d3e4f5061728394a5b6c7d8e9f of main",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  file",
            "6f1ed002-ab5d-4c1e-9b7e-0a5e9e6a1f0b",
            r"C:\new\table\readme.txt",
            "vault, discord and slack are services; curl reads them",
        ] {
            assert!(matches!(redactor.text(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn short_texts_are_hidden_where_it_is_said() {
        let redactor = Redactor::default().and(["six666", "five5"], 6);
        assert_eq!(redactor.mask("a six666 five5", b'*'), "a ****** five5");
    }

    #[test]
    fn command_lines_hide_the_values_of_secret_flags() {
        let redactor = Redactor::default();
        let line =
            ["claude", "--api-key", "abc", "--token=abc", "--max-tokens", "5", "--token", "--verbose", KEY];
        let clean = redactor.commandline(&line.map(str::to_owned));
        assert_eq!(
            clean,
            [
                "claude",
                "--api-key",
                REDACTED,
                "--token=[REDACTED]",
                "--max-tokens",
                "5",
                "--token",
                "--verbose",
                REDACTED
            ]
        );
    }

    #[test]
    fn json_is_cleaned_at_every_depth() {
        let mut words = json!(["run", "--token", "abc", "--password", "--verbose", "-n", "5"]);
        Redactor::default().json(&mut words);
        assert_eq!(words, json!(["run", "--token", REDACTED, "--password", "--verbose", "-n", "5"]));
        let mut value = json!({"a": [{"token": "x", "token_file": "/x"}], "auth": {"apiKey": 5}, "t": format!("k {KEY}"),
                               "max_tokens": 7, "secret": null});
        Redactor::default().json(&mut value);
        assert_eq!(
            value,
            json!({"a": [{"token": REDACTED, "token_file": "/x"}], "auth": {"apiKey": REDACTED}, "t": "k [REDACTED]",
                   "max_tokens": 7, "secret": null})
        );
    }

    #[test]
    fn a_mask_moves_nothing_and_leaves_json_as_json() {
        let redactor = Redactor::new(["hunter2hunter2", "ünter2ünter2"]);
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----";
        for (text, masked) in [
            (format!("key {KEY}."), format!("key {}.", "*".repeat(KEY.len()))),
            (r#"{"password": "a\"b", "n": 1}"#.to_owned(), r#"{"password": "****", "n": 1}"#.to_owned()),
            (
                r#"{"o":"{\"password\":\"hunter2\"}"}"#.to_owned(),
                r#"{"o":"{\"password\":\"*******\"}"}"#.to_owned(),
            ),
            (r#"{"o":"x --password a\"}"#.to_owned(), r#"{"o":"x --password *\"}"#.to_owned()),
            ("it is ünter2ünter2!".to_owned(), "it is **************!".to_owned()),
            (format!("{pem}\nend"), pem.replace(|c| c != '\n', "*") + "\nend"),
            ("TOKEN=abc".to_owned(), "TOKEN=***".to_owned()),
        ] {
            assert_eq!(redactor.mask(&text, b'*'), masked, "{text}");
            assert_eq!(redactor.mask(&masked, b'*').len(), text.len());
        }
        assert!(matches!(redactor.mask("nothing here", b'*'), Cow::Borrowed(_)));
    }

    #[test]
    fn a_redactor_does_not_print_what_it_knows() {
        assert_eq!(format!("{:?}", Redactor::new(["hunter2hunter2"])), "Redactor(1 secrets)");
    }

    proptest! {
        #[test]
        fn any_text_can_be_cleaned_and_no_known_secret_stays(before in ".*", after in ".*") {
            let redactor = Redactor::new(["hunter2hunter2"]);
            let clean = redactor.text(&format!("{before}hunter2hunter2{after}")).into_owned();
            prop_assert!(!clean.contains("hunter2hunter2"));
            prop_assert_eq!(redactor.text(&clean).into_owned(), clean.clone());
        }
    }
}
