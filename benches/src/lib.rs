//! What the benchmarks share: a stopwatch, a load generator, a bare server as the ceiling, the real server as a process,
//! and the document that keeps the figures.
//!
//! Every benchmark measures its ceiling (the disk, memcpy, a server that stores nothing) in the same run and prints the
//! ratio: absolute figures of a shared machine say little, ratios say how much is lost on the way. With `--save` a
//! benchmark also writes its section of `docs/benchmarks.md`.

pub mod bare;
pub mod document;
pub mod flood;
pub mod load;
pub mod server;
pub mod stopwatch;

/// The middle one of several measurements.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
