//! [`Rates`]: how many events a second a site, and one client of a site, may send. Token buckets whose burst is their rate.
//!
//! The client's bucket is asked first: a flood from one address is refused at its own bucket and spends nothing of the
//! site's. A client is its address (IPv6: its /64) on one site. What is kept of it is a keyed 64-bit hash, in memory only.
//! Both tables are bounded: the bucket asked for longest ago goes first, and one that nobody asked for is full.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use mallard_event::{SiteId, Timestamp};

use crate::auth::ClientKey;
use crate::error::ApiError;

/// Clients whose buckets are kept.
const CLIENTS_MAX: usize = 10_000;
/// Sites whose buckets are kept.
const SITES_MAX: usize = 10_000;
/// Buckets count in millionths of an event, so that a rate per second is one per microsecond.
const EVENT: u64 = 1_000_000;
const SECOND_US: u64 = 1_000_000;
const RETRY_AFTER_SECS: u32 = 1;

/// The limits and what has been used of them.
pub(crate) struct Rates {
    sites: Buckets,
    clients: Buckets,
    hasher: RandomState,
}

impl Rates {
    /// Events per second; 0 is no limit.
    pub(crate) fn new(per_site: u32, per_client: u32) -> Self {
        Self {
            sites: Buckets::new(per_site, SITES_MAX),
            clients: Buckets::new(per_client, CLIENTS_MAX),
            hasher: RandomState::new(),
        }
    }

    /// Takes one event's worth from both buckets; 429 if one of them has none left.
    pub(crate) fn admit(&self, site: &SiteId, client: IpAddr, now: Timestamp) -> Result<(), ApiError> {
        if !self.clients.take(|| self.hash((site, ClientKey::of(client))), now) {
            return Err(refusal("Too many events from this client. Try again in a moment."));
        }
        if !self.sites.take(|| self.hash(site), now) {
            return Err(refusal("Too many events for this site. Try again in a moment."));
        }
        Ok(())
    }

    fn hash(&self, value: impl Hash) -> u64 {
        self.hasher.hash_one(value)
    }
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rates").finish_non_exhaustive()
    }
}

fn refusal(message: &'static str) -> ApiError {
    ApiError::TooManyRequests { message: message.into(), retry_after_secs: RETRY_AFTER_SECS }
}

struct Buckets {
    per_second: u64,
    buckets: Mutex<LruCache<u64, Bucket>>,
}

/// How much of a bucket was used when it was last asked.
#[derive(Clone, Copy)]
struct Bucket {
    used: u64,
    at_us: i64,
}

impl Buckets {
    fn new(per_second: u32, buckets_max: usize) -> Self {
        let bound = NonZeroUsize::new(buckets_max).unwrap_or(NonZeroUsize::MIN);
        let mut buckets = LruCache::unbounded();
        // NOTE: a bounded table of this kind takes its memory at once; this one takes it as it needs it.
        buckets.resize(bound);
        Self { per_second: per_second.into(), buckets: Mutex::new(buckets) }
    }

    fn take(&self, key: impl FnOnce() -> u64, now: Timestamp) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let at_us = now.micros();
        let bucket = buckets.get_or_insert_mut(key(), || Bucket { used: 0, at_us });
        // A clock that was set back gives nothing, and takes nothing.
        let elapsed_us = u64::try_from(at_us - bucket.at_us).unwrap_or(0).min(SECOND_US);
        let used = bucket.used.saturating_sub(elapsed_us * self.per_second);
        let has_room = used + EVENT <= self.per_second * EVENT;
        *bucket = Bucket { used: if has_room { used + EVENT } else { used }, at_us };
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::at;

    const CLIENT: &str = "203.0.113.5";

    fn after_ms(ms: i64) -> Timestamp {
        Timestamp::saturating_from_micros(at("2024-01-31T12:00:00Z").micros() + ms * 1000)
    }

    /// How many of `count` events at one instant pass.
    fn passed(rates: &Rates, site: &str, client: &str, count: usize, ms: i64) -> usize {
        let (site, client) = (SiteId::parse(site).unwrap(), client.parse().unwrap());
        (0..count).filter(|_| rates.admit(&site, client, after_ms(ms)).is_ok()).count()
    }

    #[test]
    fn a_burst_is_one_seconds_worth_and_then_events_pass_at_the_rate() {
        let rates = Rates::new(10, 0);
        assert_eq!(passed(&rates, "a.example", CLIENT, 100, 0), 10);
        assert_eq!(passed(&rates, "a.example", CLIENT, 100, 99), 0);
        assert_eq!(passed(&rates, "a.example", CLIENT, 100, 100), 1);
        assert_eq!(passed(&rates, "a.example", CLIENT, 100, 600), 5);
        assert_eq!(passed(&rates, "a.example", CLIENT, 100, 60_000), 10, "a pause saves up one second at most");
    }

    #[test]
    fn sites_do_not_share_a_bucket() {
        let rates = Rates::new(3, 0);
        assert_eq!(passed(&rates, "a.example", CLIENT, 10, 0), 3);
        assert_eq!(passed(&rates, "b.example", CLIENT, 10, 0), 3);
    }

    #[test]
    fn one_client_over_its_limit_spends_nothing_of_the_sites() {
        let rates = Rates::new(10, 2);
        assert_eq!(passed(&rates, "a.example", CLIENT, 1000, 0), 2);
        let others = (0..8).map(|n| passed(&rates, "a.example", &format!("198.51.100.{n}"), 1, 0)).sum::<usize>();
        assert_eq!(others, 8);
        assert_eq!(passed(&rates, "a.example", "198.51.100.99", 1, 0), 0, "now the site's bucket is empty");
        assert_eq!(passed(&rates, "b.example", CLIENT, 5, 0), 2, "the limit is one of client and site");
    }

    #[test]
    fn an_ipv6_subscriber_is_one_client() {
        let rates = Rates::new(0, 1);
        assert_eq!(passed(&rates, "a.example", "2001:db8::1", 1, 0), 1);
        assert_eq!(passed(&rates, "a.example", "2001:db8::2", 1, 0), 0);
        assert_eq!(passed(&rates, "a.example", "2001:db8:0:1::1", 1, 0), 1);
    }

    #[test]
    fn without_limits_everything_passes() {
        assert_eq!(passed(&Rates::new(0, 0), "a.example", CLIENT, 1000, 0), 1000);
    }

    #[test]
    fn the_highest_rate_and_a_clock_that_jumps_do_not_overflow() {
        let rates = Rates::new(1_000_000, 1_000_000);
        assert_eq!(passed(&rates, "a.example", CLIENT, 3, i64::MIN / 2_000), 3);
        assert_eq!(passed(&rates, "a.example", CLIENT, 3, 200_000_000_000_000), 3);
        assert_eq!(passed(&rates, "a.example", CLIENT, 3, 0), 3);
    }

    #[test]
    fn no_more_buckets_are_kept_than_the_bound() {
        let buckets = Buckets::new(1, 100);
        for key in 0..1000 {
            assert!(buckets.take(|| key, after_ms(0)));
        }
        assert_eq!(buckets.buckets.lock().unwrap().len(), 100);
    }
}
