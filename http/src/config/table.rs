//! The one table of variables: name, TOML key, default, meaning, and how a text becomes a field of [`Config`].
//!
//! The loader, `check-config`, `--help` and the warnings about unknown names all read this table; a variable is added
//! by adding a row and a field. Ranges and units stand in the `set` functions, and nowhere else.

use mallard_engine::OnCorruption;

use super::values::{
    LogFormat, Parsed, boolean, choice, host, log_filter, origin, path, secret, site_ids, whole, zero_or_whole,
};
use super::{Config, GeoipPrecision, TrustedProxies};
use Toml::{Boolean, EnvironmentOnly, Integer, List, Text};

/// One thing that can be set.
#[derive(Debug)]
pub(crate) struct Variable {
    /// The environment variable.
    pub(crate) name: &'static str,
    /// Another name for it, kept from earlier releases and guides.
    pub(crate) alias: Option<&'static str>,
    /// Its key in the configuration file.
    pub(crate) toml: Toml,
    /// The text that stands in when nothing is set; `None`: then the field stays as [`Config::default`] has it.
    pub(crate) default: Option<&'static str>,
    /// What it does, for `--help`.
    pub(crate) help: &'static str,
    /// Whether its value must never be shown.
    pub(crate) secret: bool,
    /// Whether an empty value counts as "not set" instead of being an error.
    pub(crate) empty_is_unset: bool,
    /// Who has a use for it.
    pub(crate) status: Status,
    /// Whether `MALLARD_GDPR_MODE` forces it to be true.
    pub(crate) in_gdpr_mode: bool,
    /// Checks a text and keeps what it means.
    pub(crate) set: fn(&mut Config, &str) -> Parsed<()>,
}

/// Who has a use for a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It works and is documented.
    Public,
    /// For the tests of this repository; `--help` does not list it.
    Internal,
}

/// The key of a variable in the configuration file, by the TOML type that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toml {
    /// Not to be written into a file: secrets, and what is not ours.
    EnvironmentOnly,
    /// A string.
    Text(&'static str),
    /// An integer.
    Integer(&'static str),
    /// A boolean.
    Boolean(&'static str),
    /// An array of strings.
    List(&'static str),
}

impl Toml {
    /// The key, if there is one.
    pub(crate) fn key(self) -> Option<&'static str> {
        match self {
            EnvironmentOnly => None,
            Text(key) | Integer(key) | Boolean(key) | List(key) => Some(key),
        }
    }
}

type Set = fn(&mut Config, &str) -> Parsed<()>;

const fn row(name: &'static str, toml: Toml, default: Option<&'static str>, help: &'static str, set: Set) -> Variable {
    Variable {
        name,
        alias: None,
        toml,
        default,
        help,
        secret: false,
        empty_is_unset: false,
        status: Status::Public,
        in_gdpr_mode: false,
        set,
    }
}

impl Variable {
    /// The values that it takes, in the words of the error about any other; `None` if it takes every text.
    pub(crate) fn values(&self) -> Option<String> {
        (self.set)(&mut Config::default(), "").err().map(|expected| expected.0.into_owned())
    }

    const fn or(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    const fn hidden(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn empty_is_unset(mut self) -> Self {
        self.empty_is_unset = true;
        self
    }

    const fn in_gdpr_mode(mut self) -> Self {
        self.in_gdpr_mode = true;
        self
    }

    const fn internal(mut self) -> Self {
        self.status = Status::Internal;
        self
    }
}

/// Keeps a value that could be read.
fn put<T>(field: &mut T, value: Parsed<T>) -> Parsed<()> {
    *field = value?;
    Ok(())
}

/// Keeps a value whose absence means something.
fn some<T>(field: &mut Option<T>, value: Parsed<T>) -> Parsed<()> {
    *field = Some(value?);
    Ok(())
}

/// GDPR mode makes it coarser.
pub(crate) const GEOIP_PRECISION: &str = "MALLARD_GEOIP_PRECISION";

const PRECISIONS: &[(&str, GeoipPrecision)] = &[
    ("city", GeoipPrecision::City),
    ("region", GeoipPrecision::Region),
    ("country", GeoipPrecision::Country),
    ("none", GeoipPrecision::None),
];
const LOG_FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
const CORRUPTION: &[(&str, OnCorruption)] = &[("salvage", OnCorruption::Salvage), ("refuse", OnCorruption::Refuse)];
const YEAR_SECS: u64 = 31_536_000;
const WEEK_SECS: u64 = 604_800;

/// Every variable, in the order in which they are shown.
pub(crate) static TABLE: &[Variable] = &[
    row("MALLARD_HOST", Text("host"), Some("0.0.0.0"), "address or name to listen on", |c, t| {
        put(&mut c.host, host(t))
    }),
    row("MALLARD_PORT", Integer("port"), Some("8000"), "port to listen on; 0 = any free port", |c, t| {
        put(&mut c.port, whole(t, 0..=65_535, ""))
    }),
    row("MALLARD_DATA_DIR", Text("data_dir"), Some("data"), "where everything is kept", |c, t| {
        put(&mut c.data_dir, path(t))
    }),
    row(
        "MALLARD_FLUSH_COUNT",
        Integer("flush_event_count"),
        Some("50000"),
        "compact when so many events wait",
        |c, t| put(&mut c.flush_count, whole(t, 1..=1_000_000, "events")),
    ),
    row(
        "MALLARD_FLUSH_INTERVAL",
        Integer("flush_interval_secs"),
        Some("300"),
        "compact when an event waits so long",
        |c, t| put(&mut c.flush_interval_secs, whole(t, 1..=86_400, "seconds")),
    ),
    row("MALLARD_SITE_IDS", List("site_ids"), None, "the only sites that may send events; unset = any", |c, t| {
        put(&mut c.site_ids, site_ids(t))
    }),
    row("MALLARD_GEOIP_DB", Text("geoip_db_path"), None, "MaxMind City file", |c, t| some(&mut c.geoip_db, path(t)))
        .or("MALLARD_GEOIP_DB_PATH"),
    row(GEOIP_PRECISION, Text("geoip_precision"), Some("city"), "city, region, country or none", |c, t| {
        put(&mut c.geoip_precision, choice(t, PRECISIONS))
    }),
    row("MALLARD_DASHBOARD_ORIGIN", Text("dashboard_origin"), None, "https://host of a dashboard elsewhere", |c, t| {
        some(&mut c.dashboard_origin, origin(t))
    }),
    row("MALLARD_FILTER_BOTS", Boolean("filter_bots"), Some("true"), "drop events of known bots", |c, t| {
        put(&mut c.filter_bots, boolean(t))
    }),
    row("MALLARD_RETENTION_DAYS", Integer("retention_days"), Some("0"), "keep so many UTC days; 0 = all", |c, t| {
        put(&mut c.retention_days, whole(t, 0..=36_500, "days"))
    }),
    row("MALLARD_SESSION_TTL", Integer("session_ttl_secs"), Some("86400"), "length of a dashboard session", |c, t| {
        put(&mut c.session_ttl_secs, whole(t, 1..=YEAR_SECS, "seconds"))
    }),
    row("MALLARD_SHUTDOWN_TIMEOUT", Integer("shutdown_timeout_secs"), Some("30"), "longest orderly stop", |c, t| {
        put(&mut c.shutdown_timeout_secs, whole(t, 0..=600, "seconds"))
    })
    .or("MALLARD_SHUTDOWN_TIMEOUT_SECS"),
    row(
        "MALLARD_RATE_LIMIT",
        Integer("rate_limit_per_site"),
        Some("0"),
        "events per second and site; 0 = off",
        |c, t| put(&mut c.rate_limit_per_site, whole(t, 0..=1_000_000, "events per second")),
    )
    .or("MALLARD_RATE_LIMIT_PER_SITE"),
    row("MALLARD_CACHE_TTL", Integer("cache_ttl_secs"), Some("60"), "longest reuse of an answer; 0 = off", |c, t| {
        put(&mut c.cache_ttl_secs, whole(t, 0..=86_400, "seconds"))
    })
    .or("MALLARD_CACHE_TTL_SECS"),
    row(
        "MALLARD_CACHE_MAX_ENTRIES",
        Integer("cache_max_entries"),
        Some("10000"),
        "answers kept; 0 = no bound",
        |c, t| put(&mut c.cache_max_entries, whole(t, 0..=1_000_000, "entries")),
    ),
    row(
        "MALLARD_MAX_CONCURRENT_QUERIES",
        Integer("max_concurrent_queries"),
        Some("10"),
        "queries at a time, more are refused; 0 = they wait",
        |c, t| put(&mut c.max_concurrent_queries, whole(t, 0..=1024, "queries")),
    ),
    row("MALLARD_LOG_FORMAT", Text("log_format"), Some("text"), "text or json", |c, t| {
        put(&mut c.log_format, choice(t, LOG_FORMATS))
    }),
    row(
        "MALLARD_MAX_LOGIN_ATTEMPTS",
        Integer("max_login_attempts"),
        Some("5"),
        "before a lockout; 0 = no lockout",
        |c, t| put(&mut c.max_login_attempts, whole(t, 0..=1000, "attempts")),
    ),
    row("MALLARD_LOGIN_LOCKOUT", Integer("login_lockout_secs"), Some("300"), "length of a lockout", |c, t| {
        put(&mut c.login_lockout_secs, whole(t, 0..=WEEK_SECS, "seconds"))
    })
    .or("MALLARD_LOGIN_LOCKOUT_SECS"),
    row("MALLARD_SECURE_COOKIES", Boolean("secure_cookies"), Some("false"), "cookies over https only", |c, t| {
        put(&mut c.secure_cookies, boolean(t))
    }),
    row("MALLARD_GDPR_MODE", Boolean("gdpr_mode"), Some("false"), "forces the flags below and country", |c, t| {
        put(&mut c.gdpr_mode, boolean(t))
    }),
    row(
        "MALLARD_STRIP_REFERRER_QUERY",
        Boolean("strip_referrer_query"),
        Some("false"),
        "referrers end at ? or #",
        |c, t| put(&mut c.privacy.strip_referrer_query, boolean(t)),
    )
    .in_gdpr_mode(),
    row("MALLARD_ROUND_TIMESTAMPS", Boolean("round_timestamps"), Some("false"), "store the hour only", |c, t| {
        put(&mut c.privacy.round_timestamps, boolean(t))
    })
    .in_gdpr_mode(),
    row(
        "MALLARD_SUPPRESS_BROWSER_VERSION",
        Boolean("suppress_browser_version"),
        Some("false"),
        "store none",
        |c, t| put(&mut c.privacy.suppress_browser_version, boolean(t)),
    )
    .in_gdpr_mode(),
    row("MALLARD_SUPPRESS_OS_VERSION", Boolean("suppress_os_version"), Some("false"), "store none", |c, t| {
        put(&mut c.privacy.suppress_os_version, boolean(t))
    })
    .in_gdpr_mode(),
    row("MALLARD_SUPPRESS_SCREEN_SIZE", Boolean("suppress_screen_size"), Some("false"), "nor a device type", |c, t| {
        put(&mut c.privacy.suppress_screen_size, boolean(t))
    })
    .in_gdpr_mode(),
    row(
        "MALLARD_SUPPRESS_VISITOR_ID",
        Boolean("suppress_visitor_id"),
        Some("false"),
        "a new id for every event",
        |c, t| put(&mut c.privacy.suppress_visitor_id, boolean(t)),
    ),
    row("MALLARD_SECRET", EnvironmentOnly, None, "key of visitor ids; unset = generated and kept", |c, t| {
        some(&mut c.secret, secret(t, 16..=usize::MAX))
    })
    .hidden(),
    row(
        "MALLARD_ADMIN_PASSWORD",
        EnvironmentOnly,
        None,
        "dashboard password; unset = chosen in the browser",
        |c, t| some(&mut c.admin_password, secret(t, 1..=1024)),
    )
    .hidden()
    .empty_is_unset(),
    row("MALLARD_METRICS_TOKEN", EnvironmentOnly, None, "Bearer token that /metrics asks for", |c, t| {
        some(&mut c.metrics_token, secret(t, 1..=usize::MAX))
    })
    .hidden(),
    row(
        "MALLARD_TRUSTED_PROXIES",
        List("trusted_proxies"),
        Some("loopback,private"),
        "peers whose forwarding headers count",
        |c, t| put(&mut c.trusted_proxies, trusted_proxies(t)),
    ),
    row("MALLARD_DEDUP_WINDOW_SECS", Integer("dedup_window_secs"), Some("86400"), "repeated ids; 0 = off", |c, t| {
        put(&mut c.dedup_window_secs, whole(t, 0..=WEEK_SECS, "seconds"))
    }),
    row("MALLARD_DEDUP_MAX_IDS", Integer("dedup_max_ids"), Some("150000"), "ids remembered", |c, t| {
        put(&mut c.dedup_max_ids, whole(t, 1000..=10_000_000, "ids"))
    }),
    row(
        "MALLARD_DISK_RESERVE_MB",
        Integer("disk_reserve_mb"),
        Some("64"),
        "refuse events below this free space",
        |c, t| put(&mut c.disk_reserve_mb, whole(t, 16..=65_536, "MB")),
    ),
    row(
        "MALLARD_ON_CORRUPTION",
        Text("on_corruption"),
        Some("salvage"),
        "a damaged log at a start: salvage what verifies, or refuse to start",
        |c, t| put(&mut c.on_corruption, choice(t, CORRUPTION)),
    ),
    row(
        "MALLARD_SNAPSHOT_INTERVAL_HOURS",
        Integer("snapshot_interval_hours"),
        Some("0"),
        "take a snapshot so often; 0 = on demand only",
        |c, t| put(&mut c.snapshot_interval_hours, whole(t, 0..=8760, "hours")),
    ),
    row("MALLARD_SNAPSHOT_KEEP", Integer("snapshot_keep"), Some("7"), "scheduled snapshots kept", |c, t| {
        put(&mut c.snapshot_keep, whole(t, 1..=1000, "snapshots"))
    }),
    row("MALLARD_QUERY_TIMEOUT_SECS", Integer("query_timeout_secs"), Some("30"), "longest query", |c, t| {
        put(&mut c.query_timeout_secs, whole(t, 1..=600, "seconds"))
    }),
    row(
        "MALLARD_QUERY_MEMORY_MB",
        Integer("query_memory_mb"),
        Some("0"),
        "memory of queries; 0 = a quarter of the machine's, at least 48",
        |c, t| put(&mut c.query_memory_mb, zero_or_whole(t, 32..=1_048_576, "MB")),
    ),
    row("MALLARD_MAX_SITES", Integer("max_sites"), Some("1000"), "events of further sites are refused", |c, t| {
        put(&mut c.max_sites, whole(t, 1..=100_000, "sites"))
    }),
    row(
        "MALLARD_RATE_LIMIT_PER_CLIENT",
        Integer("rate_limit_per_client"),
        Some("0"),
        "events per second, site and client; 0 = off",
        |c, t| put(&mut c.rate_limit_per_client, whole(t, 0..=1_000_000, "events per second")),
    ),
    row("RUST_LOG", EnvironmentOnly, Some("mallard_metrics=info"), "what is logged", |c, t| {
        put(&mut c.log_filter, log_filter(t))
    }),
    row("MALLARD_TEST_CLIENT_TIMEOUT_MS", EnvironmentOnly, None, "patience with clients", |c, t| {
        some(&mut c.client_timeout_ms, whole(t, 1..=600_000, "milliseconds"))
    })
    .internal(),
    row("MALLARD_TEST_POISONED_SERVICE_MS", EnvironmentOnly, None, "queries after a failed sync", |c, t| {
        some(&mut c.poisoned_service_ms, whole(t, 0..=600_000, "milliseconds"))
    })
    .internal(),
    row("MALLARD_TEST_BACKLOG_KB", EnvironmentOnly, None, "backlog at which events are refused", |c, t| {
        some(&mut c.backlog_kb, whole(t, 1..=65_536, "KiB"))
    })
    .internal(),
];

fn trusted_proxies(text: &str) -> Parsed<TrustedProxies> {
    TrustedProxies::parse(text).map_err(|_| {
        super::values::Expected("CIDR ranges, addresses, loopback, private or none, separated by commas".into())
    })
}
