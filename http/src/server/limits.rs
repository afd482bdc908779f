//! Every bound of the HTTP front in one place.

use std::time::Duration;

/// How much a client may use of anything. Units are in the names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Open connections; further ones wait in the kernel's backlog.
    pub(crate) connections_max: u32,
    /// Method, target and version of a request; more is 414.
    pub(crate) request_line_bytes_max: usize,
    /// All header fields of a request; more is 431. (More than 100 fields are too, by hyper.)
    pub(crate) header_bytes_max: usize,
    /// From the first wait for a request to the end of its headers; then the connection is closed.
    pub(crate) header_read_timeout: Duration,
    /// From the handler's first read to the end of the body; then 408.
    pub(crate) body_read_timeout: Duration,
    /// From the first byte of an answer that the client does not take to the end of the connection.
    pub(crate) write_timeout: Duration,
    /// Body of one event.
    pub(crate) event_bytes_max: usize,
    /// Body of a batch.
    pub(crate) batch_bytes_max: usize,
    /// How long an event's request waits for its fsync; then 503, outcome unknown.
    pub(crate) ack_timeout: Duration,
    /// How long a batch waits for others to be stored; then 503.
    pub(crate) batch_wait: Duration,
    /// After a stop was asked for: how long a connection takes further requests.
    pub(crate) linger: Duration,
    /// After a stop was asked for: how long a body may take to be complete; then 503.
    pub(crate) stopping_body_timeout: Duration,
}

/// The limits of CONTRACT §3.1 and §4.
pub(crate) const LIMITS: Limits = Limits {
    connections_max: 512,
    request_line_bytes_max: 8 << 10,
    header_bytes_max: 16 << 10,
    header_read_timeout: Duration::from_secs(10),
    body_read_timeout: Duration::from_secs(30),
    write_timeout: Duration::from_secs(30),
    event_bytes_max: 64 << 10,
    batch_bytes_max: 1 << 20,
    ack_timeout: Duration::from_secs(10),
    batch_wait: Duration::from_secs(5),
    linger: Duration::from_millis(500),
    stopping_body_timeout: Duration::from_secs(1),
};

/// What hyper may buffer for one connection: a head of the largest size.
pub(super) const HEAD_BYTES_MAX: usize = LIMITS.request_line_bytes_max + LIMITS.header_bytes_max;

// The smallest buffer that hyper accepts, and the share of the smallest machine's memory that connections may take.
const _: () = assert!(HEAD_BYTES_MAX >= 8 << 10);
const _: () = assert!(HEAD_BYTES_MAX * LIMITS.connections_max as usize <= 16 << 20);
