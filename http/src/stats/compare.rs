//! Comparison: a report of two ranges, and the change. Without the parameter `compare`, a report is answered plainly.
//!
//! ```text
//! compare=previous_period      as many days as the range has, just before it
//! compare=year_over_year       the same dates one year earlier
//! compare=custom               compare_start_date and compare_end_date
//! match_day_of_week=true       moved by up to three days, so that both ranges begin on the same day of the week
//!
//! {"current": <answer>, "comparison": <answer>, "comparison_range": {"start_date", "end_date"}, "change": <same shape>}
//! ```
//! A change is relative to the comparison: 0.5 is half as much again, -1 is all of it gone. It is `null` where the comparison
//! is 0 or has no number, because no factor leads from nothing to something.
//! Lines that have a value (`value`, `next_page`, `label`) are compared by it: the comparison has the lines of the current
//! answer, in its order. Lines of time are compared by their place.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::params::{Params, Range, dates, value};
use crate::error::ApiError;
use crate::request::Pairs;

/// Fields that name a line, in place of its place.
const NAMES: [&str; 3] = ["value", "next_page", "label"];
/// Fields that are numbers and no figures.
const NO_FIGURES: [&str; 2] = ["step", "start"];

/// The range that `params` are to be compared with, if any is asked for.
pub(super) fn range(pairs: &Pairs<'_>, params: &Params) -> Result<Option<Range>, ApiError> {
    let Some(mode) = value(pairs, "compare") else { return Ok(None) };
    let Range::Days { first, last } = params.range else {
        return Err(ApiError::bad_request("compare needs a range of days"));
    };
    let days = last - first;
    let year_before = |day: Date| day.checked_sub(1.year());
    let (start, end) = match mode {
        "previous_period" => {
            let end = first.yesterday().map_err(ApiError::internal)?;
            (end.checked_sub(days).map_err(ApiError::internal)?, end)
        }
        "year_over_year" => {
            (year_before(first).map_err(ApiError::internal)?, year_before(last).map_err(ApiError::internal)?)
        }
        "custom" => match (value(pairs, "compare_start_date"), value(pairs, "compare_end_date")) {
            (Some(start), Some(end)) => match dates(start, end)? {
                Range::Days { first, last } => (first, last),
                other => return Ok(Some(other)),
            },
            _ => return Err(ApiError::bad_request("compare=custom needs compare_start_date and compare_end_date")),
        },
        _ => {
            let message = format!("Invalid compare: '{mode}'. Use previous_period, year_over_year or custom.");
            return Err(ApiError::bad_request(message));
        }
    };
    let shift = match value(pairs, "match_day_of_week") {
        None | Some("false") => 0,
        Some("true") => nearest_weekday(start, first),
        Some(other) => {
            let message = format!("Invalid match_day_of_week: '{other}'. Use true or false.");
            return Err(ApiError::bad_request(message));
        }
    };
    // A previous period moved forward would overlap the current one.
    let shift = if mode == "previous_period" && shift > 0 { shift - 7 } else { shift };
    let moved = |day: Date| day.checked_add(i32::from(shift).days()).map_err(ApiError::internal);
    Ok(Some(Range::Days { first: moved(start)?, last: moved(end)? }))
}

/// By how many days `start` is moved to the nearest day that is the same day of the week as `like`.
fn nearest_weekday(start: Date, like: Date) -> i8 {
    let ahead = (like.weekday().to_monday_zero_offset() - start.weekday().to_monday_zero_offset()).rem_euclid(7);
    if ahead > 3 { ahead - 7 } else { ahead }
}

/// Both answers and the change.
pub(super) fn both(current: &impl Serialize, comparison: &impl Serialize, range: Range) -> Result<Value, ApiError> {
    let current = serde_json::to_value(current).map_err(ApiError::internal)?;
    let comparison = aligned(&current, serde_json::to_value(comparison).map_err(ApiError::internal)?);
    let change = change(&current, &comparison);
    let range = match range {
        Range::Days { first, last } => json!({ "start_date": first.to_string(), "end_date": last.to_string() }),
        Range::Exact(_) | Range::Realtime => Value::Null,
    };
    Ok(json!({ "current": current, "comparison": comparison, "comparison_range": range, "change": change }))
}

/// The comparison with the lines of the current answer, where lines have names.
fn aligned(current: &Value, comparison: Value) -> Value {
    let (Value::Array(lines), Value::Array(others)) = (current, &comparison) else { return comparison };
    let Some(name) = lines.first().and_then(|line| NAMES.iter().find(|name| line.get(**name).is_some())) else {
        return comparison;
    };
    let line = |line: &Value| {
        let other = others.iter().find(|other| other.get(*name) == line.get(*name));
        other.cloned().unwrap_or_else(|| zeros(line))
    };
    Value::Array(lines.iter().map(line).collect())
}

/// A line of the same name without anything counted.
fn zeros(line: &Value) -> Value {
    let zero = |(field, value): (&String, &Value)| {
        let is_figure = value.is_number() && !NO_FIGURES.contains(&field.as_str());
        (field.clone(), if is_figure { json!(0) } else { value.clone() })
    };
    line.as_object().map_or(Value::Null, |fields| Value::Object(fields.iter().map(zero).collect()))
}

/// The relative change of every figure; names stay as they are.
fn change(current: &Value, comparison: &Value) -> Value {
    match (current, comparison) {
        (Value::Number(now), Value::Number(then)) => factor(now.as_f64(), then.as_f64()),
        (Value::Object(now), Value::Object(then)) => {
            let figure = |(field, value): (&String, &Value)| {
                let is_figure = !NO_FIGURES.contains(&field.as_str()) && !value.is_string();
                let changed = is_figure.then(|| change(value, then.get(field).unwrap_or(&Value::Null)));
                (field.clone(), changed.unwrap_or_else(|| value.clone()))
            };
            Value::Object(now.iter().map(figure).collect::<Map<_, _>>())
        }
        (Value::Array(now), Value::Array(then)) => {
            let then = then.iter().chain(std::iter::repeat(&Value::Null));
            Value::Array(now.iter().zip(then).map(|(now, then)| change(now, then)).collect())
        }
        (Value::Object(now), Value::Null) => change(&Value::Object(now.clone()), &Value::Object(Map::new())),
        _ => Value::Null,
    }
}

fn factor(now: Option<f64>, then: Option<f64>) -> Value {
    match (now, then) {
        (Some(now), Some(then)) if now.to_bits() == then.to_bits() => json!(0.0),
        (Some(now), Some(then)) if then != 0.0 => json!((now - then) / then),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use mallard_event::Timestamp;

    use super::*;

    fn compared(query: &str) -> Result<String, String> {
        let now = Timestamp::parse("2024-03-31T12:00:00Z").unwrap();
        let query = format!("site_id=a&{query}");
        let pairs: Pairs<'_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let params =
            Params::parse(&pairs, now, |_| jiff::tz::TimeZone::UTC, |_| None, |_, _| None, |_| Vec::new()).unwrap();
        match range(&pairs, &params).map_err(|error| error.to_string())? {
            Some(Range::Days { first, last }) => Ok(format!("{first}..{last}")),
            other => Ok(format!("{other:?}")),
        }
    }

    #[test]
    fn the_other_range_is_before_a_year_earlier_or_given() {
        for (query, expected) in [
            ("period=7d", "None"),
            ("period=7d&compare=previous_period", "2024-03-18..2024-03-24"),
            ("period=month&compare=previous_period", "2024-01-30..2024-02-29"),
            ("start_date=2024-02-28&end_date=2024-02-29&compare=year_over_year", "2023-02-28..2023-02-28"),
            (
                "period=7d&compare=custom&compare_start_date=2024-01-01&compare_end_date=2024-01-31",
                "2024-01-01..2024-01-31",
            ),
            // A Monday, a Sunday a year earlier: one day on.
            (
                "start_date=2024-03-25&end_date=2024-03-31&compare=year_over_year&match_day_of_week=true",
                "2023-03-27..2023-04-02",
            ),
            // A Saturday and a Sunday: three days on would be the range itself.
            (
                "start_date=2024-03-30&end_date=2024-03-31&compare=previous_period&match_day_of_week=true",
                "2024-03-23..2024-03-24",
            ),
        ] {
            assert_eq!(compared(query).as_deref(), Ok(expected), "{query}");
        }
    }

    #[test]
    fn wrong_comparisons_are_named() {
        for (query, message) in [
            ("compare=last_week", "Invalid compare: 'last_week'. Use previous_period, year_over_year or custom."),
            (
                "compare=custom&compare_end_date=2024-01-01",
                "compare=custom needs compare_start_date and compare_end_date",
            ),
            ("compare=previous_period&match_day_of_week=yes", "Invalid match_day_of_week: 'yes'. Use true or false."),
            ("period=realtime&compare=previous_period", "compare needs a range of days"),
        ] {
            assert_eq!(compared(query).unwrap_err(), message, "{query}");
        }
    }

    #[test]
    fn a_change_is_relative_and_nothing_has_no_factor() {
        let range = Range::Realtime;
        let figures =
            both(&json!({"a": 15, "b": 4, "c": null, "d": 0}), &json!({"a": 10, "b": 0, "c": 1, "d": 0}), range);
        assert_eq!(figures.unwrap()["change"], json!({"a": 0.5, "b": null, "c": null, "d": 0.0}));
        let series = both(
            &json!([{"date": "2024-01-02", "visitors": 1}, {"date": "2024-01-03", "visitors": 2}]),
            &json!([{"date": "2024-01-01", "visitors": 4}]),
            range,
        );
        let expected = json!([{"date": "2024-01-02", "visitors": -0.75}, {"date": "2024-01-03", "visitors": null}]);
        assert_eq!(series.unwrap()["change"], expected);
    }

    #[test]
    fn lines_with_a_name_are_compared_by_it() {
        let current = json!([{"value": "/a", "visitors": 2}, {"value": "/b", "visitors": 1}]);
        let other = json!([{"value": "/c", "visitors": 9}, {"value": "/a", "visitors": 1}]);
        let both = both(&current, &other, Range::Realtime).unwrap();
        assert_eq!(both["comparison"], json!([{"value": "/a", "visitors": 1}, {"value": "/b", "visitors": 0}]));
        assert_eq!(both["change"], json!([{"value": "/a", "visitors": 1.0}, {"value": "/b", "visitors": null}]));
    }
}
