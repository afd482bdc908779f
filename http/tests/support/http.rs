//! A blocking HTTP/1.1 client over one connection: enough for our own server's answers, which all state their length.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

/// One connection, kept alive between requests.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// Names in lower case, and values, in their order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The message of an error.
    pub(crate) fn error(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The position of an acknowledged event.
    pub(crate) fn lsn(&self) -> Option<u64> {
        self.header("x-mallard-lsn")?.parse().ok()
    }
}

impl Client {
    /// Opens a connection.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self::of(stream))
    }

    /// Takes over an open connection.
    pub(crate) fn of(stream: TcpStream) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Response> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.send(request.as_bytes())?;
        if method == "HEAD" { self.read_head() } else { self.read_response() }
    }

    /// One event, as the tracker sends it.
    pub(crate) fn post_event(&mut self, event: &Value) -> io::Result<Response> {
        self.request("POST", "/api/event", &[("content-type", "text/plain")], &event.to_string())
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads one answer.
    pub(crate) fn read_response(&mut self) -> io::Result<Response> {
        let mut response = self.read_head()?;
        if response.header("transfer-encoding") == Some("chunked") {
            response.body = self.read_chunks()?;
            return Ok(response);
        }
        let length = response.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        response.body = vec![0; length];
        self.stream.read_exact(&mut response.body)?;
        Ok(response)
    }

    /// Reads a body of unknown length; one that breaks off is an error.
    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.read_line()?, 16).map_err(io::Error::other)?;
            let start = body.len();
            body.resize(start + length, 0);
            self.stream.read_exact(&mut body[start..])?;
            self.read_line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    /// Whether an answer, or a part of it, is there by now.
    pub(crate) fn has_answer(&mut self) -> bool {
        self.stream.get_ref().set_nonblocking(true).expect("a socket");
        let is_there = self.stream.fill_buf().is_ok();
        self.stream.get_ref().set_nonblocking(false).expect("a socket");
        is_there
    }

    /// Whether the server has closed the connection by now, without an answer.
    pub(crate) fn is_closed_by_now(&mut self) -> bool {
        self.stream.get_ref().set_nonblocking(true).expect("a socket");
        let is_closed = self.stream.fill_buf().is_ok_and(<[u8]>::is_empty);
        self.stream.get_ref().set_nonblocking(false).expect("a socket");
        is_closed
    }

    /// Whether the server has closed the connection without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.stream.fill_buf().is_ok_and(<[u8]>::is_empty)
    }

    fn read_head(&mut self) -> io::Result<Response> {
        let malformed = || io::Error::from(ErrorKind::InvalidData);
        let status_line = self.read_line()?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok(Response { status, headers, body: Vec::new() });
            }
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
