//! Access: keys and their scopes, codes and keys of pages, tickets, pages of other origins, and the headers of every
//! answer.

use std::io::{Read, Write};

use crate::common::{
    Sandbox,
    daemon::{Daemon, Response, agents, until},
    fake,
};
use serde_json::{Value, json};

const JSON: &str = "Content-Type: application/json\r\n";
const KEYS: &str = "api:
  api_key: key-of-the-owner
  keys:
    - {name: ann, key: key-of-ann-who-runs, scope: run}
    - {name: bob, key_file: bob.key}
  cors_origins: ['https://friend.example', 'http://localhost:3000']
";

fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 2] =
        [("quick", &["say:hello", "done"]), ("waits", &["say:ready", "sleep:60000"])];
    agents(&sandbox, &fake::agent(), &steps, more);
    sandbox.write("home/.config/conductor/bob.key", "key-of-bob-who-reads\n");
    sandbox
}

fn keyed(daemon: &Daemon, method: &str, path: &str, key: &str, body: &Value) -> Response {
    let (kind, body) = if body.is_null() { ("", String::new()) } else { (JSON, body.to_string()) };
    daemon.send(method, path, &format!("Authorization: Bearer {key}\r\n{kind}"), &body)
}

#[test]
fn a_key_allows_what_its_scope_says() {
    let sandbox = sandbox(KEYS);
    let daemon = Daemon::start(&sandbox, &[]);
    let (owner, ann, bob) = ("key-of-the-owner", "key-of-ann-who-runs", "key-of-bob-who-reads");
    let new = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"});
    keyed(&daemon, "POST", "/api/v1/tasks", bob, &new).fails(403, "scope run; 'bob' has scope read");
    assert_eq!(keyed(&daemon, "POST", "/api/v1/tasks", ann, &new).status, 201);
    assert_eq!(keyed(&daemon, "GET", "/api/v1/tasks", bob, &Value::Null).status, 200);
    let message = json!({"body": "hello"});
    keyed(&daemon, "POST", "/api/projects/p/messages", bob, &message).fails(403, "scope run");
    assert_eq!(keyed(&daemon, "POST", "/api/projects/p/messages", ann, &message).status, 201);
    until("the task has ended", || {
        keyed(&daemon, "GET", "/api/v1/tasks/t?project_id=p", bob, &Value::Null).json()["status"]
            == "completed"
    });
    for (method, path) in
        [("DELETE", "/api/projects/p/tasks/t"), ("POST", "/api/projects/p/gc"), ("GET", "/api/v1/auth/keys")]
    {
        keyed(&daemon, method, path, ann, &Value::Null).fails(403, "scope admin; 'ann' has scope run");
    }
    for path in ["/api/v1/tasks", "/api/v1/nothing", "/api/projects", "/api/v1/runs/stream/all"] {
        for answer in [daemon.get(path), keyed(&daemon, "GET", path, "key-of-nobody", &Value::Null)] {
            assert_eq!(answer.status, 401, "{path}");
            assert_eq!(answer.body, r#"{"error":"unauthorized","message":"valid API key required"}"#);
            assert!(answer.head.contains("www-authenticate: Bearer realm=\"conductor\"\r\n"), "{answer:?}");
            assert!(answer.head.contains("content-type: application/json\r\n"), "{answer:?}");
        }
    }
    for path in ["/api/v1/health", "/api/v1/version", "/metrics", "/healthz", "/api/v1/auth"] {
        assert_eq!(daemon.get(path).status, 200, "{path}");
    }
    assert_ne!(daemon.get("/ui/").status, 401);
    assert_eq!(keyed(&daemon, "DELETE", "/api/projects/p/tasks/t", owner, &Value::Null).status, 204);

    let audit =
        std::fs::read_to_string(sandbox.root().join("_audit/form-submissions.jsonl")).expect("the log");
    let names: Vec<Value> = audit
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["key_name"].clone())
        .collect();
    assert_eq!(names, [json!("ann"), json!("ann")]);
    let log = daemon.log();
    assert!(log.contains("ann") && log.contains("api_key"), "{log}");
    for key in [owner, ann, bob, "key-of-nobody"] {
        assert!(!log.contains(key) && !audit.contains(key), "{key}: {log} {audit}");
    }
}

#[test]
fn a_key_in_an_address_is_refused_with_a_word() {
    let sandbox = sandbox(KEYS);
    let daemon = Daemon::start(&sandbox, &[]);
    for query in ["api_key=key-of-the-owner", "limit=3&access_token=key-of-the-owner", "X-API-Key=x"] {
        daemon.get(&format!("/api/v1/tasks?{query}")).fails(400, "/api/v1/tickets");
    }
    assert!(!daemon.log().contains("key-of-the-owner"), "{}", daemon.log());
}

#[test]
fn a_page_gets_a_key_for_a_code() {
    let sandbox = sandbox(KEYS);
    let daemon = Daemon::start(&sandbox, &[]);
    let port = daemon.port;
    let page = |flags: &str| {
        let url = sandbox.run(&format!("ui --print {flags}")).succeeds();
        let code = url.trim().strip_prefix(&format!("http://127.0.0.1:{port}/ui/#code=")).map(str::to_owned);
        code.unwrap_or_else(|| panic!("{url}"))
    };
    let exchange = |code: &str| daemon.post("/api/v1/auth/keys", &json!({ "code": code }));
    let code = page("");
    let given = exchange(&code);
    assert_eq!((given.status, &given.json()["scope"]), (201, &json!("admin")), "{given:?}");
    exchange(&code).fails(403, "run-agent ui");
    exchange("").fails(403, "run-agent ui");
    let (key, name) = (given.json()["key"].clone(), given.json()["name"].clone());
    let key = key.as_str().expect("a key").to_owned();
    let who = |key: &str| keyed(&daemon, "GET", "/api/v1/auth", key, &Value::Null).json();
    assert_eq!(who(&key), json!({"required": true, "authenticated": true, "name": name, "scope": "admin"}));
    assert_eq!(who("another"), json!({"required": true, "authenticated": false}));
    keyed(&daemon, "POST", "/api/v1/auth/codes", &key, &Value::Null).fails(409, "run-agent ui");

    // A page that may only read, and a page for a user with a key on another machine.
    let reads = exchange(&page("--scope read")).json()["key"].as_str().expect("a key").to_owned();
    let new = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"});
    keyed(&daemon, "POST", "/api/v1/tasks", &reads, &new).fails(403, "scope run");
    let away = format!("ui --print --root elsewhere --server http://127.0.0.1:{port} --api-key");
    let url = sandbox.run(&format!("{away} key-of-ann-who-runs")).succeeds();
    let anns = exchange(url.trim().split_once("#code=").expect("a code").1);
    assert_eq!(anns.json()["scope"], "run");
    sandbox.run(&format!("{away} wrong-key")).fails(6, "unauthorized", "key");
    keyed(&daemon, "POST", "/api/v1/auth/codes", "key-of-bob-who-reads", &json!({"scope": "run"}))
        .fails(403, "scope read");

    // The key outlives the daemon, and is stored nowhere in clear text.
    drop(daemon);
    let daemon = Daemon::start(&sandbox, &[]);
    let list = |key: &str| keyed(&daemon, "GET", "/api/v1/auth/keys", key, &Value::Null);
    let held = list(&key).json();
    let by: Vec<&Value> = held["keys"].as_array().expect("keys").iter().map(|k| &k["made_by"]).collect();
    assert_eq!(by, [&Value::Null, &Value::Null, &json!("ann")]);
    let files = std::process::Command::new("grep").args(["-rl", &key[4..]]).arg(sandbox.root()).output();
    assert_eq!(String::from_utf8_lossy(&files.expect("grep runs").stdout), "");
    assert!(!daemon.log().contains(&key[4..]));
    assert_eq!(keyed(&daemon, "DELETE", "/api/v1/auth/keys/current", &key, &Value::Null).status, 204);
    assert_eq!(list(&key).status, 401);
    keyed(&daemon, "DELETE", "/api/v1/auth/keys/current", "key-of-the-owner", &Value::Null)
        .fails(409, "configuration");
    assert_eq!(sandbox.run("ui --revoke").code, 0);
    assert_eq!(keyed(&daemon, "GET", "/api/v1/tasks", &reads, &Value::Null).status, 401);
    assert_eq!(list("key-of-the-owner").json(), json!({"keys": []}));
}

#[test]
fn a_browser_is_started_without_the_code() {
    let sandbox = sandbox(KEYS);
    let _daemon = Daemon::start(&sandbox, &[]);
    // The fake browser records its argument, and the file that it would have read.
    let browser = sandbox.write(
        "home/browser",
        "#!/bin/sh\nfile=${1#file://}\nstat -c %a \"$file\" >\"$HOME/seen.tmp\"\ncat \"$file\" >>\"$HOME/seen.tmp\"\n\
         echo \"$1\" >>\"$HOME/seen.tmp\"\nrm \"${file%/*}\"/login-codes/*\nmv \"$HOME/seen.tmp\" \"$HOME/seen\"\n",
    );
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a program");
    let opened = sandbox.run_with(&[("BROWSER", browser.to_str().expect("a path"))], "ui");
    let url = opened.succeeds();
    let seen = sandbox.home().join("seen");
    until("the browser has seen it", || seen.exists());
    let seen = std::fs::read_to_string(seen).expect("what the browser saw");
    assert!(seen.starts_with("600\n") && seen.contains(&format!("0;url={}", url.trim())), "{seen}");
    let argument = seen.lines().last().expect("its argument");
    assert!(argument.starts_with("file:///") && !argument.contains("cdc_"), "{argument}");
    assert!(!sandbox.root().join("_daemon/ui.html").exists(), "it is gone once the code is used");
}

#[test]
fn without_keys_a_page_needs_none() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    assert_eq!(sandbox.run("ui --print").succeeds(), format!("http://127.0.0.1:{}/ui/\n", daemon.port));
    assert_eq!(
        daemon.get("/api/v1/auth").json(),
        json!({"required": false, "authenticated": true, "scope": "admin"})
    );
    daemon.post("/api/v1/auth/codes", &Value::Null).fails(409, "requires no key");
    drop(daemon);
    // Not the default address: another daemon of this machine may have it.
    sandbox.run("ui --print --server http://127.0.0.1:1").fails(5, "cannot reach", "run-agent serve");
    let warned = Sandbox::new();
    warned.configure("api: {auth_enabled: true}\n");
    let daemon = Daemon::start(&warned, &[]);
    assert!(daemon.log().contains("api.auth_enabled is set without a key"), "{}", daemon.log());
    assert_eq!(daemon.get("/api/v1/tasks").status, 200);
    warned.run("serve --host 0.0.0.0 --port 0 --root other").fails(16, "without a key", "--api-key-file");
}

#[test]
fn a_key_comes_from_a_file() {
    let sandbox = sandbox("");
    let file = sandbox.write("home/key", "key-of-the-file-0123\n");
    let mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, mode).expect("the mode");
    };
    mode(0o600);
    let flag = ["--api-key-file", file.to_str().expect("a path")];
    let daemon = Daemon::start(&sandbox, &flag);
    assert_eq!(daemon.get("/api/v1/tasks").status, 401);
    assert_eq!(keyed(&daemon, "GET", "/api/v1/tasks", "key-of-the-file-0123", &Value::Null).status, 200);
    assert!(!daemon.log().contains("chmod 600"), "{}", daemon.log());
    let arguments = std::fs::read(format!("/proc/{}/cmdline", daemon.child.id())).expect("its arguments");
    assert!(!String::from_utf8_lossy(&arguments).contains("key-of-the-file"), "ps does not show it");
    // The clients accept the key file, too.
    let status = sandbox.run("server status --api-key-file ../home/key");
    assert!(status.code == 0 && !status.stderr.contains("chmod 600"), "{status:?}");
    assert!(sandbox.run("ui --print --api-key-file ../home/key").succeeds().contains("#code="));
    sandbox.run("server status").fails(6, "", "--api-key-file");
    mode(0o644);
    let warned = sandbox.run("server status --api-key-file ../home/key");
    assert!(warned.code == 0 && warned.stderr.contains("chmod 600"), "{warned:?}");
    for (text, problem) in
        [(Some("\n"), "is empty"), (None, "is missing"), (Some("a b"), "more than one word")]
    {
        let odd = sandbox.path("home/odd");
        let _ = std::fs::remove_file(&odd);
        if let Some(text) = text {
            sandbox.write("home/odd", text);
        }
        sandbox.run("server status --api-key-file ../home/odd").fails(13, problem, "");
        sandbox.run("serve --port 0 --root other --api-key-file ../home/odd").fails(13, problem, "");
    }
    assert_eq!(sandbox.run("server status --api-key x --api-key-file ../home/key").code, 2);
}

#[test]
fn a_ticket_opens_one_path_once() {
    let sandbox = sandbox(KEYS);
    let daemon = Daemon::start(&sandbox, &[]);
    let bob = "key-of-bob-who-reads";
    let ticket = |path: &str| {
        let made = keyed(&daemon, "POST", "/api/v1/tickets", bob, &json!({ "path": path }));
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["ticket"].as_str().expect("a ticket").to_owned()
    };
    let with = |path: &str, ticket: &str| daemon.get(&format!("{path}?limit=3&ticket={ticket}")).status;
    let once = ticket("/api/v1/tasks?limit=5");
    assert_eq!((with("/api/v1/tasks", &once), with("/api/v1/tasks", &once)), (200, 401));
    let other = ticket("/api/v1/tasks");
    assert_eq!((with("/api/v1/runs", &other), with("/api/v1/tasks", &other)), (401, 401));
    let post = ticket("/api/v1/tasks");
    assert_eq!(daemon.send("POST", &format!("/api/v1/tasks?ticket={post}"), JSON, "{}").status, 401);
    let ask =
        |path: &str, key: &str| keyed(&daemon, "POST", "/api/v1/tickets", key, &json!({ "path": path }));
    ask("/api/v1/nothing", bob).fails(404, "GET");
    ask("/api/v1/auth/keys", bob).fails(403, "the scope read");
    ask("/api/v1/tasks", "wrong").fails(401, "unauthorized");
    // A stream that was opened with a ticket continues when the ticket expires.
    let path = "/api/v1/runs/stream/all";
    let mut stream = daemon.stream(&format!("{path}?ticket={}", ticket(path)), None);
    assert_eq!(stream.status, 200);
    let new = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"});
    assert_eq!(keyed(&daemon, "POST", "/api/v1/tasks", "key-of-the-owner", &new).status, 201);
    assert!(stream.next().is_some());
    assert!(!daemon.log().contains("cdt_"), "{}", daemon.log());
}

#[test]
fn a_page_of_an_allowed_origin_may_call_and_others_may_not() {
    let sandbox = sandbox(KEYS);
    let daemon = Daemon::start(&sandbox, &[]);
    let friend = "Origin: https://friend.example\r\nSec-Fetch-Site: cross-site\r\n";
    let asks = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-type\r\n";
    let preflight = daemon.send(
        "OPTIONS",
        "/api/v1/tasks",
        &format!("{friend}{asks}Access-Control-Request-Private-Network: true\r\n"),
        "",
    );
    assert_eq!((preflight.status, preflight.body.as_str()), (204, ""), "without a key: {preflight:?}");
    for header in [
        "access-control-allow-origin: https://friend.example",
        "access-control-allow-methods: GET, POST, DELETE, OPTIONS",
        "access-control-allow-private-network: true",
        "vary: Origin",
    ] {
        assert!(preflight.head.contains(&format!("{header}\r\n")), "{header}: {}", preflight.head);
    }
    let allowed = preflight.head.lines().find_map(|l| l.strip_prefix("access-control-allow-headers: "));
    for name in [
        "Content-Type",
        "Authorization",
        "X-API-Key",
        "X-Request-ID",
        "Idempotency-Key",
        "Last-Event-ID",
        "X-Conductor-Client",
    ] {
        assert!(allowed.is_some_and(|list| list.split(", ").any(|n| n == name)), "{name}: {allowed:?}");
    }
    assert!(!preflight.head.contains("access-control-allow-credentials"), "{}", preflight.head);
    let key = "X-API-Key: key-of-the-owner\r\n";
    for (path, key, status) in [
        ("/api/v1/tasks", key, 200),
        ("/api/v1/tasks", "", 401),
        ("/api/v1/nothing", key, 404),
        ("/api/v1/tasks?limit=x", key, 400),
    ] {
        let answer = daemon.send("GET", path, &format!("{friend}{key}"), "");
        assert_eq!(answer.status, status, "{answer:?}");
        let marked = "access-control-allow-origin: https://friend.example\r\n";
        assert!(answer.head.contains(marked) && answer.head.contains("vary: Origin\r\n"), "{answer:?}");
        assert!(answer.head.contains("access-control-expose-headers: X-Request-ID"), "{answer:?}");
    }
    let mut stream = daemon.connect();
    let request = format!("GET /api/v1/runs/stream/all HTTP/1.1\r\nHost: localhost\r\n{friend}{key}\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut head = [0; 2048];
    let length = stream.read(&mut head).expect("an answer");
    assert!(String::from_utf8_lossy(&head[..length]).contains("access-control-allow-origin: https://friend"));
    for origin in ["https://friend.example.evil", "http://friend.example", "null", "http://localhost:3001"] {
        let headers = format!("Origin: {origin}\r\n{asks}");
        let refused = daemon.send("OPTIONS", "/api/v1/tasks", &headers, "");
        refused.fails(403, "other sites");
        let answer = daemon.send("GET", "/api/v1/tasks", &format!("Origin: {origin}\r\n{key}"), "");
        answer.fails(403, "other sites");
        assert!(!format!("{refused:?}{answer:?}").contains("access-control-allow"), "{refused:?} {answer:?}");
    }
    let delete = daemon.send("DELETE", "/api/projects/p", &format!("{friend}{key}"), "");
    delete.fails(403, "page in a browser");
}

#[test]
fn every_answer_says_how_it_may_be_used() {
    let sandbox = sandbox(KEYS);
    let daemon = Daemon::start(&sandbox, &[]);
    let key = "X-API-Key: key-of-the-owner\r\n";
    let data = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";
    for (method, path, headers, csp) in [
        ("GET", "/api/v1/tasks", key, data),
        ("GET", "/api/v1/tasks", "", data),
        ("GET", "/api/v1/nothing", key, data),
        ("PUT", "/api/v1/tasks", key, data),
        ("GET", "/metrics", "", data),
        ("GET", "/api/v1/tasks", "Origin: http://evil.example\r\n", data),
        ("GET", "/ui/nothing.js", "", "script-src 'self'; style-src 'self';"),
    ] {
        let answer = daemon.send(method, path, headers, "");
        for header in [
            csp,
            "x-content-type-options: nosniff\r\n",
            "referrer-policy: no-referrer\r\n",
            "x-frame-options: DENY\r\n",
            "cross-origin-opener-policy: same-origin\r\n",
            "cross-origin-resource-policy: same-origin\r\n",
            "permissions-policy: camera=()",
            "x-request-id: ",
            "cache-control: ",
        ] {
            assert!(answer.head.contains(header), "{method} {path}: no {header}: {}", answer.head);
        }
        assert!(!answer.head.contains("unsafe-inline"), "{}", answer.head);
    }
}
