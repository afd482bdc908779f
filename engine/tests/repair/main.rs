//! Repair of every kind of damage that keeps a store from opening: each file removed, zeroed, cut, one bit of it changed; the
//! manifest at every edit; everything but the Parquet files lost; the power cut at every operation of a repair.
//!
//! Whatever is damaged, afterwards the store opens, `verify` has no fault that the damage did not make, every event that is
//! still in a sound file or segment is there once, and none that was erased is back.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod crash;
mod life;
mod matrix;
