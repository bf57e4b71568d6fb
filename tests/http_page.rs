//! The page's own requests: its files, lines of logs, figures of all runs.

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents},
    fake,
};
use serde_json::json;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 1] =
        [("talks", &["say:one", "say:two needles", "say:three", "say:Needle", "done"])];
    agents(
        &sandbox,
        &fake::agent(),
        &steps,
        "defaults: {restart_delay: 10ms, max_concurrent_root_tasks: 3}\n",
    );
    sandbox
}

#[test]
fn the_page_is_found_wherever_one_looks_for_it() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    for path in ["/", "/ui"] {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 307, "{path}");
        assert!(answer.head.to_ascii_lowercase().contains("location: /ui/"), "{}", answer.head);
    }
    // Built in or not: every path below is the page, and a missing file is not found.
    for path in ["/ui/", "/ui/p/demo/t/some-task"] {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.starts_with("<!doctype html>"), "{path}: {}", answer.body);
        let head = answer.head.to_ascii_lowercase();
        assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{head}");
        assert!(head.contains("cache-control: no-cache"), "{head}");
        assert!(
            answer.body.contains("npm run build") || answer.body.contains("/ui/assets/"),
            "{}",
            answer.body
        );
    }
    assert_eq!(daemon.get("/ui/assets/gone-1234.js").status, 404);
    assert_eq!(daemon.send("POST", "/ui/", "", "").status, 404);
}

#[test]
fn lines_are_told_by_number_and_found_by_text() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "talks");
    daemon.until_task("t", "completed");
    let lines = |rest: &str| daemon.get(&format!("/api/projects/p/tasks/t/runs/{run}/lines{rest}"));
    let index = lines("/index?name=stdout&every=2").json();
    assert_eq!(index["offsets"], json!([0, 16]), "{index}");
    assert_eq!((&index["lines"], &index["end"], &index["size"]), (&json!(4), &json!(29), &json!(29)));
    let some = lines("?name=stdout&offset=4&limit=2&width=3").json();
    assert_eq!(
        some,
        json!({ "end": 22, "lines": [
            { "offset": 4, "length": 11, "text": "two" },
            { "offset": 16, "length": 5, "text": "thr" },
        ] })
    );
    let found = |query: &str| lines(&format!("/search?name=stdout&q={query}")).json();
    assert_eq!(found("needle")["matches"], json!([{ "line": 1, "offset": 4 }, { "line": 3, "offset": 22 }]));
    assert_eq!(found("needle&case=1")["matches"], json!([{ "line": 1, "offset": 4 }]));
    assert_eq!(found("needle&limit=1")["more"], json!(true));
    assert_eq!(lines("/index?name=changes.patch").json()["lines"], json!(0), "not there, and so empty");
    for (bad, status) in [
        ("?name=claim.json", 400),
        ("?name=stdout&limit=0", 400),
        ("?name=stdout&width=999999", 400),
        ("/search?name=stdout", 400),
        ("/search?name=stdout&q=a%0Ab", 400),
        ("/index?name=stdout&every=0", 400),
    ] {
        assert_eq!(lines(bad).status, status, "{bad}");
    }
}

#[test]
fn what_runs_come_to_is_told() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "talks");
    daemon.until_task("t", "completed");
    let activity = daemon.get("/api/v1/activity?step=86400").json();
    let steps = activity["steps"].as_array().cloned().unwrap_or_default();
    assert_eq!(steps.len(), 1, "{activity}");
    assert_eq!(
        (&steps[0]["ended"], &steps[0]["completed"], &steps[0]["unpriced"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(daemon.get("/api/v1/activity?step=5").status, 400);
    assert_eq!(daemon.get("/api/v1/activity?since=2020-01-01T00:00:00Z&step=60").status, 400);

    let disk = daemon.get("/api/v1/disk").json();
    assert_eq!(disk["projects"][0]["id"], json!("p"), "{disk}");
    assert!(disk["projects"][0]["bytes"].as_u64() > Some(100), "{disk}");
    assert!(disk["free_bytes"].as_u64() <= disk["total_bytes"].as_u64(), "{disk}");

    let agents = daemon.get("/api/v1/agents").json();
    let named = |name: &str| {
        let all = agents["agents"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|a| a["name"] == name).unwrap_or_default()
    };
    assert_eq!((&named("talks")["installed"], &named("talks")["type"]), (&json!(true), &json!("command")));
    assert_eq!(named("demo")["installed"], json!(true));
    assert_eq!(
        (&named("talks")["needs_command"], &named("command")["needs_command"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(daemon.get("/api/v1/status").json()["max_concurrent_root_tasks"], json!(3));
}
