//! The parameters that all reports share: `site_id`, `period` or two dates, `timezone`, `filters`, `as_of`. Pure; the texts are the
//! contract's (§6.1).

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan, Zoned};
use mallard_engine::{Filter, FunnelStep, Interval, Question, Span};
use mallard_event::{SiteId, Timestamp};

use super::filter;
use crate::error::ApiError;
use crate::request::Pairs;

const SITE_ID_CHARACTERS_MAX: usize = 256;
/// Ten years and their leap days.
const RANGE_DAYS_MAX: i64 = 3653;
/// Longer ranges are shown by the month.
const DAILY_DAYS_MAX: i64 = 366;
const DAY_US: i64 = 24 * 3_600_000_000;
const REALTIME: SignedDuration = SignedDuration::from_mins(5);

/// Which events a report is about.
#[derive(Clone, Debug)]
pub struct Params {
    /// The site.
    pub site: SiteId,
    /// The stretch of time.
    pub range: Range,
    /// Whose calendar counts.
    pub zone: TimeZone,
    /// Which events count.
    pub filter: Filter,
    /// The LSN at which the answer is wanted; `None` for now.
    pub as_of: Option<u64>,
}

/// A stretch of time as people name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Local days, both included.
    Days {
        /// The first one.
        first: Date,
        /// The last one.
        last: Date,
    },
    /// From one instant to another.
    Exact(Span),
    /// The last five minutes.
    Realtime,
}

/// The first value of a parameter; an empty one counts.
pub(crate) fn value<'a>(pairs: &'a Pairs<'_>, name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
}

impl Params {
    /// Reads the parameters. `zone_of` is asked only if there is no `timezone`, `first_event` only for `period=all`,
    /// `segment` and `goals` for a filter that names a saved segment or a goal.
    pub fn parse(
        pairs: &Pairs<'_>,
        now: Timestamp,
        zone_of: impl FnOnce(&SiteId) -> TimeZone,
        first_event: impl FnOnce(&SiteId) -> Option<Timestamp>,
        segment: impl Fn(&SiteId, u64) -> Option<Result<Filter, ApiError>>,
        goals: impl Fn(&SiteId) -> Vec<(String, FunnelStep)>,
    ) -> Result<Self, ApiError> {
        let site = site_id(value(pairs, "site_id").unwrap_or_default())?;
        let zone = value(pairs, "timezone").map_or_else(|| Ok(zone_of(&site)), timezone)?;
        let now = local(now, &zone)?;
        let range = match (value(pairs, "start_date"), value(pairs, "end_date")) {
            (Some(first), Some(last)) => dates(first, last)?,
            (None, None) => {
                let first_event = || first_event(&site).map(|at| local(at, &zone)).transpose();
                period(value(pairs, "period").unwrap_or("30d"), &now, first_event)?
            }
            _ => return Err(ApiError::bad_request("start_date and end_date must be given together")),
        };
        let (segment, goals) = (|id| segment(&site, id), || goals(&site));
        let saved = filter::Saved { segment: &segment, goals: &goals };
        let filter = value(pairs, "filters").map_or(Ok(Filter::default()), |text| filter::from_text(text, saved))?;
        let as_of = value(pairs, "as_of").map(lsn).transpose()?;
        Ok(Self { site, range, zone, filter, as_of })
    }

    /// The question for the engine.
    pub fn question(&self, now: Timestamp) -> Result<Question, ApiError> {
        let span = match self.range {
            Range::Days { first, last } => {
                let after = last.tomorrow().map_err(ApiError::internal)?;
                Span { start_us: start_of_day(first, &self.zone)?, end_us: start_of_day(after, &self.zone)? }
            }
            Range::Exact(span) => span,
            // The end is exclusive, and now is a part of the last five minutes.
            Range::Realtime => Span { start_us: now.micros() - micros(REALTIME), end_us: now.micros() + 1 },
        };
        let (filter, as_of) = (self.filter.clone(), self.as_of);
        Ok(Question { filter, as_of, ..Question::new(self.site.clone(), span, self.zone.clone()) })
    }
}

impl Range {
    /// From one instant to another, at most as far apart as days may be.
    pub fn exact(span: Span) -> Result<Self, ApiError> {
        if span.is_empty() {
            return Err(ApiError::bad_request("date_range: the end must be after the start"));
        }
        match stretches(span) {
            ..=RANGE_DAYS_MAX => Ok(Self::Exact(span)),
            _ => Err(too_long()),
        }
    }

    /// Number of local days, or of stretches of 24 hours; `None` for realtime.
    pub fn days(self) -> Option<i64> {
        match self {
            Self::Days { first, last } => Some(days(first, last)),
            Self::Exact(span) => Some(stretches(span)),
            Self::Realtime => None,
        }
    }

    /// The width of buckets that suits the range.
    pub fn interval(self) -> Interval {
        match self.days() {
            None => Interval::Minute,
            Some(..=1) => Interval::Hour,
            Some(..=DAILY_DAYS_MAX) => Interval::Day,
            Some(_) => Interval::Month,
        }
    }
}

fn days(first: Date, last: Date) -> i64 {
    i64::from((last - first).get_days()) + 1
}

/// Stretches of 24 hours, the last one begun counted.
fn stretches(span: Span) -> i64 {
    (span.end_us - span.start_us + DAY_US - 1) / DAY_US
}

fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn local(at: Timestamp, zone: &TimeZone) -> Result<Zoned, ApiError> {
    let instant = jiff::Timestamp::from_microsecond(at.micros()).map_err(ApiError::internal)?;
    Ok(instant.to_zoned(zone.clone()))
}

/// The first instant of a local day, which is not 00:00 where the clock skips midnight.
fn start_of_day(day: Date, zone: &TimeZone) -> Result<i64, ApiError> {
    let start = day.to_zoned(zone.clone()).and_then(|midnight| midnight.start_of_day());
    Ok(start.map_err(ApiError::internal)?.timestamp().as_microsecond())
}

pub(crate) fn site_id(text: &str) -> Result<SiteId, ApiError> {
    SiteId::parse(text).map_err(|_| {
        ApiError::bad_request(match text.chars().count() {
            0 => "site_id must not be empty",
            count if count > SITE_ID_CHARACTERS_MAX => "site_id must be at most 256 characters",
            _ => "site_id may only contain alphanumeric characters, '.', '-', '_', ':'",
        })
    })
}

/// The zone of this IANA name.
pub(crate) fn timezone(name: &str) -> Result<TimeZone, ApiError> {
    let unknown =
        |_| ApiError::bad_request(format!("Invalid timezone: '{name}'. Use an IANA name such as Europe/Berlin."));
    TimeZone::get(name).map_err(unknown)
}

fn too_long() -> ApiError {
    ApiError::bad_request(format!("Date range must not exceed {RANGE_DAYS_MAX} days. Ask for a shorter range."))
}

/// An LSN, in decimal digits only.
fn lsn(text: &str) -> Result<u64, ApiError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let lsn = text.parse().ok().filter(|_| is_number);
    lsn.ok_or_else(|| {
        ApiError::bad_request(format!("Invalid as_of: '{text}'. Use an LSN, as x-mallard-as-of gives it."))
    })
}

/// Two dates, both included.
pub(super) fn dates(first: &str, last: &str) -> Result<Range, ApiError> {
    let first = date(first, "Invalid start_date format. Use YYYY-MM-DD.")?;
    let last = date(last, "Invalid end_date format. Use YYYY-MM-DD.")?;
    range_of(first, last)
}

/// The days from `first` to `last`, if these are in order and not too many.
pub(crate) fn range_of(first: Date, last: Date) -> Result<Range, ApiError> {
    if last < first {
        return Err(ApiError::bad_request("end_date must be on or after start_date"));
    }
    if days(first, last) > RANGE_DAYS_MAX {
        return Err(too_long());
    }
    Ok(Range::Days { first, last })
}

/// Strictly `YYYY-MM-DD`, in years that the log can hold.
pub(crate) fn date(text: &str, message: &'static str) -> Result<Date, ApiError> {
    let refused = || ApiError::bad_request(message);
    mallard_event::Date::parse(text).map_err(|_| refused())?;
    text.parse().map_err(|_| refused())
}

fn period(
    name: &str,
    now: &Zoned,
    first_event: impl FnOnce() -> Result<Option<Zoned>, ApiError>,
) -> Result<Range, ApiError> {
    let today = now.date();
    let days_back = |count: i32| today.saturating_sub(count.days());
    let months_back = |count: i32| today.first_of_month().saturating_sub(count.months());
    let first = match name {
        "day" | "today" => today,
        "7d" => days_back(6),
        "28d" => days_back(27),
        "30d" => days_back(29),
        "90d" => days_back(89),
        "91d" => days_back(90),
        "month" => today.first_of_month(),
        "year" => today.first_of_year(),
        "6mo" => months_back(5),
        "12mo" => months_back(11),
        "all" => all(today, first_event()?),
        "realtime" => return Ok(Range::Realtime),
        "custom" => return Err(ApiError::bad_request("period=custom needs start_date and end_date")),
        _ => {
            let known = "day, today, 7d, 28d, 30d, 90d, 91d, month, 6mo, 12mo, year, all, realtime or custom";
            return Err(ApiError::bad_request(format!("Invalid period: {name}. Use {known}.")));
        }
    };
    Ok(Range::Days { first, last: today })
}

/// The day of the first event, but not more than ten years ago, and today for a site without events.
fn all(today: Date, first_event: Option<Zoned>) -> Date {
    let earliest = today.saturating_sub((RANGE_DAYS_MAX - 1).days());
    first_event.map_or(today, |first| first.date()).clamp(earliest, today)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2024-03-31T22:30:00Z";

    fn pairs(query: &str) -> Pairs<'_> {
        url::form_urlencoded::parse(query.as_bytes()).collect()
    }

    fn parse(query: &str) -> Result<Params, String> {
        let now = Timestamp::parse(NOW).unwrap();
        let first_event = |_: &SiteId| Some(Timestamp::parse("2024-02-10T12:00:00Z").unwrap());
        Params::parse(&pairs(query), now, |_| TimeZone::UTC, first_event, |_, _| None, |_| Vec::new()).map_err(
            |error| {
                assert_eq!(error.status(), 400, "{query}");
                error.to_string()
            },
        )
    }

    fn range(query: &str) -> String {
        match parse(&format!("site_id=a.example&{query}")).unwrap().range {
            Range::Days { first, last } => format!("{first}..{last}"),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    fn error(query: &str) -> String {
        parse(query).unwrap_err()
    }

    #[test]
    fn periods_are_calendar_days_that_include_today() {
        for (period, expected) in [
            ("day", "2024-03-31..2024-03-31"),
            ("today", "2024-03-31..2024-03-31"),
            ("7d", "2024-03-25..2024-03-31"),
            ("30d", "2024-03-02..2024-03-31"),
            ("90d", "2024-01-02..2024-03-31"),
            ("month", "2024-03-01..2024-03-31"),
            ("year", "2024-01-01..2024-03-31"),
            ("6mo", "2023-10-01..2024-03-31"),
            ("12mo", "2023-04-01..2024-03-31"),
            ("all", "2024-02-10..2024-03-31"),
            ("realtime", "realtime"),
        ] {
            assert_eq!(range(&format!("period={period}")), expected, "{period}");
        }
        assert_eq!(range(""), range("period=30d"));
    }

    #[test]
    fn today_is_the_day_of_the_zone() {
        assert_eq!(range("period=day&timezone=Europe/Berlin"), "2024-04-01..2024-04-01");
        assert_eq!(range("period=day&timezone=America/New_York"), "2024-03-31..2024-03-31");
        assert_eq!(range("period=month&timezone=Europe/Berlin"), "2024-04-01..2024-04-01");
    }

    #[test]
    fn all_of_a_site_without_events_is_today_and_never_more_than_ten_years() {
        let params = |first: Option<&str>| {
            let first = first.map(|text| Timestamp::parse(text).unwrap());
            Params::parse(
                &pairs("site_id=a&period=all"),
                Timestamp::parse(NOW).unwrap(),
                |_| TimeZone::UTC,
                |_| first,
                |_, _| None,
                |_| Vec::new(),
            )
            .unwrap()
            .range
        };
        assert_eq!(params(None).days(), Some(1));
        assert_eq!(params(Some("1999-01-01T00:00:00Z")).days(), Some(RANGE_DAYS_MAX));
    }

    #[test]
    fn two_dates_override_the_period() {
        assert_eq!(range("period=7d&start_date=2024-01-15&end_date=2024-01-15"), "2024-01-15..2024-01-15");
        assert_eq!(range("period=custom&start_date=2023-12-31&end_date=2024-01-01"), "2023-12-31..2024-01-01");
        assert_eq!(range("period=nonsense&start_date=2023-12-31&end_date=2024-01-01"), "2023-12-31..2024-01-01");
    }

    #[test]
    fn a_span_of_3653_days_is_the_longest() {
        assert_eq!(range("start_date=2014-01-01&end_date=2024-01-01"), "2014-01-01..2024-01-01");
        let message = "Date range must not exceed 3653 days. Ask for a shorter range.";
        assert_eq!(error("site_id=a&start_date=2014-01-01&end_date=2024-01-02"), message);
    }

    #[test]
    fn wrong_sites_are_named() {
        assert_eq!(error(""), "site_id must not be empty");
        assert_eq!(error("site_id="), "site_id must not be empty");
        assert_eq!(error(&format!("site_id={}", "a".repeat(257))), "site_id must be at most 256 characters");
        let message = "site_id may only contain alphanumeric characters, '.', '-', '_', ':'";
        assert_eq!(error("site_id=a/b"), message);
        assert_eq!(error("site_id=%C3%A4"), message);
        assert!(parse(&format!("site_id={}", "a".repeat(256))).is_ok());
    }

    #[test]
    fn wrong_dates_are_named() {
        let start = "Invalid start_date format. Use YYYY-MM-DD.";
        let end = "Invalid end_date format. Use YYYY-MM-DD.";
        for text in ["2024-1-5", "2024-02-30", "20240105", "2024-01-05T00:00", "", "x"] {
            assert_eq!(error(&format!("site_id=a&start_date={text}&end_date=2024-03-01")), start, "{text}");
            assert_eq!(error(&format!("site_id=a&start_date=2024-01-01&end_date={text}")), end, "{text}");
        }
        let order = "end_date must be on or after start_date";
        assert_eq!(error("site_id=a&start_date=2024-01-02&end_date=2024-01-01"), order);
        let both = "start_date and end_date must be given together";
        assert_eq!(error("site_id=a&start_date=2024-01-02"), both);
        assert_eq!(error("site_id=a&end_date=2024-01-02"), both);
        assert_eq!(error("site_id=a&period=custom"), "period=custom needs start_date and end_date");
    }

    #[test]
    fn filters_and_a_moment_are_part_of_the_question() {
        let params = parse("site_id=a&as_of=17&filters=[[%22is%22,%22event:page%22,[%22/%22]]]").unwrap();
        let question = params.question(Timestamp::parse(NOW).unwrap()).unwrap();
        assert_eq!((question.as_of, question.filter.is_everything()), (Some(17), false));
        let text = "Invalid as_of: '-1'. Use an LSN, as x-mallard-as-of gives it.";
        assert_eq!(error("site_id=a&as_of=-1"), text);
        assert_eq!(
            error("site_id=a&filters=[7]"),
            "filters[0]: must be a filter such as [\"is\", \"event:page\", [\"/\"]]"
        );
    }

    #[test]
    fn wrong_periods_and_zones_are_named() {
        let message = error("site_id=a&period=14d");
        assert!(message.starts_with("Invalid period: 14d. Use day, today, 7d, 28d"), "{message}");
        let message = error("site_id=a&timezone=Mars/Olympus");
        assert_eq!(message, "Invalid timezone: 'Mars/Olympus'. Use an IANA name such as Europe/Berlin.");
        assert!(error("site_id=a&timezone=").starts_with("Invalid timezone: ''."));
    }

    #[test]
    fn a_question_runs_from_local_midnight_to_local_midnight() {
        let question = |query: &str| {
            let now = Timestamp::parse(NOW).unwrap();
            let span = parse(&format!("site_id=a&{query}")).unwrap().question(now).unwrap().span;
            [span.start_us, span.end_us].map(|us| Timestamp::from_micros(us).unwrap().to_string())
        };
        // The clock is put forward on this day, so it has 23 hours.
        let berlin = question("timezone=Europe/Berlin&start_date=2024-03-31&end_date=2024-03-31");
        assert_eq!(berlin, ["2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"]);
        // Here midnight itself is skipped.
        let sao_paulo = question("timezone=America/Sao_Paulo&start_date=2018-11-04&end_date=2018-11-04");
        assert_eq!(sao_paulo, ["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"]);
        assert_eq!(question("period=realtime"), ["2024-03-31T22:25:00Z", "2024-03-31T22:30:00.000001Z"]);
    }
}
