//! Signatures that authenticate the sender to the receiver: HMAC-SHA256 with `webhook.secret`.
//!
//! There are two of them. `X-Conductor-Signature: sha256=<hex>` over the body is the original's. `webhook-signature:
//! v1,<base64>` over `<id>.<time>.<body>` is that of Standard Webhooks, which cannot be replayed later.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Prefix of a secret whose rest is base64, as in Standard Webhooks.
const ENCODED: &str = "whsec_";

/// Returns `sha256=<hex>` over the body.
pub(super) fn of_body(secret: &str, body: &str) -> String {
    let mut text = "sha256=".to_owned();
    for byte in sum(secret.as_bytes(), &[body]) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Returns `v1,<base64>` over id, time (seconds since 1970) and body.
pub(super) fn of_message(secret: &str, id: &str, time: i64, body: &str) -> String {
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
            of_body("Jefe", "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        // The example of the Standard Webhooks libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed =
            of_message(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
