//! Interprets claude's lines about ends of tools: permissions, and changed files.

use serde_json::Value;

use tree::{
    event::{Change, EventKind, ToolStatus},
    transcript::fields::{flat, list, owned, text},
};

/// Returns the end of a tool, from its block and the rest of the line.
pub(super) fn tool_result(line: &Value, block: &Value) -> EventKind {
    let output = flat(block.get("content"));
    let is_error = block.get("is_error").and_then(Value::as_bool).unwrap_or(false);
    let call_id = owned(block, "tool_use_id");
    let status = match is_error {
        false => ToolStatus::Ok,
        true if was_denied(line, call_id.as_deref(), &output) => ToolStatus::Denied,
        true => ToolStatus::Error,
    };
    EventKind::ToolResult { call_id, tool: None, status, output, exit_code: None }
}

fn was_denied(line: &Value, call_id: Option<&str>, output: &str) -> bool {
    let denial = |meta: &Value| {
        let decision = meta.get("permission_decision").and_then(|d| text(d, "decision"));
        text(meta, "id") == call_id
            && (decision == Some("reject") || text(meta, "non_execution_kind").is_some())
    };
    // Earlier versions print only the text.
    let words = ["requested permissions to", "The user doesn't want to proceed", "Permission to use "];
    list(line, "tool_result_meta").iter().any(denial) || words.iter().any(|w| output.contains(w))
}

/// Returns the files that the tool in this line changed.
pub(super) fn file_changes(line: &Value) -> Vec<EventKind> {
    let Some(result) = line.get("tool_use_result").filter(|r| r.is_object()) else { return Vec::new() };
    if let Some(edits) = result.get("bashEditDiff") {
        return list(edits, "files").iter().filter_map(|file| changed(file, "hunks")).collect();
    }
    let Some(path) = owned(result, "notebook_path") else {
        // Reading a file produces no patch.
        return result
            .get("structuredPatch")
            .and_then(|_| changed(result, "structuredPatch"))
            .into_iter()
            .collect();
    };
    vec![EventKind::FileChange { path, change: Change::Update, diff: None }]
}

fn changed(file: &Value, hunks: &str) -> Option<EventKind> {
    let flag = |key| file.get(key).and_then(Value::as_bool).unwrap_or(false);
    let change = match text(file, "type") {
        Some("create") => Change::Add,
        _ if flag("created") => Change::Add,
        _ if flag("deleted") => Change::Delete,
        _ => Change::Update,
    };
    Some(EventKind::FileChange { path: owned(file, "filePath")?, change, diff: unified(list(file, hunks)) })
}

/// Formats the hunks as a unified diff, without the names of the files.
fn unified(hunks: &[Value]) -> Option<String> {
    let number = |hunk: &Value, key| hunk.get(key).and_then(Value::as_u64).unwrap_or(0);
    let mut lines = Vec::new();
    for hunk in hunks {
        let at = ["oldStart", "oldLines", "newStart", "newLines"].map(|key| number(hunk, key));
        lines.push(format!("@@ -{},{} +{},{} @@", at[0], at[1], at[2], at[3]));
        lines.extend(list(hunk, "lines").iter().filter_map(owned_text));
    }
    (!lines.is_empty()).then(|| lines.join("\n") + "\n")
}

fn owned_text(line: &Value) -> Option<String> {
    line.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_edit_gives_its_diff() {
        let hunk =
            json!({"oldStart": 1, "oldLines": 2, "newStart": 1, "newLines": 2, "lines": [" a", "-b", "+c"]});
        let line = json!({"tool_use_result": {"filePath": "/w/f", "oldString": "b", "newString": "c", "structuredPatch": [hunk]}});
        let diff = Some("@@ -1,2 +1,2 @@\n a\n-b\n+c\n".to_owned());
        assert_eq!(
            file_changes(&line),
            [EventKind::FileChange { path: "/w/f".to_owned(), change: Change::Update, diff }]
        );
    }

    #[test]
    fn what_changes_nothing_gives_nothing() {
        for result in [
            json!("Error: no"),
            json!({"stdout": "", "stderr": ""}),
            json!({"type": "text", "file": {"filePath": "/w/f", "content": "x"}}),
            json!({"structuredPatch": []}),
            json!({"bashEditDiff": {"files": [1, {}]}}),
            json!(null),
        ] {
            assert_eq!(file_changes(&json!({ "tool_use_result": result })), [], "{result}");
        }
    }

    #[test]
    fn a_denial_is_known_by_its_marks_or_its_words() {
        let status = |line: Value, block: Value| match tool_result(&line, &block) {
            EventKind::ToolResult { status, .. } => status,
            other => panic!("{other:?}"),
        };
        let block = |content: &str| json!({"tool_use_id": "t1", "is_error": true, "content": content});
        let meta = |id: &str| json!({"tool_result_meta": [{"id": id, "permission_decision": {"decision": "reject"}}]});
        assert_eq!(status(meta("t1"), block("no")), ToolStatus::Denied);
        assert_eq!(status(meta("t2"), block("no")), ToolStatus::Error);
        let old = "Claude requested permissions to write to /w/f, but you haven't granted it yet.";
        assert_eq!(status(json!({}), block(old)), ToolStatus::Denied);
        assert_eq!(status(json!({}), block("exit 1")), ToolStatus::Error);
        assert_eq!(status(meta("t1"), json!({"tool_use_id": "t1", "content": "fine"})), ToolStatus::Ok);
    }
}
