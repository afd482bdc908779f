//! Visitors and pageviews by minute, hour, day, week or month.

use super::Asked;
use crate::query::question::{Answer, Bucket, Interval, QueryError};
use crate::query::tally::Counts;

/// Answers with every bucket that overlaps the span, in order, empty ones included.
pub(in crate::query) fn report(asked: &Asked<'_>, interval: Interval) -> Result<Answer<Vec<Bucket>>, QueryError> {
    let starts = asked.calendar().buckets(asked.question.span, interval)?;
    let mut counts = vec![Counts::default(); starts.len()];
    let incomplete = asked.each_day(
        None,
        |standard| {
            let window = standard.window;
            let first = starts.partition_point(|start_us| *start_us <= window.start_us);
            let end = starts.partition_point(|start_us| *start_us < window.end_us);
            let (cuts, stretch) = standard.for_edges(starts.get(first..end).unwrap_or_default());
            (cuts, (stretch, first.saturating_sub(1)))
        },
        |(stretch, bucket), partial| {
            for (counts, piece) in counts.iter_mut().skip(bucket).zip(partial.pieces(stretch)) {
                counts.add(piece);
            }
            Ok(())
        },
    )?;
    let calendar = asked.calendar();
    let bucket = |(start_us, counts): (i64, Counts)| {
        let label = calendar.label(start_us, interval)?;
        Ok(Bucket { label, start_us, visitors: counts.visitors, pageviews: counts.pageviews })
    };
    let buckets = starts.iter().copied().zip(counts).map(bucket).collect::<Result<_, QueryError>>()?;
    Ok(asked.answer(buckets, incomplete))
}
