//! The part of a request that is named by its path.

use std::{fmt::Display, str::FromStr};

use super::param::Param;
use crate::error::{Error, Result};

/// The texts in a path for its parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathTexts(pub(super) Vec<(&'static str, String)>);

impl PathTexts {
    /// Reads the text of a parameter.
    ///
    /// # Errors
    /// 400 if the text is none of the type.
    pub fn parse<T: FromStr<Err: Display>>(&self, param: &Param) -> Result<T> {
        let given = self.0.iter().find(|(name, _)| *name == param.name);
        let text = given.map(|(_, text)| text.as_str()).unwrap_or_default();
        text.parse().map_err(|e: T::Err| Error::bad_request(e.to_string()))
    }
}

/// A type that the path of a request names, read before the endpoint is called. An API with the state `S` implements it
/// for its own nouns.
pub trait Target<S>: Sized + Send + 'static {
    /// Its parts, in the order of the path.
    const PARAMS: &'static [Param];

    /// Reads the texts of the path.
    ///
    /// # Errors
    /// 400 if they are none of this type.
    fn read(texts: &PathTexts) -> Result<Self>;
}

impl<S> Target<S> for () {
    const PARAMS: &'static [Param] = &[];

    fn read(_: &PathTexts) -> Result<Self> {
        Ok(())
    }
}
