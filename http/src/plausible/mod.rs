//! The Stats API of Plausible, so that its clients and dashboards work by changing the host.
//!
//! ```text
//! v2.rs       POST /api/v2/query                          query.rs    its body -> Query        pure
//! v1.rs       GET /api/v1/stats/{realtime/visitors, aggregate, timeseries, breakdown}
//! metrics.rs  metrics by name, from counted figures       period.rs   periods of the first version
//! counted.rs  what the engine counts for a query           money.rs    sums of money as texts
//! ```
//! What is not supported is refused by name: a client gets an error, never a wrong number. Scroll depth, time on page, and
//! imported statistics are not supported; times are those of the site's zone.

mod counted;
pub(crate) mod metrics;
mod money;
mod period;
pub mod query;
pub(crate) mod v1;
pub(crate) mod v2;
