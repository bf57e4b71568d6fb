//! Boxes in a text: `- [ ] this` is to be done, `- [x] that` is.

use crate::tree::ids::{ProjectId, TaskId};

/// So many characters of an item stand in its task's name.
const IN_NAME: usize = 40;

/// An item of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) text: String,
    pub(super) done: bool,
}

impl Item {
    /// The task of the item: the same for the same text, whoever asks and when.
    pub(super) fn task(&self) -> Option<TaskId> {
        // FNV-1a, which is the same in every version: two items that begin alike are two tasks.
        let hash = self
            .text
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let begins: String = self.text.to_lowercase().chars().take(IN_NAME).collect();
        let words = ProjectId::from_name(&begins).map_or_else(String::new, |id| format!("{id}-"));
        format!("todo-{words}{hash:08x}").parse().ok()
    }
}

/// The items of a text, in their order.
pub(super) fn items(text: &str) -> Vec<Item> {
    text.lines().filter_map(item).map(|(_, item)| item).collect()
}

/// The text with the boxes of this item ticked.
pub(super) fn ticked(text: &str, ticked: &Item) -> String {
    let tick = |line: &str| match item(line.trim_end_matches('\n')) {
        Some((at, found)) if !found.done && found.text == ticked.text => {
            format!("{}x{}", &line[..at], &line[at + 1..])
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(tick).collect()
}

/// An item, and where the mark in its box stands.
fn item(line: &str) -> Option<(usize, Item)> {
    let indent = line.len() - line.trim_start().len();
    let rest = line.trim_start().strip_prefix(['-', '*', '+'])?;
    let gap = rest.len() - rest.trim_start().len();
    let boxed = rest.trim_start().strip_prefix('[')?;
    let mark = boxed.chars().next().filter(|c| matches!(c, ' ' | 'x' | 'X'))?;
    let text = boxed[1..].strip_prefix(']')?;
    let is_item = gap > 0 && text.starts_with(' ') && !text.trim().is_empty();
    is_item.then(|| (indent + 1 + gap + 1, Item { text: text.trim().to_owned(), done: mark != ' ' }))
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
