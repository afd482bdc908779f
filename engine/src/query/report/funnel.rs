//! How many visitors filled the steps of a funnel, in order.
//!
//! Of all ways to have come to a step, only the one that began last matters: it has the most time left. So a visitor's
//! state is one time for each step. A row is looked at for the last step first, because one event fills one step.

use super::Asked;
use crate::query::journey::{Funnel, FunnelReport};
use crate::query::question::{Answer, QueryError, Span};
use crate::query::rows::Row;
use crate::query::walk::{DayFold, Place};

const TEXTS: [&str; 1] = ["pathname"];

/// Answers for every step how many visitors came to it.
pub(in crate::query) fn report(asked: &Asked<'_>, funnel: &Funnel) -> Result<Answer<FunnelReport>, QueryError> {
    let mut total = FunnelReport { reached: vec![0; funnel.steps.len()], visitors: 0 };
    let begin = |window| FunnelFold::new(funnel, window);
    let incomplete = asked.fold_days(&TEXTS, begin, |day| {
        total.visitors += day.visitors;
        for (total, day) in total.reached.iter_mut().zip(day.reached) {
            *total += day;
        }
        Ok(())
    })?;
    Ok(asked.answer(total, incomplete))
}

struct FunnelFold<'a> {
    funnel: &'a Funnel,
    window: Span,
    report: FunnelReport,
    is_counted: bool,
    /// For each step, when the youngest way to it began.
    began_us: Vec<Option<i64>>,
    depth: usize,
}

impl<'a> FunnelFold<'a> {
    fn new(funnel: &'a Funnel, window: Span) -> Self {
        let steps = funnel.steps.len();
        let report = FunnelReport { reached: vec![0; steps], visitors: 0 };
        Self { funnel, window, report, is_counted: false, began_us: vec![None; steps], depth: 0 }
    }

    fn end_visitor(&mut self) {
        self.report.visitors += u64::from(self.is_counted);
        for reached in self.report.reached.iter_mut().take(self.depth) {
            *reached += 1;
        }
        self.is_counted = false;
        self.depth = 0;
        self.began_us.fill(None);
    }

    fn fill(&mut self, step: usize, at_us: i64) {
        let began_us = match step.checked_sub(1) {
            None => Some(at_us),
            Some(before) => self.began_us.get(before).copied().flatten(),
        };
        let is_in_time = |began_us: &i64| self.funnel.window_us.is_none_or(|window_us| at_us - began_us <= window_us);
        if let (Some(began_us), Some(youngest)) = (began_us.filter(is_in_time), self.began_us.get_mut(step)) {
            *youngest = Some(began_us).max(*youngest);
            self.depth = self.depth.max(step + 1);
        }
    }
}

impl DayFold for FunnelFold<'_> {
    type Partial = FunnelReport;

    fn push(&mut self, row: Row<'_>, place: Place) -> Result<(), QueryError> {
        if place.begins_visitor {
            self.end_visitor();
        }
        if self.window.contains(place.act.at_us) {
            self.is_counted = true;
            let funnel = self.funnel;
            for (number, _) in
                funnel.steps.iter().enumerate().rev().filter(|(_, step)| step.matches(row, place.act.kind))
            {
                self.fill(number, place.act.at_us);
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<FunnelReport, QueryError> {
        self.end_visitor();
        Ok(self.report)
    }
}
