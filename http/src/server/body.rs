//! Reading a request body: never more bytes than the route takes, never longer than the deadline.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::timeout;

use crate::error::ApiError;

/// Bytes beyond the limit that are still taken from the wire and thrown away. Closing a socket with unread bytes
/// resets the connection, and the client then loses the 413 that says what is wrong.
const DISCARDED_BYTES_MAX: usize = 1 << 20;

/// All of `body`. One that is longer than `bytes_max` is [`ApiError::BodyTooLarge`]; one that is not complete after
/// `deadline`, [`ApiError::BodyTimeout`]. Memory is bounded by `bytes_max` and one frame.
pub async fn read_limited<B>(body: B, bytes_max: usize, deadline: Duration) -> Result<Bytes, ApiError>
where
    B: Body<Data = Bytes> + Unpin,
{
    timeout(deadline, collect(body, bytes_max)).await.unwrap_or(Err(ApiError::BodyTimeout))
}

async fn collect<B>(mut body: B, bytes_max: usize) -> Result<Bytes, ApiError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut collected = Bytes::new();
    let mut received = announced(&body).filter(|bytes| *bytes > bytes_max + DISCARDED_BYTES_MAX).unwrap_or(0);
    while received <= bytes_max + DISCARDED_BYTES_MAX {
        let Some(frame) = Pin::new(&mut body).frame().await else { break };
        let frame = frame.map_err(|_| ApiError::bad_request("Request body is incomplete or malformed"))?;
        let Ok(data) = frame.into_data() else { continue };
        received += data.len();
        if received <= bytes_max {
            collected = joined(collected, data);
        }
    }
    if received > bytes_max { Err(ApiError::BodyTooLarge { bytes_max }) } else { Ok(collected) }
}

/// `first` and `second`. A body that comes in one piece is not copied.
fn joined(first: Bytes, second: Bytes) -> Bytes {
    if first.is_empty() {
        return second;
    }
    let mut both = first.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&*shared));
    both.extend_from_slice(&second);
    both.freeze()
}

/// The length that the client announced, or the largest number if it does not fit this machine.
fn announced(body: &impl Body) -> Option<usize> {
    body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);

    fn read(body: Vec<u8>, bytes_max: usize) -> Result<Bytes, ApiError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(read_limited(Full::from(body), bytes_max, DEADLINE))
    }

    #[test]
    fn a_body_of_exactly_the_limit_is_read_whole() {
        assert_eq!(read(vec![7; 100], 100).unwrap(), vec![7; 100]);
    }

    #[test]
    fn a_body_of_one_byte_more_is_too_large() {
        assert!(matches!(read(vec![7; 101], 100), Err(ApiError::BodyTooLarge { bytes_max: 100 })));
    }

    #[test]
    fn a_body_that_announces_far_too_much_is_refused_unread() {
        let body = vec![7; 101 + DISCARDED_BYTES_MAX];
        assert!(matches!(read(body, 100), Err(ApiError::BodyTooLarge { bytes_max: 100 })));
    }

    #[test]
    fn a_body_that_never_ends_is_a_timeout() {
        struct Never;
        impl Body for Never {
            type Data = Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
                std::task::Poll::Pending
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let read = runtime.block_on(read_limited(Never, 10, Duration::from_millis(1)));
        assert!(matches!(read, Err(ApiError::BodyTimeout)));
    }
}
