//! What every answer carries, whoever made it: security headers, the request id, CORS, compression (CONTRACT §4.7).

use std::io::Write;
use std::net::IpAddr;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::HeaderMap;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use tokio::task::spawn_blocking;

use super::cors::{self, Cors};
use crate::config::{Config, Origin};
use crate::request_id::RequestId;
use crate::response::{Body, Response};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_BYTES_MAX: usize = 128;
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Smaller bodies do not shrink by more than the headers that would announce it.
const GZIP_BYTES_MIN: usize = 1 << 10;
/// Larger bodies are compressed on a thread of their own: the one of the requests has other answers to give meanwhile.
const GZIP_INLINE_BYTES_MAX: usize = 32 << 10;

/// The dashboard loads nothing from anywhere else and runs no inline script.
const HTML_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; \
                           base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What the request decides about its answer's headers.
#[derive(Debug)]
pub(super) struct Envelope {
    request_id: RequestId,
    accepts_gzip: bool,
    is_https: bool,
}

impl Envelope {
    /// Reads the head of a request.
    pub(super) fn of(headers: &HeaderMap, peer: IpAddr, config: &Config) -> Self {
        Self {
            request_id: given_id(headers).map_or_else(RequestId::random, RequestId::Given),
            accepts_gzip: accepts_gzip(headers),
            is_https: config.is_https() || is_forwarded_https(headers, peer, config),
        }
    }

    /// The id that the request came with, or a new one.
    pub(super) fn request_id(&self) -> RequestId {
        self.request_id.clone()
    }

    /// Completes an answer.
    pub(super) async fn seal(self, response: Response, cors: Cors, dashboard: Option<&Origin>) -> Response {
        let mut response = if self.accepts_gzip { compress(response).await } else { response };
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
        headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static("geolocation=(), microphone=(), camera=()"));
        headers.insert(X_REQUEST_ID, self.request_id.into_header());
        if self.is_https {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        if content_type(headers).starts_with("text/html") {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(HTML_POLICY));
        }
        cors::share(cors, dashboard, headers);
        response
    }
}

fn is_request_id(value: &HeaderValue) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
}

fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(&X_REQUEST_ID).filter(|id| is_request_id(id)).cloned()
}

fn is_forwarded_https(headers: &HeaderMap, peer: IpAddr, config: &Config) -> bool {
    let claimed = headers.get(&X_FORWARDED_PROTO).is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
    claimed && config.trusted_proxies.trusts(peer.to_canonical())
}

/// Whether the client takes gzip. `q=0` is a refusal.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let quality = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        name.trim().eq_ignore_ascii_case("gzip") && quality.is_ok_and(|quality| quality > 0.0)
    })
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Compresses a body that is text, whole, long enough and not compressed already.
async fn compress(mut response: Response) -> Response {
    let headers = response.headers();
    let is_text =
        matches!(content_type(headers), kind if kind.starts_with("text/") || kind.starts_with("application/json"));
    let Body::Whole(bytes) = response.body() else { return response };
    if !is_text || headers.contains_key(CONTENT_ENCODING) || bytes.len() < GZIP_BYTES_MIN {
        return response;
    }
    let compressed = if bytes.len() <= GZIP_INLINE_BYTES_MAX {
        gzip(bytes)
    } else {
        let bytes = bytes.clone();
        spawn_blocking(move || gzip(&bytes)).await.unwrap_or_else(|aborted| Err(aborted.into()))
    };
    let Ok(compressed) = compressed else { return response };
    *response.body_mut() = Body::Whole(compressed);
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

fn gzip(body: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::fast());
    encoder.write_all(body)?;
    Ok(encoder.finish()?.into())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::Ipv4Addr;

    use hyper::StatusCode;
    use uuid::Uuid;

    use super::*;
    use crate::config::{Environment, load};
    use crate::response::{JSON, TEXT, body};

    const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));

    fn seal(request: &[(&'static str, &'static str)], peer: IpAddr, response: Response) -> Response {
        let config = load(None, &Environment::default()).unwrap().config;
        let mut headers = HeaderMap::new();
        for (name, value) in request {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let sealing = Envelope::of(&headers, peer, &config).seal(response, Cors::SameOrigin, None);
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(sealing)
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn short() -> Response {
        body(StatusCode::OK, TEXT, "ok")
    }

    fn long() -> Response {
        body(StatusCode::OK, JSON, vec![b' '; GZIP_BYTES_MIN])
    }

    #[test]
    fn every_answer_has_the_security_headers_and_an_id() {
        let response = seal(&[], STRANGER, short());
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "x-frame-options"), "DENY");
        assert_eq!(header(&response, "referrer-policy"), "strict-origin-when-cross-origin");
        assert_eq!(header(&response, "permissions-policy"), "geolocation=(), microphone=(), camera=()");
        assert_eq!(Uuid::parse_str(header(&response, "x-request-id")).unwrap().get_version_num(), 4);
    }

    #[test]
    fn a_request_id_is_taken_over_only_if_it_is_visible_ascii() {
        assert_eq!(header(&seal(&[("x-request-id", "abc-123")], STRANGER, short()), "x-request-id"), "abc-123");
        assert_ne!(header(&seal(&[("x-request-id", "a b")], STRANGER, short()), "x-request-id"), "a b");
        assert_ne!(header(&seal(&[("x-request-id", "")], STRANGER, short()), "x-request-id"), "");
    }

    #[test]
    fn https_is_believed_from_a_trusted_proxy_only() {
        let forwarded = [("x-forwarded-proto", "https")];
        assert_eq!(header(&seal(&forwarded, PROXY, short()), "strict-transport-security"), "max-age=31536000");
        assert_eq!(header(&seal(&forwarded, STRANGER, short()), "strict-transport-security"), "");
        assert_eq!(header(&seal(&[], PROXY, short()), "strict-transport-security"), "");
    }

    #[test]
    fn html_has_a_policy_and_other_types_do_not_need_one() {
        let html = body(StatusCode::OK, HeaderValue::from_static("text/html; charset=utf-8"), "<p>");
        assert!(
            header(&seal(&[], STRANGER, html), "content-security-policy")
                .starts_with("default-src 'self'; script-src 'self'")
        );
        assert_eq!(header(&seal(&[], STRANGER, short()), "content-security-policy"), "");
    }

    #[test]
    fn text_that_is_compressed_elsewhere_is_the_same_text() {
        let text: Vec<u8> = b"abcdefg".iter().copied().cycle().take(GZIP_INLINE_BYTES_MAX + 1).collect();
        let response = seal(&[("accept-encoding", "gzip")], STRANGER, body(StatusCode::OK, JSON, text.clone()));
        assert_eq!(header(&response, "content-encoding"), "gzip");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(response.body().bytes()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
    }

    #[test]
    fn long_text_is_compressed_for_clients_that_take_gzip() {
        for accepted in ["gzip", "br, gzip", "deflate;q=0.5, GZIP;q=0.8"] {
            let response = seal(&[("accept-encoding", accepted)], STRANGER, long());
            assert_eq!(header(&response, "content-encoding"), "gzip", "{accepted}");
            assert!(response.body().bytes().len() < GZIP_BYTES_MIN);
        }
        for refused in ["", "br", "gzip;q=0", "gzip;q=x"] {
            let response = seal(&[("accept-encoding", refused)], STRANGER, long());
            assert_eq!(header(&response, "content-encoding"), "", "{refused}");
        }
        assert_eq!(header(&seal(&[("accept-encoding", "gzip")], STRANGER, short()), "content-encoding"), "");
    }
}
