//! The parameters of a query. An error names the parameter; undeclared parameters are ignored.

use std::{collections::HashMap, fmt::Display, str::FromStr};

use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;

use super::param::{Kind, Param};
use crate::error::{Error, Result};

/// The parameters of a request.
#[derive(Debug, Clone, Default)]
pub struct Query(HashMap<String, Vec<String>>);

impl Query {
    /// Parses the text after the `?` of a request.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut given: HashMap<String, Vec<String>> = HashMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            given.entry(decoded(name)?).or_default().push(decoded(value)?);
        }
        Ok(Self(given))
    }

    /// Returns the text of a parameter, if it is not empty.
    pub fn text(&self, param: &Param) -> Result<Option<&str>> {
        Ok(self.given(param)?.filter(|text| !text.is_empty()))
    }

    /// Returns a required parameter.
    pub fn required<T: FromStr<Err: Display>>(&self, param: &Param) -> Result<T> {
        let missing = || Error::bad_request(format!("the parameter {} is missing", param.name));
        self.optional(param)?.ok_or_else(missing)
    }

    /// Returns an optional parameter.
    pub fn optional<T: FromStr<Err: Display>>(&self, param: &Param) -> Result<Option<T>> {
        self.text(param)?.map(|text| text.parse().map_err(|e| bad(param, &e))).transpose()
    }

    /// Returns words with commas between them, or given one by one.
    pub fn words<T: FromStr<Err: Display>>(&self, param: &Param) -> Result<Vec<T>> {
        let given = self.0.get(param.name).into_iter().flatten().filter(|text| !text.is_empty());
        let words = given.flat_map(|text| text.split(',')).map(str::trim).filter(|word| !word.is_empty());
        words.map(|word| word.parse().map_err(|e| bad(param, &e))).collect()
    }

    /// Returns one of the words of a parameter.
    pub fn one_of(&self, param: &Param) -> Result<Option<&'static str>> {
        let Kind::OneOf(words) = param.kind else { return Ok(None) };
        let Some(text) = self.text(param)? else { return Ok(None) };
        let known = words.iter().find(|word| **word == text).copied();
        known.map(Some).ok_or_else(|| bad(param, &format!("it must be one of {}", words.join(", "))))
    }

    /// Returns a number within the range of a parameter.
    pub fn number(&self, param: &Param) -> Result<Option<usize>> {
        let Kind::Number { least, most } = param.kind else { return Ok(None) };
        let Some(text) = self.text(param)? else { return Ok(None) };
        // A plus sign is a blank in a query, and no part of a number.
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|n| digits && (least..=most).contains(n));
        number.map(Some).ok_or_else(|| {
            let text = text.chars().take(40).collect::<String>();
            bad(param, &format!("'{}' is not a number from {least} to {most}", text.escape_debug()))
        })
    }

    /// Returns a yes or no; the name alone is a yes, and its absence a no.
    pub fn flag(&self, param: &Param) -> Result<bool> {
        Ok(self.given_flag(param)?.unwrap_or(false))
    }

    /// Returns a yes or no, if there is one; the name alone is a yes.
    pub fn given_flag(&self, param: &Param) -> Result<Option<bool>> {
        match self.given(param)? {
            None => Ok(None),
            Some("false" | "0" | "no") => Ok(Some(false)),
            Some("" | "true" | "1" | "yes") => Ok(Some(true)),
            Some(_) => Err(bad(param, &"it is neither true nor false")),
        }
    }

    /// Returns a time.
    pub fn time(&self, param: &Param) -> Result<Option<DateTime<Utc>>> {
        let Some(text) = self.text(param)? else { return Ok(None) };
        // In a query a plus is a blank.
        let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+"));
        let time = time.map_err(|_| bad(param, &"it is not a time such as 2026-02-05T10:00:00Z"))?;
        Ok(Some(time.to_utc()))
    }

    fn given(&self, param: &Param) -> Result<Option<&str>> {
        match self.0.get(param.name).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([text]) => Ok(Some(text)),
            Some(_) => Err(bad(param, &"it is given more than once")),
        }
    }
}

fn decoded(text: &str) -> Result<String> {
    let blanks = text.replace('+', " ");
    let text = percent_decode_str(&blanks).decode_utf8();
    let text = text.map_err(|_| Error::bad_request("the query is not UTF-8 once it is decoded"))?;
    Ok(text.into_owned())
}

/// The refusal of a parameter with an invalid value.
pub fn bad(param: &Param, why: &impl Display) -> Error {
    Error::bad_request(format!("the parameter {} is invalid: {why}", param.name))
}

#[cfg(test)]
mod tests {
    use super::{
        super::param::{flag, number, one_of, text, time, words},
        *,
    };

    #[test]
    fn an_error_names_its_parameter() {
        let query =
            Query::read("n=7&big=501&yes&maybe=2&at=2026-02-05T10:00:00+01:00&x=&a%62=%C3%A4&w=1&w=2,3")
                .unwrap();
        let n = |name| number(name, 1, 500, "");
        let t = |name| text::<String>(name, "");
        assert_eq!((query.number(&n("n")), query.number(&n("none"))), (Ok(Some(7)), Ok(None)));
        assert_eq!((query.flag(&flag("yes", "")), query.flag(&flag("none", ""))), (Ok(true), Ok(false)));
        assert_eq!(query.text(&t("ab")), Ok(Some("ä")));
        assert_eq!(query.time(&time("at", "")).unwrap().unwrap().to_rfc3339(), "2026-02-05T09:00:00+00:00");
        assert!(query.required::<usize>(&t("x")).unwrap_err().message.contains("parameter x is missing"));
        assert_eq!(query.words::<usize>(&words("w", &[], "")), Ok(vec![1, 2, 3]));
        for (name, error) in [
            ("big", query.number(&n("big")).unwrap_err()),
            ("maybe", query.flag(&flag("maybe", "")).unwrap_err()),
            ("n", query.time(&time("n", "")).unwrap_err()),
            ("at", query.optional::<usize>(&t("at")).unwrap_err()),
            ("w", query.text(&t("w")).unwrap_err()),
            ("n", query.one_of(&one_of("n", &["a", "b"], "")).unwrap_err()),
        ] {
            assert_eq!(error.status, http::StatusCode::BAD_REQUEST);
            assert!(error.message.contains(&format!("parameter {name} is invalid")), "{error:?}");
        }
        assert!(Query::read("a=%ff").unwrap_err().message.contains("UTF-8"));
    }
}
