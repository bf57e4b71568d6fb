//! Request bodies: JSON, with limits on size and time, and with errors that name line and column.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use warp::{Filter, filters::BoxedFilter};

use super::error::{Error, Result};

/// Time limit for sending a body.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body that was not read yet.
pub struct Body {
    /// A stream that only one thread polls; the lock, which is never waited for, lets threads share it.
    parts: Mutex<Pin<Box<Parts>>>,
    /// Maximum size in bytes.
    most: u64,
}

type Parts = dyn Stream<Item = std::result::Result<Bytes, warp::Error>> + Send;

/// Hands a body to an endpoint, which sets its limit.
pub(super) fn body() -> BoxedFilter<(Body,)> {
    warp::body::stream().map(|stream| Body { parts: Mutex::new(Box::pin(as_bytes(stream))), most: 0 }).boxed()
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
    /// The same body with a limit in bytes.
    pub(super) fn limited(self, most: u64) -> Self {
        Self { most, ..self }
    }

    /// Reads the body as JSON of a type. Also returns the JSON as it was sent.
    ///
    /// # Errors
    /// 400 if the body is no such JSON, 408 if it is late, 413 if it is too large.
    pub async fn json<T: DeserializeOwned>(self) -> Result<(T, Value)> {
        let bytes = self.bytes().await?;
        Ok((understood(&bytes)?, understood(&bytes)?))
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
    /// 408 if it is late, 413 if it is too large, 400 if it breaks off.
    pub async fn bytes(self) -> Result<Bytes> {
        let late = |_| Error::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
        tokio::time::timeout(PATIENCE, self.read()).await.map_err(late)?
    }

    async fn read(self) -> Result<Bytes> {
        let most = self.most;
        let mut parts = self.parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = BytesMut::new();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|_| Error::bad_request("the body broke off"))?;
            if (bytes.len() + part.len()) as u64 > most {
                return Err(Error::too_large(most));
            }
            bytes.extend_from_slice(&part);
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
