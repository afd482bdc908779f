//! `GET /api/v1/stats/...`: the first Stats API of Plausible, which many tools still use.

use jiff::civil::Date;
use mallard_engine::{Answer, Filter, Group, Interval, Key, Question, Reports, Subject, Term};
use serde_json::{Map, Value, json};

use super::counted::{Counted, Wanted};
use super::metrics::{Measured, Metric};
use super::period;
use super::v2::shown;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Pairs, Request};
use crate::response::Response;
use crate::stats::filter::names::Named;
use crate::stats::filter::{Conversion, Saved};
use crate::stats::params::{Params, Range, value};
use crate::stats::{self};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;
const GOAL: &str = "event:goal";
const PROPS: &str = "event:props:";

/// `realtime/visitors`: who has viewed a page in the last five minutes.
pub(crate) async fn realtime(app: &App, request: &Request) -> Result<Response, ApiError> {
    let mut pairs = request.query_pairs();
    pairs.retain(|(name, _)| !["period", "date", "start_date", "end_date"].contains(&&**name));
    pairs.push(("period".into(), "realtime".into()));
    let params = stats::params(app, &pairs)?;
    let views = Filter::Term(Term::is(Subject::EventName, ["pageview"], true).map_err(ApiError::internal)?);
    let question = Question { filter: views.and(params.filter.clone()), ..params.question(app.now())? };
    let visitors =
        move |reports: &Reports<'_>| reports.main(&question)?.try_map(|report| stats::text(&report.unique_visitors));
    stats::reply_text(stats::ask(app, "v1_realtime", visitors).await?)
}

/// `aggregate`: metrics of a period, with the change from the one before if it is asked for.
pub(crate) async fn aggregate(app: &App, request: &Request) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let (params, metrics) = (params(app, &pairs)?, metrics(&pairs)?);
    refuse_percentage(&metrics)?;
    let wish = wanted(app, &params, &pairs, &metrics, false)?.wish(&metrics, None);
    let (range, question) = (params.range, params.question(app.now())?);
    let before = match value(&pairs, "compare") {
        None => None,
        Some("previous_period") => Some(Params { range: previous(range)?, ..params }.question(app.now())?),
        Some(other) => {
            return Err(ApiError::bad_request(format!("Invalid compare: '{other}'. Use previous_period.")));
        }
    };
    let answer = stats::ask(app, "v1_aggregate", move |reports| {
        let now = Counted::ask(reports, &question, &[], &wish)?;
        let before = before.map(|before| Question { as_of: Some(now.as_of), ..before });
        let before = before.map(|before| Counted::ask(reports, &before, &[], &wish)).transpose()?;
        let (before, missed) = before.map(|before| (before.value, before.incomplete)).unzip();
        let incomplete = [now.incomplete, missed.unwrap_or_default()].concat();
        let value = stats::text(&json!({ "results": results(&metrics, &now.value, before.as_ref()) }))?;
        Ok(Answer { value, as_of: now.as_of, incomplete })
    });
    stats::reply_text(answer.await?)
}

/// The value of every metric, and its change from the figures before.
fn results(metrics: &[Metric], now: &Counted, before: Option<&Counted>) -> Map<String, Value> {
    let nothing = Counted::nothing();
    let of = |metric: &Metric, counted: &Counted| {
        metric.value(&counted.measured(counted.groups.groups.first().unwrap_or(&nothing)))
    };
    let result = |metric: &Metric| {
        let value = of(metric, now);
        let mut fields = Map::new();
        if let Some(before) = before {
            fields.insert("change".into(), change(*metric, &value, &of(metric, before)));
        }
        fields.insert("value".into(), value);
        (metric.name().to_owned(), Value::Object(fields))
    };
    metrics.iter().map(result).collect()
}

/// `timeseries`: metrics of every day or month of a period.
pub(crate) async fn timeseries(app: &App, request: &Request) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let (params, metrics, interval) = (params(app, &pairs)?, metrics(&pairs)?, interval(&pairs)?);
    refuse_percentage(&metrics)?;
    let rates = of_lines(&metrics);
    let wish = wanted(app, &params, &pairs, &metrics, false)?.wish(&rates, Some(interval));
    let question = params.question(app.now())?;
    let keys = [Key::Time(interval)];
    let answer = stats::ask(app, "v1_timeseries", move |reports| {
        Counted::ask(reports, &question, &keys, &wish)?.try_map(|counted| {
            let nothing = Counted::nothing();
            let line = |(label, group): (&str, Option<&Group>)| {
                let mut line = line(&metrics, &rates, &counted.measured(group.unwrap_or(&nothing)));
                line.insert("date".into(), json!(shown(label, interval)));
                Value::Object(line)
            };
            stats::text(&json!({ "results": buckets(&counted).map(line).collect::<Vec<_>>() }))
        })
    });
    stats::reply_text(answer.await?)
}

/// `breakdown`: metrics by the values of a property.
pub(crate) async fn breakdown(app: &App, request: &Request) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let (params, metrics) = (params(app, &pairs)?, metrics(&pairs)?);
    let name = value(&pairs, "property").unwrap_or_default();
    let property = match name {
        GOAL => None,
        _ => Some(Named::find(name).map_err(|error| ApiError::bad_request(format!("property: {error}")))?),
    };
    let is_of_event = property.as_ref().is_none_or(Named::is_of_event);
    if let Some(metric) = metrics.iter().find(|metric| metric.is_of_visits() && is_of_event) {
        let message = format!("metrics: {} cannot be combined with properties of events", metric.name());
        return Err(ApiError::bad_request(message));
    }
    let limit = number(&pairs, "limit", LIMIT_DEFAULT, LIMIT_MAX)?;
    let skipped = (number(&pairs, "page", 1, usize::MAX)? - 1).saturating_mul(limit);
    let wanted = wanted(app, &params, &pairs, &metrics, property.is_none())?;
    // Of goals and properties of events, rates are of all visitors.
    let rates = if name == GOAL || name.starts_with(PROPS) { metrics.clone() } else { of_lines(&metrics) };
    let wish = wanted.wish(&rates, None);
    let key = property.as_ref().map_or_else(|| Key::Goals(wanted.steps()), |named| Key::Value(named.subject.clone()));
    let (question, keys) = (params.question(app.now())?, [key]);
    let field = name.rsplit_once(':').map_or(name, |(_, field)| field).to_owned();
    let answer = stats::ask(app, "v1_breakdown", move |reports| {
        Counted::ask(reports, &question, &keys, &wish)?.try_map(|counted| {
            let shown = |value: Option<&str>| match &property {
                Some(property) => property.shown(value.map(str::to_owned)),
                None => wanted.shown(value),
            };
            let names: Vec<String> =
                counted.groups.names.iter().flatten().map(|value| shown(value.as_deref())).collect();
            let mut lines: Vec<(&str, &Group)> =
                counted.groups.groups.iter().map(|group| named(group, &names)).collect();
            lines.sort_by(|(name, group), (other_name, other)| {
                let (figures, others) = (&group.figures, &other.figures);
                (others.visitors, others.visits, name).cmp(&(figures.visitors, figures.visits, other_name))
            });
            let result = |(value, group): (&str, &Group)| {
                let mut line = line(&metrics, &rates, &counted.measured(group));
                line.insert(field.clone(), json!(value));
                Value::Object(line)
            };
            let results: Vec<Value> = lines.into_iter().skip(skipped).take(limit).map(result).collect();
            stats::text(&json!({ "results": results }))
        })
    });
    stats::reply_text(answer.await?)
}

fn params(app: &App, pairs: &Pairs<'_>) -> Result<Params, ApiError> {
    let mut shared: Pairs<'_> =
        pairs.iter().filter(|(name, _)| !["period", "date"].contains(&&**name)).cloned().collect();
    shared.push(("period".into(), "day".into()));
    let today = match stats::params(app, &shared)?.range {
        Range::Days { last, .. } => last,
        Range::Exact(_) | Range::Realtime => Date::default(),
    };
    let (first, last) = period::days(pairs, today)?;
    shared.push(("start_date".into(), first.into()));
    shared.push(("end_date".into(), last.into()));
    stats::params(app, &shared)
}

fn metrics(pairs: &Pairs<'_>) -> Result<Vec<Metric>, ApiError> {
    let names = value(pairs, "metrics").unwrap_or("visitors").split(',').map(str::trim);
    let metrics = names.map(Metric::find).collect::<Result<Vec<_>, _>>();
    let metrics = metrics.map_err(|error| ApiError::bad_request(format!("metrics: {error}")))?;
    let newer = metrics.iter().find(|metric| metric.is_revenue() || **metric == Metric::GroupConversionRate);
    match newer {
        Some(metric) => {
            let message = format!("metrics: metric {} is not supported here. Use /api/v2/query.", metric.name());
            Err(ApiError::bad_request(message))
        }
        None => Ok(metrics),
    }
}

/// The goals of a request, if it is about any.
fn wanted(
    app: &App,
    params: &Params,
    pairs: &Pairs<'_>,
    metrics: &[Metric],
    is_by_goal: bool,
) -> Result<Wanted, ApiError> {
    let is_about_goals = is_by_goal || metrics.iter().any(|metric| metric.is_conversion_rate());
    let site = &params.site;
    let (segment, goals) = (|id| app.segments.filter(site, id, &app.goals), || app.goals.steps(site));
    let read = |text| Conversion::from_text(text, Saved { segment: &segment, goals: &goals });
    let conversion = value(pairs, "filters").filter(|_| is_about_goals).map(read).transpose()?;
    Wanted::of(app, params, conversion, metrics, is_by_goal)
}

/// What is computed for the metrics of lines: a rate of conversion is that of the line.
fn of_lines(metrics: &[Metric]) -> Vec<Metric> {
    let of_line = |metric: &Metric| match metric {
        Metric::ConversionRate => Metric::GroupConversionRate,
        other => *other,
    };
    metrics.iter().map(of_line).collect()
}

fn refuse_percentage(metrics: &[Metric]) -> Result<(), ApiError> {
    match metrics.contains(&Metric::Percentage) {
        true => Err(ApiError::bad_request("metrics: percentage needs a property")),
        false => Ok(()),
    }
}

fn interval(pairs: &Pairs<'_>) -> Result<Interval, ApiError> {
    let default = match value(pairs, "period") {
        Some("6mo" | "12mo" | "year") => "month",
        _ => "day",
    };
    match value(pairs, "interval").unwrap_or(default) {
        "day" | "date" => Ok(Interval::Day),
        "month" => Ok(Interval::Month),
        other => Err(ApiError::bad_request(format!("Invalid interval: '{other}'. Use day or month."))),
    }
}

fn number(pairs: &Pairs<'_>, name: &str, default: usize, max: usize) -> Result<usize, ApiError> {
    let Some(text) = value(pairs, name) else { return Ok(default) };
    let number = text.parse().ok().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| ApiError::bad_request(format!("{name}: must be a whole number from 1 to {max}")))
}

/// As many days, just before.
fn previous(range: Range) -> Result<Range, ApiError> {
    let Range::Days { first, last } = range else {
        return Err(ApiError::bad_request("compare needs a range of days"));
    };
    let end = first.yesterday().map_err(ApiError::internal)?;
    Ok(Range::Days { first: end.checked_sub(last - first).map_err(ApiError::internal)?, last: end })
}

/// In a hundred of the value before; of a rate, the difference. From nothing to something is a hundred.
fn change(metric: Metric, now: &Value, before: &Value) -> Value {
    let (Some(now), Some(before)) = (now.as_f64(), before.as_f64()) else { return Value::Null };
    let change = match metric {
        Metric::BounceRate => now - before,
        Metric::ConversionRate => return json!(((now - before) * 10.0).round() / 10.0),
        _ if before == 0.0 => {
            if now > 0.0 {
                100.0
            } else {
                0.0
            }
        }
        _ => (now - before) / before * 100.0,
    };
    #[expect(clippy::cast_possible_truncation, reason = "a change in a hundred is rounded to a whole number")]
    let rounded = change.round() as i64;
    json!(rounded)
}

/// Every bucket with its figures. Groups come in the order of time.
fn buckets(counted: &Counted) -> impl Iterator<Item = (&str, Option<&Group>)> {
    let mut groups = counted.groups.groups.iter().peekable();
    counted.labels.iter().map(move |label| {
        let is_here = |group: &&Group| counted.groups.values(group).eq([Some(label.as_str())]);
        (label.as_str(), groups.next_if(is_here))
    })
}

fn named<'a>(group: &'a Group, names: &'a [String]) -> (&'a str, &'a Group) {
    let name = group.values.first().and_then(|place| names.get(*place as usize));
    (name.map_or("", String::as_str), group)
}

/// The metrics by their names, as they are computed.
fn line(metrics: &[Metric], computed: &[Metric], measured: &Measured<'_>) -> Map<String, Value> {
    let values = computed.iter().map(|metric| metric.value(measured));
    metrics.iter().map(|metric| metric.name().to_owned()).zip(values).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_in_a_hundred_and_that_of_a_rate_is_a_difference() {
        let of = |metric, now, before| change(metric, &json!(now), &json!(before));
        assert_eq!(of(Metric::Visitors, 15, 10), json!(50));
        assert_eq!(of(Metric::Visitors, 0, 10), json!(-100));
        assert_eq!(of(Metric::Visitors, 3, 0), json!(100));
        assert_eq!(of(Metric::Visitors, 0, 0), json!(0));
        assert_eq!(of(Metric::BounceRate, 40, 50), json!(-10));
    }
}
