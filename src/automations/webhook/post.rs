//! One delivery attempt: a POST that follows no redirect, within the configured time.

use chrono::{DateTime, Utc};

use super::sign;
use crate::{
    config::{Secret, Webhook},
    tree::outbox::Delivery,
};

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
                .header("X-Conductor-Signature", sign::of_body(secret.expose(), body))
                .header("webhook-signature", sign::of_message(secret.expose(), id, time, body));
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
            Err(ureq::Error::BadUri(_)) => Err("webhook.url is no address".to_owned()),
            Err(e) => Err(e.to_string()),
        }
    }
}
