//! An `EventSource` as in browsers: the parser of the HTML standard, byte by byte, over a connection that may be cut
//! anywhere. An event that was not dispatched before a cut is lost.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;

/// An event as a page receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub event: String,
    pub data: String,
}

impl Message {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("no JSON: {e}: {self:?}"))
    }
}

/// The parser: any of `\n`, `\r`, `\r\n` ends a line, an empty line ends an event.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    behind_cr: bool,
    id: String,
    event: String,
    data: String,
}

impl Parser {
    /// Creates the parser of a new connection after the event with this id.
    pub fn behind(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    pub fn feed(&mut self, bytes: &[u8], dispatch: &mut impl FnMut(Message)) {
        for byte in bytes {
            match byte {
                b'\n' if std::mem::take(&mut self.behind_cr) => {}
                b'\n' | b'\r' => {
                    self.behind_cr = *byte == b'\r';
                    let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                    self.line(&line, dispatch);
                }
                _ => {
                    self.behind_cr = false;
                    self.line.push(*byte);
                }
            }
        }
    }

    fn line(&mut self, line: &str, dispatch: &mut impl FnMut(Message)) {
        if line.is_empty() {
            let (event, mut data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
            if data.pop().is_some() {
                let event = if event.is_empty() { "message".to_owned() } else { event };
                dispatch(Message { id: self.id.clone(), event, data });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => self.data.extend([value, "\n"]),
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            _ => {}
        }
    }
}

/// A client that reconnects.
#[derive(Debug, Default)]
pub struct Client {
    /// The id of the last event.
    pub last: String,
    pub events: Vec<Message>,
}

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// We cut it, or nothing arrived for a while.
    Cut,
    /// The server closed it after a whole answer.
    Closed,
    /// The stream is over: 204.
    Over,
}

impl Client {
    /// Connects after the last event, reads at most `bytes` of the stream, and disconnects. Also disconnects if
    /// nothing arrives for a while, or if the connection lasts three times as long.
    pub fn take(&mut self, port: u16, path: &str, bytes: usize, patience: Duration) -> Ended {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the daemon listens");
        stream.set_read_timeout(Some(super::daemon::PATIENCE)).expect("a time limit");
        let last =
            if self.last.is_empty() { String::new() } else { format!("Last-Event-ID: {}\r\n", self.last) };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: text/event-stream\r\n{last}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("the daemon takes the request");
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).expect("an answer") > 0, "no answer: {head:?}");
        }
        if head.starts_with("HTTP/1.1 204") {
            return Ended::Over;
        }
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        reader.get_ref().set_read_timeout(Some(patience)).expect("a time limit");
        self.body(&mut reader, bytes, Instant::now() + 3 * patience)
    }

    fn body(&mut self, reader: &mut BufReader<TcpStream>, mut left: usize, deadline: Instant) -> Ended {
        let mut parser = Parser::behind(&self.last);
        let mut piece = vec![0; 64 * 1024];
        loop {
            let mut size = String::new();
            match reader.read_line(&mut size) {
                Ok(0) => return Ended::Cut,
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ended::Cut;
                }
                Err(e) => panic!("the stream broke off: {e}"),
            }
            let mut chunk = usize::from_str_radix(size.trim(), 16).expect("a chunk");
            if chunk == 0 {
                return Ended::Closed;
            }
            while chunk > 0 {
                let most = chunk.min(left).min(piece.len());
                let Ok(got) = reader.read(&mut piece[..most]) else { return Ended::Cut };
                if got == 0 {
                    return Ended::Cut;
                }
                let (last, events) = (&mut self.last, &mut self.events);
                parser.feed(&piece[..got], &mut |message: Message| {
                    message.id.clone_into(last);
                    events.push(message);
                });
                (chunk, left) = (chunk - got, left - got);
                if left == 0 || Instant::now() > deadline {
                    return Ended::Cut;
                }
            }
            let mut end = [0; 2];
            if reader.read_exact(&mut end).is_err() {
                return Ended::Cut;
            }
        }
    }
}

#[test]
fn the_parser_is_that_of_the_standard() {
    let text = "\u{feff}: a comment\n\ndata: YHOO\rdata: +2\r\ndata\ndata:10\n\nid: 7\nevent: e\ndata:  x\n\n\
                id: no\0\nid\ndata\n\nretry: 5\nnonsense\ndata: half";
    for step in [1, 2, 3, 7, 1000] {
        let (mut parser, mut got) = (Parser::default(), Vec::new());
        for piece in text.as_bytes().chunks(step) {
            parser.feed(piece, &mut |m| got.push((m.id, m.event, m.data)));
        }
        let of = |id: &str, event: &str, data: &str| (id.to_owned(), event.to_owned(), data.to_owned());
        assert_eq!(got, [of("", "message", "YHOO\n+2\n\n10"), of("7", "e", " x"), of("", "message", "")]);
    }
}
