//! Every local day in one line: its figures, its first page, its first source.

use super::{Asked, breakdown, main};
use crate::query::dimension::Dimension;
use crate::query::grouping::DailyRow;
use crate::query::pick::Pick;
use crate::query::question::{Answer, Interval, QueryError, Question, Span};

/// Answers for every local day that overlaps the span, in order, empty ones included.
pub(in crate::query) fn report(asked: &Asked<'_>) -> Result<Answer<Vec<DailyRow>>, QueryError> {
    let whole = main::report(asked)?;
    let starts = asked.calendar().buckets(asked.question.span, Interval::Day)?;
    let ends = starts.iter().copied().skip(1).chain([asked.question.span.end_us]);
    let row = |(start_us, end_us): (i64, i64)| {
        let span = Span { start_us, end_us }.intersection(asked.question.span);
        let question = Question { span, ..asked.question.clone() };
        let part = asked.part(&question);
        let figures = main::report(&part)?.value;
        let first = |dimension| {
            breakdown::report(&part, dimension, &Pick::First(1))
                .map(|mut top| top.value.pop().and_then(|row| row.value))
        };
        Ok(DailyRow {
            date: asked.calendar().label(start_us, Interval::Day)?,
            visitors: figures.unique_visitors,
            pageviews: figures.total_pageviews,
            top_page: first(Dimension::Pages)?,
            top_source: first(Dimension::Sources)?,
        })
    };
    let rows = starts.iter().copied().zip(ends).map(row).collect::<Result<_, QueryError>>()?;
    Ok(asked.answer(rows, whole.incomplete))
}
