//! One request from its head to its answer.

use std::net::IpAddr;

use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request as HttpRequest, StatusCode, Uri};
use tracing::{debug, error};

use super::cors::{self, Cors};
use super::envelope::Envelope;
use super::limits::LIMITS;
use super::panics::caught;
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::request_id;
use crate::response::{self, Response};
use crate::routes::{self, Resolution};

/// The label in metrics of answers that no handler gave.
pub(super) const NO_ROUTE: &str = "none";

/// Answers `request`, whatever happens.
pub(super) async fn respond(app: &App, request: HttpRequest<Incoming>, peer: IpAddr) -> Response {
    let envelope = Envelope::of(request.headers(), peer, &app.config);
    request_id::scope(envelope.request_id(), answer(app, request, peer, envelope)).await
}

async fn answer(app: &App, request: HttpRequest<Incoming>, peer: IpAddr, envelope: Envelope) -> Response {
    let started_us = app.clock.steady_us();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (label, cors, result) = match within_limits(&method, request.uri(), request.headers()) {
        Ok(()) => dispatch(app, routes::resolve(&method, &path), request, peer).await,
        Err(error) => (NO_ROUTE, Cors::SameOrigin, Err(error)),
    };
    let response = result.unwrap_or_else(refuse);
    app.metrics.answered(label, response.status());
    let latency_ms = (app.clock.steady_us() - started_us) / 1000;
    debug!(target: "mallard_metrics::http", %method, uri = path, status = response.status().as_u16(), latency_ms);
    envelope.seal(response, cors, app.config.dashboard_origin.as_ref()).await
}

async fn dispatch(
    app: &App,
    resolution: Resolution<'_>,
    request: HttpRequest<Incoming>,
    peer: IpAddr,
) -> (&'static str, Cors, Result<Response, ApiError>) {
    match resolution {
        Resolution::Route(route) => {
            let body_read_timeout = app.client_timeout().unwrap_or(LIMITS.body_read_timeout);
            let request = Request::new(request, peer, body_read_timeout, app.stop.clone());
            (route.label, route.cors, caught(routes::call(route, app, request)).await)
        }
        Resolution::Options(cors) => (NO_ROUTE, cors, Ok(preflight(app, cors))),
        Resolution::WrongMethod(cors, allow) => (NO_ROUTE, cors, Err(ApiError::MethodNotAllowed(allow))),
        Resolution::Unknown => (NO_ROUTE, Cors::SameOrigin, Err(ApiError::NotFound)),
    }
}

fn preflight(app: &App, cors: Cors) -> Response {
    let mut response = response::empty(StatusCode::NO_CONTENT);
    cors::permit(cors, app.config.dashboard_origin.as_ref(), response.headers_mut());
    response
}

/// The one place where a failed request is logged; only what the operator has to act on.
fn refuse(error: ApiError) -> Response {
    if let ApiError::Internal(cause) = &error {
        error!(cause, "request failed");
    }
    error.into_response()
}

/// hyper has bounded the head as a whole; its two parts have limits, and statuses, of their own.
fn within_limits(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    const AROUND_TARGET: usize = "  HTTP/1.1\r\n".len();
    const AROUND_FIELD: usize = ": \r\n".len();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let target = authority + uri.path_and_query().map_or(0, |target| target.as_str().len());
    if method.as_str().len() + target + AROUND_TARGET > LIMITS.request_line_bytes_max {
        return Err(ApiError::UriTooLong { bytes_max: LIMITS.request_line_bytes_max });
    }
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + AROUND_FIELD);
    if fields.sum::<usize>() > LIMITS.header_bytes_max {
        return Err(ApiError::HeadersTooLarge { bytes_max: LIMITS.header_bytes_max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(bytes: usize) -> Result<(), ApiError> {
        let around = "GET / HTTP/1.1\r\n".len();
        let uri = Uri::try_from(format!("/{}", "x".repeat(bytes - around))).unwrap();
        within_limits(&Method::GET, &uri, &HeaderMap::new())
    }

    #[test]
    fn a_request_line_of_8_kib_passes_and_a_longer_one_is_414() {
        assert!(line_of(8 << 10).is_ok());
        assert_eq!(line_of((8 << 10) + 1).unwrap_err().status(), StatusCode::URI_TOO_LONG);
    }

    #[test]
    fn headers_of_16_kib_pass_and_more_are_431() {
        let headers = |bytes: usize| {
            let mut headers = HeaderMap::new();
            headers.insert("a", "x".repeat(bytes - "a: \r\n".len()).try_into().unwrap());
            within_limits(&Method::GET, &Uri::from_static("/"), &headers)
        };
        assert!(headers(16 << 10).is_ok());
        let status = headers((16 << 10) + 1).unwrap_err().status();
        assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
}
