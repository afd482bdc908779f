//! [`Request`]: what a handler sees of a request. The head is parsed by hyper, the body is read on demand through a
//! limit and a deadline ([`crate::server::body`]), and the query string is decoded here.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{AsHeaderName, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Method, Request as HttpRequest};
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::server::body::read_limited;
use crate::server::stop::Stop;

/// Names and values of a query string.
pub type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// A request whose body has not been read yet.
#[derive(Debug)]
pub struct Request {
    parts: Parts,
    /// From a connection, or (in unit tests) from memory.
    body: Either<Incoming, Full<Bytes>>,
    peer: IpAddr,
    body_read_timeout: Duration,
    stop: Stop,
}

impl Request {
    /// A request that arrived on a connection from `peer`.
    pub fn new(request: HttpRequest<Incoming>, peer: IpAddr, body_read_timeout: Duration, stop: Stop) -> Self {
        let (parts, body) = request.into_parts();
        Self { parts, body: Either::Left(body), peer, body_read_timeout, stop }
    }

    /// A request from memory.
    #[cfg(test)]
    pub(crate) fn in_memory(request: HttpRequest<&'static str>, peer: IpAddr) -> Self {
        let (parts, body) = request.into_parts();
        let (body, stop) = (Either::Right(Full::from(body)), Stop::default());
        Self { parts, body, peer, body_read_timeout: Duration::from_secs(1), stop }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The path, still percent-encoded, with its leading slash.
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// A header as text; one that is not visible ASCII counts as absent.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The other end of the connection, which may be a proxy.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The parameters of the query string, decoded, in their order.
    pub fn query_pairs(&self) -> Pairs<'_> {
        let query = self.parts.uri.query().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).collect()
    }

    /// The body, if it has at most `bytes_max` bytes and arrives in time, of which little is left once the server is stopping.
    /// There is nothing left of it for a second call.
    pub async fn read_body(&mut self, bytes_max: usize) -> Result<Bytes, ApiError> {
        tokio::select! {
            biased;
            body = read_limited(&mut self.body, bytes_max, self.body_read_timeout) => body,
            () = self.stop.bodies_over() => Err(ApiError::stopping()),
        }
    }

    /// The body as JSON: 400 if it is not JSON, 422 if it is not the JSON that was asked for.
    pub async fn into_json<T: DeserializeOwned>(mut self, bytes_max: usize) -> Result<T, ApiError> {
        let body = self.read_body(bytes_max).await?;
        serde_json::from_slice(&body).map_err(|error| {
            let message = format!("Invalid JSON: {error}");
            if error.is_data() { ApiError::Unprocessable(message.into()) } else { ApiError::bad_request(message) }
        })
    }
}
