//! The reference for events by name and property, for daily lines and for exports.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use mallard_engine::{DailyRow, Dimension, Grouping, Interval, Question, Revenue, Span, ValueRow};
use mallard_event::{Event, Stored};

use super::oracle::{Oracle, Visitor, buckets, is_custom, is_pageview};

impl Oracle<'_> {
    pub(crate) fn values_by(&self, grouping: &Grouping, limit: usize) -> Vec<ValueRow> {
        let mut values = BTreeMap::<String, Vec<(&Visitor<'_>, &Event)>>::new();
        for (visitor, event) in self.events() {
            if let Some(value) = value(grouping, event) {
                values.entry(value).or_default().push((visitor, event));
            }
        }
        let row = |(value, events): (String, Vec<(&Visitor<'_>, &Event)>)| ValueRow {
            value,
            visitors: events.iter().map(|(visitor, _)| visitor).collect::<BTreeSet<_>>().len() as u64,
            pageviews: events.iter().filter(|(_, event)| is_pageview(event)).count() as u64,
            events: events.iter().filter(|(_, event)| is_custom(event)).count() as u64,
            revenue: revenue(&events),
        };
        let mut rows: Vec<ValueRow> = values.into_iter().map(row).collect();
        rows.sort_by_key(|row| Reverse((row.visitors, row.pageviews)));
        rows.truncate(limit);
        rows
    }

    pub(crate) fn daily(&self) -> Vec<DailyRow> {
        let row = |(date, start_us, end_us): (String, i64, i64)| {
            let span = self.question.span;
            let span = Span { start_us: start_us.max(span.start_us), end_us: end_us.min(span.end_us) };
            let question = Question { span, ..self.question.clone() };
            let day = Oracle { question: &question, visitors: self.visitors.clone(), kept: self.kept.clone() };
            let top = |dimension| day.breakdown(dimension, 1).pop().and_then(|row| row.value);
            DailyRow {
                date,
                visitors: day.main().unique_visitors,
                pageviews: day.main().total_pageviews,
                top_page: top(Dimension::Pages),
                top_source: top(Dimension::Sources),
            }
        };
        buckets(self.question, Interval::Day).into_iter().map(row).collect()
    }
}

fn value(grouping: &Grouping, event: &Event) -> Option<String> {
    match grouping {
        Grouping::Name => is_custom(event).then(|| event.name.to_string()),
        // What the generated properties hold, spelled out.
        Grouping::Property(key) => match (event.props.as_ref()?.as_str(), &**key) {
            (r#"{"plan":"pro"}"# | r#"{"pl\u0061n":"\u0070ro"}"#, "plan") => Some("pro".to_owned()),
            (r#"{"plan":"free","seats":3}"#, "plan") => Some("free".to_owned()),
            (r#"{"plan":"free","seats":3}"# | r#"{"seats":"3","plan":true}"#, "seats") => Some("3".to_owned()),
            (r#"{"seats":"3","plan":true}"#, "plan") => Some("true".to_owned()),
            (r#"{"plan":null,"":""}"#, "") => Some(String::new()),
            _ => None,
        },
    }
}

pub(super) fn revenue(events: &[(&Visitor<'_>, &Event)]) -> Vec<Revenue> {
    let mut sums = BTreeMap::<Option<String>, i128>::new();
    for (_, event) in events {
        if let Some(amount) = event.revenue_amount {
            let currency = event.revenue_currency.as_ref().map(ToString::to_string);
            *sums.entry(currency).or_default() += i128::from(amount.ten_thousandths());
        }
    }
    sums.into_iter().map(|(currency, ten_thousandths)| Revenue { currency, ten_thousandths }).collect()
}

/// The rows of a question in the order (timestamp, lsn).
pub(crate) fn rows_inside(rows: &[Stored], question: &Question) -> Vec<Stored> {
    let is_inside =
        |row: &&Stored| row.event.site == question.site && question.span.contains(row.event.timestamp.micros());
    let is_inside = |row: &&Stored| is_inside(row) && question.as_of.is_none_or(|as_of| row.lsn.unwrap() <= as_of);
    let mut inside: Vec<Stored> = rows.iter().filter(is_inside).cloned().collect();
    inside.sort_by_key(|row| (row.event.timestamp, row.lsn));
    inside
}
