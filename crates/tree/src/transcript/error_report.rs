//! Classifies an error by the agent's message and the provider's HTTP status.
//!
//! 1. A phrase with a single meaning decides first, because agents wrap one provider's refusal into another's
//!    status.
//! 2. Otherwise the HTTP status decides. Many agents print it only in their message.
//! 3. Otherwise less certain phrases decide.

use super::{retry::Retry, words::Words};
use crate::event::{ErrorClass, EventKind};

/// An error, as it is collected from a line.
#[derive(Debug)]
pub struct ErrorReport {
    message: String,
    words: Words,
    status: Option<u16>,
    retry: Retry,
    goes_on: bool,
}

impl ErrorReport {
    /// An error in the agent's own words.
    #[must_use]
    pub fn new(message: &str) -> Self {
        let (message, words) = (message.to_owned(), Words::new(message));
        Self { message, words, status: None, retry: Retry::default(), goes_on: false }
    }

    /// Adds the provider's HTTP status, if the agent reports it separately.
    #[must_use]
    pub fn with_status(self, status: Option<u16>) -> Self {
        Self { status: status.or(self.status), ..self }
    }

    /// Adds words that tell the class, such as the name of the error; the message does not repeat them.
    #[must_use]
    pub fn with_words(self, more: &str) -> Self {
        Self { words: Words::new(&format!("{} {more}", self.message)), ..self }
    }

    /// Adds the time of a retry, if the agent reports it separately.
    #[must_use]
    pub fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// Marks an error in spite of which the agent continues.
    #[must_use]
    pub fn that_passes(self) -> Self {
        Self { goes_on: true, ..self }
    }

    /// The event.
    #[must_use]
    pub fn into_error(self) -> EventKind {
        let http_status = self.status.or_else(|| status_in(&self.words));
        let class = class_of(&self.words, http_status);
        let passes = matches!(class, ErrorClass::UsageLimit | ErrorClass::Overload | ErrorClass::Connection);
        let Retry { at, after, clock } = match (self.retry.is_known(), passes) {
            (true, _) => self.retry,
            (false, true) => Retry::of(&self.words),
            (false, false) => Retry::default(),
        };
        EventKind::Error {
            class,
            message: self.message,
            http_status,
            retry_at: at,
            retry_after: after,
            retry_clock: clock,
            retried: self.goes_on,
        }
    }
}

type Phrases = &'static [(ErrorClass, &'static [&'static str])];

/// Phrases with a single meaning, regardless of the status. The first one that matches decides.
const SURE: Phrases = &[
    (
        ErrorClass::UnknownSession,
        &[
            "no conversation found",
            "no session found",
            "session not found",
            "invalid session identifier",
            "thread not found",
            "no rollout found",
        ],
    ),
    (
        ErrorClass::Request,
        &[
            "prompt is too long",
            "context_length_exceeded",
            "maximum context length",
            "context window",
            "input is too long",
        ],
    ),
    (
        ErrorClass::Overload,
        &["overloaded", "high demand", "at capacity", "capacity_exhausted", "no capacity available"],
    ),
    (
        ErrorClass::UsageLimit,
        &[
            "hit your ",
            "usage limit",
            "usage_limit",
            "limit reached|",
            "limit will reset",
            "weekly limit",
            "session limit",
            "5-hour limit",
            "rate limit",
            "rate_limit",
            "rate-limit",
            "ratelimit",
            "resource_exhausted",
            "resource exhausted",
            "resource has been exhausted",
            "exhausted your capacity",
            "exceeded your current quota",
            "quota exceeded",
            "quota limit",
            "insufficient_quota",
            "too many requests",
            "out of extra usage",
            "out of credits",
            "spend limit",
            "credit balance is too low",
        ],
    ),
    (
        ErrorClass::Auth,
        &[
            "api key not valid",
            "invalid api key",
            "invalid_api_key",
            "incorrect api key",
            "api_key_invalid",
            "authentication_error",
            "authentication_failed",
            "failed to authenticate",
            "unauthenticated",
            "not logged in",
            "please run /login",
            "providerautherror",
            "token has expired",
        ],
    ),
];

/// Phrases that decide if the status is unknown.
const LIKELY: Phrases = &[
    (
        ErrorClass::Connection,
        &[
            "connection",
            "stream disconnected",
            "stream closed",
            "network",
            "timed out",
            "timeout",
            "error sending request",
            "fetch failed",
            "unable to connect",
            "econnre",
            "enotfound",
            "eai_again",
            "socket",
        ],
    ),
    (
        ErrorClass::Overload,
        &[
            "unavailable",
            "server_error",
            "server error",
            "bad gateway",
            "server had an error",
            "try again later",
        ],
    ),
    (ErrorClass::Auth, &["unauthorized", "forbidden", "permission_denied", "credentials"]),
    (
        ErrorClass::Request,
        &[
            "invalid_request",
            "bad request",
            "invalid_argument",
            "model not found",
            "not_found",
            "unsupported",
        ],
    ),
];

fn class_of(words: &Words, status: Option<u16>) -> ErrorClass {
    let first =
        |table: Phrases| table.iter().find(|(_, phrases)| words.have(phrases)).map(|(class, _)| *class);
    first(SURE)
        .or_else(|| status.and_then(class_of_status))
        .or_else(|| first(LIKELY))
        .unwrap_or(ErrorClass::Other)
}

/// Classifies an HTTP status by RFC 9110, section 15, and by the providers' use: 529 is Anthropic's for an overload,
/// 520 to 524 a proxy's.
fn class_of_status(status: u16) -> Option<ErrorClass> {
    Some(match status {
        402 | 429 => ErrorClass::UsageLimit,
        401 | 403 | 407 => ErrorClass::Auth,
        408 => ErrorClass::Connection,
        400..=499 => ErrorClass::Request,
        500..=599 => ErrorClass::Overload,
        _ => return None,
    })
}

const STATUS_MARKS: &[&str] = &[
    "status:",
    "status code",
    "status ",
    "statuscode:",
    "status_code:",
    "code:",
    "http ",
    "api error:",
    "error:",
    "error (",
    "(",
];

/// Returns the HTTP status of a refusal, if the text contains one.
fn status_in(words: &Words) -> Option<u16> {
    let status = |text: &str| {
        let text = text.trim_start();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        text[..digits].parse().ok().filter(|n| digits == 3 && (400..600).contains(n))
    };
    words.behind(STATUS_MARKS).find_map(status)
}

#[cfg(test)]
mod tests {
    use ErrorClass::{Auth, Connection, Other, Overload, Request, UnknownSession, UsageLimit};

    use super::*;

    /// Returns class, HTTP status, and the time of the next attempt: `@` epoch, `+` seconds, else a clock time.
    fn told(message: &str) -> (ErrorClass, Option<u16>, String) {
        let EventKind::Error { class, http_status, retry_at, retry_after, retry_clock, .. } =
            ErrorReport::new(message).into_error()
        else {
            panic!("no error");
        };
        let clock = retry_clock.map(|c| format!("{}:{:02} {}", c.hour, c.minute, c.zone.unwrap_or_default()));
        let when = retry_at
            .map(|t| format!("@{}", t.timestamp()))
            .or(retry_after.map(|s| format!("+{s}")))
            .or(clock);
        (class, http_status, when.unwrap_or_default())
    }

    type Row = (&'static str, ErrorClass, Option<u16>, &'static str);

    /// Messages that agents print, from the captured streams and from public issues: their class, the HTTP status in
    /// them, and the time of the retry.
    #[rustfmt::skip]
    const REAL_WORDS: &[Row] = &[
        // codex: captured, and openai/codex issues 3899, 26668, 88, 10055, 2669 and earendil-works/pi 4172.
        ("You've hit your usage limit. Upgrade to Pro (https://openai.com/chatgpt/pricing) or try again in 5 days 22 hours 11 minutes.", UsageLimit, None, "+511860"),
        ("You've hit your usage limit. Try again in 3 days 2 hours 5 minutes.", UsageLimit, None, "+266700"),
        ("You’ve hit your usage limit. Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus), or try again at Jul 5th, 2026 8:19 PM.", UsageLimit, None, "20:19 "),
        ("You've hit your usage limit. Visit https://chatgpt.com/codex/settings/usage to purchase more credits or try again at 3:42 PM.", UsageLimit, None, "15:42 "),
        ("You've hit your usage limit. Upgrade to Pro (https://openai.com/chatgpt/pricing), or wait for limits to reset (every 5h and every week.).", UsageLimit, None, ""),
        ("You've hit your usage limit. Try again in less than a minute.", UsageLimit, None, "+60"),
        ("stream disconnected before completion: Rate limit reached for gpt-5 in organization org-x on tokens per min (TPM): Limit 250000, Used 250000, Requested 58487. Please try again in 14.036s. Visit https://platform.openai.com/account/rate-limits to learn more.", UsageLimit, None, "+14.036"),
        ("Rate limit reached for o4-mini on tokens per min (TPM): Limit 200000, Used 150405. Please try again in 564ms.", UsageLimit, None, "+0.564"),
        (r#"Codex error: {"type":"error","error":{"type":"usage_limit_reached","message":"The usage limit has been reached","resets_at":1777936568,"resets_in_seconds":13872},"status_code":429}"#, UsageLimit, Some(429), "@1777936568"),
        ("exceeded retry limit, last status: 429 Too Many Requests", UsageLimit, Some(429), ""),
        ("exceeded retry limit, last status: 503 Service Unavailable", Overload, Some(503), ""),
        ("We’re currently experiencing high demand, which may cause temporary errors.", Overload, None, ""),
        ("unexpected status 401 Unauthorized: scripted error 401, url: http://127.0.0.1:18999/v1/responses", Auth, Some(401), ""),
        (r#"{"error": {"type": "api_error", "message": "scripted error 400", "code": "400"}}"#, Request, Some(400), ""),
        ("Your input exceeds the context window of this model. Please adjust your input and try again.", Request, None, ""),
        ("stream disconnected before completion: stream closed before response.completed", Connection, None, ""),
        ("Connection failed: error sending request", Connection, None, ""),
        // claude: captured, and anthropics/claude-code issues 6119, 2087, 54698, 79136, 12789, 92834.
        ("Claude AI usage limit reached|1749924000", UsageLimit, None, "@1749924000"),
        ("Claude usage limit reached. Your limit will reset at 5pm (Europe/Warsaw).", UsageLimit, None, "17:00 Europe/Warsaw"),
        ("You've hit your limit · resets 3am (Europe/Berlin)", UsageLimit, None, "3:00 Europe/Berlin"),
        ("You've hit your session limit · resets 10:30pm (Europe/Berlin)", UsageLimit, None, "22:30 Europe/Berlin"),
        ("You've hit your weekly limit · resets Sep 15 at 7pm", UsageLimit, None, "19:00 "),
        ("Weekly limit reached · resets 10am (Asia/Seoul) · /upgrade to Max or turn on /extra-usage", UsageLimit, None, "10:00 Asia/Seoul"),
        (r#"API Error: 429 {"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account's rate limit. Please try again later."}}"#, UsageLimit, Some(429), ""),
        ("API Error: Request rejected (429) · scripted error 429", UsageLimit, Some(429), ""),
        (r#"API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Overload, Some(529), ""),
        ("API Error: 500 scripted error 500. This is a server-side issue, usually temporary — try again in a moment.", Overload, Some(500), ""),
        ("API Error: 400 You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.", UsageLimit, Some(400), "0:00 UTC"),
        ("Credit balance is too low", UsageLimit, None, ""),
        ("Failed to authenticate. API Error: 401 scripted error 401", Auth, Some(401), ""),
        ("Invalid API key · Please run /login", Auth, None, ""),
        ("API Error: 400 scripted error 400", Request, Some(400), ""),
        ("No conversation found with session ID: 11111111-2222-4333-8444-000000000000", UnknownSession, None, ""),
        ("Reached maximum budget ($0.01)", Other, None, ""),
        // gemini: captured, and google-gemini/gemini-cli issues 13004, 25103, 10925, 14811, 1800.
        ("[API Error: You have exhausted your capacity on this model. Your quota will reset after 8h44m7s.]", UsageLimit, None, "+31447"),
        ("[Backend Error] You have exhausted your capacity on this model. Your quota will reset after 4h28m20s. (HTTP 429)", UsageLimit, Some(429), "+16100"),
        ("[API Error: You exceeded your current quota, please check your plan and billing details. Please retry in 38.3s.]", UsageLimit, None, "+38.3"),
        ("[API Error: [{\n  \"error\": {\n    \"code\": 429,\n    \"message\": \"Resource has been exhausted (e.g. check quota).\",\n    \"status\": \"RESOURCE_EXHAUSTED\",\n \"details\": [{\"@type\": \"type.googleapis.com/google.rpc.RetryInfo\", \"retryDelay\": \"38s\"}]}}]]", UsageLimit, Some(429), "+38"),
        (r#"[API Error: {"error":{"message":"{\n  \"error\": {\n    \"code\": 429,\n    \"message\": \"Resource has been exhausted (e.g. check quota).\",\n    \"status\": \"RESOURCE_EXHAUSTED\"\n  }\n}\n","code":429,"status":"Too Many Requests"}}]"#, UsageLimit, Some(429), ""),
        (r#"[API Error: {"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}]"#, Overload, Some(503), ""),
        (r#"[API Error: {"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#, Auth, Some(400), ""),
        (r#"[API Error: {"error":{"code":401,"message":"scripted error 401","status":"INTERNAL"}}]"#, Auth, Some(401), ""),
        ("Error resuming session: Invalid session identifier \"x\".", UnknownSession, None, ""),
        // opencode: anomalyco/opencode issues 47747, 21465, 16994.
        (r#"OpenAI API error (429): {"code":"rate_limit_exceeded","message":"Rate limit exceeded. Please retry after a brief wait."}"#, UsageLimit, Some(429), ""),
        ("Too many requests, the rate limit is 8000000 tokens per minute.", UsageLimit, None, ""),
        ("You have exceeded the request rate limit. Please wait a short period before retrying your request.", UsageLimit, None, ""),
        // perplexity, xai and others with an HTTP status and little else.
        ("HTTP 502 Bad Gateway", Overload, Some(502), ""),
        ("something else", Other, None, ""),
        ("", Other, None, ""),
    ];

    #[test]
    fn real_words_are_understood() {
        for (words, class, status, when) in REAL_WORDS {
            assert_eq!(told(words), (*class, *status, (*when).to_owned()), "{words}");
        }
    }

    #[test]
    fn what_the_agent_says_apart_beats_its_words() {
        let kind = ErrorReport::new("try again in 5s")
            .with_status(Some(429))
            .with_words("APIError")
            .with_retry(Retry::after(9.0))
            .that_passes()
            .into_error();
        let expected = EventKind::Error {
            class: UsageLimit,
            message: "try again in 5s".to_owned(),
            http_status: Some(429),
            retry_at: None,
            retry_after: Some(9.0),
            retry_clock: None,
            retried: true,
        };
        assert_eq!(kind, expected);
    }

    #[test]
    fn each_status_has_its_class() {
        let classes =
            [400, 401, 402, 403, 404, 408, 413, 429, 500, 502, 503, 504, 529, 200].map(class_of_status);
        let expected = [
            Request, Auth, UsageLimit, Auth, Request, Connection, Request, UsageLimit, Overload, Overload,
            Overload, Overload, Overload,
        ];
        assert_eq!(classes[..13], expected.map(Some));
        assert_eq!(classes[13], None);
    }
}
