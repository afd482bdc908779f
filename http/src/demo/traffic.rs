//! The generator: an iterator of events in the order of their time, day by day.
//!
//! A day has visits in proportion to its weekday, a slow growth over the month, and one busy day (somebody's post got
//! around). A visit has a visitor, a source, a machine, a country, a walk over pages, and sometimes a goal.

use fastrand::Rng;
use mallard_event::{Amount, Currency, Date, Event, EventId, EventName, Props, SiteId, Timestamp, VisitorId};

use super::catalogue::{HOURS, MACHINES, Machine, SITES, Site, Source, WEEKDAYS, Weighted};

const DAYS: i32 = 30;
const MINUTE_US: i64 = 60 * 1_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
/// Pageviews and goals of an average visit: turns a number of events into a number of visits.
const EVENTS_PER_VISIT: f64 = 2.42;
/// How many days ago the busy day was, and how much busier it was.
const BUSY_DAY: (i32, f64) = (11, 2.6);
/// Growth from the first day to the last.
const GROWTH: f64 = 0.55;
/// Chance, of 100, that a visit ends after its page.
const LEAVE: u32 = 44;

/// Events of the thirty days before `now`, and of today up to `now`.
#[derive(Debug)]
pub(super) struct Traffic {
    rng: Rng,
    now: Timestamp,
    visits_of_a_plain_day: f64,
    next_day: i32,
    /// The current day's events, latest first.
    day: Vec<Event>,
}

impl Traffic {
    pub(super) fn new(events: u64, seed: u64, now: Timestamp) -> Self {
        let today = now.date().days();
        let weight: f64 = (0..=DAYS).map(|ago| day_weight(today - ago, ago)).sum();
        #[expect(clippy::cast_precision_loss, reason = "a number of demo events is far below 2^52")]
        let visits = events as f64 / EVENTS_PER_VISIT;
        Self {
            rng: Rng::with_seed(seed),
            now,
            visits_of_a_plain_day: visits / weight,
            next_day: today - DAYS,
            day: Vec::new(),
        }
    }

    /// Draws the events of the next day; false when there is none.
    fn draw_day(&mut self) -> bool {
        let ago = self.now.date().days() - self.next_day;
        let Some(date) = Date::from_days(self.next_day).ok().filter(|_| ago >= 0) else { return false };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive count of visits of a day"
        )]
        let visits = (self.visits_of_a_plain_day * day_weight(self.next_day, ago)).round() as u64;
        for _ in 0..visits {
            self.visit(date);
        }
        let now = self.now;
        self.day.retain(|event| event.timestamp <= now);
        self.day.sort_by_key(|event| std::cmp::Reverse(event.timestamp));
        self.next_day += 1;
        true
    }

    /// One visit: its pageviews, and perhaps a goal at its end.
    fn visit(&mut self, date: Date) {
        let site = self.site();
        let template = self.template(site, date);
        let mut at_us = template.timestamp.micros();
        let end_us = date.end().micros();
        let mut page = pick(&mut self.rng, site.pages);
        let mut first = true;
        while at_us < end_us {
            let mut event = self.event_of(&template, at_us, "pageview", page);
            if !first {
                event.referrer = None;
                event.referrer_source = None;
            }
            self.day.push(event);
            if self.rng.u32(0..100) < LEAVE {
                break;
            }
            (first, page) = (false, pick(&mut self.rng, site.pages));
            at_us += self.rng.i64(8_000_000..150_000_000);
        }
        self.goals(site, &template, at_us.min(end_us - MINUTE_US), page);
    }

    fn goals(&mut self, site: &Site, template: &Event, at_us: i64, page: &str) {
        for (name, chance, revenue) in site.goals {
            if self.rng.u32(0..1000) >= *chance {
                continue;
            }
            let mut event = self.event_of(template, at_us + 3_000_000, name, page);
            event.interactive = Some(true);
            event.props = Props::parse(r#"{"plan":"hobby"}"#).ok();
            if let Some((least, most)) = revenue {
                let cents = i64::from(self.rng.u32(*least..*most));
                event.revenue_amount = Amount::from_ten_thousandths(cents * 100).ok();
                event.revenue_currency = Currency::parse("EUR").ok();
            }
            self.day.push(event);
        }
    }

    fn site(&mut self) -> &'static Site {
        let mut left = self.rng.u32(0..100);
        for site in SITES {
            if left < site.share {
                return site;
            }
            left -= site.share;
        }
        unreachable!("the shares of the sites add up to 100")
    }

    /// What all events of a visit have in common, at the time it begins.
    fn template(&mut self, site: &Site, date: Date) -> Event {
        let hour = self.hour();
        let at_us = date.start().micros() + hour * HOUR_US + self.rng.i64(0..HOUR_US);
        let source = pick(&mut self.rng, site.sources);
        let machine = pick(&mut self.rng, MACHINES);
        let (country, city) = pick(&mut self.rng, site.countries);
        let visitor = format!("{:032x}", self.rng.u128(..));
        blank(site, &visitor, at_us).with_source(source).with_machine(machine).with_place(country, city)
    }

    fn hour(&mut self) -> i64 {
        let mut left = self.rng.u32(0..HOURS.iter().sum());
        for (hour, weight) in (0..).zip(HOURS) {
            if left < weight {
                return hour;
            }
            left -= weight;
        }
        unreachable!("the draw is below the sum of the weights")
    }

    fn event_of(&mut self, template: &Event, at_us: i64, name: &str, page: &str) -> Event {
        let mut event = template.clone();
        event.timestamp = Timestamp::saturating_from_micros(at_us);
        event.name = valid(EventName::parse(name));
        event.pathname = page.into();
        event.event_id = valid(EventId::parse(&format!("{:032x}", self.rng.u128(..))));
        event
    }
}

impl Iterator for Traffic {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.day.is_empty() {
            if !self.draw_day() {
                return None;
            }
        }
        self.day.pop()
    }
}

/// Builder steps for the parts of a visit.
trait Visit {
    fn with_source(self, source: Source) -> Self;
    fn with_machine(self, machine: Machine) -> Self;
    fn with_place(self, country: &str, city: &str) -> Self;
}

impl Visit for Event {
    fn with_source(mut self, source: Source) -> Self {
        self.referrer = source.referrer.map(Into::into);
        self.referrer_source = source.name.map(Into::into);
        self.channel = Some(source.channel.into());
        if let Some((utm_source, medium, campaign)) = source.campaign {
            self.utm_source = Some(utm_source.into());
            self.utm_medium = Some(medium.into());
            self.utm_campaign = Some(campaign.into());
        }
        self
    }

    fn with_machine(mut self, machine: Machine) -> Self {
        let text = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Into::into);
        self.browser = text(machine.browser);
        self.browser_version = text(machine.browser_version);
        self.os = text(machine.os);
        self.os_version = text(machine.os_version);
        self.screen_size = Some(machine.screen.to_string().into());
        self.device_type = Some(device_of(machine.screen).into());
        self
    }

    fn with_place(mut self, country: &str, city: &str) -> Self {
        self.country_code = Some(country.into());
        self.city = Some(city.into());
        self
    }
}

fn blank(site: &Site, visitor: &str, at_us: i64) -> Event {
    let (id, visitor) = (valid(SiteId::parse(site.id)), valid(VisitorId::parse(visitor)));
    let at = Timestamp::saturating_from_micros(at_us);
    let (name, event_id) = (valid(EventName::parse("pageview")), valid(EventId::parse("0")));
    Event { hostname: Some(site.id.into()), ..Event::new(id, visitor, at, name, "/", event_id) }
}

/// How many visits a day has, relative to the plainest one.
fn day_weight(day: i32, ago: i32) -> f64 {
    // 1970-01-01 was a Thursday.
    let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
    let week = f64::from(WEEKDAYS.get(weekday).copied().unwrap_or(100)) / 100.0;
    let growth = 1.0 + GROWTH * f64::from(DAYS - ago) / f64::from(DAYS);
    let busy = if ago == BUSY_DAY.0 { BUSY_DAY.1 } else { 1.0 };
    week * growth * busy
}

fn device_of(screen: u32) -> &'static str {
    match screen {
        0..768 => "mobile",
        768..1024 => "tablet",
        _ => "desktop",
    }
}

fn pick<T: Copy>(rng: &mut Rng, choices: &[Weighted<T>]) -> T {
    let total: u32 = choices.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.u32(0..total);
    for (choice, weight) in choices {
        if left < *weight {
            return *choice;
        }
        left -= weight;
    }
    unreachable!("the draw is below the sum of the weights")
}

/// The catalogue holds valid texts only; a test generates from all of it.
fn valid<T>(parsed: Result<T, mallard_event::Invalid>) -> T {
    parsed.expect("the demo's catalogue holds valid texts")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-03-18T15:30:00Z").unwrap()
    }

    #[test]
    fn the_month_has_about_as_many_events_as_asked_in_order_of_time_and_none_in_the_future() {
        let events: Vec<Event> = Traffic::new(20_000, 7, now()).collect();
        assert!((17_000..22_000).contains(&events.len()), "{}", events.len());
        assert!(events.is_sorted_by_key(|event| event.timestamp));
        assert!(events.iter().all(|event| event.timestamp <= now()));
        assert_eq!(events.first().unwrap().timestamp.date().to_string(), "2026-02-16");
        assert_eq!(events.last().unwrap().timestamp.date().to_string(), "2026-03-18");
    }

    #[test]
    fn the_same_seed_gives_the_same_month() {
        let month = |seed| Traffic::new(3_000, seed, now()).collect::<Vec<_>>();
        assert_eq!(month(1), month(1));
        assert_ne!(month(1), month(2));
    }

    #[test]
    fn both_sites_have_visits_sources_and_goals() {
        let events: Vec<Event> = Traffic::new(20_000, 7, now()).collect();
        for site in SITES {
            let of_site = || events.iter().filter(|event| event.site.as_str() == site.id);
            assert!(of_site().filter(|event| event.name.as_str() == "pageview").count() > 3_000);
            for (goal, _, revenue) in site.goals {
                let goals: Vec<&Event> = of_site().filter(|event| event.name.as_str() == *goal).collect();
                assert!(goals.len() > 10, "{goal}");
                assert!(goals.iter().all(|event| event.revenue_amount.is_some() == revenue.is_some()), "{goal}");
            }
        }
    }
}
