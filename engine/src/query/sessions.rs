//! What a session is: the rules, one session at a time.
//!
//! Events of one visitor arrive in the order (timestamp, lsn). An event more than [`GAP_US`] after the one before begins a
//! new session. Where a time was rounded to its hour, the gap is unknown: an event of the same or the following hour
//! continues the session, and that session has no duration.
//!
//! This file does not know where events come from, which sessions a report counts, or what a visitor is.

use super::rows::Kind;

/// The longest silence inside a session: 30 minutes, bound included.
const GAP_US: i64 = 30 * 60 * 1_000_000;
const HOUR_US: i64 = 60 * 60 * 1_000_000;

/// What the rules need to know of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    pub(super) at_us: i64,
    pub(super) kind: Kind,
    /// The event was marked `interactive: true`.
    pub(super) is_interactive: bool,
    /// The time was rounded down to its hour before it was stored.
    pub(super) is_rounded: bool,
}

/// A session so far.
#[derive(Clone, Debug)]
pub(super) struct Session {
    start_us: i64,
    last: Act,
    pageviews: u64,
    is_engaged: bool,
    is_rounded: bool,
}

impl Session {
    /// The session that begins with `act`.
    pub(super) fn begin(act: Act) -> Self {
        let mut session = Self { start_us: act.at_us, last: act, pageviews: 0, is_engaged: false, is_rounded: false };
        session.extend(act);
        session
    }

    /// Whether `act` belongs to this session.
    pub(super) fn continues_with(&self, act: Act) -> bool {
        if self.last.is_rounded || act.is_rounded {
            act.at_us.div_euclid(HOUR_US) - self.last.at_us.div_euclid(HOUR_US) <= 1
        } else {
            act.at_us - self.last.at_us <= GAP_US
        }
    }

    /// Adds an event that belongs to this session.
    pub(super) fn extend(&mut self, act: Act) {
        self.last = act;
        self.is_rounded |= act.is_rounded;
        match act.kind {
            Kind::Pageview => self.pageviews += 1,
            Kind::Custom => self.is_engaged |= act.is_interactive,
            Kind::Engagement => {}
        }
    }

    pub(super) fn start_us(&self) -> i64 {
        self.start_us
    }

    pub(super) fn pageviews(&self) -> u64 {
        self.pageviews
    }

    /// Exactly one pageview and nothing that shows interest. A session without a pageview is never a bounce.
    pub(super) fn is_bounce(&self) -> bool {
        self.pageviews == 1 && !self.is_engaged
    }

    /// From the first to the last event; `None` if a time of it was rounded.
    pub(super) fn duration_us(&self) -> Option<u64> {
        (!self.is_rounded).then(|| self.last.at_us.abs_diff(self.start_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_US: i64 = 60_000_000;

    fn act(kind: Kind, at_us: i64) -> Act {
        Act { at_us, kind, is_interactive: false, is_rounded: false }
    }

    fn view(at_us: i64) -> Act {
        act(Kind::Pageview, at_us)
    }

    fn rounded(hour: i64) -> Act {
        Act { is_rounded: true, ..view(hour * HOUR_US) }
    }

    #[test]
    fn exactly_thirty_minutes_do_not_split_a_session_and_a_microsecond_more_does() {
        let session = Session::begin(view(5));
        assert!(session.continues_with(view(5 + 30 * MINUTE_US)));
        assert!(!session.continues_with(view(5 + 30 * MINUTE_US + 1)));
    }

    #[test]
    fn engagement_keeps_a_session_alive_and_is_not_a_pageview() {
        let mut session = Session::begin(view(0));
        session.extend(act(Kind::Engagement, 20 * MINUTE_US));
        assert!(session.continues_with(view(45 * MINUTE_US)));
        assert_eq!((session.pageviews(), session.is_bounce()), (1, true));
        assert_eq!(session.duration_us(), Some(1_200_000_000));
    }

    #[test]
    fn a_bounce_is_one_pageview_without_an_interactive_custom_event() {
        let clicked = |kind| Act { is_interactive: true, ..act(kind, 1) };
        let bounce_with = |second| {
            let mut session = Session::begin(view(0));
            session.extend(second);
            session.is_bounce()
        };
        assert!(Session::begin(view(0)).is_bounce());
        assert!(bounce_with(act(Kind::Custom, 1)));
        assert!(bounce_with(clicked(Kind::Engagement)));
        assert!(!bounce_with(clicked(Kind::Custom)));
        assert!(!bounce_with(view(1)));
        assert!(!Session::begin(act(Kind::Custom, 0)).is_bounce());
    }

    #[test]
    fn a_rounded_time_continues_through_the_following_hour_and_has_no_duration() {
        let session = Session::begin(rounded(7));
        assert!(session.continues_with(rounded(7)));
        assert!(session.continues_with(rounded(8)));
        assert!(session.continues_with(view(9 * HOUR_US - 1)));
        assert!(!session.continues_with(rounded(9)));
        assert_eq!(session.duration_us(), None);
    }

    #[test]
    fn one_rounded_time_takes_the_duration_of_the_whole_session() {
        let mut session = Session::begin(view(7 * HOUR_US + 59 * MINUTE_US));
        assert!(session.continues_with(rounded(8)));
        session.extend(rounded(8));
        session.extend(view(8 * HOUR_US + MINUTE_US));
        assert_eq!(session.duration_us(), None);
    }
}
