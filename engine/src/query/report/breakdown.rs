//! Visitors and pageviews by the values of a dimension.

use std::cmp::Reverse;

use super::Asked;
use crate::query::dimension::Dimension;
use crate::query::pick::Pick;
use crate::query::question::{Answer, BreakdownRow, QueryError};
use crate::query::tally::Tally;

/// Answers with the values that are picked: by visitors and pageviews descending, then by value.
pub(in crate::query) fn report(
    asked: &Asked<'_>,
    dimension: Dimension,
    pick: &Pick,
) -> Result<Answer<Vec<BreakdownRow>>, QueryError> {
    let mut tally = Tally::new();
    let incomplete = asked.each_day(
        Some(dimension),
        |standard| (standard, ()),
        |(), partial| tally.add(partial.table(dimension)?),
    )?;
    let lines = pick.lines(tally.into_counts(), |(value, counts), (other, others)| {
        Reverse((counts.visitors, counts.pageviews))
            .cmp(&Reverse((others.visitors, others.pageviews)))
            .then_with(|| shown(value.as_deref(), dimension).cmp(shown(other.as_deref(), dimension)))
            .then_with(|| value.cmp(other))
    });
    let rows = lines.into_iter().map(|(value, counts)| BreakdownRow {
        value: value.map(String::from),
        visitors: counts.visitors,
        pageviews: counts.pageviews,
    });
    Ok(asked.answer(rows.collect(), incomplete))
}

fn shown(value: Option<&str>, dimension: Dimension) -> &str {
    value.unwrap_or(dimension.null_label())
}
