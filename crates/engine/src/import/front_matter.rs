//! Parses the original's buses: a message is YAML between two `---` lines, followed by its body up to the next message.
//!
//! The format does not prevent a `---` line inside a body, and the original cuts the body there. Here a new message
//! begins only where the YAML has the keys of a message, so that a horizontal rule in Markdown stays in its body.

use serde_json::Value;

/// A message as stored in the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Raw {
    /// Number of its first line; 1 is the first of the file.
    pub(super) line: usize,
    pub(super) head: serde_json::Map<String, Value>,
    pub(super) body: String,
}

/// Returns the messages of a file, and the lines that belong to no message.
pub(super) fn parse(text: &str) -> (Vec<Raw>, Vec<String>) {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (mut messages, mut stray): (Vec<Raw>, Vec<String>) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < lines.len() {
        if let Some((head, behind)) = head(&lines, at) {
            messages.push(Raw { line: at + 1, head, body: String::new() });
            at = behind;
            continue;
        }
        match messages.last_mut() {
            Some(message) => message.body.push_str(lines[at]),
            None if lines[at].trim().is_empty() => {}
            None => stray.push(format!("line {}: belongs to no message", at + 1)),
        }
        at += 1;
    }
    for message in &mut messages {
        // The newline that ends a body belongs to the file, and so does a newline before the next message.
        message.body = message.body.strip_suffix('\n').unwrap_or(&message.body).to_owned();
    }
    (messages, stray)
}

/// Returns the head of a message that begins in this line, and the number of the line after it.
fn head(lines: &[&str], at: usize) -> Option<(serde_json::Map<String, Value>, usize)> {
    /// Longer than any head. A longer text is a body.
    const LONGEST: usize = 200;
    if !is_rule(lines[at]) {
        return None;
    }
    let rest = &lines[at + 1..];
    let end = rest.iter().take(LONGEST).position(|line| is_rule(line))?;
    let value: Value = serde_yaml::from_str(&rest[..end].concat()).ok()?;
    let Value::Object(head) = value else { return None };
    let is_message = head.contains_key("msg_id") && head.contains_key("type");
    is_message.then_some((head, at + end + 2))
}

fn is_rule(line: &str) -> bool {
    line.trim_end() == "---"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_from_rules_in_their_bodies() {
        let text = "\n---\nmsg_id: MSG-1\ntype: FACT\n---\nfirst\n\n---\nnot: a head\n---\nstill first\n\
                    ---\nmsg_id: MSG-2\ntype: USER\nparents: [MSG-1]\n---\nsecond\n---\n";
        let (messages, stray) = parse(text);
        assert_eq!(stray, Vec::<String>::new());
        let seen: Vec<_> = messages.iter().map(|m| (m.line, m.body.as_str())).collect();
        assert_eq!(seen, [(2, "first\n\n---\nnot: a head\n---\nstill first"), (12, "second\n---")]);
        assert_eq!(messages[1].head["parents"], serde_json::json!(["MSG-1"]));
    }

    #[test]
    fn torn_and_foreign_text_is_named() {
        let (messages, stray) = parse("hello\n---\nmsg_id: x\n");
        assert_eq!((messages.len(), stray.len()), (0, 3));
        let (messages, _) = parse("---\nmsg_id: x\ntype: FACT\n---\n");
        assert_eq!(messages[0].body, "");
        assert_eq!(parse("").0, []);
        let (messages, _) = parse("---\nmsg_id: x\ntype: FACT\n---\nno newline");
        assert_eq!(messages[0].body, "no newline");
    }
}
