//! Aligned columns for people; programs use `--json`.

use super::colour::{Colour, Style};

/// Rows of cells below a header.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Creates a cell in a style.
    #[must_use]
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        // A newline would break the table, an escape sequence could control the terminal, and a direction mark could
        // reorder the text.
        let acts = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let text = text.into().chars().map(|c| if acts(c) { '\u{fffd}' } else { c }).collect();
        Self { text, style }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::Plain)
    }
}

/// Formats a JSON value as a cell: a string without its quotes.
pub(super) fn spelled(value: &serde_json::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), |text| if text.is_empty() { "\"\"" } else { text }.to_owned())
}

impl Table {
    /// Creates a table with this header.
    #[must_use]
    pub fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|h| Cell::styled(*h, Style::Faint)).collect()] }
    }

    /// Adds a row.
    pub fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Renders the table as text; without rows, only the header.
    #[must_use]
    pub fn render(&self, colour: Colour) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |at: usize| self.rows.iter().filter_map(|r| r.get(at)).map(Cell::width).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut gap = 0;
            for (cell, width) in row.iter().zip(&widths) {
                if !cell.text.is_empty() {
                    text.extend(std::iter::repeat_n(' ', gap));
                    text.push_str(&colour.paint(cell.style, &cell.text));
                    gap = 0;
                }
                // The padding is written before the next cell, so that no line ends in spaces.
                gap += width + 2 - cell.width();
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_where_they_end() {
        let mut table = Table::new(&["ID", "STATUS", "WHAT"]);
        table.row([Cell::from("a"), Cell::styled("ok", Style::Good), Cell::from("x\ny\u{1b}[31m")]);
        table.row(["long-id", "", "z"]);
        table.row(["b", "", ""]);
        assert_eq!(
            table.render(Colour::Off),
            "ID       STATUS  WHAT\na        ok      x�y�[31m\nlong-id          z\nb\n"
        );
        assert!(table.render(Colour::On).contains("\u{1b}[32mok\u{1b}[0m      x"));
    }
}
