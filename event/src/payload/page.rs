//! [`PageUrl`]: what an event keeps of the address of its page.
//!
//! ```text
//!  https://Shop.example:8443/a%20b?utm_source=x+y&gclid=1#top
//!          `--hostname-'     `path' `----utm, click id--' `-- cut, or in hash mode a part of the path
//! ```
//!
//! An address that does not parse, or has no authority (`/a`, `a/b`, `localhost:8080/a`), is text: its path begins at
//! its first `/`, and it names no host. No text is refused here.

use std::borrow::Cow;

use smol_str::SmolStr;
use url::{Url, form_urlencoded};

use crate::text::{first_chars, without_controls};

const PATH_CHARS_MAX: usize = 2048;
const UTM_CHARS_MAX: usize = 256;
const REFUSED_SCHEMES: [&str; 3] = ["data", "javascript", "blob"];

/// The parts of a page's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageUrl {
    /// The path from its `/`, at most 2048 characters; in hash mode with the fragment.
    pub pathname: SmolStr,
    /// The host in lower case, without port; `None` if the address names none.
    pub hostname: Option<SmolStr>,
    /// The campaign.
    pub utm: Utm,
    /// Whether the query has the click id of an advertisement, `gclid` or `msclkid`.
    pub has_click_id: bool,
}

/// The `utm_` parameters of a query, decoded, at most 256 characters each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Utm {
    /// `utm_source`.
    pub source: Option<SmolStr>,
    /// `utm_medium`.
    pub medium: Option<SmolStr>,
    /// `utm_campaign`.
    pub campaign: Option<SmolStr>,
    /// `utm_content`.
    pub content: Option<SmolStr>,
    /// `utm_term`.
    pub term: Option<SmolStr>,
}

impl PageUrl {
    /// Takes `text` apart. In hash mode the fragment is a part of the path.
    pub fn parse(text: &str, hash_mode: bool) -> Self {
        let text = without_controls(text);
        let text = text.trim();
        let (address, fragment) = split_at_mark(text, '#');
        let (location, query) = split_at_mark(address, '?');
        let (mut pathname, hostname) = parts_of(location);
        if hash_mode && !fragment.is_empty() {
            pathname = Cow::Owned(format!("{pathname}#{fragment}"));
        }
        let mut page = Self {
            pathname: first_chars(&pathname, PATH_CHARS_MAX).into(),
            hostname,
            utm: Utm::default(),
            has_click_id: false,
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            page.offer(&key, &without_controls(&value));
        }
        page
    }

    /// Takes one parameter of the query; the last that is not empty stays.
    fn offer(&mut self, key: &str, value: &str) {
        let slot = match key {
            _ if value.is_empty() => return,
            "utm_source" => &mut self.utm.source,
            "utm_medium" => &mut self.utm.medium,
            "utm_campaign" => &mut self.utm.campaign,
            "utm_content" => &mut self.utm.content,
            "utm_term" => &mut self.utm.term,
            "gclid" | "msclkid" => {
                self.has_click_id = true;
                return;
            }
            _ => return,
        };
        *slot = Some(first_chars(value, UTM_CHARS_MAX).into());
    }
}

/// Whether `text` is what a browser would run or show by itself, and not the address of a page.
pub(super) fn is_no_page(text: &str) -> bool {
    // Browsers see through control characters and spaces: "java\nscript:" is "javascript:".
    let text = without_controls(text);
    let scheme = split_scheme(text.trim()).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| REFUSED_SCHEMES.iter().any(|refused| scheme.eq_ignore_ascii_case(refused)))
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    is_scheme.then_some((scheme, rest))
}

/// What stands before `mark` and after it.
fn split_at_mark(text: &str, mark: char) -> (&str, &str) {
    text.split_once(mark).unwrap_or((text, ""))
}

/// The rest of `text` behind `scheme://`, so that a host that is not one is not taken for a path.
fn without_authority(text: &str) -> &str {
    split_scheme(text).and_then(|(_, rest)| rest.strip_prefix("//")).unwrap_or(text)
}

/// From the first `/`, else `/`.
fn path_of(text: &str) -> &str {
    text.find('/').and_then(|start| text.get(start..)).unwrap_or("/")
}

/// Path and host of an address without query and fragment.
fn parts_of(location: &str) -> (Cow<'_, str>, Option<SmolStr>) {
    if let Some((host, path)) = plain_parts(location) {
        return (path.into(), Some(host.into()));
    }
    match Url::parse(location) {
        Ok(url) if url.has_authority() => (path_of(url.path()).to_owned().into(), host_of(&url)),
        _ => (path_of(without_authority(location)).into(), None),
    }
}

/// Host and path of an address that stands as it is, as nearly all do: what [`Url::parse`] would make of it is the same
/// text. `None` if there is anything to decode, fold, resolve or refuse; also for a port, a query or a fragment.
pub fn plain_parts(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_name = host.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
        && host.starts_with(|first: char| first.is_ascii_alphanumeric())
        // A last label of digits makes an address of numbers.
        && host.rsplit('.').next().is_some_and(|label| label.starts_with(|first: char| first.is_ascii_lowercase()))
        // Punycode, and labels that are none.
        && !["--", "..", ".-", "-."].iter().any(|odd| host.contains(odd));
    let is_literal = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte))
        && !path.contains("/.");
    (is_name && is_literal).then_some((host, if path.is_empty() { "/" } else { path }))
}

fn host_of(url: &Url) -> Option<SmolStr> {
    let host = url.host_str().filter(|host| !host.is_empty());
    host.map(|host| host.to_lowercase().into())
}
