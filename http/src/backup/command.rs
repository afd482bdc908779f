//! The commands `snapshot`, `backup` and `restore`.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use mallard_engine::{Error, Image, Restore, Snapshots, backup, env};

use super::WITHOUT;
use super::archive::{self, Place, Writing};
use crate::cli::{self, ConfigFile};
use crate::config::{Config, Environment};
use crate::exit::Failure;
use crate::{privileges, progress};

/// Whose store.
#[derive(Debug, Args)]
pub(crate) struct Store {
    /// Data directory [default: the configured one].
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

impl Store {
    /// The data directory meant.
    pub(crate) fn data_dir(&self, environment: &Environment) -> Result<PathBuf, Failure> {
        match &self.data_dir {
            Some(folder) => Ok(folder.clone()),
            None => Ok(self.config.load(environment)?.config.data_dir),
        }
    }
}

impl Store {
    /// The configuration, for its limits.
    pub(crate) fn config(&self, environment: &Environment) -> Result<Config, Failure> {
        Ok(self.config.load(environment)?.config)
    }

    /// The data directory meant; started as root, this process becomes the user of the server, so that what it makes there
    /// is the server's.
    pub(crate) fn existing_as_owner(&self, environment: &Environment) -> Result<PathBuf, Failure> {
        let data_dir = self.data_dir(environment)?;
        // One that is missing is not made here: what needs it says that there is no store.
        if data_dir.exists() {
            privileges::give_up(&data_dir)?;
        }
        Ok(data_dir)
    }
}

/// Where to.
#[derive(Debug, Args)]
pub(crate) struct BackupOptions {
    /// A new or empty folder; a new file, if the name ends in .tar; tar on standard output, if it is -.
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
    #[command(flatten)]
    store: Store,
}

/// Where from.
#[derive(Debug, Args)]
pub(crate) struct RestoreOptions {
    /// A folder or .tar file that `backup` has written, a folder below snapshots/, or - for tar on standard input.
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// An erasure.log with erasures made after the copy: that of the store that was copied.
    #[arg(long, value_name = "FILE")]
    erasure_ledger: Option<PathBuf>,
    /// Restore what verifies of a copy that is damaged; the store then says what it misses.
    #[arg(long)]
    accept_damage: bool,
    #[command(flatten)]
    store: Store,
}

/// Takes a snapshot and prints its id.
pub(crate) fn snapshot(store: &Store, environment: &Environment) -> Result<(), Failure> {
    let data_dir = store.existing_as_owner(environment)?;
    let snapshot = Snapshots::of(env::real(), &data_dir).take(&WITHOUT)?;
    cli::print(&format!("{}\n", snapshot.id))?;
    tell(&format!("snapshot taken: {}", described(&snapshot.image)));
    Ok(())
}

/// Writes a backup. A stream needs no rights of root; a container may not even have left it those to write beside the server.
pub(crate) fn write(options: &BackupOptions, environment: &Environment) -> Result<(), Failure> {
    let data_dir = match options.to.as_os_str() == "-" {
        true => options.store.existing_as_owner(environment)?,
        false => options.store.data_dir(environment)?,
    };
    let place = Place::of(&options.to);
    if place.has_name_of_compressed() {
        let reason = "a backup is a folder or a plain .tar; to compress one, pipe `--to -`";
        return Err(Failure::Configuration(format!("{}: {reason}", options.to.display())));
    }
    // Before anything is made for the copy.
    fs::metadata(&data_dir).map_err(|source| Failure::DataDirectory(Error::Io { path: data_dir.clone(), source }))?;
    let at = |source: io::Error| Failure::Store(Error::Io { path: options.to.clone(), source });
    let mut writing = Writing::begin(&place).map_err(at)?;
    let bar = progress::of_bytes("copying");
    let outcome = backup(&data_dir, &env::real(), &WITHOUT, writing.archive(), &mut progress::show(&bar));
    bar.finish_and_clear();
    privileges::return_to_owner(&data_dir)?;
    let outcome = outcome.map_err(Failure::from).and_then(|image| {
        writing.finish().map_err(at)?;
        Ok(image)
    });
    let image = outcome.inspect_err(|_| place.discard())?;
    tell(&format!("backup written: {}", described(&image)));
    Ok(())
}

/// Restores a backup or a snapshot into an empty data directory.
pub(crate) fn restore(options: &RestoreOptions, environment: &Environment) -> Result<(), Failure> {
    let data_dir = options.store.data_dir(environment)?;
    let ledger = options.erasure_ledger.as_deref();
    let place = Place::of(&options.from);
    // Before the data directory is touched, so that a name that is mistyped can be corrected.
    place.check().map_err(|source| Failure::Store(Error::Io { path: options.from.clone(), source }))?;
    let mut restore = Restore::begin(&data_dir, env::real(), ledger).map_err(Failure::DataDirectory)?;
    archive::read(&place, &mut restore)?;
    let bar = progress::of_bytes("verifying");
    let outcome = restore.finish(options.accept_damage, &mut progress::show(&bar));
    bar.finish_and_clear();
    let restored = outcome?;
    let (events, sites, lsn) = (restored.events, restored.sites, restored.last_lsn);
    tell(&format!("restored: {events} events of {sites} sites, through LSN {lsn}; the store has an id of its own"));
    Ok(())
}

fn described(image: &Image) -> String {
    let through = image.last_lsn.map_or_else(String::new, |lsn| format!(", through LSN {lsn}"));
    format!("{} bytes, {} events in Parquet files{through}", image.bytes, image.events)
}

/// For people: standard output may be a tar stream. What was done stays done if nobody reads it.
fn tell(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
}
