//! `web` by itself: a server with mounts that know nothing of tasks, and clients over real connections.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base::{clock::Clock, shutdown::Shutdown};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use web::{
    Access, Call, Error, Field, Identity, KeyLocations, Keyring, Keys, Live, Manners, Mount, Origin, Scope,
    Server, Site, Slashes, Table, TimeLimits, json,
    openapi::{self, Description},
};

use crate::common::web::{OneKey, guard, listener, serve};

/// A state that is not the daemon's.
#[derive(Debug, Clone)]
struct Notes {
    owner: &'static str,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Change {
    #[serde(default)]
    title: Field<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Changed {
    owner: &'static str,
    title: String,
}

/// No key is asked for.
#[derive(Debug)]
struct NoKey;

impl Keyring for NoKey {
    fn is_required(&self) -> bool {
        false
    }

    fn identify(&self, _: &str) -> Option<Identity> {
        None
    }
}

fn table() -> Table<Notes> {
    let show = |call: &Call<Notes>, (): &()| {
        let title =
            call.query.text(&web::text::<String>("title", "The title"))?.unwrap_or("untitled").to_owned();
        Ok::<_, Error>(json(StatusCode::OK, &Changed { owner: call.api.owner, title }))
    };
    let change = async |call: Call<Notes>, (): ()| {
        let owner = call.api.owner;
        let (change, _) = call.body.json::<Change>().await?;
        let title = match change.title {
            Field::Absent => "unchanged".to_owned(),
            Field::Null => "cleared".to_owned(),
            Field::Value(title) => title,
        };
        Ok::<_, Error>(json(StatusCode::OK, &Changed { owner, title }))
    };
    let replace = async |call: Call<Notes>, (): ()| {
        let length = call.body.bytes().await?.len();
        Ok::<_, Error>(json(StatusCode::OK, &length))
    };
    Table::new([
        web::get(Access::Open, "/open", "Show a note").json::<Changed>(StatusCode::OK, "The note").map(show),
        web::get(Scope::Read, "/note", "Show a note").json::<Changed>(StatusCode::OK, "The note").map(show),
        web::patch(Scope::Read, "/note", "Change a note")
            .takes::<Change>()
            .json::<Changed>(StatusCode::OK, "The note")
            .then(change),
        web::put(Scope::Run, "/note", "Replace a note")
            .takes::<Change>()
            .max_body(20)
            .json::<usize>(StatusCode::OK, "Its length")
            .then(replace),
    ])
}

/// Manners of another system: errors as `detail`, keys in a header of its own, redirects behind slashes.
fn odd() -> Manners {
    Manners {
        spell: |error, asked| match error.origin {
            Origin::NoRoute => json(error.status, &serde_json::json!({ "detail": "Not Found" })),
            Origin::WrongMethod(_) => {
                json(error.status, &serde_json::json!({ "detail": format!("no {} here", asked.method) }))
            }
            _ => json(error.status, &serde_json::json!({ "detail": error.message })),
        },
        key_locations: KeyLocations { headers: &["X-Odd-Key"], query: Some("token"), advice: "no" },
        challenge: "Odd",
        slashes: Slashes::Redirected,
        max_body: 64,
        ..Manners::plain()
    }
}

fn mount(
    prefix: &'static str,
    owner: &'static str,
    keys: Keys,
    manners: Manners,
    live: &Live,
) -> Mount<Notes> {
    let (table, manners, live) = (Arc::new(table()), Arc::new(manners), live.clone());
    Mount { prefix, api: Notes { owner }, table, keys, manners, live }
}

/// Two listeners: `main` with a mount at its root and one below `/faces/odd`, and `odd` with the latter's like alone.
struct TestServer {
    main: u16,
    odd: u16,
    shutdown: Shutdown,
}

impl TestServer {
    async fn start() -> Self {
        let shutdown = Shutdown::default();
        let live = Live::new(shutdown.clone(), Clock::default());
        let guard = || guard(&["served.example"]);
        let site = Site::new(guard(), mount("", "native", Keys::new(OneKey), Manners::plain(), &live))
            .with(mount("/faces/odd", "below", Keys::new(OneKey), odd(), &live));
        let (main, first) = listener("main", site).await;
        let site = Site::new(guard(), mount("", "alone", Keys::new(NoKey), odd(), &live));
        let (odd, second) = listener("odd", site).await;
        serve(vec![first, second], 64, &shutdown);
        Self { main, odd, shutdown }
    }
}

/// Sends a request; its head ends with a blank line. Returns status, head and body of the answer.
async fn ask(port: u16, head: &str, body: &str) -> (u16, String, Value) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let host = if head.to_lowercase().contains("\nhost:") { "" } else { "Host: localhost\r\n" };
    let head = head.replace('\n', "\r\n");
    let request =
        format!("{head}\r\n{host}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("room for the request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    (status, head.to_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
}

const JSON: &str = "\nContent-Type: application/json";

#[tokio::test]
async fn each_mount_keeps_its_manners() {
    let served = TestServer::start().await;
    let (key, odd_key) = ("\nAuthorization: Bearer secret", "\nX-Odd-Key: secret");
    for (target, headers, status, field, text) in [
        ("GET /note", key, 200, "owner", "native"),
        ("GET /open", "", 200, "owner", "native"),
        ("GET /note", "", 401, "error", "unauthorized"),
        ("GET /note", odd_key, 401, "error", "unauthorized"),
        ("GET /absent", key, 404, "error", "there is no such route"),
        ("GET /note/", key, 404, "error", "there is no such route"),
        ("GET /faces/odd/note", odd_key, 200, "owner", "below"),
        ("GET /faces/odd/note?token=secret", "", 200, "owner", "below"),
        ("GET /faces/odd/absent", odd_key, 404, "detail", "Not Found"),
        ("DELETE /faces/odd/note", odd_key, 405, "detail", "no DELETE here"),
        ("GET /faces/odd/absent", "", 401, "detail", "unauthorized"),
        ("GET /faces/oddity", key, 404, "error", "there is no such route"),
    ] {
        let (got, head, body) = ask(served.main, &format!("{target} HTTP/1.1{headers}"), "").await;
        assert_eq!((got, body[field].as_str()), (status, Some(text)), "{target}{headers}: {head}");
        if status == 401 {
            let challenge = if field == "detail" { "odd" } else { "bearer" };
            assert!(head.contains(&format!("www-authenticate: {challenge}")), "{head}");
        }
    }
    let (status, _, body) = ask(served.main, "GET /note?token=secret HTTP/1.1", "").await;
    assert_eq!((status, body["error"].as_str().map(|e| e.contains("URL"))), (400, Some(true)), "{body}");
    let (status, head, _) = ask(served.odd, "GET /note/?title=a HTTP/1.1", "").await;
    assert!(status == 307 && head.contains("location: /note?title=a"), "{head}");
}

#[tokio::test]
async fn the_guard_holds_on_every_listener() {
    let served = TestServer::start().await;
    for port in [served.main, served.odd] {
        for (headers, status) in [
            ("", 200),
            ("\nHost: served.example", 200),
            ("\nHost: rebound.example", 421),
            ("\nOrigin: http://evil.example", 403),
            ("\nSec-Fetch-Site: cross-site", 403),
        ] {
            let (got, head, _) = ask(port, &format!("GET /open HTTP/1.1{headers}"), "").await;
            assert_eq!(got, status, "{headers}: {head}");
        }
        let (status, head, _) = ask(port, "PATCH /note HTTP/1.1\nContent-Type: text/plain", "{}").await;
        assert_eq!(status, 415, "{head}");
    }
    let (status, _, body) = ask(served.odd, "GET /note HTTP/1.1", "").await;
    assert_eq!((status, body["owner"].as_str()), (200, Some("alone")), "no key is asked for there");
    let (status, ..) = ask(served.odd, "GET /faces/odd/note HTTP/1.1", "").await;
    assert_eq!(status, 404, "the other listener's mount is not there");
}

#[tokio::test]
async fn null_is_told_from_absence_and_a_limit_is_the_endpoints_own() {
    let served = TestServer::start().await;
    for (body, title) in
        [("{}", "unchanged"), (r#"{"title":null}"#, "cleared"), (r#"{"title":"new"}"#, "new")]
    {
        let (status, head, answer) = ask(served.odd, &format!("PATCH /note HTTP/1.1{JSON}"), body).await;
        assert_eq!((status, answer["title"].as_str()), (200, Some(title)), "{head}");
    }
    let long = |n: usize| format!("{{\"title\":\"{}\"}}", "x".repeat(n));
    for (method, length, status) in
        [("PUT", 8, 200), ("PUT", 9, 413), ("PATCH", 9, 200), ("PATCH", 52, 200), ("PATCH", 53, 413)]
    {
        let (got, head, _) = ask(served.odd, &format!("{method} /note HTTP/1.1{JSON}"), &long(length)).await;
        assert_eq!(got, status, "{method} {length}: {head}");
    }
    // The key reads only.
    let key = "\nAuthorization: Bearer secret";
    let (status, ..) = ask(served.main, &format!("PUT /note HTTP/1.1{JSON}{key}"), "{}").await;
    assert_eq!(status, 403);
}

#[test]
fn the_document_shows_methods_fields_and_access() {
    let description = Description {
        title: "Notes",
        about: "Notes.",
        server: "/faces/odd",
        example: "http://localhost",
        document: "/openapi.json",
        style: "/style.css",
        tags: &["Notes"],
        tag: |_| "Notes",
        error: |generator| generator.subschema_for::<Changed>(),
        meanings: &[(400, "Bad")],
        key_locations: odd().key_locations,
    };
    let document = openapi::value(&table(), &description);
    let note = &document["paths"]["/note"];
    assert_eq!(note["put"]["x-scope"], "run");
    assert_eq!(note["patch"]["x-scope"], "read");
    assert_eq!(document["paths"]["/open"]["get"]["security"], serde_json::json!([]));
    let change = &document["components"]["schemas"]["Change"];
    assert_eq!(change["properties"]["title"]["type"], serde_json::json!(["string", "null"]));
    assert!(change["required"].is_null(), "{change}");
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!((&schemes["key"]["name"], &schemes["key2"]["in"]), (&"X-Odd-Key".into(), &"query".into()));
}

#[tokio::test]
async fn a_shutdown_lets_a_request_end_and_closes_the_listeners() {
    let served = TestServer::start().await;
    let (status, ..) = ask(served.main, "GET /open HTTP/1.1", "").await;
    assert_eq!(status, 200);
    served.shutdown.begin();
    assert_eq!(served.shutdown.drain(std::time::Duration::from_secs(5)).await, 0);
    for port in [served.main, served.odd] {
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "{port}");
    }
}

/// A server with short limits and one endpoint, which answers with this many bytes.
async fn impatient(bytes: usize, shutdown: &Shutdown) -> u16 {
    let live = Live::new(shutdown.clone(), Clock::default());
    let large = move |_: &Call<()>, (): &()| Ok::<_, Error>(json(StatusCode::OK, &"x".repeat(bytes)));
    let table = Table::new([web::get(Access::Open, "/large", "Show much")
        .json::<String>(StatusCode::OK, "It")
        .map(large)]);
    let (table, manners) = (Arc::new(table), Arc::new(Manners::plain()));
    let mount = Mount { prefix: "", api: (), table, keys: Keys::new(NoKey), manners, live };
    let (port, listener) = listener("main", Site::new(guard(&[]), mount)).await;
    let (head, idle, write) = (Duration::from_millis(300), Duration::from_secs(20), Duration::from_secs(3));
    let limits = TimeLimits { head, idle, write };
    let server = Server { listeners: vec![listener], connections: 64, drain: Duration::from_secs(3), limits };
    shutdown.spawn(web::serve(server, shutdown.clone()));
    port
}

#[tokio::test]
async fn an_idle_connection_lives_on_and_a_slow_head_ends_it() {
    let shutdown = Shutdown::default();
    let port = impatient(10, &shutdown).await;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let mut buffer = [0; 4096];
    for _ in 0..2 {
        stream.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("room");
        let read = stream.read(&mut buffer).await.expect("an answer");
        assert!(buffer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..read]));
        // Longer than a head may take.
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    stream.write_all(b"GET /large HT").await.expect("room");
    let began = Instant::now();
    assert_eq!(stream.read(&mut buffer).await.unwrap_or(0), 0, "the connection is closed");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    shutdown.begin();
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up_and_one_that_reads_slowly_is_not() {
    let shutdown = Shutdown::default();
    // More than the buffers of a connection take.
    let bytes = 12 << 20;
    let port = impatient(bytes, &shutdown).await;
    let connect = async || {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(64 * 1024).expect("a small buffer");
        let mut stream = socket.connect(([127, 0, 0, 1], port).into()).await.expect("a connection");
        stream
            .write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .expect("room");
        stream
    };
    let mut stalled = connect().await;
    let mut slow = connect().await;
    let (mut received, mut reads, mut buffer) = (0, 0, vec![0; 64 * 1024]);
    loop {
        reads += 1;
        if reads <= 50 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        match slow.read(&mut buffer).await.expect("the answer goes on") {
            0 => break,
            read => received += read,
        }
    }
    assert!(received > bytes, "{received} bytes");
    let mut rest = Vec::new();
    let _ = stalled.read_to_end(&mut rest).await;
    assert!(rest.len() < bytes, "the connection was cut after {} bytes", rest.len());
    shutdown.begin();
}
