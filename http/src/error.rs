//! [`ApiError`]: every way in which a request can fail, and the status, body and headers that each one becomes.
//!
//! A variant is a situation. The text that a client reads is made here, in one place; what only the operator may
//! know (paths, SQL, causes) travels in [`ApiError::Internal`] and goes to the log, never to the wire.
//! The body is `{"error":"<message>"}`. This file does not log: [`crate::server`] does, once per request.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

use crate::response::{self, JSON, NO_STORE, Response};
use crate::stats::INCOMPLETE;

/// When to come back after a full queue or an outrun deadline: the queue drains within a group commit or two.
const RETRY_SOON_SECS: u32 = 1;
/// When to come back to a server that stops: a restart takes this long.
const RETRY_RESTARTED_SECS: u32 = 5;

/// When to come back to a full disk: retention, a compaction or an operator makes room.
const RETRY_ROOM_SECS: u32 = 60;

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 400: syntax, or a value outside its bounds. The text names the field.
    #[error("{0}")]
    BadRequest(Cow<'static, str>),
    /// 401: no credential, or a wrong one.
    #[error("{0}")]
    Unauthorized(Cow<'static, str>),
    /// 403: the caller is known and may not, or the site, `Origin` or CSRF check says no.
    #[error("{0}")]
    Forbidden(Cow<'static, str>),
    /// 404.
    #[error("Not found")]
    NotFound,
    /// 404 of a thing that a known path names.
    #[error("{0}")]
    Absent(Cow<'static, str>),
    /// 405; the methods that would work.
    #[error("Method not allowed")]
    MethodNotAllowed(String),
    /// 408: the body did not arrive in time.
    #[error("Request body was not received in time")]
    BodyTimeout,
    /// The head did not arrive in time.
    #[error("Request headers were not received in time")]
    HeadTimeout,
    /// 409.
    #[error("{0}")]
    Conflict(Cow<'static, str>),
    /// 413; the largest body that this route takes.
    #[error("Request body must be at most {bytes_max} bytes")]
    BodyTooLarge {
        /// The route's limit.
        bytes_max: usize,
    },
    /// 413: what is to be stored at once does not fit into one unit of the log.
    #[error(
        "These events take more than 1 MiB as they are stored, and nothing was stored. Send them in smaller batches."
    )]
    TooLargeForLog,
    /// 414.
    #[error("Request line must be at most {bytes_max} bytes")]
    UriTooLong {
        /// The limit of the server.
        bytes_max: usize,
    },
    /// 415.
    #[error("Content-Type must be application/json or text/plain")]
    UnsupportedMediaType,
    /// 422: a required JSON field is missing, or a field has the wrong JSON type.
    #[error("{0}")]
    Unprocessable(Cow<'static, str>),
    /// 429.
    #[error("{message}")]
    TooManyRequests {
        /// What there is too much of.
        message: Cow<'static, str>,
        /// When to come back.
        retry_after_secs: u32,
    },
    /// 431.
    #[error("Request headers must be at most {bytes_max} bytes")]
    HeadersTooLarge {
        /// The limit of the server.
        bytes_max: usize,
    },
    /// 500; the cause, for the log only.
    #[error("Internal server error")]
    Internal(String),
    /// 500: all that there was of a report's range is damaged; the answer would be made up.
    #[error("Nothing of the range can be read. Damaged: {days}. See degraded_reasons of /health/detailed.")]
    NothingReadable {
        /// The site's days, as `x-mallard-incomplete` names them.
        days: String,
    },
    /// 503: the log's queue is full.
    #[error("Too busy to store events. Try again in a moment.")]
    Busy,
    /// 503: the log is poisoned, or the server is starting or stopping.
    #[error("{0}")]
    Unavailable(Cow<'static, str>),
    /// 503: the event was handed to the log and its fate is not known.
    #[error("Outcome unknown. Retry with the same id.")]
    OutcomeUnknown,
    /// 507: less space is free than is kept back for maintenance.
    #[error("The disk of the server is full. Nothing was stored.")]
    InsufficientStorage,
    /// 503: the query was cancelled at its deadline.
    #[error("Query time limit exceeded")]
    QueryTimeLimit,
    /// 503: the query needs more memory than queries have together; alone it may fit.
    #[error("Query memory limit exceeded. Ask for a shorter range.")]
    QueryMemoryLimit,
}

impl ApiError {
    /// A 400 with `message`.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::BadRequest(message.into())
    }

    /// A 403 with `message`.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Forbidden(message.into())
    }

    /// A 503 of a server that stops.
    pub fn stopping() -> Self {
        Self::Unavailable("The server is stopping".into())
    }

    /// A 500 whose cause goes to the log.
    pub fn internal(cause: impl ToString) -> Self {
        Self::Internal(cause.to_string())
    }

    /// The status line.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound | Self::Absent(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout | Self::HeadTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::BodyTooLarge { .. } | Self::TooLargeForLog => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Internal(_) | Self::NothingReadable { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Busy
            | Self::Unavailable(_)
            | Self::OutcomeUnknown
            | Self::QueryTimeLimit
            | Self::QueryMemoryLimit => StatusCode::SERVICE_UNAVAILABLE,
            Self::InsufficientStorage => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// Seconds for the `Retry-After` header, where waiting helps.
    pub fn retry_after_secs(&self) -> Option<u32> {
        match self {
            Self::TooManyRequests { retry_after_secs, .. } => Some(*retry_after_secs),
            Self::Busy | Self::OutcomeUnknown | Self::QueryTimeLimit | Self::QueryMemoryLimit => Some(RETRY_SOON_SECS),
            Self::Unavailable(_) => Some(RETRY_RESTARTED_SECS),
            Self::InsufficientStorage => Some(RETRY_ROOM_SECS),
            _ => None,
        }
    }

    /// Whether the rest of the request is still on the wire, so that the connection cannot carry another one.
    pub fn ends_connection(&self) -> bool {
        matches!(self, Self::BodyTimeout | Self::HeadTimeout | Self::BodyTooLarge { .. })
    }

    /// The answer: status, `{"error":..}` and the headers that belong to the situation.
    pub fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.to_string() }).to_string();
        self.into_response_with(JSON, Bytes::from(body))
    }

    /// The same status and headers around another body, for the routes whose errors are not JSON.
    pub fn into_response_with(self, content_type: HeaderValue, body: Bytes) -> Response {
        let mut response = response::body(self.status(), content_type, body);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, NO_STORE);
        if let Some(secs) = self.retry_after_secs() {
            headers.insert(RETRY_AFTER, HeaderValue::from(secs));
        }
        if self.ends_connection() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        match self {
            Self::Unauthorized(_) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::NothingReadable { days } => {
                if let Ok(days) = HeaderValue::try_from(days) {
                    headers.insert(INCOMPLETE, days);
                }
            }
            Self::MethodNotAllowed(allow) => {
                if let Ok(allow) = HeaderValue::try_from(allow) {
                    headers.insert(ALLOW, allow);
                }
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_situation_has_its_status_and_its_retry_after() {
        let message = || Cow::Borrowed("why");
        for (error, status, retry_after) in [
            (ApiError::BadRequest(message()), 400, None),
            (ApiError::Unauthorized(message()), 401, None),
            (ApiError::Forbidden(message()), 403, None),
            (ApiError::NotFound, 404, None),
            (ApiError::Absent(message()), 404, None),
            (ApiError::MethodNotAllowed("GET".into()), 405, None),
            (ApiError::BodyTimeout, 408, None),
            (ApiError::HeadTimeout, 408, None),
            (ApiError::Conflict(message()), 409, None),
            (ApiError::BodyTooLarge { bytes_max: 1 }, 413, None),
            (ApiError::TooLargeForLog, 413, None),
            (ApiError::UriTooLong { bytes_max: 1 }, 414, None),
            (ApiError::UnsupportedMediaType, 415, None),
            (ApiError::Unprocessable(message()), 422, None),
            (ApiError::TooManyRequests { message: message(), retry_after_secs: 7 }, 429, Some("7")),
            (ApiError::HeadersTooLarge { bytes_max: 1 }, 431, None),
            (ApiError::Internal("secret".into()), 500, None),
            (ApiError::NothingReadable { days: "a 2024-01-01..2024-01-02".into() }, 500, None),
            (ApiError::Busy, 503, Some("1")),
            (ApiError::Unavailable(message()), 503, Some("5")),
            (ApiError::OutcomeUnknown, 503, Some("1")),
            (ApiError::QueryTimeLimit, 503, Some("1")),
            (ApiError::QueryMemoryLimit, 503, Some("1")),
            (ApiError::InsufficientStorage, 507, Some("60")),
        ] {
            let text = error.to_string();
            let response = error.into_response();
            assert_eq!(response.status(), status, "{text}");
            assert_eq!(response.headers().get(RETRY_AFTER).map(|secs| secs.to_str().unwrap()), retry_after, "{text}");
            let body = serde_json::json!({ "error": text }).to_string();
            assert_eq!(response.body().bytes(), body.as_bytes(), "{text}");
        }
    }

    #[test]
    fn the_operators_table_has_every_status_and_no_other() {
        let (_, table) = include_str!("../../docs/operations.md").split_once("<!-- statuses -->").unwrap();
        let (table, _) = table.split_once("<!-- /statuses -->").unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(' ')?.0.parse::<u16>().ok());
        let (table, source) = (rows.collect::<BTreeSet<_>>(), include_str!("error.rs"));
        let (_, statuses) = source.split_once("pub fn status(").unwrap();
        let (statuses, _) = statuses.split_once("/// Seconds for").unwrap();
        let names: BTreeSet<&str> =
            statuses.split("StatusCode::").skip(1).filter_map(|rest| rest.split([',', '\n', ' ']).next()).collect();
        let documented = table.iter().map(|status| {
            let name = StatusCode::from_u16(*status).unwrap().canonical_reason().unwrap();
            name.to_uppercase().replace([' ', '-'], "_")
        });
        assert_eq!(documented.collect::<BTreeSet<_>>(), names.into_iter().map(str::to_owned).collect(), "{table:?}");
    }

    #[test]
    fn an_internal_cause_is_never_part_of_the_answer() {
        let response = ApiError::internal("SELECT secret FROM /var/lib").into_response();
        assert_eq!(response.body().bytes(), b"{\"error\":\"Internal server error\"}");
    }

    #[test]
    fn refusals_carry_the_headers_that_help() {
        let headers = |error: ApiError| error.into_response().headers().clone();
        assert_eq!(headers(ApiError::Unauthorized("x".into()))[WWW_AUTHENTICATE], "Bearer");
        assert_eq!(headers(ApiError::MethodNotAllowed("GET, POST".into()))[ALLOW], "GET, POST");
        let days = "a 2024-01-01..2024-01-02";
        assert_eq!(headers(ApiError::NothingReadable { days: days.into() })[INCOMPLETE], days);
        assert_eq!(headers(ApiError::BodyTooLarge { bytes_max: 1 })[CONNECTION], "close");
    }
}
