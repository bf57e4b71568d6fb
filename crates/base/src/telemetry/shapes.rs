//! The shapes of secrets in the middle of a text.

use std::ops::Range;

use super::names::is_secret_name;

/// Prefixes of the keys of well-known services, with the smallest number of characters that follow.
const PREFIXES: &[(&str, usize)] = &[
    ("sk-", 16),
    ("gsk_", 16),
    ("xai-", 16),
    ("pplx-", 16),
    ("AIza", 30),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    // GitLab: of users, of pipelines, deployments, runners and agents.
    ("glpat-", 16),
    ("glptt-", 16),
    ("glcbt-", 16),
    ("gldt-", 16),
    ("glrt-", 16),
    ("glagent-", 16),
    ("glsoat-", 16),
    ("glft-", 16),
    ("glimt-", 16),
    ("GR1348941", 16),
    ("hf_", 20),
    ("api_org_", 20),
    ("xoxa-", 16),
    ("xoxb-", 16),
    ("xoxc-", 16),
    ("xoxd-", 16),
    ("xoxe-", 16),
    ("xoxe.", 16),
    ("xoxp-", 16),
    ("xoxr-", 16),
    ("xoxs-", 16),
    ("xapp-", 16),
    ("AKIA", 16),
    ("ASIA", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("whsec_", 20),
    ("pypi-", 32),
    ("SG.", 32),
    ("hvs.", 20),
    ("hvb.", 20),
    ("hvr.", 20),
    ("r8_", 32),
    ("dckr_pat_", 20),
    ("lin_api_", 20),
    ("shpat_", 20),
    ("AGE-SECRET-KEY-", 32),
    ("dop_v1_", 32),
    ("ya29.", 20),
    // Conductor's own: codes, keys of pages, tickets.
    ("cdc_", 32),
    ("cdk_", 32),
    ("cdt_", 32),
];

/// The longest web token that is searched for, in bytes.
const MAX_JWT: usize = 8192;

/// Returns true if a shape may begin at byte `at`: at the beginning of a word. This cheap check excludes most bytes.
pub(super) fn may_begin(text: &str, at: usize) -> bool {
    let byte_is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let bytes = text.as_bytes();
    let begins = bytes.get(at).is_some_and(|b| byte_is_part(*b) || *b == b'+');
    begins
        && match &bytes[..at] {
            // In JSON, the letter after a backslash encodes the end of a line, and is not part of a word.
            [.., b'\\', b'n' | b'r' | b't'] | [] => true,
            [.., before] => !byte_is_part(*before),
        }
}

/// Returns the secret that its shape reveals at byte `at`: the range to hide, which may begin later (after `token=`).
pub(super) fn find(text: &str, at: usize) -> Option<Range<usize>> {
    if !may_begin(text, at) {
        return None;
    }
    let rest = text.get(at..)?;
    let found = prefixed(rest)
        .or_else(|| npm(rest))
        .or_else(|| pem(rest))
        .or_else(|| jwt(rest))
        .or_else(|| bearer(rest))
        .or_else(|| webhook(rest))
        .or_else(|| userinfo(rest))
        .or_else(|| cookie(rest))
        .or_else(|| flag(rest))
        .or_else(|| assigned(rest))?;
    Some(at + found.start..at + found.end)
}

fn is_part_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn length(text: &str, of: impl Fn(char) -> bool) -> usize {
    text.find(|c| !of(c)).unwrap_or(text.len())
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
}

/// Finds `sk-…` and similar keys. A key contains a digit, and many words do not.
fn prefixed(rest: &str) -> Option<Range<usize>> {
    let (prefix, least) = PREFIXES.iter().find(|(prefix, _)| rest.starts_with(prefix))?;
    // Some keys have parts with dots between; a dot after the key ends a sentence.
    let end = rest[..length(rest, |c| is_part_of_name(c) || c == '.')].trim_end_matches('.').len();
    (end >= prefix.len() + least && has_digit(&rest[prefix.len()..end])).then_some(0..end)
}

/// Finds a token of npm: exactly 36 letters and digits, whereas the names of npm's settings contain `_`.
fn npm(rest: &str) -> Option<Range<usize>> {
    let end = length(rest, is_part_of_name);
    let token = rest[..end].strip_prefix("npm_")?;
    (token.len() == 36 && token.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(0..end)
}

/// Finds the values of `Cookie: a=b; c=d` and `Set-Cookie: …`, up to the end of the line or the quote.
fn cookie(rest: &str) -> Option<Range<usize>> {
    let name = length(rest, is_part_of_name);
    if !["cookie", "set-cookie"].iter().any(|header| rest[..name].eq_ignore_ascii_case(header)) {
        return None;
    }
    let mut at = name + length(&rest[name..], |c| matches!(c, '"' | '\''));
    at += rest[at..].starts_with(':').then_some(1)?;
    at += length(&rest[at..], |c| matches!(c, ' ' | '"' | '\''));
    let value = &rest[at..];
    let value = &value[..length(value, |c| !matches!(c, '\n' | '\r' | '"' | '\''))];
    // The word also appears in prose.
    value.contains('=').then_some(at..at + value.len())
}

/// Finds a private key between its two marker lines, or from the first of them on.
fn pem(rest: &str) -> Option<Range<usize>> {
    let name = rest.strip_prefix("-----BEGIN ")?;
    let (kind, _) = name.get(..64.min(name.len())).or(Some(name))?.split_once("-----")?;
    if !kind.ends_with("PRIVATE KEY") {
        return None;
    }
    let last = format!("-----END {kind}-----");
    Some(0..rest.find(&last).map_or(rest.len(), |at| at + last.len()))
}

/// Finds three parts of base64url with dots between, the first of them a JSON object.
fn jwt(rest: &str) -> Option<Range<usize>> {
    if !rest.starts_with("eyJ") {
        return None;
    }
    // Limited, so that a text full of such beginnings is not read to its end for each of them.
    let end = length(rest.get(..MAX_JWT).unwrap_or(rest), |c| is_part_of_name(c) || c == '.');
    let token = rest[..end].trim_end_matches('.');
    let parts: Vec<&str> = token.split('.').collect();
    (parts.len() == 3 && parts.iter().all(|p| p.len() >= 8)).then_some(0..token.len())
}

/// Finds `Bearer …` as in a header.
fn bearer(rest: &str) -> Option<Range<usize>> {
    let word = "bearer ";
    if !rest.get(..word.len())?.eq_ignore_ascii_case(word) {
        return None;
    }
    let token = &rest[word.len()..];
    let end = length(token, |c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | ',' | ';' | ')'));
    let like_a_token = end >= 20 || (end >= 8 && has_digit(&token[..end]));
    like_a_token.then_some(word.len()..word.len() + end)
}

/// Finds the secret part of a webhook's address: it alone lets the caller post.
fn webhook(rest: &str) -> Option<Range<usize>> {
    const PLACES: [&str; 6] = [
        "hooks.slack.com/services/",
        "hooks.slack.com/workflows/",
        "hooks.slack.com/triggers/",
        "discord.com/api/webhooks/",
        "discordapp.com/api/webhooks/",
        "webhook.office.com/webhookb2/",
    ];
    let place = PLACES.iter().find(|place| rest.starts_with(**place))?;
    let end = length(rest, |c| is_part_of_name(c) || matches!(c, '.' | '/' | '@' | '+'));
    let secret = rest[place.len()..end].trim_end_matches('.').len();
    (secret >= 16).then_some(place.len()..place.len() + secret)
}

/// Finds the value after a flag with a secret name: `--password x`, `"--password", "x"`. Another flag is no value.
fn flag(rest: &str) -> Option<Range<usize>> {
    let name = length(rest, is_part_of_name);
    let dashes = length(rest, |c| c == '-');
    if dashes == 0
        || !rest[name..].starts_with([' ', '\t', '"', '\'', '\\'])
        || !is_secret_name(&rest[dashes..name])
    {
        return None;
    }
    let list = Quote::at(&rest[name..]);
    let mut at = name + list.map_or(0, Quote::len);
    if list.is_some() {
        at += length(&rest[at..], |c| c == ' ');
        at += rest[at..].starts_with(',').then_some(1)?;
    }
    at += length(&rest[at..], |c| matches!(c, ' ' | '\t' | '\n'));
    let value = match Quote::at(&rest[at..]) {
        Some(quote) => {
            at += quote.len();
            at..at + quote.closing(&rest[at..])
        }
        None => at..at + unquoted(&rest[at..]),
    };
    (!value.is_empty() && !rest[value.start..].starts_with('-')).then_some(value)
}

/// A quote that begins or ends a string, with the backslashes before it: as many as the string is nested in others.
#[derive(Clone, Copy)]
struct Quote {
    sign: u8,
    backslashes: usize,
}

impl Quote {
    /// Returns the quote at the beginning of a text.
    fn at(text: &str) -> Option<Self> {
        let backslashes = length(text, |c| c == '\\');
        let sign = text.as_bytes().get(backslashes).copied().filter(|b| matches!(b, b'"' | b'\''))?;
        Some(Self { sign, backslashes })
    }

    fn len(self) -> usize {
        self.backslashes + 1
    }

    /// Returns the length of the string that this quote has opened: up to its closing quote, without the backslashes of
    /// that quote; or the whole text without one. Inside the string, a quote has more backslashes.
    fn closing(self, text: &str) -> usize {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(sign) = bytes[at..].iter().position(|b| *b == self.sign).map(|n| at + n) {
            let before = bytes[..sign].iter().rev().take_while(|b| **b == b'\\').count();
            // A backslash at the end of the string is written with twice as many as a quote of the next level needs.
            if before % (2 * self.backslashes + 2) == self.backslashes {
                return sign - self.backslashes;
            }
            at = sign + 1;
        }
        text.len()
    }
}

/// Returns the length of a value without quotes. Backslashes before a quote belong to the string around the value.
fn unquoted(text: &str) -> usize {
    let end =
        length(text, |c| !c.is_whitespace() && !matches!(c, '&' | ';' | ',' | '"' | '\'' | ')' | '}' | ']'));
    if text[end..].starts_with(['"', '\'']) { text[..end].trim_end_matches('\\').len() } else { end }
}

/// Finds the password in `scheme://user:password@host`.
fn userinfo(rest: &str) -> Option<Range<usize>> {
    let scheme = length(rest, |c| c.is_ascii_alphanumeric() || c == '+');
    let authority = rest[scheme..].strip_prefix("://")?;
    let authority =
        &authority[..length(authority, |c| !matches!(c, '/' | '?' | '#' | '"' | '\'') && !c.is_whitespace())];
    let (user, _) = authority.rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    let start = scheme + 3 + name.len() + 1;
    (scheme > 0 && !password.is_empty()).then_some(start..start + password.len())
}

/// Finds the value after a secret name: `TOKEN=x`, `--token=x`, `"token": "x"`, `Authorization: x y`.
fn assigned(rest: &str) -> Option<Range<usize>> {
    let name = length(rest, is_part_of_name);
    let quoted_name = Quote::at(&rest[name..]);
    let mut at = name + quoted_name.map_or(0, Quote::len);
    at += length(&rest[at..], |c| c == ' ');
    let sign = rest[at..].chars().next().filter(|c| matches!(c, '=' | ':'))?;
    // Checked last, because it is the most expensive check: few words are followed by a sign.
    if name == 0 || !is_secret_name(&rest[..name]) {
        return None;
    }
    at += 1;
    at += length(&rest[at..], |c| c == ' ');
    if let Some(quote) = Quote::at(&rest[at..]) {
        at += quote.len();
        let end = quote.closing(&rest[at..]);
        return (end > 0).then_some(at..at + end);
    }
    if rest[..name].eq_ignore_ascii_case("authorization") {
        let end = length(&rest[at..], |c| !matches!(c, '\n' | '\r' | '"' | '\''));
        let end = rest[at..at + end].trim_end_matches('\\').len();
        return (end > 0).then_some(at..at + end);
    }
    let end = unquoted(&rest[at..]);
    if sign == ':' && quoted_name.is_none() {
        return behind_colon(&rest[at..], end).map(|end| at..at + end);
    }
    (end > 0).then_some(at..at + end)
}

/// Returns the length of a value after a colon. Colons also appear in prose, so the value must contain a digit, and
/// must be a long word or end its line, as in YAML.
fn behind_colon(rest: &str, end: usize) -> Option<usize> {
    let line = ["\\n", "\\r"].iter().filter_map(|escape| rest[..end].find(escape)).min();
    let end = line.unwrap_or(end);
    let behind = rest[end..].trim_start_matches([' ', '\t', '"', '\'']);
    let ends_line = line.is_some() || behind.is_empty() || behind.starts_with(['\n', '\r', '#']);
    let least = if ends_line { 6 } else { 16 };
    (end >= least && has_digit(&rest[..end])).then_some(end)
}
