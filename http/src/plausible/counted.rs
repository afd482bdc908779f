//! What the engine counts for a query: the groups, and all that their metrics are compared with.
//!
//! Several questions, of which all but the first are as of the first: they are about the same events.

use std::collections::HashMap;
use std::sync::Arc;

use mallard_engine::{
    Answer, Figures, Filter, FunnelStep, Group, Groups, Interval, Key, QueryError, Question, Reports,
};

use super::metrics::{Measured, Metric};
use crate::app::App;
use crate::error::ApiError;
use crate::stats::filter::{self, Conversion};
use crate::stats::params::Params;

/// What is wanted beside the groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// Whether what events earned counts.
    pub(super) has_takings: bool,
    /// The filter of those who might have met the goals, if a rate of them is wanted.
    pub(super) everyone: Option<Filter>,
    /// Whether such a rate is wanted under the values of each line.
    pub(super) has_peers: bool,
    /// Buckets whose labels are all wanted.
    pub(super) labels: Option<Interval>,
}

/// The goals of a query.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Those that it may be by: as they are shown, and what meets them.
    pub(super) goals: Vec<(String, FunnelStep)>,
    /// Whether filters at the top ask for goals.
    pub(super) is_filtered: bool,
    everyone: Filter,
}

/// What was counted.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) groups: Arc<Groups>,
    /// All of the question together.
    pub(super) total: Figures,
    /// The visitors of the question without its filters on goals and properties, if they are wanted.
    everyone: u64,
    peers: Option<Peers>,
    /// The place of the goals among the keys.
    goals_at: Option<usize>,
    /// Whether the groups earned in several currencies, so that their sums do not compare.
    pub(super) is_mixed: bool,
    /// The labels of all buckets, if they are wanted.
    pub(super) labels: Vec<String>,
}

/// Visitors by the values of lines, without goals.
type Peers = HashMap<Box<[Option<Box<str>>]>, u64>;

impl Wanted {
    /// The goals that `conversion` and the site give. Rates that no goal is asked for, by a filter at the top or as a
    /// dimension, are refused.
    pub(super) fn of(
        app: &App,
        params: &Params,
        conversion: Option<Conversion>,
        metrics: &[Metric],
        is_by_goal: bool,
    ) -> Result<Self, ApiError> {
        let (filtered, everyone) = conversion.map_or_else(Default::default, |found| (found.goals, found.everyone));
        let is_filtered = filtered.is_some();
        let rate = metrics.iter().find(|metric| metric.is_conversion_rate() && !is_filtered && !is_by_goal);
        if let Some(metric) = rate {
            let name = metric.name();
            let message =
                format!("metrics: {name} needs a filter on event:goal that is not in another, or event:goal itself");
            return Err(ApiError::bad_request(message));
        }
        let goals = filtered.unwrap_or_else(|| app.goals.steps(&params.site));
        let shown = |(name, step): (String, FunnelStep)| (filter::goal_shown(&name, &step), step);
        Ok(Self { goals: goals.into_iter().map(shown).collect(), is_filtered, everyone })
    }

    /// What meets the goals.
    pub(super) fn steps(&self) -> Box<[FunnelStep]> {
        self.goals.iter().map(|(_, step)| step.clone()).collect()
    }

    /// A goal as it is shown, by its place.
    pub(super) fn shown(&self, place: Option<&str>) -> String {
        let goal = place.and_then(|place| self.goals.get(place.parse::<usize>().ok()?));
        goal.map(|(name, _)| name.clone()).unwrap_or_default()
    }

    /// What has to be counted for these metrics.
    pub(super) fn wish(&self, metrics: &[Metric], labels: Option<Interval>) -> Wish {
        let has = |is: fn(Metric) -> bool| metrics.iter().any(|metric| is(*metric));
        Wish {
            has_takings: has(Metric::is_revenue),
            everyone: has(Metric::is_conversion_rate).then(|| self.everyone.clone()),
            has_peers: metrics.contains(&Metric::GroupConversionRate),
            labels,
        }
    }
}

impl Counted {
    /// Asks for the groups, for all of them together, and for what else is wanted.
    pub(super) fn ask(
        reports: &Reports<'_>,
        question: &Question,
        keys: &[Key],
        wish: &Wish,
    ) -> Result<Answer<Self>, QueryError> {
        let ask = |question, keys| match wish.has_takings {
            true => reports.takings(question, keys),
            false => reports.groups(question, keys),
        };
        let groups = ask(question, keys)?;
        let question = Question { as_of: Some(groups.as_of), ..question.clone() };
        let total = match keys {
            [] => total_of(&groups.value),
            _ => total_of(&reports.groups(&question, &[])?.value),
        };
        let goals_at = keys.iter().position(|key| matches!(key, Key::Goals(_)));
        let labels = wish.labels.map_or(Ok(Vec::new()), |interval| mallard_engine::labels(&question, interval))?;
        let mut currencies = groups.value.groups.iter().flat_map(|group| &group.takings).map(|sum| &sum.currency);
        let is_mixed = currencies.next().is_some_and(|first| currencies.any(|other| other != first));
        let (everyone, peers) = match &wish.everyone {
            Some(filter) => everyone(reports, &Question { filter: filter.clone(), ..question }, keys, wish.has_peers)?,
            None => (0, None),
        };
        let value = Self { groups: groups.value, total, everyone, peers, goals_at, is_mixed, labels };
        Ok(Answer { value, as_of: groups.as_of, incomplete: groups.incomplete })
    }

    /// What a line is made of.
    pub(super) fn measured<'a>(&'a self, group: &'a Group) -> Measured<'a> {
        // By goal each line is a sum of its own.
        let is_one_sum = !self.is_mixed || self.goals_at.is_some();
        Measured {
            figures: &group.figures,
            takings: if is_one_sum { &group.takings } else { &[] },
            visitors: self.total.visitors,
            everyone: self.everyone,
            peers: self.peers_of(group),
        }
    }

    fn peers_of(&self, group: &Group) -> u64 {
        let Some(peers) = &self.peers else { return self.everyone };
        let values: Box<[Option<Box<str>>]> = self.groups.values(group).map(|value| value.map(Box::from)).collect();
        peers.get(&without(values, self.goals_at)).copied().unwrap_or(0)
    }

    /// The figures of all the lines, as one group without values.
    pub(super) fn nothing() -> Group {
        Group { values: Box::default(), figures: Figures::default(), takings: Box::default() }
    }

    #[cfg(test)]
    pub(super) fn of(groups: Groups) -> Self {
        let groups = Arc::new(groups);
        let total = Figures::default();
        Self { groups, total, everyone: 0, peers: None, goals_at: None, is_mixed: false, labels: Vec::new() }
    }
}

/// All visitors of the question, and if they are wanted those of every line.
fn everyone(
    reports: &Reports<'_>,
    question: &Question,
    keys: &[Key],
    has_peers: bool,
) -> Result<(u64, Option<Peers>), QueryError> {
    let all = total_of(&reports.groups(question, &[])?.value).visitors;
    let keys: Vec<Key> = keys.iter().filter(|key| !matches!(key, Key::Goals(_))).cloned().collect();
    if !has_peers || keys.is_empty() {
        return Ok((all, None));
    }
    let groups = reports.groups(question, &keys)?.value;
    let line = |group: &Group| {
        let values = groups.values(group).map(|value| value.map(Box::from)).collect();
        (values, group.figures.visitors)
    };
    Ok((all, Some(groups.groups.iter().map(line).collect())))
}

fn without(values: Box<[Option<Box<str>>]>, place: Option<usize>) -> Box<[Option<Box<str>>]> {
    let Some(place) = place else { return values };
    values.into_iter().enumerate().filter(|(nth, _)| *nth != place).map(|(_, value)| value).collect()
}

/// The figures of the only group, which is of everything; none of nothing.
fn total_of(groups: &Groups) -> Figures {
    groups.groups.first().map(|group| group.figures).unwrap_or_default()
}
