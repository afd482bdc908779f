//! [`Reports`]: the questions of one request, answered under one deadline.

use std::fmt::Debug;
use std::sync::Arc;

use crate::flights::Flights;
use crate::query::{
    self, Answer, BreakdownRow, Bucket, Cohort, DailyRow, Deadline, Dimension, Duck, FlowRow, Funnel, FunnelReport,
    FunnelStep, GoalReport, GoalRow, Grouping, Groups, Interval, Journey, Journeys, Key, MainReport, Paths, Pick,
    QueryError, Question, Realtime, Subject, ValueRow,
};
use crate::store::{Store, View};

/// The reports of an engine, for one request: see [`crate::Engine::reports`].
#[derive(Debug)]
pub struct Reports<'a> {
    store: &'a Store,
    duck: &'a Duck,
    flights: &'a Flights<View>,
    deadline: Deadline,
}

impl<'a> Reports<'a> {
    pub(crate) fn new(store: &'a Store, duck: &'a Duck, flights: &'a Flights<View>, deadline: Deadline) -> Self {
        Self { store, duck, flights, deadline }
    }

    /// The figures at the top of a dashboard.
    pub fn main(&self, question: &Question) -> Result<Answer<MainReport>, QueryError> {
        self.ask(question, "main", |view, deadline| query::main(self.duck, view, question, deadline))
    }

    /// Visitors and pageviews over time, without gaps.
    pub fn timeseries(&self, question: &Question, interval: Interval) -> Result<Answer<Vec<Bucket>>, QueryError> {
        self.ask(question, ("timeseries", interval), |view, deadline| {
            query::timeseries(self.duck, view, question, interval, deadline)
        })
    }

    /// The values of a dimension, the most frequent ones first.
    pub fn breakdown(
        &self,
        question: &Question,
        dimension: Dimension,
        pick: impl Into<Pick>,
    ) -> Result<Answer<Vec<BreakdownRow>>, QueryError> {
        let pick = pick.into();
        self.ask(question, ("breakdown", dimension, &pick), |view, deadline| {
            query::breakdown(self.duck, view, question, dimension, &pick, deadline)
        })
    }

    /// How many visitors filled the steps of a funnel, in order.
    pub fn funnel(&self, question: &Question, funnel: &Funnel) -> Result<Answer<FunnelReport>, QueryError> {
        self.ask(question, ("funnel", funnel), |view, deadline| {
            query::funnel(self.duck, view, question, funnel, deadline)
        })
    }

    /// The pages that were viewed next after `page` in the same session, the most frequent ones first.
    pub fn flow(
        &self,
        question: &Question,
        page: &str,
        pick: impl Into<Pick>,
    ) -> Result<Answer<Vec<FlowRow>>, QueryError> {
        let pick = pick.into();
        self.ask(question, ("flow", page, &pick), |view, deadline| {
            query::flow(self.duck, view, question, page, &pick, deadline)
        })
    }

    /// Who came back, by the week of the first visit, for every week of the span that has begun; `weeks`, at most 52, are
    /// followed, the first included. `is_identified` says that the site identifies its users.
    pub fn retention(
        &self,
        question: &Question,
        weeks: usize,
        is_identified: bool,
    ) -> Result<Answer<Vec<Cohort>>, QueryError> {
        self.ask(question, ("retention", weeks, is_identified), |view, deadline| {
            query::retention(self.duck, view, question, weeks, is_identified, deadline)
        })
    }

    /// Figures by any combination of values: a group for each that occurs, in the order of time.
    pub fn groups(&self, question: &Question, keys: &[Key]) -> Result<Answer<Arc<Groups>>, QueryError> {
        self.ask(question, ("groups", keys), |view, deadline| {
            query::groups(self.duck, view, question, keys, false, deadline)?.try_map(|groups| Ok(Arc::new(groups)))
        })
    }

    /// The same, each group with what its events earned.
    pub fn takings(&self, question: &Question, keys: &[Key]) -> Result<Answer<Arc<Groups>>, QueryError> {
        self.ask(question, ("takings", keys), |view, deadline| {
            query::groups(self.duck, view, question, keys, true, deadline)?.try_map(|groups| Ok(Arc::new(groups)))
        })
    }

    /// The names of custom events, or the values of a property, with their revenue, the most frequent ones first.
    pub fn values(
        &self,
        question: &Question,
        grouping: &Grouping,
        pick: impl Into<Pick>,
    ) -> Result<Answer<Vec<ValueRow>>, QueryError> {
        let pick = pick.into();
        self.ask(question, ("values", grouping, &pick), |view, deadline| {
            query::values(self.duck, view, question, grouping, &pick, deadline)
        })
    }

    /// The pages that visits saw before or after a page or an event: the most frequent paths, and of each step the most
    /// frequent pages.
    pub fn journeys(
        &self,
        question: &Question,
        journey: &Journey,
        paths: impl Into<Paths>,
    ) -> Result<Answer<Journeys>, QueryError> {
        let paths = paths.into();
        self.ask(question, ("journeys", journey, &paths), |view, deadline| {
            query::journeys(self.duck, view, question, journey, &paths, deadline)
        })
    }

    /// How goals were met, all in one pass.
    pub fn goals(&self, question: &Question, goals: &[FunnelStep]) -> Result<Answer<GoalReport>, QueryError> {
        self.ask(question, ("goals", goals), |view, deadline| query::goals(self.duck, view, question, goals, deadline))
    }

    /// How a goal was met under the values of a subject, those with most converted visitors first.
    pub fn goal_by(
        &self,
        question: &Question,
        goal: &FunnelStep,
        subject: &Subject,
        pick: impl Into<Pick>,
    ) -> Result<Answer<Vec<GoalRow>>, QueryError> {
        let pick = pick.into();
        self.ask(question, ("goal_by", goal, subject, &pick), |view, deadline| {
            query::goal_by(self.duck, view, question, goal, subject, &pick, deadline)
        })
    }

    /// The figures of `present` and the minutes of `recent`, both of one moment and one site.
    pub fn realtime(&self, present: &Question, recent: &Question) -> Result<Answer<Realtime>, QueryError> {
        self.ask(present, ("realtime", recent), |view, deadline| {
            query::realtime(self.duck, view, present, recent, deadline)
        })
    }

    /// Every local day of the span in one line.
    pub fn daily(&self, question: &Question) -> Result<Answer<Vec<DailyRow>>, QueryError> {
        self.ask(question, "daily", |view, deadline| query::daily(self.duck, view, question, deadline))
    }

    /// Answers from what can be read: a file that turns out to be damaged is left out, and the answer says so. The same
    /// question that others ask meanwhile is answered once; `report` says which one it is beside `question`.
    fn ask<T: Clone + Send + Sync + 'static>(
        &self,
        question: &Question,
        report: impl Debug,
        answer: impl Fn(&View, &Deadline) -> Result<Answer<T>, QueryError>,
    ) -> Result<Answer<T>, QueryError> {
        loop {
            let view = self.store.view(&question.site);
            let asked = format!("{report:?} {question:?}");
            match self.flights.answer(asked, &view, &self.deadline, || answer(&view, &self.deadline)) {
                Err(QueryError::Damaged { file, reason }) if self.store.suspect(&file, &reason) => {}
                answered => return answered.map(|answer| answer.lacking(view.lost(question))),
            }
        }
    }
}
