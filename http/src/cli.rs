//! The command line: which command, with which configuration, and how its result becomes an exit code.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use rustix::fs::Mode;
use rustix::process::umask;

use crate::backup::command::{self as backup, BackupOptions, RestoreOptions, Store};
use crate::config::{self, Environment, Loaded};
use crate::exit::{CODES_HELP, Failure};
use crate::{demo, healthcheck, loss, memory, repair, serve, sql, verify};

/// Web analytics in one binary: events in, numbers out.
#[derive(Debug, Parser)]
#[command(name = "mallard-metrics", version, args_conflicts_with_subcommands = true)]
#[command(after_help = format!("{}\n\n{CODES_HELP}", config::variables_help()))]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ConfigFile,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (what happens without a command).
    Serve(ConfigFile),
    /// Fill a data directory with a month of believable traffic for two sites, and serve it.
    Demo(demo::Options),
    /// Print the effective configuration and warnings; touches nothing.
    CheckConfig(ConfigFile),
    /// Ask a running server whether it is ready: exit code 0 if it is, else 1.
    Healthcheck(healthcheck::Options),
    /// Read the log, the manifest and every Parquet file, and say what is damaged: exit code 0 if nothing is, else 74.
    /// Read-only; a server may be running. What only snapshots/ and quarantine/ hold is not read.
    Verify(verify::Options),
    /// Answer a question in SQL about the view `events`. Read-only; a server may be running.
    Sql(sql::Options),
    /// Put right what keeps a server from starting: a lost or damaged STORE, manifest, log, ledger or document. The server
    /// must be stopped. Nothing is deleted: originals go to quarantine/repaired/.
    Repair(repair::Options),
    /// Take note of what damage has destroyed, so that health is no longer degraded by it. The server must be stopped; of
    /// a running one, POST /api/store/acknowledge-loss does the same.
    AcknowledgeLoss(Store),
    /// Keep the store as it is now in snapshots/, by second names for its files, and print the id. A server may be running.
    Snapshot(Store),
    /// Copy the store as it is now into a folder or a tar file. A server may be running.
    Backup(BackupOptions),
    /// Make a data directory out of a backup or a snapshot, verified, as a store with an id of its own.
    Restore(RestoreOptions),
}

/// Where the configuration file is; both forms mean the same.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConfigFile {
    /// Configuration file (TOML).
    #[arg(long = "config", value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads the file, if there is one, and the environment.
    pub(crate) fn load(&self, environment: &Environment) -> Result<Loaded, Failure> {
        Ok(config::load(self.config.as_deref().or(self.file.as_deref()), environment)?)
    }
}

/// Runs the program for a command line and an environment.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> ExitCode {
    // Also what DuckDB and the C library make is nobody else's.
    umask(Mode::RWXG | Mode::RWXO);
    memory::use_small_pages();
    match try_run(arguments, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing can be done about a standard error that is closed.
            writeln!(std::io::stderr(), "{failure}").ok();
            failure.into()
        }
    }
}

fn try_run(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> Result<(), Failure> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return print(&error.render());
        }
        Err(error) => {
            let text = error.render().to_string();
            return Err(Failure::Configuration(text.trim_start_matches("error: ").trim_end().to_owned()));
        }
    };
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(file) => serve::run(file.load(environment)?),
        Command::Demo(options) => demo::run(&options, options.config.load(environment)?),
        Command::CheckConfig(file) => print(&file.load(environment)?),
        Command::Verify(options) => verify::run(&options, environment),
        Command::Sql(options) => sql::run(&options, environment),
        Command::Repair(options) => repair::run(&options, environment),
        Command::AcknowledgeLoss(store) => loss::run(&store, environment),
        Command::Snapshot(store) => backup::snapshot(&store, environment),
        Command::Backup(options) => backup::write(&options, environment),
        Command::Restore(options) => backup::restore(&options, environment),
        Command::Healthcheck(options) => healthcheck::run(&options, &options.config.load(environment)?.config),
    }
}

/// To standard output. Whoever reads it may have seen enough.
pub(crate) fn print(text: &impl std::fmt::Display) -> Result<(), Failure> {
    match write!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Internal(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["mallard-metrics"], arguments].concat())
    }

    fn file_of(arguments: &[&str]) -> Option<PathBuf> {
        let cli = parse(arguments).unwrap();
        match cli.command.unwrap_or(Command::Serve(cli.serve)) {
            Command::Serve(file) | Command::CheckConfig(file) => file.config.or(file.file),
            Command::Demo(options) => options.config.config.or(options.config.file),
            _ => None,
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_configuration_file_may_be_given_in_every_form() {
        assert_eq!(file_of(&[]), None);
        for arguments in [
            &["a.toml"][..],
            &["--config", "a.toml"],
            &["serve", "a.toml"],
            &["serve", "--config", "a.toml"],
            &["check-config", "a.toml"],
            &["check-config", "--config", "a.toml"],
        ] {
            assert_eq!(file_of(arguments), Some(PathBuf::from("a.toml")), "{arguments:?}");
        }
        assert!(parse(&["--config", "a.toml", "b.toml"]).is_err());
    }

    #[test]
    fn an_unknown_flag_is_a_configuration_error() {
        let failure =
            try_run(["mallard-metrics", "--prot", "80"].map(OsString::from), &Environment::default()).unwrap_err();
        assert_eq!(failure.code(), 64);
        assert!(failure.to_string().starts_with("Configuration error: unexpected argument '--prot'"), "{failure}");
    }

    #[test]
    fn an_unreadable_file_is_a_configuration_error() {
        let arguments = ["mallard-metrics", "check-config", "/does/not/exist.toml"].map(OsString::from);
        let failure = try_run(arguments, &Environment::default()).unwrap_err();
        assert_eq!(failure.code(), 64);
        assert!(failure.to_string().starts_with("Configuration error: cannot read /does/not/exist.toml"), "{failure}");
    }
}
