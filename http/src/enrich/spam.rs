//! Which referrers are made up to be seen in reports: the hosts of a list that the makers of Matomo keep, in public domain.
//!
//! The list is a file of this folder, one host a line, sorted by bytes; `scripts/spammers` brings it up to date. A host below one
//! of the list is one, too; one that merely ends in the same letters is none.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::referrer::Referral;

const LIST: &str = include_str!("spammers.txt");

static HOSTS: LazyLock<HashSet<&str>> = LazyLock::new(|| LIST.lines().collect());

/// Whether the referrer is one of the list. What has a name of its own is none, and need not be looked for.
pub(crate) fn is_spam(referral: &Referral) -> bool {
    referral.site.is_none() && is_listed(&referral.host)
}

fn is_listed(host: &str) -> bool {
    let parents = host.match_indices('.').filter_map(|(dot, _)| host.get(dot + 1..));
    std::iter::once(host).chain(parents).any(|name| HOSTS.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::sites::site_of;

    #[test]
    fn the_list_is_sorted_and_holds_nothing_but_hosts() {
        let hosts: Vec<&str> = LIST.lines().collect();
        assert!(hosts.len() > 1000 && hosts.is_sorted());
        assert!(hosts.iter().all(|host| site_of(host).is_none()), "no known site is on the list");
        let is_host = |host: &&str| {
            host.contains('.') && host.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
        };
        assert!(hosts.iter().all(is_host));
    }

    #[test]
    fn a_host_below_a_listed_one_is_listed_and_one_with_the_same_end_is_not() {
        for host in ["semalt.com", "semalt.semalt.com"] {
            assert!(is_listed(host), "{host}");
        }
        for host in ["notsemalt.com", "com", "", "semalt.com.example", "google.com"] {
            assert!(!is_listed(host), "{host}");
        }
    }
}
