//! The compactor on a simulated disk, through its public interface. One program, because linking is what takes time.
//!
//! [`erasure`]: what is to be no more. [`jobs`] and [`planning`]: what is done, and when. [`manifest_state`] and [`manifest_log`]: the state, its bytes and its
//! files. [`heap`]: how much of a file is in memory. [`parquet_files`]: what others see of ours. [`power_cut`]: all of it, cut off anywhere. [`media`]: all of it,
//! damaged. [`seeded`]: known bugs, which these must see.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::unused_self,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod erasure;
mod heap;
mod jobs;
mod manifest_log;
mod manifest_state;
mod media;
mod parquet_files;
mod planning;
mod power_cut;
#[cfg(feature = "seeded-bugs")]
mod seeded;
mod support;
