//! A client with minimal cost, because it shares the machine with the daemon that it measures.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::Result;

/// Maximum time to wait for an answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// One persistent connection.
pub struct Client {
    stream: TcpStream,
    port: u16,
    buffer: Vec<u8>,
    request: Vec<u8>,
}

/// An answer.
pub struct Response<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Response<'_> {
    /// Returns the body of a successful answer.
    pub fn json(&self) -> Result<serde_json::Value> {
        if !(200..300).contains(&self.status) {
            return Err(format!("{}: {}", self.status, String::from_utf8_lossy(self.body)).into());
        }
        Ok(serde_json::from_slice(self.body)?)
    }
}

impl Client {
    pub fn new(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, port, buffer: vec![0; 64 * 1024], request: Vec::new() })
    }

    pub fn get(&mut self, path: &str) -> Result<Response<'_>> {
        self.ask("GET", path, b"")
    }

    pub fn post(&mut self, path: &str, body: &[u8]) -> Result<Response<'_>> {
        self.ask("POST", path, body)
    }

    /// Sends a request and reads its answer, which must state its length.
    pub fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Response<'_>> {
        self.request.clear();
        write!(self.request, "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", self.port)?;
        if method != "GET" {
            write!(self.request, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())?;
        }
        self.request.extend_from_slice(b"\r\n");
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request)?;
        let mut filled = 0;
        let head = loop {
            filled += self.fill(filled)?;
            if let Some(end) = find(&self.buffer[..filled], b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head])?.to_ascii_lowercase();
        let status: u16 = text.get(9..12).ok_or("no status")?.parse()?;
        let length: usize = match text.split("content-length:").nth(1) {
            Some(rest) => rest.split("\r\n").next().ok_or("no length")?.trim().parse()?,
            None if status == 204 => 0,
            None => return Err(format!("{path}: the answer does not tell its length").into()),
        };
        let end = head + length;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        while filled < end {
            filled += self.fill(filled)?;
        }
        Ok(Response { status, body: &self.buffer[head..end] })
    }

    fn fill(&mut self, filled: usize) -> Result<usize> {
        if filled == self.buffer.len() {
            self.buffer.resize(filled * 2, 0);
        }
        match self.stream.read(&mut self.buffer[filled..])? {
            0 => Err("the daemon hung up".into()),
            n => Ok(n),
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}
