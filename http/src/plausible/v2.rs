//! `POST /api/v2/query`: metrics by dimensions, ordered, in pages.

use std::cmp::Ordering;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, Zoned};
use mallard_engine::{Answer, Figures, Filter, Group, Interval, Key, QueryError, Question, Reports, Span};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::metrics::Metric;
use super::query::{Column, Dimension, Query};
use crate::app::App;
use crate::auth::Principal;
use crate::error::ApiError;
use crate::request::{Pairs, Request};
use crate::response::Response;
use crate::stats::params::{Params, Range};
use crate::stats::{self, filter};

const BODY_BYTES_MAX: usize = 64 << 10;

/// The answer to one query.
#[derive(Debug, Serialize)]
struct Wire {
    results: Vec<Line>,
    meta: Map<String, Value>,
    query: Value,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Line {
    metrics: Vec<Value>,
    dimensions: Vec<String>,
}

/// The report. The site is named in the body, so whether the principal may read it is asked here.
pub(crate) async fn post(app: &App, request: Request, principal: Option<&Principal>) -> Result<Response, ApiError> {
    let body: Map<String, Value> = request.into_json(BODY_BYTES_MAX).await?;
    if let Some(principal) = principal {
        principal.require_site(body.get("site_id").and_then(Value::as_str).unwrap_or_default())?;
    }
    let query = Query::parse(&body).map_err(ApiError::bad_request)?;
    let params = params(app, &body)?;
    let question = params.question(app.now())?;
    let interval = query.time().map(|(_, interval)| interval.unwrap_or(params.range.interval()));
    let keys: Vec<Key> = query.dimensions.iter().map(|dimension| key(dimension, interval)).collect();
    let labels = interval.filter(|_| query.include_time_labels);
    let echo = echo(&body, &query, &question)?;
    let answer = stats::ask(app, "v2_query", move |reports| {
        let counted = counted(reports, &question, &keys, labels)?;
        counted.try_map(|counted| stats::text(&wire(&counted, &query, (interval, labels), echo)))
    });
    stats::reply_text(answer.await?)
}

/// The answer: the page of lines that is wanted, and what else was asked for.
fn wire(
    counted: &Counted,
    query: &Query,
    (interval, labels): (Option<Interval>, Option<Interval>),
    echo: Value,
) -> Wire {
    let all = lines(counted, query, interval);
    let mut meta = Map::new();
    if query.include_imports {
        meta.insert("imports_included".into(), json!(false));
    }
    if query.include_total_rows {
        meta.insert("total_rows".into(), json!(all.len()));
    }
    if let Some(interval) = labels {
        let shown: Vec<String> = counted.labels.iter().map(|label| shown(label, interval)).collect();
        meta.insert("time_labels".into(), json!(shown));
    }
    Wire { results: all.into_iter().skip(query.offset).take(query.limit).collect(), meta, query: echo }
}

/// What the engine counted for a query.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) groups: Vec<Group>,
    /// All of the question together.
    pub(super) total: Figures,
    /// The labels of all buckets, if they are wanted.
    pub(super) labels: Vec<String>,
}

/// Asks for the groups, for all of them together, and for the buckets.
pub(super) fn counted(
    reports: &Reports<'_>,
    question: &Question,
    keys: &[Key],
    labels: Option<Interval>,
) -> Result<Answer<Counted>, QueryError> {
    let groups = reports.groups(question, keys)?;
    // All that follows is about the same events.
    let question = Question { as_of: Some(groups.as_of), ..question.clone() };
    let total = if keys.is_empty() { groups.value.clone() } else { reports.groups(&question, &[])?.value };
    let labels = match labels {
        Some(interval) => {
            // No event is kept, every bucket is named.
            let nothing = Question { filter: Filter::Any(Vec::new()), ..question };
            reports.timeseries(&nothing, interval)?.value.into_iter().map(|bucket| bucket.label).collect()
        }
        None => Vec::new(),
    };
    let total = total.first().map(|group| group.figures).unwrap_or_default();
    let value = Counted { groups: groups.value, total, labels };
    Ok(Answer { value, as_of: groups.as_of, incomplete: groups.incomplete })
}

/// The parameters that all reports share, from the body.
fn params(app: &App, body: &Map<String, Value>) -> Result<Params, ApiError> {
    let text = |field: &str| body.get(field).and_then(Value::as_str);
    let mut pairs: Pairs<'_> = vec![("site_id".into(), text("site_id").unwrap_or_default().into())];
    pairs.extend(text("timezone").map(|zone| ("timezone".into(), zone.into())));
    let refused =
        || ApiError::bad_request("date_range: must be a period such as \"7d\", or two dates or times (ISO 8601)");
    let range = body.get("date_range").ok_or_else(|| ApiError::bad_request("date_range: is missing"))?;
    let mut exact = None;
    match range {
        Value::String(period) if !["realtime", "custom"].contains(&period.as_str()) => {
            pairs.push(("period".into(), period.as_str().into()));
        }
        Value::Array(ends) => match ends.as_slice() {
            [Value::String(first), Value::String(last)] if first.contains('T') || last.contains('T') => {
                exact = Some(span(first, last).ok_or_else(refused)?);
            }
            [Value::String(first), Value::String(last)] => {
                pairs.push(("start_date".into(), first.as_str().into()));
                pairs.push(("end_date".into(), last.as_str().into()));
            }
            _ => return Err(refused()),
        },
        _ => return Err(refused()),
    }
    let mut params = stats::params(app, &pairs)?;
    if let Some(as_of) = body.get("as_of").filter(|as_of| !as_of.is_null()) {
        let lsn =
            as_of.as_u64().ok_or_else(|| ApiError::bad_request("as_of: must be an LSN, as x-mallard-as-of gives it"));
        params.as_of = Some(lsn?);
    }
    if let Some(span) = exact {
        params.range = Range::exact(span)?;
    }
    if let Some(filters) = body.get("filters").filter(|filters| !filters.is_null()) {
        let site = &params.site;
        let (segment, goals) = (|id| app.segments.filter(site, id), || app.goals.steps(site));
        params.filter = filter::from_json(filters, filter::Saved { segment: &segment, goals: &goals })?;
    }
    Ok(params)
}

/// Two instants, the second of the last one included.
fn span(first: &str, last: &str) -> Option<Span> {
    let instant = |text: &str| text.parse::<Timestamp>().ok();
    let after = instant(last)?.checked_add(SignedDuration::from_secs(1)).ok()?;
    Some(Span { start_us: instant(first)?.as_microsecond(), end_us: after.as_microsecond() })
}

fn key(dimension: &Dimension, interval: Option<Interval>) -> Key {
    match dimension {
        Dimension::Time(own) => Key::Time(own.or(interval).unwrap_or(Interval::Day)),
        Dimension::Named(named) => Key::Value(named.subject.clone()),
    }
}

/// All lines in their order.
fn lines(counted: &Counted, query: &Query, interval: Option<Interval>) -> Vec<Line> {
    let zero = Group { values: Vec::new(), figures: Figures::default() };
    // Without dimensions there is one line, of nothing if need be.
    let nothing = query.dimensions.is_empty() && counted.groups.is_empty();
    let groups = counted.groups.iter().chain(nothing.then_some(&zero));
    let mut lines: Vec<Line> = groups.map(|group| line(group, query, interval, counted.total.visitors)).collect();
    lines.sort_by(|line, other| compare(line, other, &query.order_by));
    lines
}

fn line(group: &Group, query: &Query, interval: Option<Interval>, visitors: u64) -> Line {
    let metrics = query.metrics.iter().map(|metric: &Metric| metric.value(&group.figures, visitors)).collect();
    let dimension = |(value, dimension): (&Option<String>, &Dimension)| match (dimension, interval) {
        (Dimension::Named(named), _) => named.shown(value.clone()),
        (Dimension::Time(_), Some(interval)) => shown(value.as_deref().unwrap_or_default(), interval),
        (Dimension::Time(_), None) => value.clone().unwrap_or_default(),
    };
    Line { metrics, dimensions: group.values.iter().zip(&query.dimensions).map(dimension).collect() }
}

/// The label of a bucket as Plausible writes it.
pub(super) fn shown(label: &str, interval: Interval) -> String {
    match interval {
        Interval::Minute | Interval::Hour => format!("{label}:00"),
        Interval::Day | Interval::Week | Interval::Month => label.to_owned(),
    }
}

/// By the columns asked for, then by the values of all dimensions, so that pages never overlap.
fn compare(line: &Line, other: &Line, order: &[(Column, bool)]) -> Ordering {
    let by = |column: Column| match column {
        Column::Metric(place) => {
            let number = |line: &Line| line.metrics.get(place).and_then(Value::as_f64).unwrap_or(f64::NEG_INFINITY);
            number(line).total_cmp(&number(other))
        }
        Column::Dimension(place) => line.dimensions.get(place).cmp(&other.dimensions.get(place)),
    };
    let ordered = order.iter().map(|(column, descends)| if *descends { by(*column).reverse() } else { by(*column) });
    ordered.fold(Ordering::Equal, Ordering::then).then_with(|| line.dimensions.cmp(&other.dimensions))
}

/// The query as it was understood.
fn echo(body: &Map<String, Value>, query: &Query, question: &Question) -> Result<Value, ApiError> {
    let given =
        |field: &str, default: Value| body.get(field).cloned().filter(|json| !json.is_null()).unwrap_or(default);
    let names = |field: &str, place: usize| body.get(field).and_then(|list| list.get(place)).cloned();
    let order = query.order_by.iter().map(|(column, descends)| {
        let name = match column {
            Column::Metric(place) => names("metrics", *place),
            Column::Dimension(place) => names("dimensions", *place),
        };
        json!([name, if *descends { "desc" } else { "asc" }])
    });
    let Span { start_us, end_us } = question.span;
    let local = |at_us: i64| {
        let at = Timestamp::from_microsecond(at_us).map_err(ApiError::internal)?;
        Ok::<_, ApiError>(iso(&at.to_zoned(question.zone.clone())))
    };
    Ok(json!({
        "site_id": question.site.as_str(),
        "metrics": given("metrics", json!([])),
        "date_range": [local(start_us)?, local(end_us - 1)?],
        "filters": given("filters", json!([])),
        "dimensions": given("dimensions", json!([])),
        "order_by": order.collect::<Vec<_>>(),
        "include": given("include", json!({})),
        "pagination": { "limit": query.limit, "offset": query.offset },
    }))
}

fn iso(at: &Zoned) -> String {
    let date: Date = at.date();
    format!("{date}T{}{}", at.strftime("%H:%M:%S"), at.strftime("%:z"))
}
