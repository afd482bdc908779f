//! What the clients know: which events were sent, refused, acknowledged or shown. A promise is never taken back.

use std::collections::{BTreeMap, BTreeSet};

use mallard_event::{Date, Event, EventId, EventName, SiteId, Timestamp, VisitorId};

pub const SITES: [&str; 3] = ["a.example", "b.example", ".."];
pub const DAY_US: i64 = 86_400 * 1_000_000;

/// The event with this number, and the LSN it is stored at.
pub type Rows = BTreeMap<u64, usize>;

/// The model that the store is held against.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Every event that was sent, by its number.
    pub sent: Vec<Event>,
    /// Those of which the store said that they are not stored.
    refused: BTreeSet<usize>,
    /// Those that were acknowledged, or seen by a reader: by LSN.
    promised: Rows,
    /// Those that a reader found expired: by LSN.
    expired: Rows,
}

impl Oracle {
    /// A new event, sent now.
    pub fn send(&mut self, now_us: i64) -> usize {
        let number = self.sent.len();
        self.sent.push(event(number, now_us));
        number
    }

    /// The store has said that these events are not stored.
    pub fn refuse(&mut self, numbers: impl IntoIterator<Item = usize>) {
        self.refused.extend(numbers);
    }

    /// The store has said that these events are stored, from this LSN on.
    pub fn acknowledge(&mut self, first: u64, numbers: Vec<usize>) {
        for (lsn, number) in (first..).zip(numbers) {
            let other = self.promised.insert(lsn, number).filter(|other| *other != number);
            assert_eq!(other, None, "lsn {lsn} was promised to another event than {number}");
        }
    }

    /// The highest LSN that was promised.
    pub fn newest(&self) -> u64 {
        self.promised.last_key_value().map_or(0, |(lsn, _)| *lsn)
    }

    /// Whether these rows, with what retention may have taken of the days before `first_kept`, are what was promised, and
    /// nothing that was not sent. They are a promise from now on.
    pub fn check(&mut self, rows: &Rows, first_kept: Option<Date>) {
        let is_expired = |number: usize| first_kept.is_some_and(|kept| self.sent[number].timestamp.date() < kept);
        for (lsn, number) in &self.promised {
            match rows.get(lsn) {
                Some(found) => assert_eq!(found, number, "lsn {lsn} was promised to event {number}"),
                None if is_expired(*number) => drop(self.expired.insert(*lsn, *number)),
                None => panic!("event {number} was promised at lsn {lsn} and is lost"),
            }
        }
        let mut newest = None;
        for (lsn, number) in rows {
            assert!(*number < self.sent.len(), "event {number} is visible and was never sent");
            assert!(!self.refused.contains(number), "event {number} was refused and is visible");
            assert!(!self.expired.contains_key(lsn), "event {number} had expired and is back");
            assert!(newest.is_none_or(|newest| newest < *number), "event {number} is visible twice, or out of order");
            newest = Some(*number);
        }
        let may_expire_unseen = (0..self.sent.len()).any(is_expired);
        let last = rows.last_key_value().map_or(0, |(lsn, _)| *lsn);
        let is_there = |lsn: &u64| rows.contains_key(lsn) || self.expired.contains_key(lsn);
        let missing = (1..=last).find(|lsn| !is_there(lsn) && !may_expire_unseen);
        assert_eq!(missing, None, "LSNs are not dense");
        self.promised.extend(rows);
        self.promised.retain(|lsn, _| !self.expired.contains_key(lsn));
    }
}

fn event(number: usize, now_us: i64) -> Event {
    let site = if number % 16 == 15 { 2 } else { usize::from(number % 3 == 2) };
    // Every eighth event happened yesterday.
    let at_us = now_us - if number % 8 == 5 { DAY_US } else { 0 };
    let event = Event::new(
        SiteId::parse(SITES[site]).unwrap(),
        VisitorId::parse(&format!("visitor-{}", number % 5)).unwrap(),
        Timestamp::saturating_from_micros(at_us),
        EventName::parse("pageview").unwrap(),
        &format!("/page/{number}"),
        EventId::parse(&format!("event-{number}")).unwrap(),
    );
    Event { browser: Some("Firefox".into()), ..event }
}

/// The number in an event's id.
pub fn number_of(event: &Event) -> usize {
    event.event_id.as_str().strip_prefix("event-").unwrap().parse().unwrap()
}
