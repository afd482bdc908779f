//! Requests that another site's page makes a visitor's browser send: recognised by `Origin`, and refused (D13).
//!
//! | request | no `Origin` | our own | any other, or `null` |
//! |---|---|---|---|
//! | changes something, carries a session cookie | 403 | yes | 403 |
//! | login, set-up | yes | yes | 403 |
//!
//! *Our own* is the dashboard's configured origin, or the request's own `Host`. The scheme is not compared with the
//! connection's, which ends at a proxy as often as not. There is no fallback to `Referer`. A request that proves itself with
//! a key needs no `Origin`: no browser adds a key by itself.

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName, ORIGIN};

use crate::error::ApiError;

/// Where a request says it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Unstated,
    Own,
    Foreign,
}

/// For what a session cookie authorises to change: the page must be ours, and say so.
pub(crate) fn require_own_origin(headers: &HeaderMap, dashboard: Option<&str>) -> Result<(), ApiError> {
    match source(headers, dashboard) {
        Source::Own => Ok(()),
        Source::Unstated => Err(ApiError::forbidden("Origin header required")),
        Source::Foreign => Err(foreign()),
    }
}

/// For login and set-up, which programs may call too: if a page says where it is from, it must be ours.
pub(crate) fn refuse_foreign_origin(headers: &HeaderMap, dashboard: Option<&str>) -> Result<(), ApiError> {
    if source(headers, dashboard) == Source::Foreign { Err(foreign()) } else { Ok(()) }
}

fn foreign() -> ApiError {
    ApiError::forbidden("Cross-origin request refused")
}

fn source(headers: &HeaderMap, dashboard: Option<&str>) -> Source {
    if !headers.contains_key(ORIGIN) {
        return Source::Unstated;
    }
    let Some(origin) = single(headers, ORIGIN) else { return Source::Foreign };
    let is_dashboard = dashboard.is_some_and(|dashboard| dashboard.eq_ignore_ascii_case(origin));
    if is_dashboard || is_own_host(origin, headers) { Source::Own } else { Source::Foreign }
}

fn is_own_host(origin: &str, headers: &HeaderMap) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    // An origin never states its scheme's default port; a Host header may.
    let same = |host: &str| host.strip_suffix(default_port).unwrap_or(host).eq_ignore_ascii_case(authority);
    !authority.is_empty() && single(headers, HOST).is_some_and(same)
}

/// The value of a header that occurs once.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use hyper::header::HeaderValue;

    use super::*;

    const DASHBOARD: Option<&str> = Some("https://dash.example");

    fn headers(origins: &[&str], host: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        for origin in origins {
            headers.append(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        headers
    }

    #[test]
    fn only_our_own_pages_are_ours() {
        let cases: &[(&[&str], &str, Option<&str>, Source)] = &[
            (&[], "stats.example", None, Source::Unstated),
            (&["https://stats.example"], "stats.example", None, Source::Own),
            (&["http://stats.example"], "stats.example", None, Source::Own),
            (&["https://STATS.example"], "Stats.Example", None, Source::Own),
            (&["http://localhost:8000"], "localhost:8000", None, Source::Own),
            (&["http://[::1]:8000"], "[::1]:8000", None, Source::Own),
            (&["https://stats.example"], "stats.example:443", None, Source::Own),
            (&["http://stats.example"], "stats.example:80", None, Source::Own),
            (&["https://dash.example"], "stats.example", DASHBOARD, Source::Own),
            (&["https://stats.example"], "stats.example", DASHBOARD, Source::Own),
            (&["https://stats.example"], "stats.example:80", None, Source::Foreign),
            (&["http://localhost:8001"], "localhost:8000", None, Source::Foreign),
            (&["https://evil.example"], "stats.example", None, Source::Foreign),
            (&["https://evil.example"], "stats.example", DASHBOARD, Source::Foreign),
            (&["http://dash.example"], "stats.example", DASHBOARD, Source::Foreign),
            (&["https://dash.example:8443"], "stats.example", DASHBOARD, Source::Foreign),
            (&["https://dash.example.evil.example"], "stats.example", DASHBOARD, Source::Foreign),
            (&["https://stats.example.evil.example"], "stats.example", None, Source::Foreign),
            (&["https://evilstats.example"], "stats.example", None, Source::Foreign),
            (&["null"], "stats.example", DASHBOARD, Source::Foreign),
            (&[""], "stats.example", DASHBOARD, Source::Foreign),
            (&["https://"], "stats.example", None, Source::Foreign),
            (&["stats.example"], "stats.example", None, Source::Foreign),
            (&["ftp://stats.example"], "stats.example", None, Source::Foreign),
            (&["https://stats.example", "https://evil.example"], "stats.example", None, Source::Foreign),
        ];
        for (origins, host, dashboard, expected) in cases {
            assert_eq!(source(&headers(origins, host), *dashboard), *expected, "{origins:?} at {host}, {dashboard:?}");
        }
    }

    #[test]
    fn a_request_without_a_host_has_no_own_page() {
        let mut headers = headers(&["https://stats.example"], "stats.example");
        headers.remove(HOST);
        assert_eq!(source(&headers, None), Source::Foreign);
    }

    #[test]
    fn a_missing_origin_is_refused_only_where_a_session_changes_something() {
        let status = |outcome: Result<(), ApiError>| outcome.err().map(|error| error.status());
        for (origins, session, login) in [
            (&[][..], Some(StatusCode::FORBIDDEN), None),
            (&["https://stats.example"][..], None, None),
            (&["https://evil.example"][..], Some(StatusCode::FORBIDDEN), Some(StatusCode::FORBIDDEN)),
        ] {
            let headers = headers(origins, "stats.example");
            assert_eq!(status(require_own_origin(&headers, None)), session, "{origins:?}");
            assert_eq!(status(refuse_foreign_origin(&headers, None)), login, "{origins:?}");
        }
    }
}
