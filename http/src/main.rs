//! The binary `mallard-metrics`. The program is the library beside it; see [`mallard_http::cli`].

use std::process::ExitCode;

use mallard_http::{cli, config::Environment};

/// Events are built on one thread and freed on another, for which glibc's allocator takes locks and grows its arenas.
/// DuckDB's own memory stays with glibc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(std::env::args_os(), &Environment::new(std::env::vars_os()))
}
