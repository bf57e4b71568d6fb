//! Parses lines that JSON allows but our parser rejects. They contain numbers out of the range of a float, or halves of
//! surrogate pairs, which a program leaves when it cuts text by UTF-16 units. The rest of such a line is valid.

use serde_json::Value;

/// Parses a line. A number out of range becomes `null`, and half a surrogate pair becomes U+FFFD.
pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(bytes).or_else(|e| match mended(bytes) {
        Some(mended) => serde_json::from_slice(&mended),
        None => Err(e),
    })
}

/// Maximum number of braces in a line that begin no object. Each one may cost a look at the rest of the line.
const FALSE_STARTS: usize = 32;

/// Returns the objects in a line that is no JSON as a whole. The second value is false if the line ends inside of an
/// object.
pub(super) fn objects(bytes: &[u8]) -> (Vec<Value>, bool) {
    let mended = mended(bytes);
    let mut rest = mended.as_deref().unwrap_or(bytes);
    let (mut objects, mut false_starts) = (Vec::new(), 0);
    while false_starts < FALSE_STARTS
        && let Some(start) = rest.iter().position(|byte| *byte == b'{')
    {
        rest = &rest[start..];
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Value>();
        match values.next() {
            Some(Ok(object)) => {
                rest = &rest[values.byte_offset()..];
                objects.push(object);
            }
            // What is inside of an unfinished object is no object of its own.
            Some(Err(e)) if e.is_eof() => return (objects, false),
            Some(Err(e)) => {
                false_starts += 1;
                // The column is that of the byte that fits nowhere, which may begin an object.
                rest = &rest[e.column().saturating_sub(1).clamp(1, rest.len())..];
            }
            None => break,
        }
    }
    (objects, true)
}

/// Returns the line with the parts replaced that cannot be represented; `None` if there is no such part.
fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut mended = Vec::with_capacity(bytes.len());
    let mut changed = false;
    let mut in_text = false;
    let mut rest = bytes;
    while let [first, ..] = rest {
        let (taken, instead): (usize, Option<&[u8]>) = match (in_text, first) {
            (true, b'\\') => escape(rest),
            (false, b'-' | b'0'..=b'9') => number(rest),
            (_, b'"') => {
                in_text = !in_text;
                (1, None)
            }
            _ => (1, None),
        };
        changed |= instead.is_some();
        mended.extend_from_slice(instead.unwrap_or(&rest[..taken]));
        rest = &rest[taken..];
    }
    changed.then_some(mended)
}

/// Returns the length of the number at the start of the text, with a replacement if the number is out of range.
fn number(text: &[u8]) -> (usize, Option<&'static [u8]>) {
    let length = text.iter().take_while(|b| b"+-.eE0123456789".contains(b)).count();
    let value = std::str::from_utf8(&text[..length]).ok().and_then(|t| t.parse::<f64>().ok());
    (length, value.filter(|v| v.is_infinite()).map(|_| &b"null"[..]))
}

/// Returns the length of the escape at the start of the text, with a replacement if it is half a surrogate pair.
fn escape(text: &[u8]) -> (usize, Option<&'static [u8]>) {
    match (unit(text), text.get(6..).and_then(unit)) {
        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, None),
        (Some(0xd800..=0xdfff), _) => (6, Some(b"\\ufffd")),
        (Some(_), _) => (6, None),
        // Skips the escaped character, too: it may be a quotation mark.
        (None, _) => (text.len().min(2), None),
    }
}

/// Returns the unit that `\uXXXX` encodes.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_no_value_is_replaced_and_the_rest_stays() {
        for (line, expected) in [
            (r#"{"a":1e999,"b":"x"}"#, json!({"a": null, "b": "x"})),
            (
                r#"{"a":[-1e999,1.5,-2],"b":"1e999 \" -1e999"}"#,
                json!({"a": [null, 1.5, -2], "b": "1e999 \" -1e999"}),
            ),
            (
                r#"{"a":"cut \ud83d","b":"\ud83d\ude00 \udc00x"}"#,
                json!({"a": "cut \u{fffd}", "b": "\u{1f600} \u{fffd}x"}),
            ),
            (r#"{"a":"\\ud83d","b":"\ud83d\n"}"#, json!({"a": "\\ud83d", "b": "\u{fffd}\n"})),
            (r#"{"a":1}"#, json!({"a": 1})),
        ] {
            assert_eq!(parse(line.as_bytes()).unwrap(), expected, "{line}");
        }
        let long = format!("{{\"a\":{}}}", "9".repeat(400));
        assert_eq!(parse(long.as_bytes()).unwrap(), json!({"a": null}));
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for line in
            ["", "{", "1e", r#"{"a":1e999"#, r#"{"a":"\ud83"#, "\\", "\"\\", "{\"a\":1e999}}", "-", "\"\\u"]
        {
            assert!(parse(line.as_bytes()).is_err(), "{line}");
        }
    }
}
