//! `GET /metrics`: what is counted, and how it is shown to Prometheus.
//!
//! ```text
//! mod.rs       counters and histograms that requests move; the handler
//! snapshot.rs  figures that others keep (engine, configuration), read when asked
//! text.rs      the exposition format 0.0.4
//! ```
//! No label ever holds a site, a path, an address or another value that a client makes up: every label comes from a
//! fixed list, so the number of series is bounded.

mod snapshot;
mod text;

use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use subtle::ConstantTimeEq;

use self::snapshot::Snapshot;
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::{self, Response, TEXT};

const EXPOSITION: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// Upper bounds in seconds. An fsync takes from 0.1 ms (NVMe) to seconds (a network volume under load).
const ACK_BUCKETS: [f64; 10] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.25, 1.0, 10.0];
const QUERY_BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Why an event is dropped, why one is refused, and why a query is. All are shown from the start, with 0.
const DROP_REASONS: [&str; 2] = ["bot", "spam"];
const REJECT_REASONS: [&str; 13] = [
    "invalid",
    "schema",
    "forbidden",
    "too_large",
    "slow_body",
    "content_type",
    "busy",
    "disk_reserve",
    "unavailable",
    "outcome_unknown",
    "rate_limit",
    "unauthorized",
    "other",
];
const QUERY_REASONS: [&str; 4] = ["concurrency", "time", "memory", "cancelled"];
/// The reports of every dashboard; the others are shown once they were asked for.
const ENDPOINTS: [&str; 9] =
    ["main", "timeseries", "breakdown", "sessions", "funnel", "retention", "sequences", "flow", "export"];

/// Counters of this process, moved by requests.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    responses: Family<Answered, Counter>,
    dropped: Family<Reason, Counter>,
    rejected: Family<Reason, Counter>,
    query_rejections: Family<Reason, Counter>,
    login_failures: Counter,
    duplicates: Counter,
    slowed: Counter,
    rate_limit_rejections: Counter,
    ack: Histogram,
    query: Family<Endpoint, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("mallard"),
            responses: Family::default(),
            dropped: Family::default(),
            rejected: Family::default(),
            query_rejections: Family::default(),
            login_failures: Counter::default(),
            duplicates: Counter::default(),
            slowed: Counter::default(),
            rate_limit_rejections: Counter::default(),
            ack: Histogram::new(ACK_BUCKETS),
            query: Family::new_with_constructor(|| Histogram::new(QUERY_BUCKETS)),
        };
        metrics.register();
        metrics.show_fixed_labels();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("http_responses", "Answers by route and status", self.responses.clone());
        registry.register("events_dropped", "Events answered with 202 and not stored", self.dropped.clone());
        registry.register("events_rejected", "Events answered with an error", self.rejected.clone());
        registry.register("query_rejections", "Queries that were refused or cancelled", self.query_rejections.clone());
        registry.register("login_failures", "Wrong passwords", self.login_failures.clone());
        registry.register("events_duplicate", "Events that were stored before", self.duplicates.clone());
        let help = "Events and batches that waited because compaction did not keep up";
        registry.register("events_slowed", help, self.slowed.clone());
        let help = "Events refused by a rate limit";
        registry.register("rate_limit_rejections", help, self.rate_limit_rejections.clone());
        registry.register("ingest_ack_seconds", "From an event's append to its acknowledgement", self.ack.clone());
        registry.register("query_seconds", "From a question to its answer", self.query.clone());
    }

    /// A series that is missing until it is first counted cannot be told from one that does not exist.
    fn show_fixed_labels(&self) {
        let reasons = |family: &Family<Reason, Counter>, reasons: &[&'static str]| {
            reasons.iter().for_each(|reason| drop(family.get_or_create(&Reason { reason })));
        };
        reasons(&self.dropped, &DROP_REASONS);
        reasons(&self.rejected, &REJECT_REASONS);
        reasons(&self.query_rejections, &QUERY_REASONS);
        ENDPOINTS.iter().for_each(|endpoint| drop(self.query.get_or_create(&Endpoint { endpoint })));
        drop(self.responses.get_or_create(&Answered { route: "metrics", status: 200 }));
    }

    /// A request was answered.
    pub fn answered(&self, route: &'static str, status: StatusCode) {
        self.responses.get_or_create(&Answered { route, status: status.as_u16() }).inc();
    }

    /// An event was not stored, and its sender told so politely.
    pub fn event_dropped(&self, reason: &'static str) {
        debug_assert!(DROP_REASONS.contains(&reason), "{reason}");
        self.dropped.get_or_create(&Reason { reason }).inc();
    }

    /// An event was refused.
    pub fn event_rejected(&self, reason: &'static str) {
        debug_assert!(REJECT_REASONS.contains(&reason), "{reason}");
        self.rejected.get_or_create(&Reason { reason }).inc();
    }

    /// Events were sent again.
    pub fn events_duplicate(&self, count: usize) {
        self.duplicates.inc_by(count as u64);
    }

    /// An event, or a batch, has to wait before it is taken.
    pub fn event_slowed(&self) {
        self.slowed.inc();
    }

    /// An event was beyond a rate limit.
    pub fn rate_limited(&self) {
        self.rate_limit_rejections.inc();
    }

    /// An event was acknowledged so long after it was appended.
    pub fn event_acknowledged(&self, elapsed_us: i64) {
        self.ack.observe(seconds(elapsed_us));
    }

    /// A query was answered.
    pub fn queried(&self, endpoint: &'static str, elapsed_us: i64) {
        self.query.get_or_create(&Endpoint { endpoint }).observe(seconds(elapsed_us));
    }

    /// A query was refused or cancelled.
    pub fn query_refused(&self, reason: &'static str) {
        debug_assert!(QUERY_REASONS.contains(&reason), "{reason}");
        self.query_rejections.get_or_create(&Reason { reason }).inc();
    }

    /// Queries that ended because nobody waited for them any more.
    pub fn queries_cancelled(&self) -> Counter {
        self.query_rejections.get_or_create_owned(&Reason { reason: "cancelled" })
    }

    /// A password was wrong.
    pub fn login_failed(&self) {
        self.login_failures.inc();
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// The exposition, for anyone or for whoever has the token.
pub(crate) fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    if let Some(token) = &app.config.metrics_token
        && !has_token(request.headers(), token)
    {
        let refused = ApiError::Unauthorized("Unauthorized".into());
        return Ok(refused.into_response_with(TEXT, "Unauthorized".into()));
    }
    let text = text::encode(&app.metrics.registry, Snapshot::of(app)).map_err(ApiError::internal)?;
    Ok(response::body(StatusCode::OK, EXPOSITION, text))
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let header = headers.get(AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
    let (scheme, presented) = header.split_at(header.len().min("Bearer ".len()));
    scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(presented.ct_eq(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_compared_whole() {
        let has = |header: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(header));
            has_token(&headers, "abc")
        };
        assert!(has("Bearer abc"));
        assert!(has("bearer abc"));
        for header in ["Bearer ab", "Bearer abcd", "Bearer ", "Bearer", "Basic abc", "abc", ""] {
            assert!(!has(header), "{header:?}");
        }
        assert!(!has_token(&HeaderMap::new(), "abc"));
    }
}
