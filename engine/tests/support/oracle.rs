//! The reference: what each report must answer, in the plainest way, over a list of all events.
//!
//! It shares no code with the reports. Sessions are cut by looking at neighbours, buckets are found by asking every
//! quarter of an hour what the local clock shows, and sets are sets.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use mallard_engine::{BreakdownRow, Bucket, Dimension, Figures, Interval, Key, MainReport, Question, Takings};
use mallard_event::{Event, Stored};

use super::filter::{Wanted, value_of};
use super::journeys::matches;

const MINUTE_US: i64 = 60_000_000;
pub(super) const HOUR_US: i64 = 60 * MINUTE_US;

/// A visitor of one UTC day: ids do not outlive a day.
pub(super) type Visitor<'a> = (String, &'a str);

/// All events of the question's site in the order (timestamp, lsn), by visitor.
pub(crate) struct Oracle<'a> {
    pub(super) question: &'a Question,
    pub(super) visitors: BTreeMap<Visitor<'a>, Vec<&'a Event>>,
    /// The events that the filter keeps, by their address; `None` for all.
    pub(super) kept: Option<BTreeSet<*const Event>>,
}

impl<'a> Oracle<'a> {
    pub(crate) fn new(rows: &'a [Stored], question: &'a Question) -> Self {
        let mut rows: Vec<&Stored> = rows.iter().filter(|row| row.event.site == question.site).collect();
        rows.retain(|row| question.as_of.is_none_or(|as_of| row.lsn.unwrap() <= as_of));
        rows.sort_by_key(|row| (row.event.timestamp, row.lsn));
        let mut visitors = BTreeMap::<Visitor<'_>, Vec<&Event>>::new();
        for row in rows {
            let visitor = (row.event.timestamp.date().to_string(), row.event.visitor.as_str());
            visitors.entry(visitor).or_default().push(&row.event);
        }
        Self { question, visitors, kept: None }
    }

    /// The same, of the events that are wanted.
    pub(crate) fn filtered(rows: &'a [Stored], question: &'a Question, wanted: &Wanted) -> Self {
        let mut oracle = Self::new(rows, question);
        let visits = oracle.visitors.values().flat_map(|events| events.chunk_by(|one, next| is_one_session(one, next)));
        let kept = visits.flat_map(|visit| visit.iter().filter(|event| wanted.holds(event, visit)));
        oracle.kept = Some(kept.map(|event| std::ptr::from_ref(*event)).collect());
        oracle
    }

    /// Whether the filter keeps a row, which is one of those that this was made of.
    pub(crate) fn keeps(&self, row: &Stored) -> bool {
        let is_same = |event: &&&Event| event.event_id == row.event.event_id;
        self.visitors.values().flatten().find(is_same).is_some_and(|event| self.is_kept(event))
    }

    pub(super) fn is_kept(&self, event: &Event) -> bool {
        self.kept.as_ref().is_none_or(|kept| kept.contains(&std::ptr::from_ref(event)))
    }

    /// The events inside the span, with their visitors.
    pub(super) fn events(&self) -> impl Iterator<Item = (&Visitor<'a>, &'a Event)> {
        let all = self.visitors.iter().flat_map(|(visitor, events)| events.iter().map(move |event| (visitor, *event)));
        all.filter(|(_, event)| self.is_inside(event) && self.is_kept(event))
    }

    /// The sessions that begin inside the span, with their visitors and all their events.
    pub(super) fn sessions(&self) -> Vec<(&Visitor<'a>, Vec<&'a Event>)> {
        let mut sessions = Vec::new();
        for (visitor, events) in &self.visitors {
            for session in events.chunk_by(|before, after| is_one_session(before, after)) {
                if self.is_inside(session[0]) && session.iter().any(|event| self.is_kept(event)) {
                    sessions.push((visitor, session.to_vec()));
                }
            }
        }
        sessions
    }

    pub(super) fn is_inside(&self, event: &Event) -> bool {
        let span = self.question.span;
        (span.start_us..span.end_us).contains(&event.timestamp.micros())
    }

    pub(crate) fn main(&self) -> MainReport {
        let visitors = self.events().map(|(visitor, _)| visitor).collect::<BTreeSet<_>>().len();
        let pageviews = self.events().filter(|(_, event)| is_pageview(event)).count();
        let events = self.events().filter(|(_, event)| is_custom(event)).count();
        let sessions = self.sessions();
        let bounces = sessions.iter().filter(|(_, session)| is_bounce(session)).count();
        let session_pageviews: usize = sessions.iter().map(|(_, session)| pageviews_of(session)).sum();
        let timed: Vec<i64> = sessions
            .iter()
            .filter(|(_, session)| session.iter().all(|event| event.time_rounded != Some(true)))
            .map(|(_, session)| session[session.len() - 1].timestamp.micros() - session[0].timestamp.micros())
            .collect();
        let seconds = mean(timed.iter().sum::<i64>() as f64, timed.len()) / 1e6;
        MainReport {
            unique_visitors: visitors as u64,
            total_pageviews: pageviews as u64,
            bounce_rate: mean(bounces as f64, sessions.len()),
            avg_visit_duration_secs: if timed.is_empty() && !sessions.is_empty() { None } else { Some(seconds) },
            pages_per_visit: mean(pageviews as f64, visitors),
            visits: sessions.len() as u64,
            views_per_visit: mean(session_pageviews as f64, sessions.len()),
            events: events as u64,
        }
    }

    pub(crate) fn timeseries(&self, interval: Interval) -> Vec<Bucket> {
        let buckets = buckets(self.question, interval).into_iter().map(|(label, start_us, end_us)| {
            let inside = |event: &Event| (start_us..end_us).contains(&event.timestamp.micros());
            let events: Vec<_> = self.events().filter(|(_, event)| inside(event)).collect();
            let visitors: BTreeSet<_> = events.iter().map(|(visitor, _)| visitor).collect();
            let pageviews = events.iter().filter(|(_, event)| is_pageview(event)).count();
            Bucket { label, start_us, visitors: visitors.len() as u64, pageviews: pageviews as u64 }
        });
        buckets.collect()
    }

    pub(crate) fn breakdown(&self, dimension: Dimension, limit: usize) -> Vec<BreakdownRow> {
        let mut values = BTreeMap::<Option<&str>, (BTreeSet<&Visitor<'_>>, usize)>::new();
        match of_session(dimension) {
            Some(value) => {
                for (visitor, session) in self.sessions() {
                    let (visitors, pageviews) = values.entry(value(&session)).or_default();
                    visitors.insert(visitor);
                    *pageviews += pageviews_of(&session);
                }
            }
            None => {
                for (visitor, event) in self.events() {
                    let (visitors, pageviews) = values.entry(of_event(dimension, event)).or_default();
                    visitors.insert(visitor);
                    *pageviews += usize::from(is_pageview(event));
                }
            }
        }
        let row = |(value, (visitors, pageviews)): (Option<&str>, (BTreeSet<_>, usize))| BreakdownRow {
            value: value.map(str::to_owned),
            visitors: visitors.len() as u64,
            pageviews: pageviews as u64,
        };
        let mut rows: Vec<BreakdownRow> = values.into_iter().map(row).collect();
        let null = if dimension == Dimension::Sources { "(direct)" } else { "(unknown)" };
        rows.sort_by(|row, other| {
            let figures = (other.visitors, other.pageviews).cmp(&(row.visitors, row.pageviews));
            let shown = |row: &BreakdownRow| row.value.clone().unwrap_or_else(|| null.to_owned());
            figures.then(shown(row).cmp(&shown(other))).then(row.value.cmp(&other.value))
        });
        rows.truncate(limit);
        rows
    }
}

/// Groups of figures, by the values of their keys.
pub(crate) type Groups = BTreeMap<Vec<Option<String>>, Figures>;

impl Oracle<'_> {
    /// The figures by any values.
    pub(crate) fn groups(&self, keys: &[Key]) -> Groups {
        let mut groups = BTreeMap::<Vec<Option<String>>, (BTreeSet<&Visitor<'_>>, Figures)>::new();
        for (visitor, events) in &self.visitors {
            for visit in events.chunk_by(|before, after| is_one_session(before, after)) {
                let kept = || visit.iter().filter(|event| self.is_kept(event));
                for event in kept().filter(|event| self.is_inside(event)) {
                    for values in self.values(keys, event, visit, event) {
                        let (visitors, figures) = groups.entry(values).or_default();
                        visitors.insert(visitor);
                        figures.pageviews += u64::from(is_pageview(event));
                        figures.events += u64::from(is_custom(event));
                    }
                }
                if !self.is_inside(visit[0]) {
                    continue;
                }
                for values in
                    kept().flat_map(|event| self.values(keys, event, visit, visit[0])).collect::<BTreeSet<_>>()
                {
                    let (_, figures) = groups.entry(values).or_default();
                    figures.visits += 1;
                    figures.bounces += u64::from(is_bounce(visit));
                    figures.visit_pageviews += pageviews_of(visit) as u64;
                    if visit.iter().all(|event| event.time_rounded != Some(true)) {
                        let last_us = visit[visit.len() - 1].timestamp.micros();
                        figures.timed_visits += 1;
                        figures.duration_us += (last_us - visit[0].timestamp.micros()).cast_unsigned();
                    }
                }
            }
        }
        let counted = |(values, (visitors, figures)): (_, (BTreeSet<_>, Figures))| {
            (values, Figures { visitors: visitors.len() as u64, ..figures })
        };
        groups.into_iter().map(counted).collect()
    }

    /// What the events of every group earned, for those that earned something.
    pub(crate) fn takings(&self, keys: &[Key]) -> BTreeMap<Vec<Option<String>>, Vec<Takings>> {
        let mut groups = BTreeMap::<Vec<Option<String>>, BTreeMap<Option<Box<str>>, (i128, u64)>>::new();
        for visit in self.visitors.values().flat_map(|events| events.chunk_by(|one, next| is_one_session(one, next))) {
            for event in visit.iter().filter(|event| self.is_kept(event) && self.is_inside(event)) {
                let Some(amount) = event.revenue_amount else { continue };
                let currency = event.revenue_currency.as_ref().map(|code| code.to_string().into());
                for values in self.values(keys, event, visit, event) {
                    let (sum, events) = groups.entry(values).or_default().entry(currency.clone()).or_default();
                    *sum += i128::from(amount.ten_thousandths());
                    *events += 1;
                }
            }
        }
        let takings = |(currency, (ten_thousandths, events))| Takings { currency, ten_thousandths, events };
        groups.into_iter().map(|(values, sums)| (values, sums.into_iter().map(takings).collect())).collect()
    }

    /// The values of all groups in which an event counts: of several goals that it meets, each has one.
    fn values(&self, keys: &[Key], event: &Event, visit: &[&Event], timed: &Event) -> Vec<Vec<Option<String>>> {
        keys.iter().fold(vec![Vec::new()], |all, key| {
            let values = match key {
                Key::Value(subject) => vec![value_of(subject, event, visit)],
                Key::Time(interval) => vec![Some(self.label(timed.timestamp.micros(), *interval))],
                Key::Goals(goals) => {
                    let met = goals.iter().enumerate().filter(|(_, goal)| matches(goal, event));
                    met.map(|(place, _)| Some(place.to_string())).collect()
                }
            };
            let extended = |known: &Vec<Option<String>>| {
                values.iter().map(|value| [known.clone(), vec![value.clone()]].concat()).collect::<Vec<_>>()
            };
            all.iter().flat_map(extended).collect()
        })
    }

    /// The bucket of an instant, from what the local clock shows; a clock put back over midnight does not bring a day back.
    fn label(&self, at_us: i64, interval: Interval) -> String {
        let all = buckets(self.question, interval);
        all.iter().find(|(_, start_us, end_us)| (*start_us..*end_us).contains(&at_us)).unwrap().0.clone()
    }
}

pub(super) fn is_one_session(before: &Event, after: &Event) -> bool {
    let (before_us, after_us) = (before.timestamp.micros(), after.timestamp.micros());
    if before.time_rounded == Some(true) || after.time_rounded == Some(true) {
        after_us.div_euclid(HOUR_US) <= before_us.div_euclid(HOUR_US) + 1
    } else {
        after_us <= before_us + 30 * MINUTE_US
    }
}

pub(super) fn is_pageview(event: &Event) -> bool {
    event.name.as_str() == "pageview"
}

pub(super) fn is_custom(event: &Event) -> bool {
    !["pageview", "engagement"].contains(&event.name.as_str())
}

fn pageviews_of(session: &[&Event]) -> usize {
    session.iter().filter(|event| is_pageview(event)).count()
}

fn is_bounce(session: &[&Event]) -> bool {
    let is_interaction = |event: &&&Event| is_custom(event) && event.interactive == Some(true);
    pageviews_of(session) == 1 && session.iter().filter(is_interaction).count() == 0
}

fn mean(sum: f64, count: usize) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// The value that a session is counted under, for the dimensions that sessions have.
pub(super) fn of_session<'a>(dimension: Dimension) -> Option<fn(&[&'a Event]) -> Option<&'a str>> {
    Some(match dimension {
        Dimension::Sources => |session| origin(session).referrer_source.as_deref(),
        Dimension::Referrers => |session| origin(session).referrer.as_deref(),
        Dimension::Channels => |session| origin(session).channel.as_deref(),
        Dimension::UtmSources => |session| origin(session).utm_source.as_deref(),
        Dimension::UtmMediums => |session| origin(session).utm_medium.as_deref(),
        Dimension::UtmCampaigns => |session| origin(session).utm_campaign.as_deref(),
        Dimension::UtmContents => |session| origin(session).utm_content.as_deref(),
        Dimension::UtmTerms => |session| origin(session).utm_term.as_deref(),
        Dimension::EntryPages => |session| views_of(session).first().map(|view| &*view.pathname),
        Dimension::ExitPages => |session| views_of(session).last().map(|view| &*view.pathname),
        _ => return None,
    })
}

/// The source and the referrer of a visit as Plausible says them.
pub(crate) fn source_of<'a>(visit: &[&'a Event]) -> Option<&'a str> {
    let origin = origin(visit);
    if origin.utm_source.is_some() { origin.utm_source.as_deref() } else { origin.referrer_source.as_deref() }
}

pub(crate) fn referrer_of<'a>(visit: &[&'a Event]) -> Option<&'a str> {
    let referrer = origin(visit).referrer.as_deref().filter(|_| origin(visit).referrer_source.is_some())?;
    Some(referrer.trim_start_matches("https://").trim_start_matches("www."))
}

/// The event that says where a session came from.
fn origin<'a>(session: &[&'a Event]) -> &'a Event {
    views_of(session).first().copied().unwrap_or(session[0])
}

fn views_of<'a>(session: &[&'a Event]) -> Vec<&'a Event> {
    session.iter().copied().filter(|event| is_pageview(event)).collect()
}

/// The value that a term or a key about a visit looks at.
pub(crate) fn value_of_visit<'a>(dimension: Dimension, visit: &[&'a Event]) -> Option<&'a str> {
    of_session(dimension).map_or_else(|| of_event(dimension, origin(visit)), |value| value(visit))
}

/// The value that a term or a key looks at: the visit's for the dimensions that sessions have, else the event's own.
pub(crate) fn value_by_definition<'a>(dimension: Dimension, event: &'a Event, visit: &[&'a Event]) -> Option<&'a str> {
    of_session(dimension).map_or_else(|| of_event(dimension, event), |value| value(visit))
}

pub(super) fn of_event(dimension: Dimension, event: &Event) -> Option<&str> {
    match dimension {
        Dimension::Pages => Some(&event.pathname),
        Dimension::Browsers => event.browser.as_deref(),
        Dimension::Os => event.os.as_deref(),
        Dimension::Devices => event.device_type.as_deref(),
        Dimension::Countries => event.country_code.as_deref(),
        Dimension::BrowserVersions => event.browser_version.as_deref(),
        Dimension::OsVersions => event.os_version.as_deref(),
        Dimension::ScreenSizes => event.screen_size.as_deref(),
        Dimension::Regions => event.region.as_deref(),
        Dimension::Cities => event.city.as_deref(),
        Dimension::Hostnames => event.hostname.as_deref(),
        other => panic!("{other:?} is counted by session"),
    }
}

/// Label, start and end of every bucket that overlaps the span, found by looking at the local clock step by step.
pub(super) fn buckets(question: &Question, interval: Interval) -> Vec<(String, i64, i64)> {
    let span = question.span;
    // No clock has ever been changed at another moment in the years of these tests.
    let step_us = if interval == Interval::Minute { MINUTE_US } else { 15 * MINUTE_US };
    let reach_us = match interval {
        Interval::Minute => MINUTE_US,
        Interval::Hour => 2 * HOUR_US,
        Interval::Day | Interval::Week | Interval::Month => 32 * 24 * HOUR_US,
    };
    let mut buckets = Vec::<(String, i64, i64)>::new();
    let mut shown = None;
    let mut at_us = (span.start_us - reach_us).div_euclid(step_us) * step_us;
    while at_us < span.end_us {
        let clock = clock(&question.zone, at_us, interval);
        match buckets.last_mut() {
            Some((_, _, end_us)) if shown.as_ref() == Some(&clock) => *end_us = at_us + step_us,
            _ => buckets.push((clock.0.clone(), at_us, at_us + step_us)),
        }
        shown = Some(clock);
        at_us += step_us;
    }
    buckets.retain(|(_, _, end_us)| *end_us > span.start_us);
    buckets
}

/// What the local clock shows, as coarse as the interval; with the offset where a clock change begins a new bucket.
fn clock(zone: &TimeZone, at_us: i64, interval: Interval) -> (String, i32) {
    let at = Timestamp::from_microsecond(at_us).unwrap();
    let (local, offset): (DateTime, i32) = (zone.to_datetime(at), zone.to_offset(at).seconds());
    match interval {
        Interval::Minute => (local.strftime("%Y-%m-%d %H:%M").to_string(), offset),
        Interval::Hour => (local.strftime("%Y-%m-%d %H:00").to_string(), offset),
        Interval::Day => (local.date().to_string(), 0),
        Interval::Week if local.weekday() == Weekday::Monday => (local.date().to_string(), 0),
        Interval::Week => (local.date().nth_weekday(-1, Weekday::Monday).unwrap().to_string(), 0),
        Interval::Month => (local.strftime("%Y-%m-01").to_string(), 0),
    }
}
