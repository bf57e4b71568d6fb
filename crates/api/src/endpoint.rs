//! The words in which the routes declare their endpoints: those of `web`, for the state and the nouns of this API.

use std::fmt::Display;

use super::{Api, error::HttpError};
use tree::{
    ids::{ProjectId, RunId, TaskId},
    refs::{RunRef, TaskRef},
};
use web::{PathTexts, Target};

pub(super) use web::{
    Access, LAST_EVENT_ID, Param, Query, Scope, Traces, delete, flag, get, number, one_of, opaque, page,
    post, text, time, words,
};

/// For every client that the guard lets in.
pub(super) const OPEN: Access = Access::Open;
/// For keys that read.
pub(super) const READ: Access = Access::Key(Scope::Read);
/// For keys that start and stop work.
pub(super) const RUN: Access = Access::Key(Scope::Run);
/// For keys that do everything.
pub(super) const ADMIN: Access = Access::Key(Scope::Admin);

/// A request that was let in.
pub(super) type Call = web::Call<Api>;
/// One method of one path.
pub(super) type Endpoint = web::Endpoint<Api>;
/// All endpoints.
pub(super) type Table = web::Table<Api>;

/// The refusal of a parameter with an invalid value.
pub(super) fn bad(param: &Param, why: &impl Display) -> HttpError {
    web::bad(param, why).into()
}

/// The name of a request that a client may send again.
pub(super) const IDEMPOTENCY_KEY: Param = opaque(
    "Idempotency-Key",
    "^[!-~]{1,255}$",
    "A unique name for this request. A repeated request with the same name has no further effect and gets the same answer",
)
.in_header();

/// The requested bytes.
pub(super) const RANGE: Param =
    text::<String>("Range", "The requested bytes, for example `bytes=0-1023`; only one range").in_header();

/// The version that a client already has.
pub(super) const IF_NONE_MATCH: Param = text::<String>(
    "If-None-Match",
    "The `ETag` of the client's version; the answer is 304 if it is still current",
)
.in_header();

const PROJECT: Param = text::<ProjectId>("project_id", "The project").in_path();
const TASK: Param = text::<TaskId>("task_id", "The task").in_path();
const RUN_ID: Param = text::<RunId>("run_id", "The run").in_path();

impl Target<Api> for ProjectId {
    const PARAMS: &'static [Param] = &[PROJECT];

    fn read(texts: &PathTexts) -> web::Result<Self> {
        texts.parse(&PROJECT)
    }
}

impl Target<Api> for TaskId {
    const PARAMS: &'static [Param] = &[TASK];

    fn read(texts: &PathTexts) -> web::Result<Self> {
        texts.parse(&TASK)
    }
}

impl Target<Api> for RunId {
    const PARAMS: &'static [Param] = &[RUN_ID];

    fn read(texts: &PathTexts) -> web::Result<Self> {
        texts.parse(&RUN_ID)
    }
}

impl Target<Api> for TaskRef {
    const PARAMS: &'static [Param] = &[PROJECT, TASK];

    fn read(texts: &PathTexts) -> web::Result<Self> {
        Ok(Self { project: texts.parse(&PROJECT)?, task: texts.parse(&TASK)? })
    }
}

impl Target<Api> for RunRef {
    const PARAMS: &'static [Param] = &[PROJECT, TASK, RUN_ID];

    fn read(texts: &PathTexts) -> web::Result<Self> {
        Ok(Self { task: TaskRef::read(texts)?, run: texts.parse(&RUN_ID)? })
    }
}
