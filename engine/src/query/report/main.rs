//! The figures at the top of a dashboard.

use super::{Asked, ratio};
use crate::query::partial::Totals;
use crate::query::question::{Answer, MainReport, QueryError};

/// Answers the question with the sums of its days.
pub(in crate::query) fn report(asked: &Asked<'_>) -> Result<Answer<MainReport>, QueryError> {
    let mut totals = Totals::default();
    let incomplete = asked.each_day(
        None,
        |standard| (standard, ()),
        |(), partial| {
            totals.add(&partial.totals);
            Ok(())
        },
    )?;
    Ok(asked.answer(figures(&totals), incomplete))
}

fn figures(totals: &Totals) -> MainReport {
    MainReport {
        unique_visitors: totals.visitors,
        total_pageviews: totals.pageviews,
        bounce_rate: ratio(totals.bounces, totals.sessions),
        avg_visit_duration_secs: match (totals.sessions, totals.timed_sessions) {
            (1.., 0) => None,
            _ => Some(ratio(totals.duration_us, totals.timed_sessions) / 1e6),
        },
        pages_per_visit: ratio(totals.pageviews, totals.visitors),
        visits: totals.sessions,
        views_per_visit: ratio(totals.session_pageviews, totals.sessions),
        events: totals.events,
    }
}
