//! Lookups in a line that may come from an unknown version of its agent.
//!
//! A missing field, or a field of another type, counts as absent: no lookup fails.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// The text at a key.
#[must_use]
pub fn text<'a>(of: &'a Value, key: &str) -> Option<&'a str> {
    of.get(key)?.as_str()
}

/// A copy of the text at a key.
#[must_use]
pub fn owned(of: &Value, key: &str) -> Option<String> {
    text(of, key).map(str::to_owned)
}

/// The list at a key; empty if there is none.
#[must_use]
pub fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The number of things at a key; some programs write whole numbers with a fraction.
#[must_use]
pub fn count(of: &Value, key: &str) -> Option<u64> {
    let number = of.get(key)?;
    let whole = |n: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the guard checks the bounds"
        )]
        ((0.0..9e15).contains(&n) && n.fract() == 0.0).then_some(n as u64)
    };
    number.as_u64().or_else(|| whole(number.as_f64()?))
}

/// The amount at a key; never negative.
#[must_use]
pub fn amount(of: &Value, key: &str) -> Option<f64> {
    of.get(key)?.as_f64().filter(|n| n.is_finite() && *n >= 0.0)
}

/// The HTTP status at a key, which some programs write as text.
#[must_use]
pub fn status(of: &Value, key: &str) -> Option<u16> {
    let number = of.get(key)?;
    let number = number.as_u64().or_else(|| number.as_str()?.parse().ok())?;
    u16::try_from(number).ok().filter(|n| (100..1000).contains(n))
}

/// The time at a key: RFC 3339, or milliseconds since 1970.
#[must_use]
pub fn time(of: &Value, key: &str) -> Option<DateTime<Utc>> {
    match of.get(key)? {
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|t| t.to_utc()),
        Value::Number(number) => DateTime::from_timestamp_millis(number.as_i64()?),
        _ => None,
    }
    .filter(|t| (1970..=9999).contains(&chrono::Datelike::year(t)))
}

/// The sum of what is known; `None` if nothing is.
#[must_use]
pub fn sum<const N: usize>(counts: [Option<u64>; N]) -> Option<u64> {
    counts.into_iter().flatten().reduce(u64::saturating_add)
}

/// The output of a tool as text: a text, a list of blocks with texts, or else the JSON itself.
#[must_use]
pub fn flat(output: Option<&Value>) -> String {
    let block = |b: &Value| match (b, text(b, "text")) {
        (Value::String(text), _) => text.clone(),
        (_, Some(text)) => text.to_owned(),
        _ => format!("[{}]", text(b, "type").unwrap_or("?")),
    };
    match output {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => blocks.iter().map(block).collect::<Vec<_>>().join("\n"),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn look_ups_take_what_fits_and_nothing_else() {
        let line = json!({"n": 3, "f": 4.0, "half": 4.5, "less": -1, "s": "429", "big": 1e300, "list": [1], "null": null});
        let counts =
            ["n", "f", "half", "less", "s", "big", "list", "null", "none"].map(|key| count(&line, key));
        assert_eq!(counts, [Some(3), Some(4), None, None, None, None, None, None, None]);
        assert_eq!(amount(&line, "half"), Some(4.5));
        assert_eq!(amount(&line, "less"), None);
        assert_eq!([status(&line, "s"), status(&line, "n"), status(&line, "list")], [Some(429), None, None]);
        assert_eq!([text(&line, "s"), text(&line, "n")], [Some("429"), None]);
        assert_eq!(text(&json!("no object"), "s"), None);
        assert_eq!([list(&line, "list").len(), list(&line, "s").len()], [1, 0]);
        assert_eq!(sum([None, Some(u64::MAX), Some(2)]), Some(u64::MAX));
        assert_eq!(sum([None, None]), None);
    }

    #[test]
    fn times_are_rfc_3339_or_milliseconds() {
        let line = json!({"a": "2026-11-22T01:40:53.401Z", "b": 1_795_312_000_123_i64, "c": "yesterday", "d": i64::MAX, "e": -9e18});
        let shown = ["a", "b", "c", "d", "e"].map(|key| time(&line, key).map(|t| t.to_rfc3339()));
        let expected =
            [Some("2026-11-22T01:40:53.401+00:00"), Some("2026-11-22T01:46:40.123+00:00"), None, None, None];
        assert_eq!(shown, expected.map(|t| t.map(str::to_owned)));
    }

    #[test]
    fn a_tools_output_is_told_as_text() {
        let shown = |v: Value| flat(Some(&v));
        assert_eq!(shown(json!("a")), "a");
        assert_eq!(
            shown(json!([{"type": "text", "text": "a"}, {"type": "image"}, "b", 1])),
            "a\n[image]\nb\n[?]"
        );
        assert_eq!(shown(json!({"k": 1})), r#"{"k":1}"#);
        assert_eq!([shown(Value::Null), flat(None)], ["", ""]);
    }
}
