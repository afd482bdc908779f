//! Which pages of other origins may call a route and read its answer (CONTRACT §4.5).

use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, VARY,
};

use crate::config::Origin;

/// The rule of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cors {
    /// Every page may: the tracker runs on the pages of the sites it counts. Never with credentials.
    AnyOrigin,
    /// The dashboard's own origin may, if one is configured; with the session cookie.
    DashboardOrigin,
    /// No other page may.
    SameOrigin,
}

/// Adds the headers of an answer.
pub(crate) fn share(cors: Cors, dashboard: Option<&Origin>, headers: &mut HeaderMap) {
    match cors {
        Cors::AnyOrigin => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            let exposed = "x-mallard-lsn, x-mallard-event-id, x-mallard-dropped, x-mallard-duplicate, retry-after";
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
        }
        Cors::DashboardOrigin => {
            let Some(origin) = dashboard.and_then(|origin| HeaderValue::try_from(origin.as_str()).ok()) else { return };
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        Cors::SameOrigin => {}
    }
}

/// Adds what only the answer to a preflight carries, after [`share`].
pub(crate) fn permit(cors: Cors, dashboard: Option<&Origin>, headers: &mut HeaderMap) {
    let (methods, fields) = match cors {
        Cors::AnyOrigin => ("GET, POST", "content-type, idempotency-key"),
        Cors::DashboardOrigin if dashboard.is_some() => {
            ("GET, POST, PUT, DELETE", "content-type, authorization, x-api-key")
        }
        Cors::DashboardOrigin | Cors::SameOrigin => return,
    };
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(fields));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};

    fn headers(cors: Cors, dashboard: Option<&str>) -> Vec<(String, String)> {
        let variables = dashboard.map(|origin| ("MALLARD_DASHBOARD_ORIGIN".into(), origin.into()));
        let config = load(None, &Environment::new(variables)).unwrap().config;
        let mut headers = HeaderMap::new();
        share(cors, config.dashboard_origin.as_ref(), &mut headers);
        permit(cors, config.dashboard_origin.as_ref(), &mut headers);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    fn has(headers: &[(String, String)], name: &str, value: &str) -> bool {
        headers.iter().any(|(n, v)| n == name && v == value)
    }

    #[test]
    fn ingest_is_open_to_every_origin_and_never_with_credentials() {
        let headers = headers(Cors::AnyOrigin, Some("https://stats.example"));
        assert!(has(&headers, "access-control-allow-origin", "*"));
        assert!(has(&headers, "access-control-allow-methods", "GET, POST"));
        assert!(has(&headers, "access-control-allow-headers", "content-type, idempotency-key"));
        assert!(has(&headers, "access-control-max-age", "86400"));
        assert!(headers.iter().all(|(name, _)| name != "access-control-allow-credentials"));
    }

    #[test]
    fn the_dashboard_is_closed_unless_its_origin_is_configured() {
        assert_eq!(headers(Cors::DashboardOrigin, None), []);
        let open = headers(Cors::DashboardOrigin, Some("https://stats.example"));
        assert!(has(&open, "access-control-allow-origin", "https://stats.example"));
        assert!(has(&open, "access-control-allow-credentials", "true"));
        assert!(has(&open, "access-control-allow-methods", "GET, POST, PUT, DELETE"));
        assert!(has(&open, "access-control-allow-headers", "content-type, authorization, x-api-key"));
        assert!(has(&open, "vary", "Origin"));
    }

    #[test]
    fn the_rest_is_for_no_other_origin() {
        assert_eq!(headers(Cors::SameOrigin, Some("https://stats.example")), []);
    }
}
