//! `POST /api/v2/query`: metrics by dimensions, ordered, in pages.

use std::cmp::Ordering;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, Zoned};
use mallard_engine::{Group, Interval, Key, QueryError, Question, Span};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::counted::{Counted, Wanted};
use super::metrics::Metric;
use super::query::{Column, Dimension, Query};
use crate::app::App;
use crate::auth::Principal;
use crate::error::ApiError;
use crate::request::{Pairs, Request};
use crate::response::Response;
use crate::stats;
use crate::stats::filter::{self, Conversion, Saved};
use crate::stats::params::{Params, Range, date, range_of};

const BODY_BYTES_MAX: usize = 64 << 10;
const HOUR_US: i64 = 3_600_000_000;
/// What a range of dates may be.
const RANGE: &str = "date_range: must be a period such as \"7d\", or two dates or times (ISO 8601)";
/// Periods by their names.
const PERIODS: [&str; 10] = ["day", "7d", "28d", "30d", "91d", "month", "6mo", "12mo", "year", "all"];
/// The most text that the dimensions of one page have together.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// The answer to one query.
#[derive(Debug, Serialize)]
struct Wire<'a> {
    results: Vec<Line<'a>>,
    meta: Map<String, Value>,
    query: Value,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Line<'a> {
    metrics: Vec<Value>,
    dimensions: Vec<&'a str>,
}

/// The report. The site is named in the body, so whether the principal may read it is asked here.
pub(crate) async fn post(app: &App, request: Request, principal: Option<&Principal>) -> Result<Response, ApiError> {
    let body: Map<String, Value> = request.into_json(BODY_BYTES_MAX).await?;
    if let Some(principal) = principal {
        principal.require_site(body.get("site_id").and_then(Value::as_str).unwrap_or_default())?;
    }
    let query = Query::parse(&body).map_err(ApiError::bad_request)?;
    let params = params(app, &body)?;
    let wanted = wanted(app, &params, &body, &query)?;
    let question = params.question(app.now())?;
    let interval = query.time().map(|(_, interval)| interval.unwrap_or(suits(question.span)));
    let keys: Vec<Key> = query.dimensions.iter().map(|dimension| key(dimension, interval, &wanted)).collect();
    let wish = wanted.wish(&query.metrics, interval.filter(|_| query.include_time_labels));
    let buckets = Buckets { interval, has_labels: query.include_time_labels, first_day: first_day(&question)? };
    let echo = echo(&body, &query, &question)?;
    let answer = stats::ask(app, "v2_query", move |reports| {
        let counted = Counted::ask(reports, &question, &keys, &wish)?;
        counted.try_map(|counted| text(&counted, &query, &buckets, &wanted, echo))
    });
    stats::reply_text(answer.await?)
}

/// The answer: the page of lines that is wanted, and what else was asked for. Only that page becomes lines.
fn text(
    counted: &Counted,
    query: &Query,
    buckets: &Buckets,
    wanted: &Wanted,
    echo: Value,
) -> Result<String, QueryError> {
    let names = names(counted, query, buckets, wanted);
    let zero = Counted::nothing();
    let all = ordered(counted, query, &names, &zero);
    let mut meta = Map::new();
    if query.include_imports {
        meta.insert("imports_included".into(), json!(false));
    }
    if query.include_total_rows {
        meta.insert("total_rows".into(), json!(all.len()));
    }
    if buckets.has_labels {
        let shown: Vec<String> = counted.labels.iter().map(|label| buckets.shown(label)).collect();
        meta.insert("time_labels".into(), json!(shown));
    }
    let warnings = warnings(counted, query, wanted);
    if !warnings.is_empty() {
        meta.insert("metric_warnings".into(), json!(warnings));
    }
    let page = all.into_iter().skip(query.offset).take(query.limit);
    let results: Vec<Line<'_>> = page.map(|group| line(group, query, &names, counted)).collect();
    if results.iter().flat_map(|line| &line.dimensions).map(|text| text.len()).sum::<usize>() > PAGE_BYTES_MAX {
        let text = format!("pagination.limit: these lines have more than {} MiB; ask for fewer", PAGE_BYTES_MAX >> 20);
        return Err(QueryError::TooLarge(text));
    }
    stats::text(&Wire { results, meta, query: echo })
}

/// Why sums of money are `null`, by metric.
fn warnings(counted: &Counted, query: &Query, wanted: &Wanted) -> Map<String, Value> {
    let is_about_goals = wanted.is_filtered || query.is_by_goal();
    let sums = counted.groups.groups.iter().map(|group| group.takings.len()).max().unwrap_or(0);
    let (code, warning) = match (is_about_goals, sums) {
        (false, _) | (true, 0) => {
            ("no_revenue_goals_matching", "Revenue metrics are null as there are no matching revenue goals.")
        }
        (true, 1) if query.is_by_goal() || !counted.is_mixed => return Map::new(),
        _ => (
            "no_single_revenue_currency",
            "Revenue metrics are null as there are multiple currencies for the selected event:goals.",
        ),
    };
    let of = |metric: &Metric| (metric.name().to_owned(), json!({ "code": code, "warning": warning }));
    query.metrics.iter().filter(|metric| metric.is_revenue()).map(of).collect()
}

/// How buckets of time are shown.
#[derive(Debug)]
struct Buckets {
    /// Their width, if there is a dimension of time.
    interval: Option<Interval>,
    has_labels: bool,
    /// The first local day of the range.
    first_day: String,
}

impl Buckets {
    /// A label as Plausible writes it: a week that the range cuts is called by the first day that is inside.
    fn shown(&self, label: &str) -> String {
        match self.interval {
            Some(Interval::Week) => label.max(&self.first_day).to_owned(),
            Some(interval) => shown(label, interval),
            None => label.to_owned(),
        }
    }
}

/// The buckets that Plausible takes for `time`.
fn suits(span: Span) -> Interval {
    let hours = (span.end_us - 1 - span.start_us) / HOUR_US;
    match (hours, hours / 24, hours / 24 / 7) {
        (..=48, ..) => Interval::Hour,
        (_, ..=40, _) => Interval::Day,
        (.., ..=52) => Interval::Week,
        _ => Interval::Month,
    }
}

fn first_day(question: &Question) -> Result<String, ApiError> {
    let start = Timestamp::from_microsecond(question.span.start_us).map_err(ApiError::internal)?;
    Ok(start.to_zoned(question.zone.clone()).date().to_string())
}

/// The parameters that all reports share, from the body.
fn params(app: &App, body: &Map<String, Value>) -> Result<Params, ApiError> {
    let text = |field: &str| body.get(field).and_then(Value::as_str);
    let mut pairs: Pairs<'_> = vec![("site_id".into(), text("site_id").unwrap_or_default().into())];
    pairs.extend(text("timezone").map(|zone| ("timezone".into(), zone.into())));
    let refused = || ApiError::bad_request(RANGE);
    let range = body.get("date_range").ok_or_else(|| ApiError::bad_request("date_range: is missing"))?;
    let mut exact = None;
    match range {
        Value::String(period) if period == "24h" => {
            let now_us = app.now().micros();
            exact = Some(Span { start_us: now_us - 24 * HOUR_US, end_us: now_us + 1 });
        }
        Value::String(period) if PERIODS.contains(&period.as_str()) => {
            pairs.push(("period".into(), period.as_str().into()));
        }
        Value::String(period) => {
            let message = format!(
                "date_range: unknown period '{period}'. Use {}, 24h, or two dates or times.",
                PERIODS.join(", ")
            );
            return Err(ApiError::bad_request(message));
        }
        Value::Array(ends) => match ends.as_slice() {
            [Value::String(first), Value::String(last)] if first.contains('T') || last.contains('T') => {
                exact = Some(span(first, last).ok_or_else(refused)?);
            }
            [Value::String(first), Value::String(last)] => {
                range_of(date(first, RANGE)?, date(last, RANGE)?).map_err(|error| match first > last {
                    true => ApiError::bad_request("date_range: the end must be after the start"),
                    false => error,
                })?;
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
    if let Some(filters) = filters(body) {
        let site = &params.site;
        let (segment, goals) = (|id| app.segments.filter(site, id, &app.goals), || app.goals.steps(site));
        params.filter = filter::from_json(filters, Saved { segment: &segment, goals: &goals })?;
    }
    Ok(params)
}

fn filters(body: &Map<String, Value>) -> Option<&Value> {
    body.get("filters").filter(|filters| !filters.is_null())
}

/// The goals of a query, if it is about any.
fn wanted(app: &App, params: &Params, body: &Map<String, Value>, query: &Query) -> Result<Wanted, ApiError> {
    let is_about_goals = |metric: &Metric| metric.is_conversion_rate() || metric.is_revenue();
    let filters = filters(body).filter(|_| query.is_by_goal() || query.metrics.iter().any(is_about_goals));
    let site = &params.site;
    let (segment, goals) = (|id| app.segments.filter(site, id, &app.goals), || app.goals.steps(site));
    let read = |filters| Conversion::from_json(filters, Saved { segment: &segment, goals: &goals });
    Wanted::of(app, params, filters.map(read).transpose()?, &query.metrics, query.is_by_goal())
}

/// Two instants, the second of the last one included.
fn span(first: &str, last: &str) -> Option<Span> {
    let instant = |text: &str| text.parse::<Timestamp>().ok();
    let after = instant(last)?.checked_add(SignedDuration::from_secs(1)).ok()?;
    Some(Span { start_us: instant(first)?.as_microsecond(), end_us: after.as_microsecond() })
}

fn key(dimension: &Dimension, interval: Option<Interval>, wanted: &Wanted) -> Key {
    match dimension {
        Dimension::Goal => Key::Goals(wanted.steps()),
        Dimension::Time(own) => Key::Time(own.or(interval).unwrap_or(Interval::Day)),
        Dimension::Named(named) => Key::Value(named.subject.clone()),
    }
}

/// For each dimension its values as Plausible shows them, each once.
fn names(counted: &Counted, query: &Query, buckets: &Buckets, wanted: &Wanted) -> Vec<Vec<String>> {
    let name = |dimension: &Dimension, value: Option<&str>| match dimension {
        Dimension::Goal => wanted.shown(value),
        Dimension::Named(named) => named.shown(value.map(str::to_owned)),
        Dimension::Time(_) => value.map(|label| buckets.shown(label)).unwrap_or_default(),
    };
    let of_key = |(names, dimension): (&Vec<Option<Box<str>>>, _)| {
        names.iter().map(|value| name(dimension, value.as_deref())).collect()
    };
    counted.groups.names.iter().zip(&query.dimensions).map(of_key).collect()
}

/// All groups in the order of their lines. Without dimensions there is one line, of nothing if need be.
fn ordered<'a>(counted: &'a Counted, query: &Query, names: &[Vec<String>], zero: &'a Group) -> Vec<&'a Group> {
    let nothing = query.dimensions.is_empty() && counted.groups.groups.is_empty();
    let mut all: Vec<&Group> = counted.groups.groups.iter().chain(nothing.then_some(zero)).collect();
    all.sort_by(|group, other| compare(group, other, query, names, counted));
    all
}

fn line<'a>(group: &Group, query: &Query, names: &'a [Vec<String>], counted: &Counted) -> Line<'a> {
    let measured = counted.measured(group);
    let metrics = query.metrics.iter().map(|metric: &Metric| metric.value(&measured)).collect();
    Line { metrics, dimensions: dimensions(group, names).collect() }
}

/// The values of a group as they are shown.
fn dimensions<'a>(group: &Group, names: &'a [Vec<String>]) -> impl Iterator<Item = &'a str> {
    let name = |(place, names): (&u32, &'a Vec<String>)| names.get(*place as usize).map_or("", String::as_str);
    group.values.iter().zip(names).map(name)
}

/// The label of a bucket as Plausible writes it.
pub(super) fn shown(label: &str, interval: Interval) -> String {
    match interval {
        Interval::Minute | Interval::Hour => format!("{label}:00"),
        Interval::Day | Interval::Week | Interval::Month => label.to_owned(),
    }
}

/// By the columns asked for, then by the values of all dimensions, so that pages never overlap.
fn compare(group: &Group, other: &Group, query: &Query, names: &[Vec<String>], counted: &Counted) -> Ordering {
    let by = |column: Column| match column {
        Column::Metric(place) => {
            let metric = query.metrics.get(place);
            let rank = |group| metric.map_or(f64::NEG_INFINITY, |metric| metric.rank(&counted.measured(group)));
            rank(group).total_cmp(&rank(other))
        }
        Column::Dimension(place) => dimensions(group, names).nth(place).cmp(&dimensions(other, names).nth(place)),
    };
    let order = query.order_by.iter();
    let mut ordered = order.map(|(column, descends)| if *descends { by(*column).reverse() } else { by(*column) });
    let by_values = || dimensions(group, names).cmp(dimensions(other, names));
    ordered.find(|order| order.is_ne()).unwrap_or_else(by_values)
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

#[cfg(test)]
mod tests {
    use mallard_engine::{Figures, Groups};

    use super::*;

    const DAY_US: i64 = 24 * HOUR_US;

    #[test]
    fn time_has_the_buckets_that_plausible_takes_for_a_range_of_this_length() {
        let of_days = |days| suits(Span { start_us: 0, end_us: days * DAY_US });
        let found = [1, 2, 3, 40, 41, 42, 90, 366, 371, 372].map(of_days);
        let (hour, day, week, month) = (Interval::Hour, Interval::Day, Interval::Week, Interval::Month);
        assert_eq!(found, [hour, hour, day, day, day, week, week, week, week, month]);
    }

    #[test]
    fn a_week_that_the_range_cuts_is_called_by_its_first_day_inside() {
        let buckets = Buckets { interval: Some(Interval::Week), has_labels: true, first_day: "2020-12-20".into() };
        assert_eq!(["2020-12-14", "2020-12-21"].map(|label| buckets.shown(label)), ["2020-12-20", "2020-12-21"]);
    }

    /// `count` pages, all of one length and with as many visitors as their number.
    fn pages(count: u32, bytes: usize) -> Counted {
        let page = |number: u32| Some(format!("/{number:0width$}", width = bytes - 1).into());
        let group = |number: u32| Group {
            values: Box::new([number]),
            figures: Figures { visitors: number.into(), ..Figures::default() },
            takings: Box::default(),
        };
        let names = vec![[None].into_iter().chain((1..=count).map(page)).collect()];
        Counted::of(Groups { names, groups: (1..=count).map(group).collect() })
    }

    fn answered(counted: &Counted, page: Value) -> Result<Value, QueryError> {
        let body = json!({"metrics": ["visitors"], "dimensions": ["event:page"], "pagination": page});
        let query = Query::parse(body.as_object().unwrap()).unwrap();
        let buckets = Buckets { interval: None, has_labels: false, first_day: String::new() };
        text(counted, &query, &buckets, &Wanted::default(), json!({})).map(|text| serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn a_page_has_the_lines_of_its_place_and_one_with_too_much_text_is_refused() {
        let counted = pages(10_000, 2000);
        let page = answered(&counted, json!({"limit": 2, "offset": 1})).unwrap();
        let dimensions = |number: u32| json!([format!("/{number:01999}")]);
        let line = |number: u32| json!({"metrics": [number], "dimensions": dimensions(number)});
        assert_eq!(page["results"], json!([line(9999), line(9998)]));
        let refused = answered(&counted, json!({})).unwrap_err();
        assert_eq!(refused.to_string(), "pagination.limit: these lines have more than 8 MiB; ask for fewer");
        assert_eq!(answered(&counted, json!({"limit": 4000})).unwrap()["results"].as_array().unwrap().len(), 4000);
    }
}
