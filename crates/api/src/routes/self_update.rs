//! `/api/v1/admin/self-update`.

use http::StatusCode;
use warp::reply::Response;

use crate::{
    endpoint::{ADMIN, Call, Endpoint, delete, get, post},
    error::{HttpError, Result, json},
    wire,
};
use base::blocking;
use daemon::Refusal;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(ADMIN, "/api/v1/admin/self-update", "Get the state of the daemon's update")
            .json::<wire::SelfUpdate>(StatusCode::OK, "The state of the update")
            .then(|call, (): ()| status(call)),
        post(ADMIN, "/api/v1/admin/self-update", "Replace the daemon's own program")
            .about(
                "With the mode `drain` the update waits until no root task is live, and no new one starts meanwhile; with \
                 `live` it happens at once.",
            )
            .refuses_pages()
            .takes::<wire::NewSelfUpdate>()
            .json::<wire::SelfUpdate>(StatusCode::ACCEPTED, "The update has begun")
            .errors(&[409])
            .then(|call, (): ()| start(call)),
        delete(ADMIN, "/api/v1/admin/self-update", "Cancel a deferred update")
            .refuses_pages()
            .json::<wire::SelfUpdate>(StatusCode::OK, "The update is cancelled")
            .errors(&[409])
            .then(|call, (): ()| call_off(call)),
    ]
}

async fn status(call: Call) -> Result<Response> {
    let core = call.api.core.clone();
    let status = blocking::run(move || core.updates.status()).await?;
    Ok(json(StatusCode::OK, &wire::SelfUpdate::from(&status)))
}

async fn start(call: Call) -> Result<Response> {
    let Call { api, body, .. } = call;
    let (wanted, _) = body.json::<wire::NewSelfUpdate>().await?;
    let status = api.core.updates.request(wanted.binary_path, wanted.mode).await?;
    Ok(json(StatusCode::ACCEPTED, &wire::SelfUpdate::from(&status)))
}

async fn call_off(call: Call) -> Result<Response> {
    let status = call.api.core.updates.call_off().await?;
    Ok(json(StatusCode::OK, &wire::SelfUpdate::from(&status)))
}

impl From<Refusal> for HttpError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Candidate(e) => Self::bad_request(format!("binary_path: {e}: {}", e.source)),
            Refusal::Pending(_) | Refusal::NotDeferred => {
                Self::new(StatusCode::CONFLICT, refusal.to_string())
            }
            Refusal::Runner(e) => e.into(),
        }
    }
}
