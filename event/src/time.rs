//! [`Timestamp`] and [`Date`]: instants and days in UTC. Nothing here reads a clock.
//!
//! Both cover the years 1 to 9999 up to 9999-12-30, so every date has ten characters and every instant has a local time
//! in every time zone. Civil arithmetic is jiff's.

use std::fmt;

use jiff::civil::Time;
use jiff::tz::Offset;

use crate::Invalid;

const DAY_SECONDS: i64 = 86_400;
const DAY_MICROS: i64 = DAY_SECONDS * 1_000_000;
/// 0001-01-01.
const DAYS_MIN: i32 = -719_162;
/// 9999-12-30: jiff's last instant is in its evening.
const DAYS_MAX: i32 = 2_932_895;
const INVALID_DATE: Invalid =
    Invalid::new("date", "must be a day from 0001-01-01 to 9999-12-30, written as YYYY-MM-DD");

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first instant: 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(DAYS_MIN as i64 * DAY_MICROS);
    /// The last instant: 9999-12-30T00:00:00Z.
    pub const MAX: Self = Self(DAYS_MAX as i64 * DAY_MICROS);

    /// Takes microseconds from a file or a client.
    pub const fn from_micros(micros: i64) -> Result<Self, Invalid> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 {
            Err(Invalid::new("timestamp", "must be within the years 1 to 9999"))
        } else {
            Ok(Self(micros))
        }
    }

    /// Takes microseconds from a clock or from arithmetic; what lies outside becomes [`Self::MIN`] or [`Self::MAX`].
    #[must_use]
    pub const fn saturating_from_micros(micros: i64) -> Self {
        match Self::from_micros(micros) {
            Ok(timestamp) => timestamp,
            Err(_) if micros < 0 => Self::MIN,
            Err(_) => Self::MAX,
        }
    }

    /// Reads an RFC 3339 text such as `2024-01-31T23:59:59.5Z` or one with an offset; digits finer than a microsecond
    /// are cut.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let parsed: jiff::Timestamp = text
            .parse()
            .map_err(|_| Invalid::new("timestamp", "must be an RFC 3339 time such as 2024-01-31T23:59:59Z"))?;
        Self::from_micros(parsed.as_microsecond())
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The UTC day of this instant.
    #[expect(clippy::cast_possible_truncation, reason = "the bounds of Timestamp keep its days within i32")]
    pub const fn date(self) -> Date {
        Date(self.0.div_euclid(DAY_MICROS) as i32)
    }
}

/// RFC 3339 in UTC, with as many decimals as it takes.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        fmt::Display::fmt(&instant, f)
    }
}

/// A UTC day: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// The first day: 0001-01-01.
    pub const MIN: Self = Self(DAYS_MIN);
    /// The last day: 9999-12-30.
    pub const MAX: Self = Self(DAYS_MAX);

    /// Takes days since 1970-01-01 from a file.
    pub const fn from_days(days: i32) -> Result<Self, Invalid> {
        if days < DAYS_MIN || days > DAYS_MAX { Err(INVALID_DATE) } else { Ok(Self(days)) }
    }

    /// Reads exactly `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if !has_date_shape(text) {
            return Err(INVALID_DATE);
        }
        let civil: jiff::civil::Date = text.parse().map_err(|_| INVALID_DATE)?;
        let midnight = Offset::UTC.to_timestamp(civil.to_datetime(Time::midnight())).map_err(|_| INVALID_DATE)?;
        let days = i32::try_from(midnight.as_second().div_euclid(DAY_SECONDS)).map_err(|_| INVALID_DATE)?;
        Self::from_days(days)
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// The first instant of the day.
    pub const fn start(self) -> Timestamp {
        Timestamp::saturating_from_micros(self.0 as i64 * DAY_MICROS)
    }

    /// The first instant after the day ([`Timestamp::MAX`] for [`Date::MAX`]).
    pub const fn end(self) -> Timestamp {
        Timestamp::saturating_from_micros((self.0 as i64 + 1) * DAY_MICROS)
    }
}

/// `YYYY-MM-DD`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let midnight = jiff::Timestamp::from_microsecond(self.start().micros()).map_err(|_| fmt::Error)?;
        fmt::Display::fmt(&Offset::UTC.to_datetime(midnight).date(), f)
    }
}

fn has_date_shape(text: &str) -> bool {
    let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    shape.eq(*b"0000-00-00")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_date_is_exactly_ten_characters_and_exists() {
        for accepted in ["0001-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "9999-12-30"] {
            assert_eq!(Date::parse(accepted).unwrap().to_string(), accepted);
        }
        for refused in [
            "",
            "2024-1-5",
            "2023-02-29",
            "2024-13-01",
            "2024-01-32",
            "2024-01-01T00",
            "+024-01-01",
            "2024/01/01",
            "0000-12-31",
            "9999-12-31",
        ] {
            let error = Date::parse(refused).unwrap_err();
            assert_eq!(
                error.to_string(),
                "date must be a day from 0001-01-01 to 9999-12-30, written as YYYY-MM-DD",
                "{refused:?}"
            );
        }
    }

    #[test]
    fn the_bounds_are_the_days_they_claim_to_be() {
        assert_eq!(Date::MIN, Date::parse("0001-01-01").unwrap());
        assert_eq!(Date::MAX, Date::parse("9999-12-30").unwrap());
        assert_eq!(Date::MAX.end(), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.date(), Date::MAX);
        assert_eq!(Timestamp::MIN.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T00:00:00Z");
    }

    #[test]
    fn a_time_outside_the_bounds_is_refused_or_taken_to_the_edge() {
        for (micros, edge) in [(i64::MIN, Timestamp::MIN), (i64::MAX, Timestamp::MAX)] {
            assert_eq!(
                Timestamp::from_micros(micros).unwrap_err().to_string(),
                "timestamp must be within the years 1 to 9999"
            );
            assert_eq!(Timestamp::saturating_from_micros(micros), edge);
        }
    }

    #[test]
    fn an_instant_belongs_to_the_utc_day_that_contains_it() {
        for (text, day) in [
            ("1970-01-01T00:00:00Z", "1970-01-01"),
            ("1969-12-31T23:59:59.999999Z", "1969-12-31"),
            ("2024-02-29T23:59:59.999999Z", "2024-02-29"),
            ("2024-03-01T00:30:00+01:00", "2024-02-29"),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().date().to_string(), day, "{text}");
        }
    }

    #[test]
    fn rfc_3339_is_read_to_the_microsecond_and_anything_else_is_refused() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.0000019Z", 1),
            ("1970-01-01t01:00:00+01:00", 0),
            ("2024-01-31T12:00:00.25-05:00", 1_706_720_400_250_000),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().micros(), micros, "{text}");
        }
        for refused in ["", "yesterday", "2024-01-31", "2024-01-31T12:00:00", "1706720400"] {
            let error = Timestamp::parse(refused).unwrap_err();
            assert_eq!(
                error.to_string(),
                "timestamp must be an RFC 3339 time such as 2024-01-31T23:59:59Z",
                "{refused:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_date_survives_its_text(days in DAYS_MIN..=DAYS_MAX) {
            let date = Date::from_days(days).unwrap();
            prop_assert_eq!(date.to_string().len(), 10);
            prop_assert_eq!(Date::parse(&date.to_string()).unwrap(), date);
        }

        #[test]
        fn every_instant_lies_in_its_day_and_survives_its_text(micros in Timestamp::MIN.0..Timestamp::MAX.0) {
            let instant = Timestamp::from_micros(micros).unwrap();
            prop_assert!(instant.date().start() <= instant && instant < instant.date().end());
            prop_assert_eq!(Timestamp::parse(&instant.to_string()).unwrap(), instant);
        }
    }
}
