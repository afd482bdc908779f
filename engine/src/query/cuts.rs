//! Where a UTC day is cut: at the ends of the question's span, and at the edges of its buckets.
//!
//! Visitors are distinct per UTC day, so those of a stretch of a day are not the sum of those of its pieces: every
//! stretch that a report may ask for is counted by itself, in one pass.
//!
//! ```text
//! UTC day      |00:00                  05:00 = 00:00 in New York                            24:00|
//! window       |<------------------------------------------------------------------------------->|   totals, tables
//! days         |<-------------------->|<--------------------------------------------------------->|   pieces
//! hours        |<-->|<-->|<-->|<-->|...                                                            |   pieces
//! ```
//! All questions over one span and zone ask for the same [`Cuts::standard`], so one partial answers all of them:
//! the figures, every breakdown, and a chart by hour, day, week or month.

use super::question::{Interval, QueryError, Span};
use super::span::Calendar;

/// The stretches of one UTC day that are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cuts {
    /// The part of the day inside the question's span.
    pub(super) window: Span,
    /// Edges strictly inside the window, ascending: where local days begin, or the buckets of an unusual interval.
    pub(super) days: Box<[i64]>,
    /// Where local hours begin.
    pub(super) hours: Box<[i64]>,
}

/// Which stretches of a day are the buckets of a time series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    /// The whole window is inside of one bucket.
    Window,
    /// The pieces between [`Cuts::days`].
    Days,
    /// The pieces between [`Cuts::hours`].
    Hours,
}

impl Cuts {
    /// The cuts that the default dashboard needs.
    pub(super) fn standard(calendar: Calendar<'_>, window: Span) -> Result<Self, QueryError> {
        let days = calendar.edges(window, Interval::Day)?.into();
        let hours = calendar.edges(window, Interval::Hour)?.into();
        Ok(Self { window, days, hours })
    }

    /// The cuts for buckets that begin at `edges` inside the window: the standard ones if they will do.
    pub(super) fn for_edges(self, edges: &[i64]) -> (Self, Stretch) {
        if edges.is_empty() {
            (self, Stretch::Window)
        } else if edges == &*self.days {
            (self, Stretch::Days)
        } else if edges == &*self.hours {
            (self, Stretch::Hours)
        } else {
            (Self { window: self.window, days: edges.into(), hours: Box::default() }, Stretch::Days)
        }
    }

    /// The edges of a stretch.
    #[cfg(test)]
    pub(super) fn edges(&self, stretch: Stretch) -> &[i64] {
        match stretch {
            Stretch::Window => &[],
            Stretch::Days => &self.days,
            Stretch::Hours => &self.hours,
        }
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.days) + size_of_val(&*self.hours)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    const HOUR_US: i64 = 3_600_000_000;
    const DAY: Span = Span { start_us: 0, end_us: 24 * HOUR_US };

    fn standard(zone: &str) -> Cuts {
        Cuts::standard(Calendar::new(&TimeZone::get(zone).unwrap()), DAY).unwrap()
    }

    #[test]
    fn a_utc_day_is_cut_where_the_local_day_begins() {
        assert!(standard("UTC").days.is_empty());
        assert_eq!(standard("UTC").hours.len(), 23);
        assert_eq!(&*standard("America/New_York").days, &[5 * HOUR_US]);
        assert_eq!(standard("Asia/Kolkata").hours.first(), Some(&(HOUR_US / 2)));
    }

    #[test]
    fn usual_intervals_share_the_standard_cuts_and_others_have_their_own() {
        let cuts = standard("America/New_York");
        for (edges, stretch) in
            [(&[][..], Stretch::Window), (&cuts.days[..], Stretch::Days), (&cuts.hours[..], Stretch::Hours)]
        {
            assert_eq!(cuts.clone().for_edges(edges), (cuts.clone(), stretch));
        }
        let (minutes, stretch) = cuts.clone().for_edges(&[60_000_000, 120_000_000]);
        assert_eq!((minutes.edges(stretch), minutes.window), (&[60_000_000, 120_000_000][..], DAY));
    }
}
