//! Request bodies: JSON, with limits on size and time, and with errors that name line and column.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use warp::{Filter, filters::BoxedFilter};

use super::{
    budget::{Budget, Share},
    error::{Error, Result},
    live::Live,
};

/// Time limit for sending a body.
const PATIENCE: Duration = Duration::from_secs(30);

/// Size up to which a body takes no share while it arrives, so that slow clients with large bodies delay no small one.
const FREE: usize = 16 * 1024;
/// Memory that the handling of a body takes, for each byte of it and for each JSON value in it.
const FACTOR: (usize, usize) = (8, 72);
/// Maximum time that a body waits for its share of the memory.
const IN_LINE: Duration = Duration::from_secs(20);
/// Maximum number of JSON values of a body that are held as values.
const MOST_VALUES: usize = 32 * 1024;

/// The memory that the body of one request takes. Its shares last until the last copy of this is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Purse {
    arriving: Budget,
    handled: Budget,
    shares: Arc<Mutex<Vec<Share>>>,
}

impl Purse {
    pub(crate) fn new(live: &Live) -> Self {
        Self { arriving: live.bodies.clone(), handled: live.handled.clone(), shares: Arc::default() }
    }

    async fn take(&self, budget: &Budget, bytes: usize) -> Result<()> {
        let full = |_| Error::busy("the daemon is handling too many large bodies; try again");
        let share = tokio::time::timeout(IN_LINE, budget.take(bytes)).await.map_err(full)?;
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).push(share);
        Ok(())
    }
}

/// A body as it was sent: valid JSON.
#[derive(Debug, Clone)]
pub struct Sent(Bytes);

impl Sent {
    /// Returns the bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the JSON as a value. `None` if it has so many values that they would take many times its size, or a
    /// number that no value holds.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        if counted(&self.0) < MOST_VALUES { serde_json::from_slice(&self.0).ok() } else { None }
    }

    /// Returns the JSON in a spelling that does not depend on the order of keys and on space, if [`Sent::value`] has it;
    /// otherwise as it was sent.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        self.value().map_or_else(|| self.0.to_vec(), |value| value.to_string().into_bytes())
    }
}

/// Counts the bytes outside of texts that a value may follow: about the number of values.
fn counted(json: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' | b':' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

/// A body that was not read yet.
pub struct Body {
    /// A stream that only one thread polls; the lock, which is never waited for, lets threads share it.
    parts: Mutex<Pin<Box<Parts>>>,
    /// Maximum size in bytes.
    most: u64,
    /// The size that the request states.
    length: Option<u64>,
    purse: Option<Purse>,
}

type Parts = dyn Stream<Item = std::result::Result<Bytes, warp::Error>> + Send;

/// Hands a body to an endpoint, which sets its limit.
pub(super) fn body() -> BoxedFilter<(Body,)> {
    warp::body::stream()
        .map(|stream| Body {
            parts: Mutex::new(Box::pin(as_bytes(stream))),
            most: 0,
            length: None,
            purse: None,
        })
        .boxed()
}

fn as_bytes<B: Buf>(
    stream: impl Stream<Item = std::result::Result<B, warp::Error>>,
) -> impl Stream<Item = std::result::Result<Bytes, warp::Error>> {
    stream.map_ok(|mut part| part.copy_to_bytes(part.remaining()))
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Body {
    /// The same body with a limit in bytes, the size that the request states, and the memory that it may take.
    pub(super) fn limited(self, most: u64, length: Option<u64>, purse: Purse) -> Self {
        Self { most, length, purse: Some(purse), ..self }
    }

    /// Reads the body as JSON of a type. Also returns the JSON as it was sent.
    ///
    /// # Errors
    /// 400 if the body is no such JSON, 408 if it is late, 413 if it is too large, 503 if there is no room for it.
    pub async fn json<T: DeserializeOwned>(self) -> Result<(T, Sent)> {
        let bytes = self.bytes().await?;
        Ok((understood(&bytes)?, Sent(bytes)))
    }

    /// Reads a body that may be missing; then returns the type's default.
    ///
    /// # Errors
    /// As [`Body::json`].
    pub async fn json_or_nothing<T: DeserializeOwned + Default>(self) -> Result<T> {
        let bytes = self.bytes().await?;
        if bytes.is_empty() { Ok(T::default()) } else { understood(&bytes) }
    }

    /// Reads the body as it is.
    ///
    /// # Errors
    /// 408 if it is late, 413 if it is too large, 400 if it breaks off, 503 if there is no room for it.
    pub async fn bytes(self) -> Result<Bytes> {
        let Self { parts, most, length, purse } = self;
        let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        let late = |_| Error::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut bytes = BytesMut::new();
        let mut has_share = false;
        while let Some(part) = tokio::time::timeout_at(deadline, parts.next()).await.map_err(late)? {
            let part = part.map_err(|_| Error::bad_request("the body broke off"))?;
            let size = bytes.len() + part.len();
            if size as u64 > most {
                return Err(Error::too_large(most));
            }
            if let Some(purse) = purse.as_ref().filter(|_| !has_share && size > FREE) {
                // The share is for the whole body. Otherwise bodies that have arrived in part could block each other.
                let whole = usize::try_from(length.unwrap_or(most).min(most)).unwrap_or(usize::MAX).max(size);
                purse.take(&purse.arriving, whole).await?;
                has_share = true;
                bytes.reserve(length.map_or(0, |_| whole - bytes.len()));
            }
            bytes.extend_from_slice(&part);
        }
        if let Some(purse) = purse.as_ref().filter(|_| !bytes.is_empty()) {
            let size = bytes.len().saturating_mul(FACTOR.0).max(counted(&bytes).saturating_mul(FACTOR.1));
            purse.take(&purse.handled, size).await?;
        }
        Ok(bytes.freeze())
    }
}

/// Parses the text itself, so that an error names line, column and field.
fn understood<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let field = e.path().to_string();
        let field = if field == "." { String::new() } else { format!(", at {}", field.escape_debug()) };
        Error::bad_request(format!("the body is invalid{field}: {}", e.inner()))
    })?;
    json.end().map_err(|e| Error::bad_request(format!("the body is invalid: {e}")))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_many_values_is_not_held_as_values() {
        let sent = |text: String| Sent(text.into());
        let many = format!("[{}0]", "0,".repeat(MOST_VALUES));
        assert_eq!(sent(many).value(), None);
        let text = format!("{{\"body\":\"{}\"}}", ",\\\"[".repeat(MOST_VALUES));
        assert!(sent(text).value().is_some(), "a text is one value");
        assert_eq!(sent("{\"n\":1e999}".to_owned()).value(), None);
        assert_eq!(sent("{\"n\":[1]}".to_owned()).value(), Some(serde_json::json!({ "n": [1] })));
    }
}
