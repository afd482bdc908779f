//! [`Export`]: one moment of one site, held for as long as its events are being sent.

use mallard_event::{Date, Timestamp};

use crate::query::{QueryError, Question, Snapshot as _};
use crate::store::View;

/// A moment whose events are to be sent. Holding it keeps the files of that moment.
#[derive(Debug)]
pub struct Export {
    view: View,
    question: Question,
    incomplete: Vec<String>,
}

impl Export {
    /// The longest time that the events of one day may take, to read and to be taken.
    pub const DAY_TIMEOUT_US: i64 = 600 * 1_000_000;

    pub(crate) fn new(view: View, question: Question) -> Result<Self, QueryError> {
        if let Some(asked) = question.as_of.filter(|asked| *asked > view.as_of()) {
            return Err(QueryError::NotYet { asked, newest: view.as_of() });
        }
        question.filter.of_events()?;
        let mut incomplete = Vec::new();
        for date in days(&view, &question) {
            if !view.day(date)?.damaged.is_empty() {
                incomplete.push(format!("{} {date}..{date}", question.site));
            }
        }
        incomplete.extend(view.lost(&question));
        incomplete.dedup();
        Ok(Self { view, question, incomplete })
    }

    /// The LSN through which events are sent.
    pub fn as_of(&self) -> u64 {
        self.question.as_of.unwrap_or_else(|| self.view.as_of())
    }

    /// The days that miss damaged data: `<site> <UTC date>..<UTC date>`.
    pub fn incomplete(&self) -> &[String] {
        &self.incomplete
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    pub(crate) fn question(&self) -> &Question {
        &self.question
    }
}

fn days(view: &View, question: &Question) -> Vec<Date> {
    if question.span.is_empty() {
        return Vec::new();
    }
    let date = |at_us| Timestamp::saturating_from_micros(at_us).date();
    view.days_with_data(date(question.span.start_us)..=date(question.span.end_us - 1))
}
