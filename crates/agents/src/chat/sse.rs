//! The framing of server-sent events, as far as chat completions use it: `data:` lines, followed by an empty one.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

/// The event in progress.
#[derive(Debug, Default)]
pub struct Sse {
    data: Option<String>,
    id: Option<String>,
}

impl Sse {
    /// Parses the next line, without its end. Returns the data of an event that the line completes.
    pub fn line(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            return self.data.take();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        // A comment, which keeps the connection alive, has an empty name; other fields are not used here.
        let value = value.strip_prefix(' ').unwrap_or(value);
        if field == "id" && !value.contains('\0') {
            self.id = Some(value.to_owned());
        }
        if field == "data" {
            match &mut self.data {
                None => self.data = Some(value.to_owned()),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
            }
        }
        None
    }

    /// The id of the last event that has one; a client sends it to continue after that event.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the data at the end of a stream without its last empty line, which some servers omit.
    pub fn end(&mut self) -> Option<String> {
        self.data.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<String> {
        let mut sse = Sse::default();
        let mut events: Vec<String> = text.split('\n').filter_map(|line| sse.line(line)).collect();
        events.extend(sse.end());
        events
    }

    #[test]
    fn events_are_taken_apart() {
        for (text, data) in [
            ("data: a\n\ndata: b\n\n", &["a", "b"][..]),
            ("data:a\n\n", &["a"]),
            ("data:  a\n\n", &[" a"]),
            ("data: a\ndata: b\n\n", &["a\nb"]),
            (": keep-alive\n\ndata: a\n: more\n\n", &["a"]),
            ("event: x\nid: 1\nretry: 5\ndata: a\n\n\n\n", &["a"]),
            ("data\n\n", &[""]),
            ("data: cut", &["cut"]),
            ("", &[]),
        ] {
            assert_eq!(events(text), data, "{text:?}");
        }
    }
}
