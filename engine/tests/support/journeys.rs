//! The reference for ordered reports: every start is tried, every later event is looked at.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use mallard_engine::{
    Cohort, Direction, FlowRow, Funnel, FunnelReport, FunnelStep, GoalReport, GoalRow, GoalTotals, Identity, Interval,
    Journey, Journeys, PathRow, Position, Question, Span, Subject,
};
use mallard_event::{Event, Stored};

use super::filter::value_of;
use super::oracle::{HOUR_US, Oracle, Visitor, buckets, is_one_session, is_pageview, of_session};
use super::values::revenue;

impl Oracle<'_> {
    pub(crate) fn funnel(&self, funnel: &Funnel) -> FunnelReport {
        let mut report = FunnelReport { reached: vec![0; funnel.steps.len()], visitors: 0 };
        for events in self.visitors.values() {
            let inside: Vec<&Event> =
                events.iter().copied().filter(|event| self.is_inside(event) && self.is_kept(event)).collect();
            report.visitors += u64::from(!inside.is_empty());
            let depth = (0..inside.len()).map(|start| depth_from(&inside[start..], funnel)).max().unwrap_or(0);
            report.reached[..depth].iter_mut().for_each(|reached| *reached += 1);
        }
        report
    }

    pub(crate) fn flow(&self, page: &str, limit: usize) -> Vec<FlowRow> {
        let mut next = BTreeMap::<&str, u64>::new();
        for events in self.visitors.values() {
            if let Some(path) = self.first_way_on(events, page) {
                *next.entry(path).or_default() += 1;
            }
        }
        let row = |(path, visitors): (&str, u64)| FlowRow { next_page: path.to_owned(), visitors };
        let mut rows: Vec<FlowRow> = next.into_iter().map(row).collect();
        rows.sort_by_key(|row| u64::MAX - row.visitors);
        rows.truncate(limit);
        rows
    }

    pub(crate) fn journeys(&self, journey: &Journey, limit: usize) -> Journeys {
        let mut all = BTreeMap::<Vec<String>, u64>::new();
        for events in self.visitors.values() {
            for session in events.chunk_by(|before, after| is_one_session(before, after)) {
                if let Some(path) = self.path(session, journey) {
                    *all.entry(path).or_default() += 1;
                }
            }
        }
        let visits: u64 = all.values().sum();
        let mut paths: Vec<PathRow> = all.into_iter().map(|(pages, visits)| PathRow { pages, visits }).collect();
        let of_length = |length: usize| -> u64 {
            paths.iter().filter(|path| path.pages.len() >= length).map(|path| path.visits).sum()
        };
        let positions = (0..journey.steps).map(|step| {
            let mut pages = BTreeMap::<String, u64>::new();
            for path in paths.iter().filter(|path| path.pages.len() > step) {
                *pages.entry(path.pages[step].clone()).or_default() += path.visits;
            }
            let mut pages: Vec<(String, u64)> = pages.into_iter().collect();
            pages.sort_by_key(|(_, visits)| u64::MAX - visits);
            let rest = pages.split_off(limit.min(pages.len()));
            let other = rest.iter().map(|(_, visits)| visits).sum();
            let reached = of_length(step + 1);
            Position { reached, dropped: of_length(step) - reached, pages, other }
        });
        let positions = positions.collect();
        paths.sort_by_key(|path| u64::MAX - path.visits);
        let rest = paths.split_off(limit.min(paths.len()));
        Journeys { visits, positions, paths, other: rest.iter().map(|path| path.visits).sum() }
    }

    fn path(&self, session: &[&Event], journey: &Journey) -> Option<Vec<String>> {
        let session: Vec<&Event> = session.iter().copied().filter(|event| self.is_kept(event)).collect();
        let met = session.iter().position(|event| self.is_inside(event) && matches(&journey.from, event))?;
        let views = |events: &[&Event]| -> Vec<String> {
            events.iter().filter(|event| is_pageview(event)).map(|event| event.pathname.to_string()).collect()
        };
        let mut pages = match journey.direction {
            Direction::Before => views(&session[..met]),
            Direction::After => {
                let mut pages = vec![session[met].pathname.to_string()];
                pages.extend(views(&session[met + 1..]));
                pages
            }
        };
        pages.dedup();
        match journey.direction {
            Direction::Before => pages.reverse(),
            Direction::After => drop(pages.remove(0)),
        }
        pages.truncate(journey.steps);
        Some(pages)
    }

    pub(crate) fn goals(&self, goals: &[FunnelStep]) -> GoalReport {
        let totals = |goal: &FunnelStep| {
            let met: Vec<_> = self.events().filter(|(_, event)| matches(goal, event)).collect();
            let converted = met.iter().map(|(visitor, _)| visitor).collect::<BTreeSet<_>>().len() as u64;
            GoalTotals { conversions: met.len() as u64, converted, revenue: revenue(&met) }
        };
        GoalReport { visitors: self.main().unique_visitors, goals: goals.iter().map(totals).collect() }
    }

    pub(crate) fn goal_by(&self, goal: &FunnelStep, subject: &Subject) -> Vec<GoalRow> {
        let mut lines = BTreeMap::<Option<String>, (BTreeSet<&Visitor<'_>>, Vec<(&Visitor<'_>, &Event)>)>::new();
        let is_of_visit = match subject {
            Subject::Dimension(dimension) => of_session(*dimension).is_some(),
            Subject::Visit(_) | Subject::Source | Subject::Referrer => true,
            Subject::EventName | Subject::Prop(_) => false,
        };
        let is_met = |event: &&Event| matches(goal, event) && self.is_kept(event);
        if is_of_visit {
            for (visitor, session) in self.sessions() {
                let (visitors, met) = lines.entry(value_of(subject, session[0], &session)).or_default();
                visitors.insert(visitor);
                met.extend(session.iter().copied().filter(is_met).map(|event| (visitor, event)));
            }
        } else {
            for (visitor, event) in self.events() {
                let (visitors, met) = lines.entry(value_of(subject, event, &[event])).or_default();
                visitors.insert(visitor);
                met.extend(Some((visitor, event)).filter(|(_, event)| is_met(event)));
            }
        }
        lines.retain(|_, (_, met)| !met.is_empty());
        let row = |(value, (visitors, met)): (_, (BTreeSet<_>, Vec<(&Visitor<'_>, &Event)>))| GoalRow {
            value,
            visitors: visitors.len() as u64,
            conversions: met.len() as u64,
            converted: met.iter().map(|(visitor, _)| visitor).collect::<BTreeSet<_>>().len() as u64,
            revenue: revenue(&met),
        };
        let mut rows: Vec<GoalRow> = lines.into_iter().map(row).collect();
        rows.sort_by_key(|row| Reverse((row.converted, row.conversions)));
        rows
    }

    fn first_way_on<'e>(&self, events: &[&'e Event], page: &str) -> Option<&'e str> {
        for session in events.chunk_by(|before, after| is_one_session(before, after)) {
            let views: Vec<&Event> =
                session.iter().copied().filter(|event| is_pageview(event) && self.is_kept(event)).collect();
            for (number, view) in views.iter().enumerate() {
                let next = views[number..].iter().map(|view| &*view.pathname).find(|path| *path != page);
                if &*view.pathname == page && self.is_inside(view) && next.is_some() {
                    return next;
                }
            }
        }
        None
    }

    /// `rows` are all rows there are, of any site.
    pub(crate) fn retention(&self, rows: &[Stored], weeks: usize, is_identified: bool, now_us: i64) -> Vec<Cohort> {
        let mut users = BTreeMap::<&str, Vec<i64>>::new();
        let span = self.question.span;
        let until_next_week = Span { end_us: now_us + 8 * 24 * HOUR_US, ..span };
        let mut begun = buckets(&Question { span: until_next_week, ..self.question.clone() }, Interval::Week);
        // Whether there are users is seen on the days up to the end of the last week that is followed.
        let cohorts = begun.iter().filter(|(_, start_us, _)| *start_us < span.end_us).count();
        let end_us = begun.get(cohorts.saturating_sub(1) + weeks).map_or(i64::MAX, |(_, start_us, _)| *start_us);
        let was_there = |row: &&Stored| self.question.as_of.is_none_or(|as_of| row.lsn.unwrap() <= as_of);
        for event in rows.iter().filter(was_there).map(|row| &row.event) {
            let is_read = event.timestamp.date().start().micros() < end_us;
            if event.site != self.question.site || !self.is_kept(event) || !is_read {
                continue;
            }
            if let Some(user) = event.user_hash.as_deref().filter(|_| is_identified) {
                users.entry(user).or_default().push(event.timestamp.micros());
            }
        }
        users.values_mut().for_each(|times| times.sort_unstable());
        if users.is_empty() {
            return self.visitors_of_weeks(weeks, now_us);
        }
        begun.retain(|(_, start_us, _)| *start_us <= now_us);
        let mut cohorts = Vec::new();
        for (number, (date, start_us, end_us)) in begun.iter().enumerate().filter(|(_, week)| week.1 < span.end_us) {
            let is_member = |times: &&Vec<i64>| (*start_us..*end_us).contains(&times[0]) && span.contains(times[0]);
            let members: Vec<&Vec<i64>> = users.values().filter(is_member).collect();
            let active = |(_, start_us, end_us): &(String, i64, i64)| {
                let is_active = |times: &&&Vec<i64>| times.iter().any(|at_us| (*start_us..*end_us).contains(at_us));
                members.iter().filter(is_active).count() as u64
            };
            let retained = (0..weeks).map(|later| begun.get(number + later).map(active)).collect();
            let size = members.len() as u64;
            cohorts.push(Cohort { date: date.clone(), size, retained, identity: Identity::User });
        }
        cohorts
    }

    fn visitors_of_weeks(&self, weeks: usize, now_us: i64) -> Vec<Cohort> {
        let begun = self.timeseries(Interval::Week).into_iter().filter(|week| week.start_us <= now_us);
        let cohort = |date, size| {
            let mut retained = vec![None; weeks];
            retained[0] = Some(size);
            Cohort { date, size, retained, identity: Identity::DailyVisitor }
        };
        begun.map(|week| cohort(week.label, week.visitors)).collect()
    }
}

/// Whether a text is like a pattern, tried at every star with every length.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => match text.strip_prefix(start) {
            Some(text) => (0..=text.len()).any(|skipped| is_like(rest, &text[skipped..])),
            None => false,
        },
    }
}

/// How many steps a visitor fills who starts with the first of these events.
fn depth_from(events: &[&Event], funnel: &Funnel) -> usize {
    let started_us = events[0].timestamp.micros();
    let mut next = 0;
    for (depth, step) in funnel.steps.iter().enumerate() {
        let is_in_time =
            |event: &Event| funnel.window_us.is_none_or(|window_us| event.timestamp.micros() - started_us <= window_us);
        let fills = |event: &&&Event| matches(step, event) && is_in_time(event);
        // The first step is filled by the first event or not at all.
        let looked_at = if depth == 0 { &events[..1] } else { &events[next..] };
        match looked_at.iter().position(|event| fills(&event)) {
            Some(place) => next += place + 1,
            None => return depth,
        }
    }
    funnel.steps.len()
}

pub(super) fn matches(step: &FunnelStep, event: &Event) -> bool {
    match step {
        FunnelStep::Page(path) => *event.pathname == **path,
        FunnelStep::Views(pattern) => is_pageview(event) && is_like(pattern, &event.pathname),
        FunnelStep::Event(name) => event.name.as_str() == &**name,
    }
}
