//! HTML, piece by piece: texts are escaped, and elements are closed.

use std::fmt::{Display, Write as _};

/// HTML in progress.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds text that is already HTML.
    pub(super) fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// Adds a text.
    pub(super) fn text(&mut self, text: impl Display) {
        self.0.push_str(&escaped(&text.to_string()));
    }

    /// Adds an element with the content that `inner` adds. `open` is its name with its attributes.
    pub(super) fn element(&mut self, open: &str, inner: impl FnOnce(&mut Self)) {
        // Writing to a `String` cannot fail.
        let _ = write!(self.0, "<{open}>");
        inner(self);
        let name = open.split(' ').next().unwrap_or(open);
        let _ = write!(self.0, "</{name}>");
    }

    /// Adds an element with a text.
    pub(super) fn of(&mut self, open: &str, text: impl Display) {
        self.element(open, |html| html.text(text));
    }

    /// Adds a text in which `` `code` `` is marked.
    pub(super) fn prose(&mut self, text: &str) {
        for (n, part) in text.split('`').enumerate() {
            if n % 2 == 1 { self.of("code", part) } else { self.text(part) }
        }
    }

    /// Adds a path that may be broken at its slashes if it is too long for a line.
    pub(super) fn path(&mut self, path: &str) {
        for (n, part) in path.split('/').enumerate() {
            if n > 0 {
                self.raw(if n > 1 { "<wbr>/" } else { "/" });
            }
            self.text(part);
        }
    }

    /// Adds a link to a place of the same page.
    pub(super) fn link(&mut self, to: &str, text: &str) {
        self.of(&format!("a href=\"#{}\"", escaped(to)), text);
    }

    /// Returns the whole text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_a_text() {
        let mut html = Html::default();
        html.element("p class=\"x\"", |html| html.prose("a <b> `c & \"d\"` e"));
        html.element("code", |html| html.path("/a/{b}/c"));
        let path = "<code>/a<wbr>/{b}<wbr>/c</code>";
        assert_eq!(
            html.finish().replace(path, ""),
            "<p class=\"x\">a &lt;b&gt; <code>c &amp; &quot;d&quot;</code> e</p>"
        );
    }
}
