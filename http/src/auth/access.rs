//! [`Principal`]: who makes a request, and what that allows (CONTRACT §4.2).
//!
//! ```text
//! cookie mm_session  ->  Authorization: Bearer <key>  ->  X-API-Key: <key>      the first that is in force counts
//! nobody known 401         wrong scope, wrong site, foreign page 403
//! ```
//! | | reads | changes | sends events with trusted fields |
//! |---|---|---|---|
//! | session | all sites | everything, from our own page | - |
//! | Admin | its sites | its sites; without a restriction everything | its sites |
//! | ReadOnly | its sites | - | - |
//! | Ingest | - | - | its sites |

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName};
use mallard_event::{SiteId, Timestamp};

use super::keys::{Grant, Scope};
use super::{Auth, cookie, csrf};
use crate::error::ApiError;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who makes a request, once that is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Somebody who knows the password.
    Session,
    /// A program with a key.
    Key(Grant),
}

impl Principal {
    /// Whether `site` is among what the principal may deal with.
    pub fn covers(&self, site: &SiteId) -> bool {
        match self {
            Self::Session => true,
            Self::Key(grant) => grant.covers(site),
        }
    }

    /// 403 unless the principal may deal with the site of this name. A name that no site can have is left to the
    /// handler, which says what is wrong with it, if there is no restriction.
    pub(crate) fn require_site(&self, name: &str) -> Result<(), ApiError> {
        match self {
            Self::Key(Grant { sites: Some(_), .. }) if !SiteId::parse(name).is_ok_and(|site| self.covers(&site)) => {
                Err(ApiError::forbidden("The key is not for this site"))
            }
            _ => Ok(()),
        }
    }

    /// 403 for keys that are restricted to sites: what concerns the whole server is not theirs.
    pub(crate) fn require_all_sites(&self) -> Result<(), ApiError> {
        match self {
            Self::Key(Grant { sites: Some(_), .. }) => {
                Err(ApiError::forbidden("The key is restricted to sites, and this concerns all of them"))
            }
            _ => Ok(()),
        }
    }
}

impl Auth {
    /// Who makes the request with these headers; 401 if nobody that is known.
    pub fn authorize(&self, headers: &HeaderMap, now: Timestamp) -> Result<Principal, ApiError> {
        if self.has_session(headers, now) {
            return Ok(Principal::Session);
        }
        let grant = self.key_grant(headers, now);
        grant.map(Principal::Key).ok_or_else(|| ApiError::Unauthorized("Authentication required".into()))
    }

    /// The same for who wants to read: 403 for a key that is for something else.
    pub(crate) fn authorize_reading(&self, headers: &HeaderMap, now: Timestamp) -> Result<Principal, ApiError> {
        match self.authorize(headers, now)? {
            Principal::Key(Grant { scope: Scope::Ingest, .. }) => {
                Err(ApiError::forbidden("The key may not read: its scope is Ingest"))
            }
            principal => Ok(principal),
        }
    }

    /// The same for who wants to change something: a session from our own page, or a key with scope Admin.
    pub(crate) fn authorize_change(&self, headers: &HeaderMap, now: Timestamp) -> Result<Principal, ApiError> {
        let principal = self.authorize(headers, now)?;
        match &principal {
            Principal::Session => csrf::require_own_origin(headers, self.dashboard_origin())?,
            Principal::Key(Grant { scope: Scope::Admin, .. }) => {}
            Principal::Key(_) => {
                return Err(ApiError::forbidden("The key may not change anything: it needs scope Admin"));
            }
        }
        Ok(principal)
    }

    /// The same for who wants to see what only an operator may change.
    pub(crate) fn authorize_managing(&self, headers: &HeaderMap, now: Timestamp) -> Result<Principal, ApiError> {
        match self.authorize(headers, now)? {
            Principal::Key(Grant { scope: Scope::ReadOnly | Scope::Ingest, .. }) => {
                Err(ApiError::forbidden("The key may not manage: it needs scope Admin"))
            }
            principal => Ok(principal),
        }
    }

    /// The same for who wants to send a batch; sessions do not send events.
    pub(crate) fn authorize_sending(&self, headers: &HeaderMap, now: Timestamp) -> Result<Grant, ApiError> {
        let missing = || ApiError::Unauthorized("An API key with scope Ingest or Admin is required".into());
        let grant = self.key_grant(headers, now).ok_or_else(missing)?;
        may_send(&grant)
            .then_some(grant)
            .ok_or_else(|| ApiError::forbidden("The key may not send: it needs scope Ingest"))
    }

    /// The grant of a key that may send events, if the request shows one. Any other key is ignored.
    pub(crate) fn sender(&self, headers: &HeaderMap, now: Timestamp) -> Option<Grant> {
        self.key_grant(headers, now).filter(may_send)
    }

    /// Whether the request has the cookie of a session that is live.
    pub(super) fn has_session(&self, headers: &HeaderMap, now: Timestamp) -> bool {
        cookie::presented(headers).iter().any(|token| self.sessions.is_live(token, now))
    }

    fn key_grant(&self, headers: &HeaderMap, now: Timestamp) -> Option<Grant> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text(AUTHORIZATION).and_then(|value| value.split_once(' '));
        let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).map(|(_, key)| key.trim());
        [bearer, text(X_API_KEY)].into_iter().flatten().find_map(|key| self.keys.grant(key, now))
    }
}

fn may_send(grant: &Grant) -> bool {
    matches!(grant.scope, Scope::Ingest | Scope::Admin)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn restricted() -> Principal {
        let sites: Arc<[SiteId]> = Arc::new([SiteId::parse("a.example").unwrap()]);
        Principal::Key(Grant { scope: Scope::Admin, sites: Some(sites) })
    }

    #[test]
    fn a_restricted_key_is_for_its_sites_and_nothing_else() {
        assert!(restricted().require_site("a.example").is_ok());
        for name in ["b.example", "A.example", "", "a.example,b.example", "a/b"] {
            assert_eq!(restricted().require_site(name).unwrap_err().status(), 403, "{name}");
        }
        assert_eq!(restricted().require_all_sites().unwrap_err().status(), 403);
    }

    #[test]
    fn without_a_restriction_every_site_is_fine_and_nonsense_is_the_handlers() {
        let unrestricted = Principal::Key(Grant { scope: Scope::ReadOnly, sites: None });
        for principal in [Principal::Session, unrestricted] {
            assert!(principal.require_site("b.example").is_ok());
            assert!(principal.require_site("a/b").is_ok());
            assert!(principal.require_all_sites().is_ok());
        }
    }
}
