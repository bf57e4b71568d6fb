//! One delivery attempt: a signed POST that follows no redirect, within the configured time.
//!
//! Two signatures authenticate the sender: HMAC-SHA256 with `webhook.secret`. `X-Conductor-Signature: sha256=<hex>`
//! over the body is the original's. `webhook-signature: v1,<base64>` over `<id>.<time>.<body>` is that of Standard
//! Webhooks, which cannot be replayed later.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use config::{Secret, Webhook};
use tree::outbox::Delivery;

/// The target and the client of the requests.
pub(super) struct Post {
    url: String,
    secret: Option<Secret>,
    agent: ureq::Agent,
}

impl Post {
    /// Creates the client; `None` if no URL is configured.
    pub(super) fn new(webhook: &Webhook) -> Option<Self> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Do not follow redirects: the notification is meant for this URL only.
            .max_redirects(0)
            .timeout_global(Some(webhook.timeout))
            .user_agent(concat!("run-agent/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Some(Self { url: webhook.url.clone()?, secret: webhook.secret.clone(), agent })
    }

    /// Sends a notification. A 2xx answer accepts it; otherwise returns the reason for the failure.
    pub(super) fn deliver(&self, delivery: &Delivery, now: DateTime<Utc>) -> Result<(), String> {
        let (id, time, body) = (&delivery.id, now.timestamp(), &delivery.body);
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json")
            .header("X-Conductor-Event", &delivery.event)
            .header("X-Conductor-Delivery", id)
            .header("X-Conductor-Timestamp", time.to_string())
            .header("webhook-id", id)
            .header("webhook-timestamp", time.to_string());
        if let Some(secret) = &self.secret {
            request = request
                .header("X-Conductor-Signature", signature_of_body(secret.expose(), body))
                .header("webhook-signature", signature_of_message(secret.expose(), id, time, body));
        }
        match request.send(body.as_str()) {
            Ok(answer) => match answer.status().as_u16() {
                200..300 => Ok(()),
                status @ 300..400 => {
                    Err(format!("it was answered with {status}; redirects are not followed"))
                }
                status => Err(format!("it was answered with {status}")),
            },
            // The error must not contain the URL, because the URL may contain a token.
            Err(ureq::Error::Timeout(_)) => Err("it was not answered in time".to_owned()),
            Err(ureq::Error::Io(e)) => Err(e.to_string()),
            Err(ureq::Error::HostNotFound) => Err("its host is not known".to_owned()),
            Err(ureq::Error::BadUri(_)) => Err("webhook.url is not a valid URL".to_owned()),
            Err(e) => Err(e.to_string()),
        }
    }
}

/// Prefix of a secret in base64, as in Standard Webhooks.
const ENCODED: &str = "whsec_";

/// Returns `sha256=<hex>` over the body.
fn signature_of_body(secret: &str, body: &str) -> String {
    let mut text = "sha256=".to_owned();
    for byte in sum(secret.as_bytes(), &[body]) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Returns `v1,<base64>` over id, time (seconds since 1970) and body.
fn signature_of_message(secret: &str, id: &str, time: i64, body: &str) -> String {
    let decoded = secret.strip_prefix(ENCODED).and_then(|rest| STANDARD.decode(rest).ok());
    let key = decoded.unwrap_or_else(|| secret.as_bytes().to_vec());
    format!("v1,{}", STANDARD.encode(sum(&key, &[id, ".", &time.to_string(), ".", body])))
}

fn sum(key: &[u8], parts: &[&str]) -> Vec<u8> {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_that_others_compute() {
        // RFC 4231, test case 2.
        assert_eq!(
            signature_of_body("Jefe", "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        // The example of the Standard Webhooks libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = signature_of_message(
            secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
