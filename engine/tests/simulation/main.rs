//! The store on a simulated machine, held against a list of what was sent, acknowledged and shown.
//!
//! ```text
//! act       what can happen            oracle   what the clients know, and what must follow
//! world     a machine, a store, its clients, readers and supervisor
//! lives     one life, cut off or failing at every operation
//! erasing   a life full of erasures, cut off or failing at every operation
//! retries   senders that send again what was erased meanwhile
//! copies    what must not be found on the disk, and must not come back with a copy
//! small     every workload of up to three commits, cut off at every operation
//! history   random histories by the thousand, shrunk when they fail
//! sweep     every call of a life fails, in every way
//! seeded    known bugs, which all of this must see
//! moments   readers beside commits and maintenance, in threads
//! ```
//!
//! Checked after every restart, and at every step of watchful worlds (DESIGN §5, invariants 1 to 5): what was acknowledged
//! or shown is there, at its LSN and as it was sent; nothing else but what was sent and not refused; nothing twice; LSNs
//! dense and in the order of sending; totals and rows agree; every live file is there.
//!
//! `MALLARD_TEST_SCHEDULES` sets the number of random histories, `MALLARD_TEST_SEED` replays one. What all this was seen to
//! catch is in `docs/reliability.md`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod act;
mod copies;
mod cores;
mod erasing;
mod forgetful;
mod history;
mod lives;
mod moments;
mod oracle;
mod quiet;
mod retries;
mod seeded;
mod small;
mod sweep;
mod world;

/// A simulation is bound by small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Histories that fit into a run of the suite; a soak runs more.
const SCHEDULES: u64 = 5_000;

#[test]
fn random_histories_of_everything_that_can_happen_agree_with_the_model() {
    history::run_all(SCHEDULES);
}
