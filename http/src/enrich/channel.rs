//! Which kind of way led a visitor here: one word for the acquisition report, by the first rule that matches
//! (CONTRACT §5.6).
//!
//! Rules ask for the *site of origin*. A link that was tagged knows best, so that is the site that `utm_source` names
//! (`google`, `facebook.com`), if it is a known one, and otherwise the referrer's.

use smol_str::{SmolStrBuilder, StrExt as _};

use super::referrer::Referral;
use super::sites::{Kind, site_of};

#[cfg(test)]
mod tests;

/// What is known about how a visitor came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arrival<'a> {
    pub(crate) utm_source: Option<&'a str>,
    pub(crate) utm_medium: Option<&'a str>,
    /// Whether any of the five utm parameters is present.
    pub(crate) is_tagged: bool,
    /// Whether the address carries the click id of an advertisement (`gclid`, `msclkid`).
    pub(crate) has_click_id: bool,
    /// The referrer, if it is not the site itself.
    pub(crate) referral: Option<&'a Referral>,
}

/// The channel of an arrival.
pub(crate) fn channel(arrival: &Arrival<'_>) -> &'static str {
    let medium = arrival.utm_medium.unwrap_or_default().trim().to_ascii_lowercase_smolstr();
    let source = arrival.utm_source.unwrap_or_default().trim().to_ascii_lowercase_smolstr();
    let origin = kind_of_tag(&source).or_else(|| arrival.referral?.site.map(|site| site.kind));
    let is_mail = |word: &str| matches!(word, "email" | "newsletter");
    match (medium.as_str(), origin) {
        (medium, origin) if is_paid(medium) || arrival.has_click_id => paid(origin, arrival.has_click_id),
        ("display" | "banner" | "cpm", _) => "Display",
        (medium, _) if is_mail(medium) || is_mail(&source) => "Email",
        ("affiliate", _) => "Affiliates",
        (_, Some(Kind::Search)) => "Organic Search",
        ("social", _) | (_, Some(Kind::Social)) => "Organic Social",
        (_, Some(Kind::Assistant)) => "AI Assistants",
        _ if arrival.is_tagged => "Campaign",
        _ if arrival.referral.is_some() => "Referral",
        _ => "Direct",
    }
}

fn is_paid(medium: &str) -> bool {
    matches!(medium, "cpc" | "ppc") || medium.starts_with("paid")
}

fn paid(origin: Option<Kind>, has_click_id: bool) -> &'static str {
    match origin {
        _ if has_click_id => "Paid Search",
        Some(Kind::Search) => "Paid Search",
        Some(Kind::Social) => "Paid Social",
        _ => "Paid Other",
    }
}

/// `facebook.com` and `facebook` both mean the site.
fn kind_of_tag(source: &str) -> Option<Kind> {
    if source.is_empty() {
        return None;
    }
    if source.contains('.') {
        return site_of(source).map(|site| site.kind);
    }
    let mut domain = SmolStrBuilder::new();
    domain.push_str(source);
    domain.push_str(".com");
    site_of(&domain.finish()).map(|site| site.kind)
}
