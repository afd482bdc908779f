//! [`Subject`]: whose events are meant, as a fingerprint that says nothing about the person.
//!
//! ```text
//! first 16 bytes of SHA-256("visitor|<site id>|<visitor id>")      or "user|<site id>|<user hash>"
//! ```
//! What remembers an erasure outlives what was erased, so it holds neither the id nor the hash: both are 128 random bits or
//! more to whoever does not have the events, and nobody finds them from here.

use sha2::{Digest, Sha256};

use crate::{Event, SiteId, VisitorId};

/// Bytes of a fingerprint.
pub const FINGERPRINT_BYTES: usize = 16;

/// One visitor, or one identified user, of one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// By the pseudonym of a day.
    Visitor([u8; FINGERPRINT_BYTES]),
    /// By the keyed hash of the site's own user id.
    User([u8; FINGERPRINT_BYTES]),
}

impl Subject {
    /// The visitor with this id.
    pub fn visitor(site: &SiteId, id: &VisitorId) -> Self {
        Self::Visitor(fingerprint("visitor", site, id.as_str()))
    }

    /// The user with this hash.
    pub fn user(site: &SiteId, hash: &str) -> Self {
        Self::User(fingerprint("user", site, hash))
    }

    /// Whether `event` is one of the subject's.
    pub fn is_of(self, event: &Event) -> bool {
        self.is(&event.site, event.visitor.as_str(), event.user_hash.as_deref())
    }

    /// Whether an event of `site` with this visitor id and user hash is one of the subject's.
    pub fn is(self, site: &SiteId, visitor: &str, user_hash: Option<&str>) -> bool {
        match self {
            Self::Visitor(wanted) => fingerprint("visitor", site, visitor) == wanted,
            Self::User(wanted) => user_hash.is_some_and(|hash| fingerprint("user", site, hash) == wanted),
        }
    }
}

fn fingerprint(kind: &str, site: &SiteId, id: &str) -> [u8; FINGERPRINT_BYTES] {
    let mut hash = Sha256::new();
    for part in [kind, "|", site.as_str(), "|", id] {
        hash.update(part);
    }
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_of_one_kind_one_site_and_one_id() {
        let site = |text| SiteId::parse(text).unwrap();
        let visitor = Subject::visitor(&site("a.example"), &VisitorId::parse("v").unwrap());
        // Computed with sha256sum.
        let expected = [0x55, 0xed, 0x8b, 0x41, 0xf7, 0x14, 0xaa, 0x26, 0x9a, 0xfd, 0x3c, 0x15, 0xe2, 0x42, 0x73, 0x11];
        assert_eq!(visitor, Subject::Visitor(expected));
        assert!(visitor.is(&site("a.example"), "v", None));
        assert!(!visitor.is(&site("b.example"), "v", None));
        assert!(!visitor.is(&site("a.example"), "w", Some("v")));
        let user = Subject::user(&site("a.example"), "v");
        assert!(user.is(&site("a.example"), "w", Some("v")));
        assert!(!user.is(&site("a.example"), "v", None));
    }
}
