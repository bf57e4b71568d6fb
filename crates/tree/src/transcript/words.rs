//! Normalizes the text of an error, so that a phrase is found regardless of quoting and line breaks.

/// Number of characters of an error's text that are examined.
const LONGEST: usize = 16 * 1024;

/// An error's text without quotes, backslashes and line breaks. JSON within JSON reads `key: value`.
#[derive(Debug)]
pub(super) struct Words {
    text: String,
    lower: String,
}

impl Words {
    /// Normalizes a text.
    pub(super) fn new(text: &str) -> Self {
        let mut plain = String::with_capacity(text.len().min(LONGEST));
        let mut chars = text.chars().take(LONGEST).peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => {
                    while chars.peek() == Some(&'\\') {
                        chars.next();
                    }
                    // An escaped line break, regardless of the number of escapes.
                    if chars.next_if(|c| matches!(c, 'n' | 'r' | 't')).is_some() {
                        push_space(&mut plain);
                    }
                }
                '"' => {}
                '’' => plain.push('\''),
                c if c.is_whitespace() => push_space(&mut plain),
                c => plain.push(c),
            }
        }
        let lower = plain.to_ascii_lowercase();
        Self { text: plain, lower }
    }

    /// Returns the normalized text.
    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns true if the text contains one of these phrases, which are in lower case.
    pub(super) fn have(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.lower.contains(phrase))
    }

    /// Returns the text after each occurrence of these marks, which are in lower case: mark by mark.
    pub(super) fn behind<'a>(&'a self, marks: &'a [&str]) -> impl Iterator<Item = &'a str> {
        // ASCII lower-casing moves no byte, so positions in both texts are the same.
        marks
            .iter()
            .flat_map(|mark| self.lower.match_indices(mark))
            .map(|(at, mark)| &self.text[at + mark.len()..])
    }
}

fn push_space(text: &mut String) {
    if !text.ends_with(' ') {
        text.push(' ');
    }
}

/// Parses the decimal number at the start of the text. Returns the rest of the text, too.
pub(super) fn leading_number(text: &str) -> Option<(f64, &str)> {
    let digits = |t: &str| t.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let fraction = text[whole..].strip_prefix('.').map_or(0, digits);
    let end = if fraction > 0 { whole + 1 + fraction } else { whole };
    Some((text[..end].parse().ok()?, &text[end..])).filter(|_| whole > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_within_json_reads_like_one_text() {
        let nested = r#"{"error":{"message":"{\n  \\\"error\\\": {\n    \\\"code\\\": 429,\\n \"status\": \"RESOURCE_EXHAUSTED\""#;
        let plain = Words::new(nested);
        assert_eq!(plain.text(), "{error:{message:{ error: { code: 429, status: RESOURCE_EXHAUSTED");
        assert!(plain.have(&["status: resource_exhausted"]));
        assert_eq!(plain.behind(&["code:"]).next(), Some(" 429, status: RESOURCE_EXHAUSTED"));
    }

    #[test]
    fn spaces_of_all_kinds_are_one() {
        assert_eq!(Words::new("try\n   again\u{202f}at\u{a0}3").text(), "try again at 3");
    }

    #[test]
    fn a_number_ends_where_it_is_none() {
        assert_eq!(leading_number("1.5s"), Some((1.5, "s")));
        assert_eq!(leading_number("5. Then"), Some((5.0, ". Then")));
        assert_eq!([leading_number(".5"), leading_number("x"), leading_number("")], [None; 3]);
    }
}
