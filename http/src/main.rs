//! The binary `mallard-metrics`. The program is the library beside it; see [`mallard_http::cli`].

use std::process::ExitCode;

use mallard_http::{cli, config::Environment};

fn main() -> ExitCode {
    cli::run(std::env::args_os(), &Environment::new(std::env::vars_os()))
}
