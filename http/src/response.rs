//! Answers: the few shapes a handler returns, their bodies whole or streamed. What every answer carries (security headers, request id, CORS, gzip) is
//! added in one place, [`crate::server::envelope`]; handlers do not repeat it.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use hyper::{Response as HttpResponse, StatusCode};
use serde::Serialize;
use tokio::sync::mpsc::Receiver;

use crate::error::ApiError;

/// What a handler returns.
pub type Response = HttpResponse<Body>;

/// What an answer consists of.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// Piece by piece, as it is made; whoever makes it learns by the closed channel that the client has gone.
    Stream(Receiver<Piece>),
}

/// What a streamed answer is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The next bytes.
    Data(Bytes),
    /// There is no more. Without it, whatever has become of the sender, the answer is [`Broken`].
    End,
}

/// The rest of a streamed answer will not come. The connection ends without the end of the answer, so that no client
/// takes a part for the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off")]
pub struct Broken;

impl Body {
    /// The bytes of a whole body; nothing of a stream.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Stream(_) => &[],
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(mem::take(bytes))))),
            Self::Stream(pieces) => pieces.poll_recv(cx).map(|piece| match piece {
                Some(Piece::Data(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Piece::End) => None,
                None => Some(Err(Broken)),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// Content type of JSON.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Content type of plain text.
pub const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Headers of the usual answer.
const HEADERS_USUAL: usize = 12;

/// What no cache may keep.
pub const NO_STORE: HeaderValue = HeaderValue::from_static("no-store, no-cache");

/// `status` without a body.
pub fn empty(status: StatusCode) -> Response {
    with_body(status, Bytes::new())
}

/// `status` with a body of the given type.
pub fn body(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response {
    let mut response = with_body(status, body.into());
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// 200 with a body that is still being made.
pub fn stream(content_type: HeaderValue, pieces: Receiver<Piece>) -> Response {
    let mut response = empty(StatusCode::OK);
    *response.body_mut() = Body::Stream(pieces);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

fn with_body(status: StatusCode, body: Bytes) -> Response {
    let mut response = HttpResponse::new(Body::Whole(body));
    *response.status_mut() = status;
    // Room for what the envelope adds: growing means to hash everything again.
    response.headers_mut().reserve(HEADERS_USUAL);
    response
}

/// `status` with a line of text.
pub fn text(status: StatusCode, text: &'static str) -> Response {
    body(status, TEXT, Bytes::from_static(text.as_bytes()))
}

/// 200 with `value` as JSON, not to be kept by any cache.
pub fn json(value: &impl Serialize) -> Result<Response, ApiError> {
    serde_json::to_string(value).map(json_text).map_err(ApiError::internal)
}

/// 200 with text that is JSON already, not to be kept by any cache.
pub fn json_text(text: String) -> Response {
    let mut response = body(StatusCode::OK, JSON, text);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// The same answer, to be kept as a file of this name.
pub fn as_file(mut response: Response, name: &'static str) -> Result<Response, ApiError> {
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")).map_err(ApiError::internal)?;
    response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    Ok(response)
}

/// The same answer, whose body its maker has compressed.
pub fn as_gzip(mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc;

    use super::*;

    fn collect(sent: Vec<Piece>) -> Result<Bytes, Broken> {
        let (sender, pieces) = mpsc::channel(sent.len());
        sent.into_iter().for_each(|piece| sender.try_send(piece).unwrap());
        drop(sender);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Body::Stream(pieces).collect()).map(http_body_util::Collected::to_bytes)
    }

    #[test]
    fn a_stream_is_whole_only_if_its_maker_said_so() {
        let data = Piece::Data(Bytes::from_static(b"a line\n"));
        assert_eq!(collect(vec![data.clone(), data.clone(), Piece::End]).unwrap(), "a line\na line\n");
        assert_eq!(collect(vec![data]), Err(Broken), "a maker that is gone has not said so");
    }
}
