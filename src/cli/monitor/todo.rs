//! Boxes in a text: `- [ ] this` is to be done, `1. [x] that` is done. Fenced code is ignored.

use tree::ids::{ProjectId, TaskId};

/// Maximum number of characters of an item in its task's name.
const IN_NAME: usize = 40;

/// An item of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) text: String,
    pub(super) done: bool,
}

impl Item {
    /// Returns the id of the item's task, which depends on the text alone.
    pub(super) fn task(&self) -> Option<TaskId> {
        // FNV-1a gives the same hash in every version. It separates two items that begin alike.
        let hash = self
            .text
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let begins: String = self.text.to_lowercase().chars().take(IN_NAME).collect();
        let words = ProjectId::from_name(&begins).map_or_else(String::new, |id| format!("{id}-"));
        format!("todo-{words}{hash:08x}").parse().ok()
    }
}

/// Returns the items of a text, in their order.
pub(super) fn items(text: &str) -> Vec<Item> {
    let mut code = Code::default();
    text.lines().filter(|line| !code.has(line)).filter_map(item).map(|(_, item)| item).collect()
}

/// Returns the text with the boxes of this item ticked.
pub(super) fn ticked(text: &str, ticked: &Item) -> String {
    let mut code = Code::default();
    let mut tick = |whole: &str| {
        let line = whole.trim_end_matches('\n');
        // `Code` must see every line, whether or not it is an item.
        let is_code = code.has(line);
        match item(line).filter(|_| !is_code) {
            Some((at, found)) if !found.done && found.text == ticked.text => {
                format!("{}x{}", &whole[..at], &whole[at + 1..])
            }
            _ => whole.to_owned(),
        }
    };
    text.split_inclusive('\n').map(&mut tick).collect()
}

/// Detects fenced code, in which boxes are only examples. Its lines must be passed in order.
#[derive(Debug, Default)]
struct Code {
    /// The opening fence: its character and their number.
    fence: Option<(char, usize)>,
}

impl Code {
    /// Returns true if the next line is code or a fence around code (`CommonMark` 0.31, 4.5).
    fn has(&mut self, line: &str) -> bool {
        let found = fence(line);
        match (self.fence, found) {
            (None, Some((fence, info))) => {
                // A fence of backticks with another backtick behind it is inline code.
                let opens = fence.0 != '`' || !info.contains('`');
                self.fence = opens.then_some(fence);
                opens
            }
            (None, None) => false,
            (Some(open), Some(((mark, count), ""))) if mark == open.0 && count >= open.1 => {
                self.fence = None;
                true
            }
            (Some(_), _) => true,
        }
    }
}

/// Returns the character and length of a fence, and the text behind it. A fence within a list is indented as far as
/// the list, so the indentation is ignored.
fn fence(line: &str) -> Option<((char, usize), &str)> {
    let line = line.trim();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = line.trim_start_matches(mark);
    let count = line.len() - rest.len();
    (count >= 3).then(|| ((mark, count), rest.trim()))
}

/// Returns an item, and the position of the mark in its box.
fn item(line: &str) -> Option<(usize, Item)> {
    let rest = after_marker(line.trim_start())?;
    let boxed = rest.trim_start().strip_prefix('[')?;
    let gap = rest.len() - rest.trim_start().len();
    let mark = boxed.chars().next().filter(|c| matches!(c, ' ' | 'x' | 'X'))?;
    let text = boxed[1..].strip_prefix(']')?;
    let is_item = gap > 0 && text.starts_with(' ') && !text.trim().is_empty();
    let at = line.len() - boxed.len();
    is_item.then(|| (at, Item { text: text.trim().to_owned(), done: mark != ' ' }))
}

/// Returns the text behind a list marker: `-`, `*`, `+`, or a number of at most nine digits with `.` or `)`.
fn after_marker(line: &str) -> Option<&str> {
    let unnumbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
    match line.len() - unnumbered.len() {
        0 => line.strip_prefix(['-', '*', '+']),
        1..=9 => unnumbered.strip_prefix(['.', ')']),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str =
        "# To do\n- [ ] Make the *tests* pass\n  * [x] done\n- [] no\n-[ ] no\n- [ ]\n+ [ ]  last";

    #[test]
    fn boxes_are_found_and_ticked_and_nothing_else_changes() {
        let found = items(LIST);
        let seen: Vec<_> = found.iter().map(|i| (i.text.as_str(), i.done)).collect();
        assert_eq!(seen, [("Make the *tests* pass", false), ("done", true), ("last", false)]);
        let once = ticked(LIST, &found[0]);
        assert_eq!(once, LIST.replace("[ ] Make", "[x] Make"));
        assert_eq!(ticked(&once, &found[2]), once.replace("[ ]  last", "[x]  last"));
    }

    #[test]
    fn numbered_items_are_items() {
        let list = "1. [ ] one\n  12) [x] two\n3.[ ] no\n4 [ ] no\n1234567890. [ ] no\n";
        let found = items(list);
        let seen: Vec<_> = found.iter().map(|i| (i.text.as_str(), i.done)).collect();
        assert_eq!(seen, [("one", false), ("two", true)]);
        assert_eq!(ticked(list, &found[0]), list.replace("[ ] one", "[x] one"));
    }

    #[test]
    fn boxes_in_fenced_code_are_no_work() {
        let list = "- [ ] a\n```md\n- [ ] a\n~~~\n``` no end\n- [ ] b\n````\n- [ ] c\n  ~~~~\n- [ ] d\n~~~\n\
                    - [ ] e\n  ~~~~\n``` in `` line ```\n- [ ] f\n```\n- [ ] g";
        let texts: Vec<_> = items(list).into_iter().map(|i| i.text).collect();
        assert_eq!(texts, ["a", "c", "f"]);
        let a = Item { text: "a".to_owned(), done: false };
        assert_eq!(ticked(list, &a), list.replacen("[ ] a", "[x] a", 1));
    }

    #[test]
    fn a_name_follows_from_the_text() {
        let item = |text: &str| Item { text: text.to_owned(), done: false };
        let name = item("Make the *tests* pass").task().unwrap();
        assert_eq!(name, item("Make the *tests* pass").task().unwrap());
        assert!(name.as_str().starts_with("todo-make-the-tests-pass-"), "{name}");
        assert!(item("…").task().unwrap().as_str().starts_with("todo-"));
        let long = "x".repeat(100);
        assert_ne!(item(&format!("{long}1")).task(), item(&format!("{long}2")).task());
    }
}
