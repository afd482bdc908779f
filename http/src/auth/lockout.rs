//! [`Lockout`]: after too many wrong passwords or set-up tokens, a client has to wait.
//!
//! Keyed on the client's address (IPv6: its /64, which one subscriber owns), so nobody can lock out anybody else. In memory
//! only: no address is written anywhere, and a restart forgives. At most 10,000 clients are remembered, the ones heard
//! of longest ago are forgotten first.
//!
//! An attempt is counted when it begins, not when its hash is done: parallel guesses do not slip through.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mallard_event::Timestamp;

const CLIENTS_MAX: usize = 10_000;

/// Whom attempts are counted for. It holds an address and has no `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ClientKey {
    /// An IPv4 address.
    V4([u8; 4]),
    /// The first half of an IPv6 address.
    V6([u16; 4]),
}

impl ClientKey {
    /// The key of a canonical address.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [first, second, third, fourth, ..] = address.segments();
                Self::V6([first, second, third, fourth])
            }
        }
    }
}

/// The client has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LockedOut {
    /// Seconds, at least 1.
    pub(crate) remaining_secs: u32,
}

/// Attempts that failed, or have not succeeded yet.
#[derive(Clone, Copy)]
struct Entry {
    attempts: u32,
    last_at: Timestamp,
    /// Key of this client in `Clients::by_touch`.
    touch: u64,
}

#[derive(Default)]
struct Clients {
    entries: HashMap<ClientKey, Entry>,
    /// The same clients, the one heard of longest ago first.
    by_touch: BTreeMap<u64, ClientKey>,
    touches: u64,
}

/// The rule and its memory.
pub(crate) struct Lockout {
    attempts_max: u32,
    period_us: i64,
    clients: Mutex<Clients>,
}

impl Lockout {
    /// `attempts_max` of 0: nobody is ever locked out.
    pub(crate) fn new(attempts_max: u32, period_secs: u32) -> Self {
        Self { attempts_max, period_us: i64::from(period_secs) * 1_000_000, clients: Mutex::default() }
    }

    /// Begins an attempt. Returns which one it is: it counts as failed until [`Self::succeeded`] or [`Self::withdrawn`].
    pub(crate) fn begin(&self, client: ClientKey, now: Timestamp) -> Result<u32, LockedOut> {
        if self.attempts_max == 0 || self.period_us == 0 {
            return Ok(1);
        }
        let mut clients = self.clients();
        let earlier = clients.entries.get(&client).filter(|entry| self.remaining_us(entry, now) > 0).copied();
        let attempts = earlier.map_or(0, |entry| entry.attempts);
        if let Some(entry) = earlier.filter(|_| attempts >= self.attempts_max) {
            clients.touch(client, entry);
            let remaining_secs = u32::try_from((self.remaining_us(&entry, now) + 999_999) / 1_000_000);
            return Err(LockedOut { remaining_secs: remaining_secs.unwrap_or(u32::MAX) });
        }
        clients.touch(client, Entry { attempts: attempts + 1, last_at: now, touch: 0 });
        Ok(attempts + 1)
    }

    /// Whether the attempt with this number is the last before the lockout.
    pub(crate) fn is_last(&self, attempt: u32) -> bool {
        attempt == self.attempts_max
    }

    /// The length of a lockout in seconds.
    pub(crate) fn period_secs(&self) -> i64 {
        self.period_us / 1_000_000
    }

    /// The client knew the secret: all is forgiven.
    pub(crate) fn succeeded(&self, client: ClientKey) {
        self.clients().forget(client);
    }

    /// The attempt was not examined (the server was too busy): it does not count.
    pub(crate) fn withdrawn(&self, client: ClientKey) {
        let mut clients = self.clients();
        if let Some(entry) = clients.entries.get_mut(&client) {
            entry.attempts = entry.attempts.saturating_sub(1);
        }
    }

    /// How long `entry` still counts; a clock that was set back forgives rather than locks out for ever.
    fn remaining_us(&self, entry: &Entry, now: Timestamp) -> i64 {
        let elapsed = now.micros() - entry.last_at.micros();
        if elapsed < 0 { 0 } else { self.period_us - elapsed }
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// Keeps `entry` as the one heard of last.
    fn touch(&mut self, client: ClientKey, entry: Entry) {
        self.touches += 1;
        let entry = Entry { touch: self.touches, ..entry };
        if let Some(before) = self.entries.insert(client, entry) {
            self.by_touch.remove(&before.touch);
        }
        self.by_touch.insert(entry.touch, client);
        if self.entries.len() > CLIENTS_MAX
            && let Some((_, oldest)) = self.by_touch.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }

    fn forget(&mut self, client: ClientKey) {
        if let Some(entry) = self.entries.remove(&client) {
            self.by_touch.remove(&entry.touch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::{after, at};

    fn key(address: &str) -> ClientKey {
        ClientKey::of(address.parse().unwrap())
    }

    fn noon() -> Timestamp {
        at("2024-01-31T12:00:00Z")
    }

    fn locked(remaining_secs: u32) -> Result<u32, LockedOut> {
        Err(LockedOut { remaining_secs })
    }

    #[test]
    fn after_the_last_attempt_a_client_waits_and_then_starts_anew() {
        let lockout = Lockout::new(3, 300);
        let client = key("203.0.113.5");
        for attempt in 1..=3 {
            assert_eq!(lockout.begin(client, noon()), Ok(attempt));
        }
        assert_eq!(lockout.begin(client, noon()), locked(300));
        assert_eq!(lockout.begin(client, after(noon(), 299)), locked(1), "trying again does not prolong it");
        assert_eq!(lockout.begin(client, after(noon(), 300)), Ok(1));
    }

    #[test]
    fn nobody_else_is_locked_out() {
        let lockout = Lockout::new(1, 300);
        assert_eq!(lockout.begin(key("203.0.113.5"), noon()), Ok(1));
        assert_eq!(lockout.begin(key("203.0.113.6"), noon()), Ok(1));
        assert_eq!(lockout.begin(key("2001:db8:0:1::1"), noon()), Ok(1));
        assert_eq!(lockout.begin(key("2001:db8:0:2::1"), noon()), Ok(1));
        assert_eq!(lockout.begin(key("2001:db8:0:1:ffff::9"), noon()), locked(300), "one /64 is one client");
    }

    #[test]
    fn success_forgives_and_an_attempt_that_was_not_examined_does_not_count() {
        let lockout = Lockout::new(2, 300);
        let client = key("203.0.113.5");
        assert_eq!(lockout.begin(client, noon()), Ok(1));
        lockout.succeeded(client);
        assert_eq!(lockout.begin(client, noon()), Ok(1));
        assert_eq!(lockout.begin(client, noon()), Ok(2));
        lockout.withdrawn(client);
        assert_eq!(lockout.begin(client, noon()), Ok(2));
        assert_eq!(lockout.begin(client, noon()), locked(300));
    }

    #[test]
    fn failures_that_lie_further_apart_than_the_lockout_do_not_add_up() {
        let lockout = Lockout::new(2, 300);
        let client = key("203.0.113.5");
        for hour in 0..5 {
            assert_eq!(lockout.begin(client, after(noon(), hour * 3600)), Ok(1));
        }
    }

    #[test]
    fn zero_attempts_or_seconds_mean_no_lockout() {
        for lockout in [Lockout::new(0, 300), Lockout::new(1, 0)] {
            for _ in 0..100 {
                assert_eq!(lockout.begin(key("203.0.113.5"), noon()), Ok(1));
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out_for_ever() {
        let lockout = Lockout::new(1, 300);
        let client = key("203.0.113.5");
        assert_eq!(lockout.begin(client, noon()), Ok(1));
        assert_eq!(lockout.begin(client, after(noon(), -86_400)), Ok(1));
    }

    #[test]
    fn memory_is_bounded_and_the_client_heard_of_longest_ago_is_forgotten() {
        let lockout = Lockout::new(1, 300);
        let stranger = |number: usize| ClientKey::V6([0, 0, 0, u16::try_from(number).unwrap()]);
        for number in 0..CLIENTS_MAX {
            assert_eq!(lockout.begin(stranger(number), noon()), Ok(1));
        }
        assert_eq!(lockout.begin(stranger(0), noon()), locked(300), "heard of again just now");
        assert_eq!(lockout.begin(stranger(CLIENTS_MAX), noon()), Ok(1));
        let clients = lockout.clients();
        assert_eq!(clients.entries.len(), CLIENTS_MAX);
        assert_eq!(clients.by_touch.len(), CLIENTS_MAX);
        assert!(clients.entries.contains_key(&stranger(0)));
        assert!(!clients.entries.contains_key(&stranger(1)));
    }
}
