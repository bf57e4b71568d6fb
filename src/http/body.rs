//! Request bodies: JSON, up to a size, within a time, with errors that name line and column.

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

use super::error::{HttpError, Result};

/// How long a client may take to send a body.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body that was not read yet. Its lock is never waited for: it lets threads share who has the body.
pub(super) struct Body(Mutex<Pin<Box<Parts>>>);

type Parts = dyn Stream<Item = std::result::Result<Bytes, warp::Error>> + Send;

/// Hands a body to a route.
pub(super) fn body() -> BoxedFilter<(Body,)> {
    warp::body::stream().map(|stream| Body(Mutex::new(Box::pin(as_bytes(stream))))).boxed()
}

fn as_bytes<B: Buf>(
    stream: impl Stream<Item = std::result::Result<B, warp::Error>>,
) -> impl Stream<Item = std::result::Result<Bytes, warp::Error>> {
    stream.map_ok(|mut part| part.copy_to_bytes(part.remaining()))
}

impl Body {
    /// Reads the body and understands it. Returns it as it was sent, too.
    pub(super) async fn json<T: DeserializeOwned>(self, most: u64) -> Result<(T, Value)> {
        let bytes = self.bytes(most).await?;
        Ok((understood(&bytes)?, understood(&bytes)?))
    }

    /// The same for a body that may be missing, and then says nothing.
    pub(super) async fn json_or_nothing<T: DeserializeOwned + Default>(self, most: u64) -> Result<T> {
        let bytes = self.bytes(most).await?;
        if bytes.is_empty() { Ok(T::default()) } else { understood(&bytes) }
    }

    async fn bytes(self, most: u64) -> Result<Bytes> {
        let late = |_| HttpError::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
        tokio::time::timeout(PATIENCE, self.read(most)).await.map_err(late)?
    }

    async fn read(self, most: u64) -> Result<Bytes> {
        let mut parts = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = BytesMut::new();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|_| HttpError::bad_request("the body broke off"))?;
            if (bytes.len() + part.len()) as u64 > most {
                return Err(HttpError::too_large(most));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes.freeze())
    }
}

/// From the text, so that an error names line and column, and the field that it is about.
fn understood<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let field = e.path().to_string();
        let field = if field == "." { String::new() } else { format!(", at {}", field.escape_debug()) };
        HttpError::bad_request(format!("the body is not understood{field}: {}", e.inner()))
    })?;
    json.end().map_err(|e| HttpError::bad_request(format!("the body is not understood: {e}")))?;
    Ok(value)
}
