//! What the clients know: which events were sent, refused, acknowledged or shown, and which erasures were made. A promise is
//! never taken back, and neither is an erasure.

use std::collections::{BTreeMap, BTreeSet};

use mallard_engine::{ErasureRequest, Span};
use mallard_event::{Date, Event, EventId, EventName, SiteId, Subject, Timestamp, VisitorId};

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
    /// Those that must not be seen again.
    erased: BTreeSet<usize>,
    /// Every erasure that was asked for, and its position if it was acknowledged.
    erasures: Vec<(ErasureRequest, Option<u64>)>,
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

    /// An erasure is asked for: some of the last days of a site, of everybody or of one subject, as `draw` says.
    pub fn ask_for_erasure(&mut self, draw: u64, now_us: i64) -> (usize, ErasureRequest) {
        let site = SiteId::parse(SITES[usize::from(draw % 4 == 3)]).unwrap();
        let subject = match draw / 4 % 4 {
            0 | 1 => None,
            2 => Some(Subject::visitor(&site, &VisitorId::parse(&format!("visitor-{}", draw / 16 % 5)).unwrap())),
            _ => Some(Subject::user(&site, &format!("user-{}", draw / 16 % 3))),
        };
        let today_us = now_us.div_euclid(DAY_US) * DAY_US;
        // From yesterday, or from today's noon, or from long ago.
        let start_us = match draw / 256 % 3 {
            0 => today_us - DAY_US,
            1 => today_us + DAY_US / 2,
            _ => 0,
        };
        let request = ErasureRequest { site, span: Span { start_us, end_us: today_us + DAY_US }, subject };
        self.erasures.push((request.clone(), None));
        (self.erasures.len() - 1, request)
    }

    /// The store has said that an erasure is made.
    pub fn acknowledge_erasure(&mut self, number: usize, lsn: u64) {
        self.erasures[number].1 = Some(lsn);
        let request = self.erasures[number].0.clone();
        let taken: Vec<_> = self
            .promised
            .iter()
            .filter(|(at, event)| **at < lsn && takes(&request, &self.sent[**event]))
            .map(|(_, event)| *event)
            .collect();
        self.erased.extend(taken);
    }

    /// Whether an acknowledged erasure has taken the event at this position.
    fn is_taken(&self, lsn: u64, number: usize) -> bool {
        let is_below = |erased_at: &Option<u64>| erased_at.is_some_and(|erased_at| lsn < erased_at);
        self.erasures.iter().any(|(request, erased_at)| is_below(erased_at) && takes(request, &self.sent[number]))
    }

    /// Whether an erasure of which the outcome is not known may have taken this event.
    fn may_be_erased(&self, number: usize) -> bool {
        self.erasures.iter().any(|(request, lsn)| lsn.is_none() && takes(request, &self.sent[number]))
    }

    /// Whether some erasure, whatever became of it, takes this event.
    pub fn is_asked_to_erase(&self, number: usize) -> bool {
        self.erasures.iter().any(|(request, _)| takes(request, &self.sent[number]))
    }

    /// Events that must not be seen again, nor found.
    pub fn erased(&self) -> &BTreeSet<usize> {
        &self.erased
    }

    /// Whether any erasure has been acknowledged.
    pub fn has_erased(&self) -> bool {
        self.erasures.iter().any(|(_, lsn)| lsn.is_some())
    }

    /// The highest LSN that was promised.
    pub fn newest(&self) -> u64 {
        self.promised.last_key_value().map_or(0, |(lsn, _)| *lsn)
    }

    /// Whether these rows, with what retention may have taken of the days before `first_kept`, are what was promised, and
    /// nothing that was not sent. They are a promise from now on.
    pub fn check(&mut self, rows: &Rows, first_kept: Option<Date>) {
        let is_expired = |number: usize| first_kept.is_some_and(|kept| self.sent[number].timestamp.date() < kept);
        // An event that is committed after it was asked for and before the erasure is, is erased with the others.
        for (request, erased_at) in &self.erasures {
            let Some(erased_at) = erased_at else { continue };
            for (lsn, number) in rows.range(..erased_at) {
                assert!(!takes(request, &self.sent[*number]), "event {number} at lsn {lsn} was erased and is visible");
            }
        }
        for (lsn, number) in &self.promised {
            match rows.get(lsn) {
                Some(found) => assert_eq!(found, number, "lsn {lsn} was promised to event {number}"),
                None if self.erased.contains(number) => {}
                None if is_expired(*number) => drop(self.expired.insert(*lsn, *number)),
                None if self.may_be_erased(*number) => drop(self.erased.insert(*number)),
                None if self.is_taken(*lsn, *number) => drop(self.erased.insert(*number)),
                None => panic!("event {number} was promised at lsn {lsn} and is lost"),
            }
        }
        let mut newest = None;
        for (lsn, number) in rows {
            assert!(*number < self.sent.len(), "event {number} is visible and was never sent");
            assert!(!self.refused.contains(number), "event {number} was refused and is visible");
            assert!(!self.expired.contains_key(lsn), "event {number} had expired and is back");
            assert!(!self.erased.contains(number), "event {number} was erased and is back");
            assert!(newest.is_none_or(|newest| newest < *number), "event {number} is visible twice, or out of order");
            newest = Some(*number);
        }
        self.check_density(rows, &is_expired);
        self.promised.extend(rows);
        self.promised.retain(|lsn, _| !self.expired.contains_key(lsn));
    }

    /// Every position is that of an event that is visible or was, of an erasure, or of what nobody could be told about.
    fn check_density(&self, rows: &Rows, is_expired: &dyn Fn(usize) -> bool) {
        let last = rows.last_key_value().map_or(0, |(lsn, _)| *lsn);
        let is_known = |lsn: &u64| {
            let is_event = rows.contains_key(lsn) || self.promised.contains_key(lsn) || self.expired.contains_key(lsn);
            is_event || self.erasures.iter().any(|(_, erased_at)| *erased_at == Some(*lsn))
        };
        let strange: Vec<u64> = (1..=last).filter(|lsn| !is_known(lsn)).collect();
        if strange.is_empty() {
            return;
        }
        let told: BTreeSet<usize> = self.promised.values().chain(self.expired.values()).copied().collect();
        let untold = (0..self.sent.len()).filter(|number| !told.contains(number) && !self.refused.contains(number));
        let events = untold.filter(|number| is_expired(*number) || self.is_asked_to_erase(*number)).count();
        let erasures = self.erasures.iter().filter(|(_, erased_at)| erased_at.is_none()).count();
        let few = strange.get(..4).unwrap_or(&strange);
        assert!(strange.len() <= events + erasures, "LSNs are not dense: nothing is known of {few:?} and others");
    }
}

/// The rule of an erasure, apart from what came before it.
fn takes(request: &ErasureRequest, event: &Event) -> bool {
    request.site == event.site
        && request.span.contains(event.timestamp.micros())
        && request.subject.is_none_or(|subject| {
            let user = event.user_hash.as_deref().map(|hash| Subject::user(&event.site, hash));
            subject == Subject::visitor(&event.site, &event.visitor) || Some(subject) == user
        })
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
    let user_hash = (number % 4 == 1).then(|| format!("user-{}", number % 3).into());
    Event { browser: Some("Firefox".into()), user_hash, ..event }
}

/// The number in an event's id.
pub fn number_of(event: &Event) -> usize {
    event.event_id.as_str().strip_prefix("event-").unwrap().parse().unwrap()
}
