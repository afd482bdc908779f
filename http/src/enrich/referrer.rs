//! Where a visitor came from: the host of the referrer, and what reports call it (CONTRACT §5.6).
//!
//! A referrer on the site itself leads nowhere: it is stored, but has no source, so that clicks within a site do not turn
//! visits into referrals of their own. A text without a host has no source either. Names are found on domain boundaries
//! ([`super::sites`]), never as substrings: `plumbing.com` is not Bing, `x.github.io` is not GitHub.

use std::borrow::Cow;

use mallard_event::payload::plain_parts;
use smol_str::{SmolStr, StrExt as _};
use url::Url;

use super::sites::{Site, site_of};

#[cfg(test)]
mod tests;

/// Where a visitor came from, if it is not the site itself.
#[derive(Clone, Debug)]
pub(crate) struct Referral {
    /// Its host as reports show it.
    pub(crate) host: SmolStr,
    /// The known site that the host belongs to.
    pub(crate) site: Option<Site>,
}

impl Referral {
    /// What `referrer` says, unless that is one of `own` hosts or no host at all.
    pub(crate) fn of(referrer: &str, own: &[&str]) -> Option<Self> {
        external_host(referrer, own).map(Self::from)
    }

    /// The name of the site, else the host.
    pub(crate) fn into_source(self) -> SmolStr {
        self.site.and_then(|site| site.name).map_or(self.host, SmolStr::new_static)
    }
}

impl From<SmolStr> for Referral {
    fn from(host: SmolStr) -> Self {
        Self { site: site_of(&host), host }
    }
}

/// The host of `referrer` as reports show it (lower-case, no port, no `www.`), unless it is one of `own` hosts.
fn external_host(referrer: &str, own: &[&str]) -> Option<SmolStr> {
    let host = host_of(referrer)?;
    let host = bare_host(&host);
    let is_own = own.iter().any(|own| bare_host(own).eq_ignore_ascii_case(host));
    (!host.is_empty() && !is_own).then(|| host.to_ascii_lowercase_smolstr())
}

fn host_of(referrer: &str) -> Option<Cow<'_, str>> {
    match plain_parts(without_query(referrer)) {
        Some((host, _)) => Some(host.into()),
        None => Some(Url::parse(referrer).ok()?.host_str()?.to_owned().into()),
    }
}

/// `referrer` without its query and fragment, which may name a person.
pub(crate) fn without_query(referrer: &str) -> &str {
    referrer.split(['?', '#']).next().unwrap_or_default()
}

/// `WWW.Example.com.` and a site id such as `example.com:8080` are both `example.com`, whatever the case.
fn bare_host(host: &str) -> &str {
    let without_port = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
    let without_dot = without_port.strip_suffix('.').unwrap_or(without_port);
    match without_dot.split_at_checked(WWW.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(WWW) => rest,
        _ => without_dot,
    }
}

const WWW: &str = "www.";
