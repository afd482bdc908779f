//! `mallard-metrics demo`: a month of believable traffic for two sites, through the real append path.
//!
//! Everything is drawn from one seed, so two demos of the same size and day are alike. Events reach the engine exactly
//! as a browser's do (validated newtypes, the log, group commits, compaction beside them); only the enrichment is
//! skipped, because the generator knows the visitor.
//!
//! Unless told otherwise the demo stays away from real data and from the network: its own folder, loopback, a password
//! that it prints. It never touches a store that is not a demo's.

mod catalogue;
mod fill;
mod traffic;

use clap::Args;
use tracing::info;

use crate::cli::ConfigFile;
use crate::config::Loaded;
use crate::exit::Failure;
use crate::serve;

/// Where the demo lives unless `MALLARD_DATA_DIR` names a folder.
const DATA_DIR: &str = "data-demo";
/// The dashboard's password unless one is configured.
const PASSWORD: &str = "mallard-demo";
/// Where the demo listens unless `MALLARD_HOST` says otherwise.
const HOST: &str = "127.0.0.1";

/// What to generate.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// About how many events to store.
    #[arg(long, value_name = "N", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    events: u64,
    /// The same seed gives the same traffic.
    #[arg(long, value_name = "SEED", default_value_t = 7)]
    seed: u64,
    #[command(flatten)]
    pub(crate) config: ConfigFile,
}

/// Fills a new data directory and serves it; a demo that is there already is served as it is.
pub(crate) fn run(options: &Options, mut loaded: Loaded) -> Result<(), Failure> {
    keep_apart(&mut loaded);
    let password = loaded.config.admin_password.clone().filter(|password| password == PASSWORD);
    serve::run_after(loaded, |engine, now| {
        fill::fill(engine, options, now)?;
        if let Some(password) = password {
            info!("The demo's password is: {password}");
        }
        Ok(())
    })
}

/// What nobody has set becomes the demo's own.
fn keep_apart(loaded: &mut Loaded) {
    if !loaded.is_set("MALLARD_DATA_DIR") {
        loaded.config.data_dir = DATA_DIR.into();
    }
    if !loaded.is_set("MALLARD_HOST") {
        HOST.clone_into(&mut loaded.config.host);
    }
    loaded.config.admin_password.get_or_insert_with(|| PASSWORD.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};

    fn kept_apart(variables: &[(&str, &str)]) -> (String, String) {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let mut loaded = load(None, &Environment::new(variables)).unwrap();
        keep_apart(&mut loaded);
        (loaded.config.host, loaded.config.data_dir.display().to_string())
    }

    #[test]
    fn what_somebody_has_set_is_kept_also_where_it_is_the_default_of_the_server() {
        assert_eq!(kept_apart(&[]), (HOST.into(), DATA_DIR.into()));
        let explicit = [("MALLARD_HOST", "0.0.0.0"), ("MALLARD_DATA_DIR", "data")];
        assert_eq!(kept_apart(&explicit), ("0.0.0.0".into(), "data".into()));
    }
}
