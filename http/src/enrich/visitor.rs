//! The visitor id: a pseudonym of (site, address, user agent) that nobody can recompute once its day is over.
//!
//! ```text
//! first 32 hex digits of HMAC-SHA256(key of the day, "{site_id}|{ip}|{user_agent}")
//! ```
//! The site is part of it, so one person on two sites of an install is two ids. The address appears as its canonical text
//! (IPv6 as RFC 5952 has it), nowhere else, and never leaves this function.

use std::net::IpAddr;

use mallard_event::{Invalid, SiteId, VisitorId};
use smol_str::{SmolStr, SmolStrBuilder, ToSmolStr as _};

use super::salt::DayKey;
use super::user_agent::UserAgent;
use crate::auth::hex;

const ID_BYTES: usize = 16;

/// The id of a visitor on the day of `key`.
pub(super) fn visitor_id(
    key: &DayKey,
    site: &SiteId,
    address: IpAddr,
    user_agent: UserAgent<'_>,
) -> Result<VisitorId, Invalid> {
    let address = text_of(address.to_canonical());
    let parts = [site.as_str(), "|", &address, "|", user_agent.as_str()];
    let mac = key.authenticate(parts.map(str::as_bytes));
    let (id, _) = mac.split_at(ID_BYTES);
    VisitorId::parse(&hex::encode(id))
}

/// The canonical text. That of IPv4 is put together here: it is made for every event, and a formatter takes several times as long.
fn text_of(address: IpAddr) -> SmolStr {
    let IpAddr::V4(address) = address else { return address.to_smolstr() };
    let mut text = SmolStrBuilder::new();
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            text.push('.');
        }
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let zeros = digits.iter().take(2).take_while(|digit| **digit == 0).count();
        digits.iter().skip(zeros).for_each(|digit| text.push(char::from(b'0' + digit)));
    }
    text.finish()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use mallard_event::{Date, Timestamp};

    use super::super::salt::Salts;
    use super::*;
    use crate::auth::testing::{Bytes, at};
    use crate::documents::memory::Memory;

    const SITE: &str = "shop.example";
    const BROWSER: &str = "Mozilla/5.0";

    /// The key of secret `0123456789abcdef` and salt `00 01 02 .. 1f`.
    fn known_key() -> DayKey {
        let documents = Memory::default();
        let salt = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        documents.put("salt", &format!(r#"{{"salts":[{{"date":"2024-01-31","salt":"{salt}"}}]}}"#));
        let noon: Timestamp = at("2024-01-31T12:00:00Z");
        let salts = Salts::open(Arc::new(documents), Arc::new(Bytes::default()), "0123456789abcdef", noon).unwrap();
        salts.key(Date::parse("2024-01-31").unwrap()).unwrap()
    }

    fn id(site: &str, address: &str, user_agent: &str) -> String {
        let site = SiteId::parse(site).unwrap();
        let user_agent = UserAgent::parse(user_agent.as_bytes());
        visitor_id(&known_key(), &site, address.parse().unwrap(), user_agent).unwrap().to_string()
    }

    #[test]
    fn the_id_is_the_documented_hash() {
        // Computed with Python's hmac module.
        assert_eq!(id(SITE, "203.0.113.5", BROWSER), "fbb4273d3aafe074dfe4443316fbaea8");
        assert_eq!(id(SITE, "2001:db8::7", ""), "d31e9d6378e8b3da33e872ee243af99d");
        assert_eq!(id("blog.example", "203.0.113.5", BROWSER), "2d32c0c61968b9a33a55164230a057ed");
    }

    #[test]
    fn one_person_is_one_id_however_the_address_is_written() {
        assert_eq!(id(SITE, "::ffff:203.0.113.5", BROWSER), id(SITE, "203.0.113.5", BROWSER));
        assert_eq!(id(SITE, "2001:DB8:0:0:0:0:0:7", ""), id(SITE, "2001:db8::7", ""));
    }

    #[test]
    fn site_address_and_user_agent_each_make_another_id() {
        let ids = [
            id(SITE, "203.0.113.5", BROWSER),
            id("blog.example", "203.0.113.5", BROWSER),
            id(SITE, "203.0.113.6", BROWSER),
            id(SITE, "203.0.113.5", "Mozilla/5.1"),
        ];
        let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn the_text_of_an_address_is_the_canonical_one() {
        for octet in 0..=255_u8 {
            let address = IpAddr::V4(Ipv4Addr::new(octet, 255 - octet, 0, octet / 2));
            assert_eq!(text_of(address), address.to_string());
        }
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(text_of(address), "2001:db8::1");
    }
}
