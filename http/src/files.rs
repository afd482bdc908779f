//! Files that are part of the binary: the dashboard, the tracker, robots.txt, security.txt.
//!
//! Embedded files carry a strong `ETag`; their compressed form is made at build time and is another representation, so
//! it has another tag. What embeds them is [`crate::assets`].

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, VARY};

use crate::assets::{Asset, TRACKER};
use crate::request::Request;
use crate::response::{self, Response};
use crate::server::envelope::accepts_gzip;

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Names of immutable files contain a hash of their content.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Asked for again each time, and answered with 304 while it is the same.
const REVALIDATE: &str = "no-cache";
const ONE_HOUR: &str = "public, max-age=3600";

const ROBOTS: &str = "User-agent: *\nDisallow: /api/\nDisallow: /health\nDisallow: /metrics\n";
const SECURITY: &str = concat!(
    "Contact: ",
    env!("CARGO_PKG_REPOSITORY"),
    "/security/advisories\nExpires: ",
    env!("MALLARD_SECURITY_EXPIRES"),
    "\nPreferred-Languages: en\n"
);

/// A file of the dashboard.
pub(crate) fn asset(request: &Request, asset: Asset) -> Response {
    embedded(request.headers(), &asset, if asset.immutable { FOREVER } else { REVALIDATE })
}

/// The tracking script, for the pages of any site.
pub(crate) fn tracker(request: &Request) -> Response {
    let mut response = embedded(request.headers(), &TRACKER, ONE_HOUR);
    response.headers_mut().insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    response
}

/// What crawlers should leave alone.
pub(crate) fn robots() -> Response {
    response::text(StatusCode::OK, ROBOTS)
}

/// Where to report a vulnerability.
pub(crate) fn security() -> Response {
    response::text(StatusCode::OK, SECURITY)
}

fn embedded(request: &HeaderMap, asset: &Asset, cache: &'static str) -> Response {
    let compressed = asset.gzip.filter(|_| accepts_gzip(request));
    let tag = if compressed.is_some() { tag_of_gzip(asset.etag) } else { asset.etag.to_owned() };
    let mut response = if is_known(request, &tag) {
        response::empty(StatusCode::NOT_MODIFIED)
    } else {
        let content_type = HeaderValue::from_static(asset.content_type);
        response::body(StatusCode::OK, content_type, Bytes::from_static(compressed.unwrap_or(asset.body)))
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(ETAG, HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")));
    if asset.gzip.is_some() {
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if compressed.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// `"abc"` becomes `"abc-gzip"`.
fn tag_of_gzip(tag: &str) -> String {
    format!("{}-gzip\"", tag.trim_end_matches('"'))
}

/// Whether the client has this very representation. The comparison is the weak one, as RFC 9110 has it for this header.
fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let values = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Asset = Asset {
        body: b"plain",
        gzip: Some(b"small"),
        content_type: "text/javascript; charset=utf-8",
        etag: "\"abc\"",
        immutable: false,
    };

    fn answer(headers: &[(&'static str, &'static str)]) -> Response {
        let mut request = HeaderMap::new();
        for (name, value) in headers {
            request.append(*name, HeaderValue::from_static(value));
        }
        embedded(&request, &FILE, REVALIDATE)
    }

    #[test]
    fn a_client_gets_the_form_that_it_takes_each_under_its_own_tag() {
        let plain = answer(&[]);
        assert_eq!((plain.body().bytes(), plain.headers()[ETAG].to_str().unwrap()), (&b"plain"[..], "\"abc\""));
        let compressed = answer(&[("accept-encoding", "gzip")]);
        assert_eq!(compressed.body().bytes(), b"small");
        assert_eq!(compressed.headers()[ETAG], "\"abc-gzip\"");
        assert_eq!(compressed.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(compressed.headers()[VARY], "Accept-Encoding");
    }

    #[test]
    fn a_client_that_has_the_form_already_gets_no_body() {
        for tags in ["\"abc\"", "\"x\", \"abc\"", "W/\"abc\"", "*"] {
            let response = answer(&[("if-none-match", tags)]);
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{tags}");
            assert!(response.body().bytes().is_empty());
        }
        assert_eq!(answer(&[("if-none-match", "\"abc-gzip\"")]).status(), StatusCode::OK);
        let gzip = answer(&[("if-none-match", "\"abc-gzip\""), ("accept-encoding", "gzip")]);
        assert_eq!(gzip.status(), StatusCode::NOT_MODIFIED);
    }
}
