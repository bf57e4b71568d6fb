//! Lists: filtered, sorted, and read page by page while everything changes.

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents},
    fake,
};
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 2] = [("quick", &["done"]), ("fails", &["exit:3"])];
    agents(&sandbox, &fake::agent(), &steps, "defaults: {max_restarts: 0}\n");
    sandbox
}

fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array().expect("a list").iter().map(|i| i[key].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn tasks_and_runs_are_picked_and_sorted() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let runs: Vec<String> = [("c", "quick"), ("a", "fails"), ("b", "quick")]
        .iter()
        .map(|(task, agent)| {
            let run = daemon.create(task, agent);
            daemon.until_task(task, if *agent == "quick" { "completed" } else { "failed" });
            run
        })
        .collect();
    let v1 = |query: &str| names(&daemon.get(&format!("/api/v1/tasks?{query}")).json()["tasks"], "task_id");
    let project =
        |query: &str| names(&daemon.get(&format!("/api/projects/p/tasks?{query}")).json()["items"], "id");
    for list in [&v1 as &dyn Fn(&str) -> Vec<String>, &project] {
        assert_eq!(list(""), ["a", "b", "c"]);
        assert_eq!(list("sort=-task_id"), ["c", "b", "a"]);
        assert_eq!(list("sort=-last_activity"), ["b", "a", "c"]);
        assert_eq!(list("status=failed"), ["a"]);
        assert_eq!(list("status=done&limit=1"), ["b"]);
        assert_eq!(list("status=queued,running"), [""; 0]);
        assert_eq!(list("since=2099-01-01T00:00:00Z"), [""; 0]);
    }
    assert_eq!(project("offset=1&limit=1"), ["b"]);
    let page = daemon.get("/api/projects/p/tasks?limit=2").json();
    assert_eq!((&page["total"], &page["has_more"]), (&json!(3), &json!(true)));

    let list = |query: &str| names(&daemon.get(&format!("/api/v1/runs?{query}")).json()["runs"], "run_id");
    let newest_first: Vec<String> = runs.iter().rev().cloned().collect();
    assert_eq!(list(""), newest_first);
    assert_eq!(list("sort=run_id"), runs);
    assert_eq!(list("status=failed"), [runs[1].as_str()]);
    assert_eq!(list("status=success&limit=1"), [runs[2].as_str()]);
    assert_eq!(list("project_id=p&task_id=c"), [runs[0].as_str()]);
    assert_eq!(list("project_id=other"), [""; 0]);
    let ended = daemon.get(&format!("/api/v1/runs/{}/info", runs[2])).json()["end_time"]
        .as_str()
        .expect("a time")
        .to_owned();
    assert_eq!(list(&format!("since={ended}")), [runs[2].as_str()]);

    for (path, text) in [
        ("/api/v1/tasks?limit=0", "limit"),
        ("/api/v1/tasks?limit=x", "limit"),
        ("/api/v1/tasks?status=nonsense", "status"),
        ("/api/v1/tasks?sort=size", "sort"),
        ("/api/v1/tasks?cursor=x", "cursor"),
        ("/api/v1/tasks?since=yesterday", "since"),
        ("/api/v1/tasks?project_id=a%20b", "project_id"),
        ("/api/v1/runs?status=nonsense", "status"),
        ("/api/v1/runs?cursor=x", "cursor"),
        ("/api/v1/runs?sort=size", "sort"),
        ("/api/v1/runs?task_id=t", "task_id"),
        ("/api/v1/runs?limit=1001", "limit"),
        ("/api/projects/p/tasks?limit=501", "limit"),
        ("/api/projects/p/tasks?offset=-1", "offset"),
        ("/api/projects/p/tasks/a/runs?limit=501", "limit"),
        ("/api/projects/p/runs/flat?active_only=perhaps", "active_only"),
        ("/api/projects/p/runs/flat?selected_task_limit=201", "selected_task_limit"),
    ] {
        daemon.get(path).fails(400, text);
    }
}

#[test]
fn pages_fit_together_while_tasks_come() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let before: Vec<String> = (0..12).map(|n| format!("t{n:02}")).collect();
    let runs: Vec<String> = before.iter().map(|task| daemon.create(task, "quick")).collect();
    for task in &before {
        daemon.until_task(task, "completed");
    }
    for (path, list, key, wanted) in [
        ("/api/v1/tasks?limit=5", "tasks", "task_id", &before),
        ("/api/v1/tasks?limit=5&sort=-last_activity", "tasks", "task_id", &before),
        ("/api/projects/p/tasks?limit=5", "items", "id", &before),
        ("/api/v1/runs?limit=5", "runs", "run_id", &runs),
        ("/api/v1/runs?limit=5&sort=run_id", "runs", "run_id", &runs),
    ] {
        let (mut seen, mut cursor, mut round) = (Vec::new(), None::<String>, 0);
        loop {
            let at = cursor.as_ref().map(|c| format!("&cursor={c}")).unwrap_or_default();
            let page = daemon.get(&format!("{path}{at}")).json();
            seen.extend(names(&page[list], key));
            // New tasks sort before and after the pages shown so far.
            for name in ["a", "t05x", "z"] {
                let name = format!("{name}{}{round}", &key[..1]);
                let new = json!({"project_id": "p", "task_id": name, "agent_type": "quick", "prompt": "x"});
                if round < 2 {
                    daemon.post("/api/v1/tasks", &new);
                }
            }
            round += 1;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        for name in wanted {
            assert_eq!(seen.iter().filter(|s| *s == name).count(), 1, "{name} in {path}: {seen:?}");
        }
        assert!(round > 2, "{path}: {seen:?}");
    }
}

/// A writer creates tasks all the time while others turn pages: each reader sees every earlier task exactly once.
#[test]
fn pages_fit_together_under_a_writer_that_does_not_stop() {
    // Enough tasks before, between and after the searched ones; the duration depends on the machine.
    const WRITTEN: usize = 12;
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let before: Vec<String> = (0..20).map(|n| format!("m{n:02}")).collect();
    let runs: Vec<String> = before.iter().map(|task| daemon.create(task, "quick")).collect();
    for task in &before {
        daemon.until_task(task, "completed");
    }
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for made in 0..WRITTEN {
                daemon.create(&format!("{}{made:03}", ["a", "m05x", "z"][made % 3]), "quick");
            }
        });
        let read = |path: &str, list: &str, key: &str, wanted: &[String]| {
            let (mut seen, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let at = cursor.as_ref().map(|c| format!("&cursor={c}")).unwrap_or_default();
                let page = daemon.get(&format!("{path}{at}")).json();
                seen.extend(names(&page[list], key));
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = Some(next.to_owned()),
                    None => break,
                }
            }
            for name in wanted {
                assert_eq!(seen.iter().filter(|s| *s == name).count(), 1, "{name} in {path}: {seen:?}");
            }
            let mut unique = seen.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), seen.len(), "nothing twice in {path}");
        };
        while !writer.is_finished() {
            read("/api/v1/tasks?limit=3", "tasks", "task_id", &before);
            read("/api/v1/tasks?limit=3&sort=-task_id", "tasks", "task_id", &before);
            read("/api/projects/p/tasks?limit=4", "items", "id", &before);
            read("/api/v1/runs?limit=3", "runs", "run_id", &runs);
        }
        writer.join().expect("the writer");
    });
}
