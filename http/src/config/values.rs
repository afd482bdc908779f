//! The grammar of configuration values: text in, a typed value out, or what was expected instead.
//!
//! Strict on purpose: a typing error in a configuration must stop the server, not silently choose a default.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use mallard_event::SiteId;
use tracing_subscriber::EnvFilter;

/// What a value should have been, to follow the word "expected".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected(pub(crate) Cow<'static, str>);

/// A value, or what was expected.
pub(crate) type Parsed<T> = Result<T, Expected>;

fn expected<T>(what: impl Into<Cow<'static, str>>) -> Parsed<T> {
    Err(Expected(what.into()))
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// An origin as browsers send it: scheme, host and, unless it is the scheme's own, port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The text of an `Origin` header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its scheme is https.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

/// `true 1 yes on` or `false 0 no off`, any case.
pub(crate) fn boolean(text: &str) -> Parsed<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => expected("true, 1, yes or on, or false, 0, no or off"),
    }
}

/// Decimal digits only, within `range`; `unit` is named in the error (empty: a plain number).
pub(crate) fn whole<T: TryFrom<u64>>(text: &str, range: RangeInclusive<u64>, unit: &str) -> Parsed<T> {
    match digits(text).filter(|number| range.contains(number)).map(T::try_from) {
        Some(Ok(number)) => Ok(number),
        _ => expected(describe(&range, unit)),
    }
}

/// Like [`whole`], with 0 as one more value that has a meaning of its own.
pub(crate) fn zero_or_whole(text: &str, range: RangeInclusive<u64>, unit: &str) -> Parsed<u64> {
    match digits(text).filter(|number| *number == 0 || range.contains(number)) {
        Some(number) => Ok(number),
        None => expected(format!("0, or {}", describe(&range, unit))),
    }
}

fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn describe(range: &RangeInclusive<u64>, unit: &str) -> String {
    let separator = if unit.is_empty() { "" } else { " " };
    format!("a whole number {} to {}{separator}{unit}", range.start(), range.end())
}

/// One of `names`, any case.
pub(crate) fn choice<T: Copy>(text: &str, names: &[(&str, T)]) -> Parsed<T> {
    match names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        Some((_, value)) => Ok(*value),
        None => {
            let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            expected(format!("one of {}", names.join(", ")))
        }
    }
}

/// An address, or a name that a resolver could know.
pub(crate) fn host(text: &str) -> Parsed<String> {
    let name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.parse::<IpAddr>().is_ok() || (!text.is_empty() && name(text)) {
        return Ok(bare.to_owned());
    }
    expected("an IP address or a host name, without scheme and port")
}

/// A path; any text but the empty one.
pub(crate) fn path(text: &str) -> Parsed<PathBuf> {
    if text.is_empty() { expected("a path") } else { Ok(PathBuf::from(text)) }
}

/// Site ids, separated by commas; blanks around them are ignored.
pub(crate) fn site_ids(text: &str) -> Parsed<Vec<SiteId>> {
    text.split(',').map(|id| SiteId::parse(id.trim())).collect::<Result<_, _>>().or_else(|_| {
        expected("site ids separated by commas, each 1 to 256 characters of A-Z, a-z, 0-9, '.', '-', '_', ':'")
    })
}

/// `http(s)://host[:port]`, nothing else.
pub(crate) fn origin(text: &str) -> Parsed<Origin> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let bare = rest.is_some_and(|rest| !rest.contains(['/', '?', '#', '@', '\\']));
    match url::Url::parse(text) {
        Ok(url) if bare && url.has_host() => Ok(Origin(url.origin().ascii_serialization())),
        _ => expected("http://host[:port] or https://host[:port], without a path"),
    }
}

/// A secret of `range` bytes.
pub(crate) fn secret(text: &str, range: RangeInclusive<usize>) -> Parsed<String> {
    if range.contains(&text.len()) {
        return Ok(text.to_owned());
    }
    match (*range.start(), *range.end()) {
        (min, usize::MAX) => expected(format!("at least {min} bytes")),
        (min, max) => expected(format!("{min} to {max} bytes")),
    }
}

/// Log directives, as `RUST_LOG` has them.
pub(crate) fn log_filter(text: &str) -> Parsed<String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => expected("log directives such as mallard_metrics=info,tower_http=warn"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_eight_words_in_any_case() {
        for word in ["true", "1", "YES", "On"] {
            assert_eq!(boolean(word), Ok(true), "{word}");
        }
        for word in ["FALSE", "0", "no", "Off"] {
            assert_eq!(boolean(word), Ok(false), "{word}");
        }
        for word in ["", " true", "2", "enabled", "ja"] {
            assert!(boolean(word).is_err(), "{word:?}");
        }
    }

    #[test]
    fn numbers_are_decimal_digits_within_their_range() {
        assert_eq!(whole::<u16>("0", 0..=65_535, ""), Ok(0));
        assert_eq!(whole::<u16>("65535", 0..=65_535, ""), Ok(65_535));
        for text in ["", "65536", "-1", "+1", "1.0", "0x10", "1_000", " 1", "99999999999999999999999"] {
            let Err(Expected(message)) = whole::<u16>(text, 0..=65_535, "") else { panic!("{text:?} was taken") };
            assert_eq!(message, "a whole number 0 to 65535", "{text:?}");
        }
    }

    #[test]
    fn a_range_that_also_takes_zero_says_so() {
        assert_eq!(zero_or_whole("0", 32..=64, "MB"), Ok(0));
        assert_eq!(zero_or_whole("31", 32..=64, "MB"), Err(Expected("0, or a whole number 32 to 64 MB".into())));
    }

    #[test]
    fn hosts_are_addresses_or_names() {
        assert_eq!(host("[::1]"), Ok("::1".to_owned()));
        assert_eq!(host("::"), Ok("::".to_owned()));
        assert_eq!(host("localhost"), Ok("localhost".to_owned()));
        for text in ["", "http://x", "a b", "x:80"] {
            assert!(host(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn origins_are_normalised_to_what_a_browser_sends() {
        let text = |input| origin(input).map(|origin| origin.as_str().to_owned());
        assert_eq!(text("https://Stats.Example.com"), Ok("https://stats.example.com".to_owned()));
        assert_eq!(text("https://a.example:443"), Ok("https://a.example".to_owned()));
        assert_eq!(text("http://localhost:8000"), Ok("http://localhost:8000".to_owned()));
        for input in ["", "a.example", "ftp://a.example", "https://a.example/", "https://u@a.example", "https://", "*"]
        {
            assert!(origin(input).is_err(), "{input:?}");
        }
    }

    #[test]
    fn site_id_lists_refuse_an_ill_formed_item() {
        assert_eq!(site_ids("a.example, b.example:8080").unwrap().len(), 2);
        for text in ["", "a.example,", "a/b"] {
            assert!(site_ids(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn log_filters_may_name_targets_that_do_not_exist_here() {
        assert!(log_filter("mallard_metrics=info,tower_http=warn").is_ok());
        assert!(log_filter("mallard_metrics=loud").is_err());
        assert!(log_filter("").is_err());
    }
}
