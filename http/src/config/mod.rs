//! Configuration: where values come from, which one wins, and the typed result.
//!
//! ```text
//! GDPR mode > environment > configuration file (flat TOML) > default    values.rs  text -> value, or what was expected
//!          \          |           /                             table.rs   one row per variable
//!           one text per variable  -> set -> Config             env.rs, toml.rs  the two places to set it
//!                                                               report.rs  check-config, warnings
//! ```
//! Strict: a value that cannot be read stops the start (exit 64) with a message that names the variable, the value and
//! the allowed range. An unknown `MALLARD_*` variable is a warning with the closest known name; an unknown key in the
//! file is an error. A variable that only tests have a use for works, and is a warning.
//! Secrets come from the environment only and are never shown.

mod env;
mod report;
mod table;
mod toml;
mod values;

use std::fmt;
use std::path::{Path, PathBuf};

use mallard_engine::OnCorruption;
use mallard_event::SiteId;

pub use self::env::Environment;
pub use self::report::variables_help;
use self::table::{GEOIP_PRECISION, TABLE, Variable};
pub use self::values::{LogFormat, Origin};
use crate::enrich::Privacy;
use crate::enrich::client::TrustedProxies;
use crate::enrich::geo::Precision as GeoipPrecision;

/// How this server behaves: every variable, read and checked. Units are in the names.
#[derive(Clone, Default)]
#[expect(missing_docs, reason = "each field is the variable of its name; table.rs says what it means")]
pub struct Config {
    pub host: String,
    pub port: u16,
    pub data_dir: PathBuf,
    pub flush_count: u64,
    pub flush_interval_secs: u32,
    pub site_ids: Vec<SiteId>,
    pub geoip_db: Option<PathBuf>,
    pub geoip_precision: GeoipPrecision,
    pub dashboard_origin: Option<Origin>,
    pub filter_bots: bool,
    pub gdpr_mode: bool,
    /// The variables about detail that is not stored.
    pub privacy: Privacy,
    pub retention_days: u32,
    pub session_ttl_secs: u32,
    pub shutdown_timeout_secs: u32,
    pub rate_limit_per_site: u32,
    pub cache_ttl_secs: u32,
    pub cache_max_entries: usize,
    pub max_concurrent_queries: usize,
    pub log_format: LogFormat,
    pub max_login_attempts: u32,
    pub login_lockout_secs: u32,
    pub secure_cookies: bool,
    pub secret: Option<String>,
    pub admin_password: Option<String>,
    pub metrics_token: Option<String>,
    pub trusted_proxies: TrustedProxies,
    pub disk_reserve_mb: u64,
    pub on_corruption: OnCorruption,
    pub snapshot_interval_hours: u32,
    pub snapshot_keep: usize,
    pub query_timeout_secs: u32,
    pub query_memory_mb: u64,
    pub max_sites: usize,
    pub rate_limit_per_client: u32,
    pub dedup_window_secs: u32,
    pub dedup_max_ids: usize,
    pub log_filter: String,
    pub client_timeout_ms: Option<u64>,
    pub poisoned_service_ms: Option<u64>,
    /// The backlog at which events are refused; only tests set it.
    pub backlog_kb: Option<usize>,
    /// Whether Fly runs this machine, so that `Fly-Client-IP` means something.
    pub on_fly: bool,
}

impl Config {
    /// Whether browsers are known to reach this server over https only.
    pub fn is_https(&self) -> bool {
        self.secure_cookies || self.dashboard_origin.as_ref().is_some_and(Origin::is_https)
    }
}

/// Where it runs, and nothing that could be a secret.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, data_dir, .. } = self;
        let mut shown = f.debug_struct("Config");
        shown.field("host", host).field("port", port).field("data_dir", data_dir).finish_non_exhaustive()
    }
}

/// A configuration that must not be started with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value is not what its variable takes.
    #[error("{name}={shown}: expected {expected}")]
    Invalid {
        /// The variable, or the key and its file.
        name: String,
        /// The value in quotes; hidden if it is a secret.
        shown: String,
        /// What would be right.
        expected: String,
    },
    /// A variable and its alias say different things.
    #[error("{name} and {alias} are two names of one setting and have different values: set only one")]
    Conflict {
        /// The variable.
        name: &'static str,
        /// Its other name.
        alias: &'static str,
    },
    /// The file has a key that nobody reads.
    #[error("unknown key `{key}` in {}; {hint}", file.display())]
    UnknownKey {
        /// The key.
        key: String,
        /// The file.
        file: PathBuf,
        /// The closest known key, or where the value belongs.
        hint: String,
    },
    /// The file is not TOML.
    #[error("{} is not valid TOML: {reason}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}{}", file.display(), no_command(file))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
}

/// A hint for a bare word, which may have been meant as a command.
fn no_command(file: &Path) -> &'static str {
    let is_word = file.to_str().is_some_and(|text| !text.contains(['.', '/']));
    if is_word { "; it is no command either, see --help" } else { "" }
}

/// Where the value of a variable comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Default,
    File,
    Environment,
    GdprMode,
}

/// The text that won for one variable.
#[derive(Debug)]
struct Setting {
    variable: &'static Variable,
    text: Option<String>,
    source: Source,
}

/// A configuration, where each value comes from, and what the operator should know about it.
#[derive(Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Sentences for the log.
    pub warnings: Vec<String>,
    settings: Vec<Setting>,
}

impl Loaded {
    /// Whether somebody has set this variable, to whatever value.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.settings.iter().any(|one| one.variable.name == name && one.source != Source::Default)
    }
}

/// Reads the file (if there is one) and the environment, and checks every value.
pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Loaded, ConfigError> {
    let in_file = file.map(toml::read).transpose()?.unwrap_or_default();
    let mut config = Config { on_fly: environment.is_on_fly(), ..Config::default() };
    let mut settings = Vec::with_capacity(TABLE.len());
    for variable in TABLE {
        let setting = choose(variable, environment, &in_file)?;
        apply(&mut config, &setting, file)?;
        settings.push(setting);
    }
    if config.gdpr_mode {
        force_privacy(&mut config, &mut settings)?;
    }
    let warnings = report::warnings(&config, environment, &settings);
    Ok(Loaded { config, warnings, settings })
}

/// Environment before file before default.
fn choose(variable: &'static Variable, environment: &Environment, file: &toml::Texts) -> Result<Setting, ConfigError> {
    let setting = |text, source| Setting { variable, text, source };
    if let Some(text) = environment.text(variable)? {
        return Ok(setting(Some(text), Source::Environment));
    }
    match variable.toml.key().and_then(|key| file.get(key)) {
        Some(text) => Ok(setting(Some(text.clone()), Source::File)),
        None => Ok(setting(variable.default.map(str::to_owned), Source::Default)),
    }
}

/// GDPR mode overrides what was set: it is a promise, not a default.
fn force_privacy(config: &mut Config, settings: &mut [Setting]) -> Result<(), ConfigError> {
    let is_precise = config.geoip_precision > GeoipPrecision::Country;
    for setting in settings {
        let forced = match setting.variable.name {
            GEOIP_PRECISION if is_precise => "country",
            _ if setting.variable.in_gdpr_mode => "true",
            _ => continue,
        };
        setting.text = Some(forced.to_owned());
        setting.source = Source::GdprMode;
        apply(config, setting, None)?;
    }
    Ok(())
}

fn apply(config: &mut Config, setting: &Setting, file: Option<&Path>) -> Result<(), ConfigError> {
    let Some(text) = setting.text.as_deref() else { return Ok(()) };
    (setting.variable.set)(config, text).map_err(|expected| ConfigError::Invalid {
        name: setting.place(file),
        shown: setting.shown(),
        expected: expected.0.into_owned(),
    })
}

impl Setting {
    /// The name under which the operator set it.
    fn place(&self, file: Option<&Path>) -> String {
        match (self.source, self.variable.toml.key(), file) {
            (Source::File, Some(key), Some(file)) => format!("{}: {key}", file.display()),
            _ => self.variable.name.to_owned(),
        }
    }

    fn shown(&self) -> String {
        self.variable.shown(self.text.as_deref())
    }
}

impl Variable {
    /// A value in quotes, unless nobody may see it.
    fn shown(&self, text: Option<&str>) -> String {
        match text {
            None => "(unset)".to_owned(),
            Some(_) if self.secret => "(hidden)".to_owned(),
            Some(text) => format!("\"{text}\""),
        }
    }
}

#[cfg(test)]
mod tests;
