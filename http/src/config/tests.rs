use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::table::{Status, Toml};
use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
}

fn from_env(variables: &[(&str, &str)]) -> Result<Loaded, String> {
    load(None, &environment(variables)).map_err(|error| error.to_string())
}

fn from_file(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mallard.toml");
    #[expect(clippy::disallowed_methods, reason = "a file of the test, not of a store")]
    std::fs::write(&file, text).unwrap();
    let loaded = load(Some(&file), &environment(variables));
    loaded.map_err(|error| error.to_string().replace(file.to_str().unwrap(), "mallard.toml"))
}

/// For each variable: a value that differs from the default, and values that it must refuse.
const CASES: &[(&str, &str, &[&str])] = &[
    ("MALLARD_HOST", "127.0.0.1", &["", "http://x", "a b"]),
    ("MALLARD_PORT", "8080", &["", "65536", "-1", "eighty", "80.0"]),
    ("MALLARD_DATA_DIR", "/data", &[""]),
    ("MALLARD_FLUSH_COUNT", "1", &["", "0", "1000001"]),
    ("MALLARD_FLUSH_INTERVAL", "86400", &["", "0", "86401", "5m"]),
    ("MALLARD_SITE_IDS", "a.example,b.example", &["", "a/b", "a,,b"]),
    ("MALLARD_GEOIP_DB", "/geo/city.mmdb", &[""]),
    ("MALLARD_GEOIP_PRECISION", "Country", &["", "street"]),
    ("MALLARD_DASHBOARD_ORIGIN", "https://stats.example", &["", "stats.example", "https://stats.example/x"]),
    ("MALLARD_FILTER_BOTS", "OFF", &["", "maybe", "2"]),
    ("MALLARD_RETENTION_DAYS", "365", &["", "36501"]),
    ("MALLARD_SESSION_TTL", "3600", &["", "0", "31536001"]),
    ("MALLARD_SHUTDOWN_TIMEOUT", "0", &["", "601"]),
    ("MALLARD_RATE_LIMIT", "200", &["", "1000001"]),
    ("MALLARD_CACHE_TTL", "300", &["", "86401"]),
    ("MALLARD_CACHE_MAX_ENTRIES", "0", &["", "1000001"]),
    ("MALLARD_MAX_CONCURRENT_QUERIES", "0", &["", "1025"]),
    ("MALLARD_LOG_FORMAT", "JSON", &["", "xml"]),
    ("MALLARD_MAX_LOGIN_ATTEMPTS", "0", &["", "1001"]),
    ("MALLARD_LOGIN_LOCKOUT", "604800", &["", "604801"]),
    ("MALLARD_SECURE_COOKIES", "yes", &["", "y"]),
    ("MALLARD_GDPR_MODE", "1", &["", "strict"]),
    ("MALLARD_STRIP_REFERRER_QUERY", "true", &["", "x"]),
    ("MALLARD_ROUND_TIMESTAMPS", "true", &["", "x"]),
    ("MALLARD_SUPPRESS_BROWSER_VERSION", "true", &["", "x"]),
    ("MALLARD_SUPPRESS_OS_VERSION", "true", &["", "x"]),
    ("MALLARD_SUPPRESS_SCREEN_SIZE", "true", &["", "x"]),
    ("MALLARD_SUPPRESS_VISITOR_ID", "true", &["", "x"]),
    ("MALLARD_SECRET", "0123456789abcdef", &["", "0123456789abcde"]),
    ("MALLARD_ADMIN_PASSWORD", "correct horse", &[]),
    ("MALLARD_METRICS_TOKEN", "t", &[""]),
    ("MALLARD_TRUSTED_PROXIES", "10.0.0.0/8", &["", "10.0.0.0/33", "proxy.example"]),
    ("MALLARD_DEDUP_WINDOW_SECS", "0", &["", "604801"]),
    ("MALLARD_DEDUP_MAX_IDS", "1000", &["", "999", "10000001"]),
    ("MALLARD_DISK_RESERVE_MB", "16", &["", "15", "65537"]),
    ("MALLARD_ON_CORRUPTION", "Refuse", &["", "ignore"]),
    ("MALLARD_SNAPSHOT_INTERVAL_HOURS", "24", &["", "8761"]),
    ("MALLARD_SNAPSHOT_KEEP", "1", &["", "0", "1001"]),
    ("MALLARD_QUERY_TIMEOUT_SECS", "600", &["", "0", "601"]),
    ("MALLARD_QUERY_MEMORY_MB", "32", &["", "31", "1048577"]),
    ("MALLARD_MAX_SITES", "1", &["", "0", "100001"]),
    ("MALLARD_RATE_LIMIT_PER_CLIENT", "5", &["", "1000001"]),
    ("RUST_LOG", "debug", &["", "mallard_metrics=loud"]),
    ("MALLARD_TEST_CLIENT_TIMEOUT_MS", "300", &["", "0"]),
    ("MALLARD_TEST_POISONED_SERVICE_MS", "0", &["", "600001"]),
    ("MALLARD_TEST_BACKLOG_KB", "64", &["", "0", "65537"]),
];

#[test]
fn every_variable_takes_its_values_and_refuses_others_by_name() {
    let covered: Vec<&str> = CASES.iter().map(|(name, ..)| *name).collect();
    let known: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(covered, known);
    for (name, good, bad) in CASES {
        let loaded = from_env(&[(name, good)]).unwrap_or_else(|error| panic!("{name}={good}: {error}"));
        let setting = loaded.settings.iter().find(|setting| setting.variable.name == *name).unwrap();
        assert_eq!((setting.text.as_deref(), setting.source), (Some(*good), Source::Environment), "{name}");
        for value in *bad {
            let error = from_env(&[(name, value)]).unwrap_err();
            let shown = if *name == "MALLARD_SECRET" || *name == "MALLARD_METRICS_TOKEN" {
                "(hidden)".into()
            } else {
                format!("\"{value}\"")
            };
            assert!(error.starts_with(&format!("{name}={shown}: expected ")), "{error}");
        }
    }
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let config = from_env(&[]).unwrap().config;
    assert_eq!((config.host.as_str(), config.port, config.data_dir.to_str()), ("0.0.0.0", 8000, Some("data")));
    assert_eq!((config.flush_count, config.flush_interval_secs, config.retention_days), (50_000, 300, 0));
    assert_eq!((config.session_ttl_secs, config.shutdown_timeout_secs), (86_400, 30));
    assert_eq!((config.max_login_attempts, config.login_lockout_secs), (5, 300));
    assert_eq!((config.max_concurrent_queries, config.query_timeout_secs, config.max_sites), (10, 30, 1000));
    assert_eq!((config.geoip_precision, config.log_format), (GeoipPrecision::City, LogFormat::Text));
    assert!(config.filter_bots && !config.secure_cookies && !config.gdpr_mode && !config.is_https());
    assert!(config.site_ids.is_empty() && config.secret.is_none() && config.admin_password.is_none());
    assert_eq!(config.trusted_proxies, TrustedProxies::parse("loopback,private").unwrap());
    assert_eq!(config.log_filter, "mallard_metrics=info");
}

#[test]
fn values_reach_their_fields() {
    let config =
        from_env(&[("MALLARD_SITE_IDS", "a.example, b.example"), ("MALLARD_LOG_FORMAT", "json")]).unwrap().config;
    assert_eq!(config.site_ids, ["a.example", "b.example"].map(|id| SiteId::parse(id).unwrap()));
    assert_eq!(config.log_format, LogFormat::Json);
    assert!(from_env(&[("MALLARD_DASHBOARD_ORIGIN", "https://a.example")]).unwrap().config.is_https());
    assert!(!from_env(&[("MALLARD_DASHBOARD_ORIGIN", "http://a.example")]).unwrap().config.is_https());
    assert!(from_env(&[("FLY_APP_NAME", "x")]).unwrap().config.on_fly);
}

#[test]
fn the_fly_guides_environment_is_taken_as_it_stands() {
    let loaded = from_env(&[
        ("MALLARD_DATA_DIR", "/data"),
        ("MALLARD_HOST", "0.0.0.0"),
        ("MALLARD_PORT", "8080"),
        ("MALLARD_LOG_FORMAT", "json"),
        ("MALLARD_FILTER_BOTS", "true"),
        ("MALLARD_SECURE_COOKIES", "true"),
        ("MALLARD_RETENTION_DAYS", "365"),
        ("MALLARD_RATE_LIMIT", "200"),
        ("MALLARD_CACHE_TTL", "300"),
        ("MALLARD_MAX_LOGIN_ATTEMPTS", "5"),
        ("MALLARD_LOGIN_LOCKOUT", "300"),
        ("RUST_LOG", "mallard_metrics=info,tower_http=warn"),
    ]);
    assert_eq!(loaded.unwrap().config.port, 8080);
}

#[test]
fn an_alias_is_the_same_variable_and_may_not_contradict_it() {
    for row in TABLE {
        let Some(alias) = row.alias else { continue };
        let value = CASES.iter().find(|(name, ..)| *name == row.name).unwrap().1;
        let source =
            |loaded: Loaded| loaded.settings.iter().find(|setting| setting.variable.name == row.name).unwrap().source;
        assert_eq!(source(from_env(&[(alias, value)]).unwrap()), Source::Environment, "{alias}");
        assert!(from_env(&[(row.name, value), (alias, value)]).is_ok(), "{alias}");
        let error = from_env(&[(row.name, value), (alias, "1")]).unwrap_err();
        assert!(error.contains(row.name) && error.contains(alias), "{error}");
    }
    assert_eq!(TABLE.iter().filter(|row| row.alias.is_some()).count(), 5);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let text = "port = 9000\nfilter_bots = false\nsite_ids = [\"a.example\", \"b.example\"]\nhost = \"::1\"\n";
    let config = from_file(text, &[("MALLARD_PORT", "9001")]).unwrap().config;
    assert_eq!((config.port, config.host.as_str(), config.filter_bots), (9001, "::1", false));
    assert_eq!(config.site_ids.len(), 2);
}

#[test]
fn an_empty_list_is_an_error_where_it_would_mean_something_else() {
    assert!(from_file("site_ids = []\n", &[]).unwrap().config.site_ids.is_empty(), "any site, as without the key");
    let lists: Vec<&str> = TABLE.iter().filter(|row| matches!(row.toml, Toml::List(_))).map(|row| row.name).collect();
    assert_eq!(lists, ["MALLARD_SITE_IDS", "MALLARD_TRUSTED_PROXIES"], "each is decided on in this test");
    assert_eq!(
        from_file("trusted_proxies = []\n", &[]).unwrap_err(),
        "mallard.toml: trusted_proxies=[]: expected at least one item; for none of them write [\"none\"]"
    );
    let nobody = from_file("trusted_proxies = [\"none\"]\n", &[]).unwrap().config.trusted_proxies;
    assert_eq!(nobody, TrustedProxies::parse("none").unwrap());
    assert_ne!(nobody, from_file("", &[]).unwrap().config.trusted_proxies);
}

#[test]
fn every_key_of_the_file_has_the_type_of_its_variable() {
    for row in TABLE {
        let Some(key) = row.toml.key() else { continue };
        let good = CASES.iter().find(|(name, ..)| *name == row.name).unwrap().1;
        let value = match row.toml {
            Toml::Integer(_) => good.to_owned(),
            Toml::Boolean(_) => "true".to_owned(),
            Toml::List(_) => format!("[\"{good}\"]").replace(',', "\",\""),
            Toml::Text(_) | Toml::EnvironmentOnly => format!("\"{good}\""),
        };
        from_file(&format!("{key} = {value}\n"), &[]).unwrap_or_else(|error| panic!("{error}"));
        let error = from_file(&format!("{key} = 2024-01-01\n"), &[]).unwrap_err();
        assert!(error.starts_with(&format!("mallard.toml: {key}=2024-01-01: expected ")), "{error}");
    }
}

#[test]
fn the_file_is_strict() {
    let error = |text: &str| from_file(text, &[]).unwrap_err();
    assert_eq!(error("prot = 1\n"), "unknown key `prot` in mallard.toml; did you mean `port`?");
    let table = error("[privacy]\nround_timestamps = true\n");
    assert_eq!(table, "unknown key `privacy` in mallard.toml; keys stand at the top level, without tables");
    let secret = error("secret = \"0123456789abcdef\"\n");
    assert_eq!(
        secret,
        "unknown key `secret` in mallard.toml; set MALLARD_SECRET in the environment, secrets do not belong into files"
    );
    assert_eq!(error("port = \"80\"\n"), "mallard.toml: port=\"80\": expected an integer without quotes");
    assert_eq!(error("port = 70000\n"), "mallard.toml: port=\"70000\": expected a whole number 0 to 65535");
    assert!(error("site_ids = [\"a,b\"]\n").starts_with("mallard.toml: site_ids="));
    assert!(error("port = \n").starts_with("mallard.toml is not valid TOML: "));
    let missing = load(Some(Path::new("missing.toml")), &Environment::default()).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read missing.toml: "), "{missing}");
}

#[test]
fn what_the_operator_should_know_is_a_warning() {
    let warnings = |variables: &[(&str, &str)]| from_env(variables).unwrap().warnings;
    assert_eq!(warnings(&[]), [""; 0]);
    assert_eq!(
        warnings(&[("MALLARD_FLUSHCOUNT", "1")]),
        ["unknown variable MALLARD_FLUSHCOUNT is ignored; did you mean MALLARD_FLUSH_COUNT?"]
    );
    assert_eq!(warnings(&[("MALLARD_RATE_LIMIT", "1")]), [""; 0]);
    assert_eq!(warnings(&[("MALLARD_ADMIN_PASSWORD", "")]), ["MALLARD_ADMIN_PASSWORD is empty and counts as not set"]);
    assert_eq!(warnings(&[("MALLARD_ADMIN_PASSWORD", "short")]).len(), 1);
    for row in TABLE.iter().filter(|row| row.status == Status::Internal) {
        let value = CASES.iter().find(|(name, ..)| *name == row.name).unwrap().1;
        let name = row.name;
        assert_eq!(
            warnings(&[(name, value)]),
            [format!("{name} is set, which is for tests only: unset it on a real server")]
        );
    }
    assert_eq!(warnings(&[("PATH", "/bin"), ("HOME", "/")]), [""; 0]);
}

#[test]
fn an_empty_password_cannot_open_anything() {
    assert_eq!(from_env(&[("MALLARD_ADMIN_PASSWORD", "")]).unwrap().config.admin_password, None);
}

#[test]
fn gdpr_mode_forces_its_bundle_over_everything_else() {
    let loaded = from_env(&[
        ("MALLARD_GDPR_MODE", "true"),
        ("MALLARD_ROUND_TIMESTAMPS", "false"),
        ("MALLARD_GEOIP_PRECISION", "region"),
    ])
    .unwrap();
    let config = &loaded.config;
    let expected = Privacy {
        strip_referrer_query: true,
        round_timestamps: true,
        suppress_visitor_id: false,
        suppress_browser_version: true,
        suppress_os_version: true,
        suppress_screen_size: true,
    };
    assert_eq!(config.privacy, expected);
    assert_eq!(config.geoip_precision, GeoipPrecision::Country);
    assert!(loaded.to_string().contains("MALLARD_ROUND_TIMESTAMPS=\"true\" (GDPR mode)\n"), "{loaded}");
    let none = from_env(&[("MALLARD_GDPR_MODE", "true"), ("MALLARD_GEOIP_PRECISION", "none")]).unwrap();
    assert_eq!(none.config.geoip_precision, GeoipPrecision::None);
}

#[test]
fn a_value_that_is_not_utf8_is_refused() {
    let variables = [(OsString::from("MALLARD_DATA_DIR"), OsString::from_vec(vec![b'/', 0xff]))];
    let error = load(None, &Environment::new(variables)).unwrap_err().to_string();
    assert!(error.starts_with("MALLARD_DATA_DIR=") && error.ends_with("expected text in UTF-8"), "{error}");
}

#[test]
fn the_effective_configuration_has_a_line_for_every_public_variable() {
    let text = from_env(&[("MALLARD_SECRET", "0123456789abcdef")]).unwrap().to_string();
    for row in TABLE.iter().filter(|row| row.status != Status::Internal) {
        assert!(text.lines().any(|line| line.starts_with(&format!("{}=", row.name))), "{}", row.name);
    }
    assert!(!text.contains("0123456789abcdef") && !text.contains("MALLARD_TEST_"), "{text}");
}
