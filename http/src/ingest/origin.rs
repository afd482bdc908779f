//! The `Origin` allowlist: with `MALLARD_SITE_IDS`, only pages of these sites may send events from a browser.
//!
//! It keeps foreign pages out of the numbers. It is no protection against a program, which sends what it likes or
//! nothing: that is why the site id itself must be on the list too.

use hyper::header::HeaderValue;
use mallard_event::SiteId;

use crate::error::ApiError;

/// Passes if there is no list or no `Origin`, or if the origin's authority is on the list, with or without a port.
pub(super) fn check(origin: Option<&HeaderValue>, allowed: &[SiteId]) -> Result<(), ApiError> {
    match origin {
        Some(origin) if !allowed.is_empty() && !is_listed(origin, allowed) => {
            Err(ApiError::forbidden("Origin is not a site of this server"))
        }
        _ => Ok(()),
    }
}

fn is_listed(origin: &HeaderValue, allowed: &[SiteId]) -> bool {
    let authority = origin.to_str().ok().and_then(|text| text.split_once("://")).map(|(_, authority)| authority);
    authority.is_some_and(|authority| {
        allowed.iter().any(|site| {
            let rest = authority.strip_prefix(site.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(origin: Option<&'static str>, allowed: &[&str]) -> bool {
        let allowed: Vec<SiteId> = allowed.iter().map(|id| SiteId::parse(id).unwrap()).collect();
        check(origin.map(HeaderValue::from_static).as_ref(), &allowed).is_ok()
    }

    #[test]
    fn an_origin_passes_if_its_authority_is_a_listed_site() {
        let list = ["a.example", "b.example:8080"];
        for origin in ["https://a.example", "http://a.example:3000", "https://b.example:8080"] {
            assert!(passes(Some(origin), &list), "{origin}");
        }
        for origin in ["https://evil-a.example", "https://a.example.evil", "https://b.example", "null", "a.example", ""]
        {
            assert!(!passes(Some(origin), &list), "{origin}");
        }
    }

    #[test]
    fn without_a_list_or_an_origin_everything_passes() {
        assert!(passes(Some("https://anything.example"), &[]));
        assert!(passes(None, &["a.example"]));
    }
}
