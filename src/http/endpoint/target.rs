//! What the path of a request names.

use std::{fmt::Display, str::FromStr};

use super::param::{Param, text};
use crate::{
    http::error::{HttpError, Result},
    tree::{
        ids::{ProjectId, RunId, TaskId},
        refs::{RunRef, TaskRef},
    },
};

const PROJECT: Param = text::<ProjectId>("project_id", "The project").in_path();
const TASK: Param = text::<TaskId>("task_id", "The task").in_path();
const RUN: Param = text::<RunId>("run_id", "The run").in_path();

/// The texts that stand in a path for its parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http) struct Given(pub(super) Vec<(&'static str, String)>);

impl Given {
    fn parse<T: FromStr<Err: Display>>(&self, param: &Param) -> Result<T> {
        let given = self.0.iter().find(|(name, _)| *name == param.name);
        let text = given.map(|(_, text)| text.as_str()).unwrap_or_default();
        text.parse().map_err(|e: T::Err| HttpError::bad_request(e.to_string()))
    }
}

/// What a path can name: understood once, before the endpoint is asked.
pub(in crate::http) trait Target: Sized + Send + 'static {
    /// Its parts, in the order of the path.
    const PARAMS: &'static [Param];

    /// Understands the texts of the path.
    fn read(given: &Given) -> Result<Self>;
}

impl Target for () {
    const PARAMS: &'static [Param] = &[];

    fn read(_: &Given) -> Result<Self> {
        Ok(())
    }
}

impl Target for ProjectId {
    const PARAMS: &'static [Param] = &[PROJECT];

    fn read(given: &Given) -> Result<Self> {
        given.parse(&PROJECT)
    }
}

impl Target for TaskId {
    const PARAMS: &'static [Param] = &[TASK];

    fn read(given: &Given) -> Result<Self> {
        given.parse(&TASK)
    }
}

impl Target for RunId {
    const PARAMS: &'static [Param] = &[RUN];

    fn read(given: &Given) -> Result<Self> {
        given.parse(&RUN)
    }
}

impl Target for TaskRef {
    const PARAMS: &'static [Param] = &[PROJECT, TASK];

    fn read(given: &Given) -> Result<Self> {
        Ok(Self { project: given.parse(&PROJECT)?, task: given.parse(&TASK)? })
    }
}

impl Target for RunRef {
    const PARAMS: &'static [Param] = &[PROJECT, TASK, RUN];

    fn read(given: &Given) -> Result<Self> {
        Ok(Self { task: TaskRef::read(given)?, run: given.parse(&RUN)? })
    }
}
