//! Sockets of `web`, with a client of another make over real connections.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{sync::Arc, time::Duration};

use base::{clock::Clock, shutdown::Shutdown};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};
use web::{Access, Call, Error, Keys, Live, Manners, Mount, Scope, Site, Socket, SocketLimits, Table};

use crate::common::web::{OneKey, guard, listener, serve};

const PATIENCE: Duration = Duration::from_secs(20);
/// The largest message that the test's endpoints take.
const LARGEST: usize = 1024;

async fn echo(mut socket: Socket) {
    while let Ok(text) = socket.receive().await {
        if text == "end" {
            return socket.close(web::CloseCode::Normal, "as you like").await;
        }
        if socket.send(text).await.is_err() {
            return;
        }
    }
}

/// Sends without an end, whether or not the client reads.
async fn flood(mut socket: Socket) {
    let text = "x".repeat(64 * 1024);
    while socket.send(text.as_str()).await.is_ok() {}
}

fn table() -> Table<()> {
    let limits = SocketLimits { message: LARGEST, ..SocketLimits::default() };
    let brisk = SocketLimits { ping: Duration::from_millis(100), ..limits };
    let strict = SocketLimits { patience: Duration::from_millis(300), ..limits };
    let open = |access: Access, path, limits| {
        web::get(access, path, "Talk")
            .frames::<String, String>("An echo")
            .socket(limits, |_: Call<()>, (): ()| std::future::ready(Ok::<_, Error>(echo)))
    };
    Table::new([
        open(Access::Open, "/echo", limits),
        open(Access::Open, "/brisk", brisk),
        open(Access::Key(Scope::Read), "/private", limits),
        web::get(Access::Open, "/flood", "Listen")
            .frames::<String, String>("A flood")
            .socket(strict, |_: Call<()>, (): ()| std::future::ready(Ok::<_, Error>(flood))),
        web::get(Access::Open, "/refused", "Refuse").frames::<String, String>("Never").socket(
            limits,
            |_: Call<()>, (): ()| {
                std::future::ready(Err::<fn(Socket) -> std::future::Ready<()>, _>(Error::not_found("gone")))
            },
        ),
    ])
}

struct TestServer {
    port: u16,
    live: Live,
}

impl TestServer {
    async fn start() -> Self {
        let shutdown = Shutdown::default();
        let live = Live::new(shutdown.clone(), Clock::default());
        let (table, manners) = (Arc::new(table()), Arc::new(Manners::plain()));
        let mount =
            Mount { prefix: "", api: (), table, keys: Keys::new(OneKey), manners, live: live.clone() };
        let (port, listener) = listener("main", Site::new(guard(&[]), mount)).await;
        // As few slots as there may be: a socket that did not give its slot back would be missed.
        serve(vec![listener], 8, &shutdown);
        Self { port, live }
    }

    async fn open(&self, path: &str) -> WebSocketStream<TcpStream> {
        self.try_open(path, &[]).await.expect("a socket")
    }

    async fn try_open(
        &self,
        path: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
        let url = format!("ws://127.0.0.1:{}{path}", self.port);
        let mut request = url.into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection");
        client_async(request, stream).await.map(|(socket, _)| socket)
    }

    /// Waits until so many sockets are open on the server's side.
    async fn until_open(&self, count: u64) {
        let open = async {
            while self.live.counters.streams().open != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, open).await.expect("sockets open and close in time");
    }
}

/// Returns the next message that is no ping.
async fn next(socket: &mut WebSocketStream<TcpStream>) -> Option<Message> {
    let next = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Ping(_))) => {}
                Some(Ok(message)) => return Some(message),
                _ => return None,
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.expect("a message in time")
}

/// Returns code and reason of the close that comes next.
async fn closed(socket: &mut WebSocketStream<TcpStream>) -> (CloseCode, String) {
    match next(socket).await {
        Some(Message::Close(Some(frame))) => (frame.code, frame.reason.as_str().to_owned()),
        other => panic!("no close: {other:?}"),
    }
}

#[tokio::test]
async fn texts_and_pings_are_answered_and_a_close_has_a_reason() {
    let served = TestServer::start().await;
    let mut socket = served.open("/echo").await;
    for text in ["a", "ü", &"x".repeat(LARGEST)] {
        socket.send(Message::text(text)).await.expect("room");
        assert_eq!(next(&mut socket).await, Some(Message::text(text)));
    }
    socket.send(Message::Ping("p".into())).await.expect("room");
    assert_eq!(next(&mut socket).await, Some(Message::Pong("p".into())));
    served.until_open(1).await;
    socket.send(Message::text("end")).await.expect("room");
    assert_eq!(closed(&mut socket).await, (CloseCode::Normal, "as you like".to_owned()));
    served.until_open(0).await;

    let mut socket = served.open("/echo").await;
    socket.send(Message::binary(vec![1])).await.expect("room");
    assert_eq!(closed(&mut socket).await.0, CloseCode::Unsupported);
    let mut socket = served.open("/echo").await;
    socket.close(None).await.expect("room");
    served.until_open(0).await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_with_a_reason() {
    let served = TestServer::start().await;
    // Of the larger ones the client has not sent everything when it is told.
    for length in [LARGEST + 1, 100 * LARGEST, 4096 * LARGEST] {
        let mut socket = served.open("/echo").await;
        socket.send(Message::text("x".repeat(length))).await.expect("it is read, and thrown away");
        let told = closed(&mut socket).await;
        assert_eq!(told, (CloseCode::Size, "the message is too large".to_owned()), "{length}");
    }
    served.until_open(0).await;
}

#[tokio::test]
async fn the_door_holds_for_sockets() {
    let served = TestServer::start().await;
    let key = ("authorization", "Bearer secret");
    for (path, headers, status) in [
        ("/echo", vec![("origin", "http://evil.example")], 403),
        ("/echo", vec![("origin", "null")], 403),
        ("/echo", vec![("sec-fetch-site", "cross-site")], 403),
        ("/echo", vec![("host", "rebound.example")], 421),
        ("/private", vec![], 401),
        ("/private", vec![key, ("origin", "http://evil.example")], 403),
        ("/absent", vec![key], 404),
        ("/refused", vec![], 404),
        ("/echo", vec![("sec-websocket-version", "8")], 426),
        ("/echo", vec![("sec-websocket-key", "short")], 400),
    ] {
        match served.try_open(path, &headers).await {
            Err(tungstenite::Error::Http(answer)) => {
                assert_eq!(answer.status(), status, "{path} {headers:?}");
            }
            other => panic!("{path} {headers:?}: {other:?}"),
        }
    }
    let mut socket = served.try_open("/private", &[key]).await.expect("a socket");
    socket.send(Message::text("a")).await.expect("room");
    assert_eq!(next(&mut socket).await, Some(Message::text("a")));
}

#[tokio::test]
async fn connections_that_are_cut_give_their_slots_back() {
    let served = TestServer::start().await;
    for round in 0..20 {
        let mut socket = served.open("/echo").await;
        if round % 2 == 0 {
            socket.send(Message::text("a")).await.expect("room");
        }
        // Neither a close nor its answer: the connection is gone.
        drop(socket);
    }
    served.until_open(0).await;
    let mut sockets = Vec::new();
    for _ in 0..8 {
        sockets.push(served.open("/echo").await);
    }
    served.until_open(8).await;
    assert!(served.try_open("/echo", &[]).await.is_err(), "sockets are never idle, so there is no slot");
    drop(sockets);
    served.until_open(0).await;
    served.open("/echo").await;
}

#[tokio::test]
async fn a_silent_client_is_pinged_and_given_up() {
    let served = TestServer::start().await;
    let mut lively = served.open("/brisk").await;
    let mut pings = 0;
    while pings < 5 {
        let ping = tokio::time::timeout(PATIENCE, lively.next()).await.expect("a ping in time");
        assert!(matches!(ping, Some(Ok(Message::Ping(_)))), "{ping:?}");
        pings += 1;
    }
    drop(lively);
    served.until_open(0).await;
    // This one does not read, and so it answers no ping.
    let mut silent = served.open("/brisk").await;
    served.until_open(1).await;
    served.until_open(0).await;
    assert_eq!(closed(&mut silent).await, (CloseCode::Policy, "no answer to a ping".to_owned()));
}

#[tokio::test]
async fn nothing_is_buffered_for_a_client_that_does_not_read() {
    let served = TestServer::start().await;
    let socket = served.open("/flood").await;
    served.until_open(1).await;
    served.until_open(0).await;
    let sent = served.live.counters.streams().bytes;
    assert!(sent < 64 * 1024 * 1024, "more than the kernel's buffers hold: {sent}");
    drop(socket);
}

#[tokio::test]
async fn a_shutdown_closes_sockets_with_a_reason() {
    let served = TestServer::start().await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(served.open("/echo").await);
    }
    let deaf = served.open("/flood").await;
    served.until_open(5).await;
    served.live.shutdown.begin();
    for socket in &mut sockets {
        assert_eq!(closed(socket).await, (CloseCode::Away, "the daemon goes down".to_owned()));
    }
    assert_eq!(served.live.shutdown.drain(PATIENCE).await, 0, "no client holds it up");
    drop(deaf);
}
