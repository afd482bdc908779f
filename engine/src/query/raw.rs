//! The events themselves, one day after the other, in the order (timestamp, lsn). What is held is one batch, and an index
//! of the day's hot rows; DuckDB sorts the rest and spills what does not fit.

use std::vec;

use arrow::record_batch::RecordBatch;
use mallard_event::columns::rows_from;
use mallard_event::{Stored, Timestamp};

use super::deadline::Deadline;
use super::filter::Program;
use super::pool::Pool;
use super::question::{QueryError, Question};
use super::rows::Rows;
use super::source::{Snapshot, Source};
use super::sql;
use super::stream::{Texts, verify};

/// Hands every event of the question to `take`, until it answers `false`. `deadline` is asked for a new one every day.
pub(super) fn read(
    pool: &Pool,
    snapshot: &dyn Snapshot,
    question: &Question,
    deadline: impl Fn() -> Deadline,
    take: &mut dyn FnMut(&Stored) -> bool,
) -> Result<(), QueryError> {
    let span = question.span;
    if span.is_empty() {
        return Ok(());
    }
    question.filter.of_events()?;
    let program = Program::new(&question.filter)?;
    let date = |at_us| Timestamp::saturating_from_micros(at_us).date();
    let is_asked = |row: &Stored| {
        let is_later = row.lsn.zip(question.as_of).is_some_and(|(lsn, as_of)| lsn > as_of);
        !is_later && span.contains(row.event.timestamp.micros())
    };
    let mut take = |row: &Stored| {
        let is_taken = !is_asked(row) || take(row);
        if is_taken { Ok(()) } else { Err(QueryError::Cancelled) }
    };
    for day in snapshot.days_with_data(date(span.start_us)..=date(span.end_us - 1)) {
        read_day(pool, &snapshot.day(day)?, &program, &deadline(), &mut take)?;
    }
    Ok(())
}

fn read_day(
    pool: &Pool,
    source: &Source,
    program: &Program,
    deadline: &Deadline,
    take: &mut dyn FnMut(&Stored) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let mut hot = hot_rows(source, program)?;
    let mut next = hot.next();
    if !source.files.is_empty() {
        source.files.iter().try_for_each(|file| verify(file, deadline))?;
        let (table, within_an_instant) = sql::day(&source.files)?;
        let rows = format!("SELECT * FROM {table} ORDER BY timestamp, {within_an_instant}");
        source.query(&pool.lease(deadline)?, &rows, |batch| {
            deadline.check()?;
            for row in kept(batch, program)? {
                while let Some(hot_row) = next.take_if(|hot_row| place(hot_row) < place(&row)) {
                    take(&hot_row)?;
                    next = hot.next();
                }
                take(&row)?;
            }
            Ok(())
        })?;
    }
    next.into_iter().chain(hot).try_for_each(|row| take(&row))
}

/// The rows of a batch that the filter keeps.
fn kept(batch: &RecordBatch, program: &Program) -> Result<Vec<Stored>, QueryError> {
    let judged = Rows::new(batch, Texts { values: &[], tested: program.columns() })?;
    let rows = rows_from(batch).map_err(QueryError::internal)?;
    Ok(rows.into_iter().zip(judged.iter()).filter(|(_, row)| program.keeps(*row)).map(|(row, _)| row).collect())
}

fn hot_rows(source: &Source, program: &Program) -> Result<vec::IntoIter<Stored>, QueryError> {
    let mut rows = Vec::new();
    for batch in &source.tail {
        rows.extend(kept(batch, program)?);
    }
    rows.sort_by_key(place);
    Ok(rows.into_iter())
}

fn place(row: &Stored) -> (Timestamp, Option<u64>) {
    (row.event.timestamp, row.lsn)
}
