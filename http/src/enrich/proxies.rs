//! [`TrustedProxies`]: the peers whose forwarding headers are believed (`MALLARD_TRUSTED_PROXIES`).
//!
//! A list of `loopback`, `private`, addresses and CIDR networks, separated by commas, or `none`. Addresses are compared
//! in their canonical form, so that `::ffff:10.0.0.1` is `10.0.0.1`.

use std::net::IpAddr;

use ipnet::IpNet;

/// `127.0.0.0/8` and `::1`.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
/// RFC 1918, unique local (RFC 4193) and link-local networks.
const PRIVATE: [&str; 6] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "169.254.0.0/16", "fe80::/10"];

/// Networks whose hosts may speak for their clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
}

/// One entry of the list is none of the forms that are understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{entry}' is no trusted proxy; use loopback, private, an address, a network such as 10.0.0.0/8, or none alone"
)]
pub struct InvalidProxy {
    /// The entry as it was written.
    pub entry: String,
}

impl TrustedProxies {
    /// Parses the list; blanks around entries are ignored.
    pub fn parse(list: &str) -> Result<Self, InvalidProxy> {
        if list.trim().eq_ignore_ascii_case("none") {
            return Ok(Self { networks: Vec::new() });
        }
        let mut networks = Vec::new();
        for entry in list.split(',').map(str::trim) {
            let named = networks_of(entry).ok_or_else(|| InvalidProxy { entry: entry.to_owned() })?;
            networks.extend(named);
        }
        Ok(Self { networks })
    }

    /// Whether forwarding headers sent by `address` are believed. `address` is canonical.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// `loopback,private`.
impl Default for TrustedProxies {
    fn default() -> Self {
        let networks = LOOPBACK.iter().chain(&PRIVATE).filter_map(|network| network.parse().ok()).collect();
        Self { networks }
    }
}

fn networks_of(entry: &str) -> Option<Vec<IpNet>> {
    let parse_all = |networks: &[&str]| networks.iter().map(|network| network.parse().ok()).collect();
    if entry.eq_ignore_ascii_case("loopback") {
        return parse_all(&LOOPBACK);
    }
    if entry.eq_ignore_ascii_case("private") {
        return parse_all(&PRIVATE);
    }
    let address = entry.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    Some(vec![address.or_else(|_| entry.parse()).ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusts(list: &str, address: &str) -> bool {
        TrustedProxies::parse(list).unwrap().trusts(address.parse::<IpAddr>().unwrap().to_canonical())
    }

    #[test]
    fn each_kind_of_entry_trusts_what_it_names_and_nothing_else() {
        let cases = [
            ("loopback", "127.0.0.1", true),
            ("loopback", "127.255.0.9", true),
            ("loopback", "::1", true),
            ("loopback", "::ffff:127.0.0.1", true),
            ("loopback", "10.0.0.1", false),
            ("private", "10.1.2.3", true),
            ("private", "172.16.0.1", true),
            ("private", "172.31.255.255", true),
            ("private", "172.32.0.1", false),
            ("private", "192.168.9.9", true),
            ("private", "169.254.1.1", true),
            ("private", "fdaa:0:1::3", true),
            ("private", "fe80::1", true),
            ("private", "127.0.0.1", false),
            ("private", "8.8.8.8", false),
            ("private", "2001:db8::1", false),
            ("203.0.113.0/24", "203.0.113.77", true),
            ("203.0.113.0/24", "203.0.114.1", false),
            ("203.0.113.9/24", "203.0.113.77", true),
            ("198.51.100.7", "198.51.100.7", true),
            ("198.51.100.7", "198.51.100.8", false),
            ("::ffff:198.51.100.7", "198.51.100.7", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            (" Loopback , 203.0.113.1 ", "203.0.113.1", true),
            ("none", "127.0.0.1", false),
            (" None ", "10.0.0.1", false),
        ];
        for (list, address, expected) in cases {
            assert_eq!(trusts(list, address), expected, "{list} / {address}");
        }
    }

    #[test]
    fn the_default_is_loopback_and_private() {
        assert_eq!(TrustedProxies::default(), TrustedProxies::parse("loopback,private").unwrap());
    }

    #[test]
    fn an_entry_that_is_not_understood_is_refused_by_name() {
        for (list, entry) in [
            ("", ""),
            ("loopback,,private", ""),
            ("none,loopback", "none"),
            ("10.0.0.0/33", "10.0.0.0/33"),
            ("proxy.local", "proxy.local"),
        ] {
            assert_eq!(TrustedProxies::parse(list).unwrap_err().entry, entry, "{list}");
        }
    }
}
