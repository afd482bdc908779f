//! Which referrers are made up to be seen in reports: the hosts of a list that the makers of Matomo keep, in public domain.
//!
//! The list is a file of this folder, one host a line, sorted by bytes; `scripts/spammers` brings it up to date. A host below one
//! of the list is one, too; one that merely ends in the same letters is none.

use std::sync::LazyLock;

use mallard_event::payload::Payload;

use super::event::referrer_host;

static HOSTS: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("spammers.txt").lines().collect());

/// Whether the referrer of this event is one of the list, and not the site itself.
pub(crate) fn is_spam(payload: &Payload) -> bool {
    referrer_host(payload).is_some_and(|host| is_listed(&host))
}

fn is_listed(host: &str) -> bool {
    let parents = host.match_indices('.').filter_map(|(dot, _)| host.get(dot + 1..));
    std::iter::once(host).chain(parents).any(|name| HOSTS.binary_search(&name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_holds_nothing_but_hosts() {
        assert!(HOSTS.len() > 1000 && HOSTS.is_sorted());
        let is_host = |host: &&str| {
            host.contains('.') && host.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
        };
        assert!(HOSTS.iter().all(is_host));
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
