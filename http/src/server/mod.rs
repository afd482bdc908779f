//! The listener side: connections, limits, deadlines, and what every answer has in common.
//!
//! ```text
//! accept.rs      sockets in, never more than the cap; the drain at the end
//! connection.rs  one socket: hyper's HTTP/1.1 under our limits
//! respond.rs     one request: route -> handler -> answer, counted and logged once
//! panics.rs      a handler that panics is answered with 500
//! envelope.rs    what every answer carries: security headers, request id, CORS, gzip
//! body.rs        a request body through a limit and a deadline
//! limits.rs      every bound            cors.rs  who may read answers            stop.rs  signals
//! ```
//! Nothing in here knows what an event or a report is. What hyper itself refuses while it parses a head (malformed
//! bytes, more than 100 fields, an unending line) is answered by hyper, with a status and without a body (docs/decisions/0009).

pub(crate) mod accept;
pub mod body;
mod connection;
pub(crate) mod cors;
pub(crate) mod envelope;
pub(crate) mod limits;
mod panics;
mod respond;
pub mod stop;
