//! The cursor of a page's stream: `1!<topic>=<position>!<topic>=<position>…`, one line of ASCII.
//!
//! No topic contains a `=`, and no position a `!`. A topic without a position is left out.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// The version at the beginning of a cursor; another format gets another number.
const VERSION: &str = "1";

/// The positions of the topics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PageCursor(BTreeMap<String, String>);

/// A text that is not a cursor of a page's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor of this stream")]
pub(crate) struct BadPageCursor;

impl PageCursor {
    /// Takes the position of a topic.
    pub(super) fn take(&mut self, topic: &str) -> Option<String> {
        self.0.remove(topic)
    }

    /// Formats topics and their positions in the same way.
    pub(super) fn spell<'a>(positions: impl Iterator<Item = (&'a str, &'a str)>) -> String {
        let mut text = VERSION.to_owned();
        for (topic, position) in positions {
            text.extend(["!", topic, "=", position]);
        }
        text
    }
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::spell(self.0.iter().map(|(topic, position)| (topic.as_str(), position.as_str()))))
    }
}

impl FromStr for PageCursor {
    type Err = BadPageCursor;

    fn from_str(text: &str) -> Result<Self, BadPageCursor> {
        let mut parts = text.split('!');
        if parts.next() != Some(VERSION) || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(BadPageCursor);
        }
        let position = |part: &str| {
            let (topic, position) = part.split_once('=').ok_or(BadPageCursor)?;
            Ok((topic.to_owned(), position.to_owned()))
        };
        Ok(Self(parts.map(position).collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_one() {
        for text in ["1", "1!tree=d1.7", "1!bus:p/*=w=1;n=2!run:r=s=1;e=2;n=done"] {
            assert_eq!(text.parse::<PageCursor>().unwrap().to_string(), text);
        }
        let mut cursor: PageCursor = "1!run:r=s=1;e=2;n=done".parse().unwrap();
        assert_eq!((cursor.take("run:r").as_deref(), cursor.take("tree")), (Some("s=1;e=2;n=done"), None));
        for bad in ["", "2!tree=1", "1!", "1!tree", "1!tree=a\n", "1!tree=ü", "tree=1"] {
            assert_eq!(bad.parse::<PageCursor>(), Err(BadPageCursor), "{bad}");
        }
    }
}
