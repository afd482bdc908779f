//! What a `User-Agent` header says about browser, operating system and device, by the table of CONTRACT §5.6.
//!
//! The table is short on purpose: what people use, the more specific token first (every Edge, Opera and Samsung Internet
//! also says `Chrome/` and `Safari/`). What no row matches is `None`, never a guess. Whether the sender is a program is
//! another question: [`super::bots`].
//!
//! [`UserAgent::parse`] is the one place that decides which bytes are believed, because the same text goes into the
//! visitor id. It is personal data: never stored, never logged, and without `Debug`.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use smol_str::SmolStr;

#[cfg(test)]
mod tests;

/// Longest version kept, in bytes: real ones have at most 20, but the header may carry thousands of digits.
const VERSION_BYTES_MAX: usize = 32;

/// A browser or an operating system, and how it is recognised.
struct Row {
    name: &'static str,
    /// The row matches if one of these occurs.
    tokens: &'static [&'static str],
    /// The version follows this token; `None`: it follows the token that matched.
    version_token: Option<&'static str>,
}

const fn row(name: &'static str, tokens: &'static [&'static str]) -> Row {
    Row { name, tokens, version_token: None }
}

const fn row_with_version(name: &'static str, tokens: &'static [&'static str], version_token: &'static str) -> Row {
    Row { name, tokens, version_token: Some(version_token) }
}

/// In this order: the first row that matches wins.
static BROWSERS: LazyLock<Table> = LazyLock::new(|| Table::new(&BROWSER_ROWS));
const BROWSER_ROWS: [Row; 9] = [
    row("Edge", &["Edg/", "Edge/", "EdgiOS/", "EdgA/"]),
    row("Opera", &["OPR/", "Opera"]),
    row("Vivaldi", &["Vivaldi"]),
    row("Brave", &["Brave"]),
    row("Samsung Internet", &["SamsungBrowser/"]),
    row("UC Browser", &["UCBrowser/"]),
    row("Chrome", &["Chrome/", "CriOS/"]),
    row("Firefox", &["Firefox/", "FxiOS/"]),
    row_with_version("Safari", &["Safari"], "Version/"),
];

/// In this order: iOS says `like Mac OS X`, and Android says `Linux`.
static SYSTEMS: LazyLock<Table> = LazyLock::new(|| Table::new(&SYSTEM_ROWS));
const SYSTEM_ROWS: [Row; 6] = [
    row("Windows", &["Windows NT "]),
    row_with_version("iOS", &["iPhone", "iPad"], "OS "),
    row("macOS", &["Mac OS X"]),
    row("Android", &["Android"]),
    row("Chrome OS", &["CrOS"]),
    row("Linux", &["Linux"]),
];

/// Rows, and a prepared search for each of their tokens: most texts hold few, and a search that finds nothing is nearly free.
struct Table(Vec<Token>);

struct Token {
    row: &'static Row,
    text: &'static str,
    finder: Finder<'static>,
}

impl Table {
    fn new(rows: &'static [Row]) -> Self {
        let tokens = rows.iter().flat_map(|row| row.tokens.iter().map(move |text| (row, *text)));
        Self(tokens.map(|(row, text)| Token { row, text, finder: Finder::new(text) }).collect())
    }

    /// The first row of which a token occurs in `text`, and that token.
    fn first_match(&self, text: &str) -> Option<&Token> {
        self.0.iter().find(|token| token.finder.find(text.as_bytes()).is_some())
    }
}

/// The text of a `User-Agent` header: printable ASCII and tabs, possibly empty.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserAgent<'a>(&'a str);

/// A product and, if it says so, its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    /// The name that is stored and shown.
    pub(crate) name: &'static str,
    /// Digits and dots.
    pub(crate) version: Option<SmolStr>,
}

/// The three classes of screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// Less than 768 pixels wide.
    Mobile,
    /// Less than 1024 pixels wide.
    Tablet,
    /// Anything wider.
    Desktop,
}

impl Device {
    /// The class of a screen `width` pixels wide.
    pub(crate) fn of_width(width: u32) -> Self {
        match width {
            0..768 => Self::Mobile,
            768..1024 => Self::Tablet,
            _ => Self::Desktop,
        }
    }

    /// The word that is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Desktop => "desktop",
        }
    }
}

impl<'a> UserAgent<'a> {
    /// The header verbatim if it holds only bytes 0x20-0x7E or tab, else the empty text.
    pub(crate) fn parse(header: &'a [u8]) -> Self {
        let plain = header.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        let text = std::str::from_utf8(header).ok().filter(|_| plain);
        Self(text.unwrap_or_default())
    }

    /// The text, as it goes into the visitor id.
    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }

    /// The browser.
    pub(crate) fn browser(self) -> Option<Product> {
        let browser = self.first_match(&BROWSERS)?;
        // Chromium also says `Chrome/` and `Safari/` and is neither.
        let is_chromium = matches!(browser.name, "Chrome" | "Safari") && self.has("Chromium");
        (!is_chromium).then_some(browser)
    }

    /// The operating system.
    pub(crate) fn system(self) -> Option<Product> {
        self.first_match(&SYSTEMS)
    }

    /// The class of device for an event that does not state its screen width.
    pub(crate) fn device(self) -> Option<Device> {
        let is_android_tablet = self.has("Android") && !self.has("Mobi");
        // `Tablet PC` is what old Internet Explorers say on any Windows.
        let is_named_tablet = self.has("Tablet") && !self.has("Tablet PC");
        if self.has("iPad") || is_android_tablet || is_named_tablet {
            return Some(Device::Tablet);
        }
        if self.has("Mobi") || self.has("iPhone") {
            return Some(Device::Mobile);
        }
        self.system().map(|_| Device::Desktop)
    }

    fn has(self, token: &str) -> bool {
        self.0.contains(token)
    }

    fn first_match(self, table: &Table) -> Option<Product> {
        let Token { row, text, .. } = table.first_match(self.0)?;
        Some(Product { name: row.name, version: self.version_after(row.version_token.unwrap_or(text)) })
    }

    /// The digits and dots that follow `token`; Apple writes `_` for the dot.
    fn version_after(self, token: &str) -> Option<SmolStr> {
        let (_, rest) = self.0.split_once(token)?;
        // `Opera/9.80`, `Mac OS X 10_15`: the separator, where it is no part of the token.
        let rest = rest.strip_prefix(['/', ' ']).unwrap_or(rest);
        let version = rest
            .chars()
            .take_while(|character| matches!(character, '0'..='9' | '.' | '_'))
            .map(|character| if character == '_' { '.' } else { character })
            .take(VERSION_BYTES_MAX)
            .collect::<SmolStr>();
        version.starts_with(|first: char| first.is_ascii_digit()).then_some(version)
    }
}
