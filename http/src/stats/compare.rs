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
//! Lines of a value, a page or a path are compared by it: the engine answers for exactly the lines of the current answer,
//! in its order. Steps, goals and days are compared by their place, hours by what the clock shows, sums of money by their
//! currency.

use std::collections::HashMap;

use jiff::ToSpan;
use jiff::civil::Date;
use mallard_engine::QueryError;
use serde_json::{Map, Value, json};

use super::params::{Params, Range, dates, value};
use crate::error::ApiError;
use crate::request::Pairs;

/// Fields that are numbers and no figures.
const NO_FIGURES: [&str; 2] = ["step", "id"];
/// What a line of time is called by.
const DATE: &str = "date";
/// The field that names a sum of money.
const CURRENCY: &str = "currency";

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

/// The text of both answers, which are given as text, and of the change.
pub(super) fn both(current: &str, comparison: &str, range: Range) -> Result<String, QueryError> {
    let read = |text: &str| serde_json::from_str(text).map_err(|error| QueryError::Internal(error.to_string()));
    let change = change(&read(current)?, &read(comparison)?);
    let range = match range {
        Range::Days { first, last } => json!({ "start_date": first.to_string(), "end_date": last.to_string() }),
        Range::Exact(_) | Range::Realtime => Value::Null,
    };
    // The answers are written as they are: each looks the same with and without a comparison.
    Ok(format!(
        "{{\"current\":{current},\"comparison\":{comparison},\"comparison_range\":{range},\"change\":{change}}}"
    ))
}

/// The relative change of every figure; names stay as they are.
fn change(current: &Value, comparison: &Value) -> Value {
    match (current, comparison) {
        (Value::Number(now), Value::Number(then)) => factor(now.as_f64(), then.as_f64()),
        (Value::String(name), _) => json!(name),
        (Value::Object(now), then) => {
            let figure = |(field, value): (&String, &Value)| {
                let is_figure = !NO_FIGURES.contains(&field.as_str());
                let changed = is_figure.then(|| change(value, then.get(field).unwrap_or(&Value::Null)));
                (field.clone(), changed.unwrap_or_else(|| value.clone()))
            };
            Value::Object(now.iter().map(figure).collect::<Map<_, _>>())
        }
        (Value::Array(now), Value::Array(then)) if now.iter().chain(then).any(|sum| sum.get(CURRENCY).is_some()) => {
            revenue(now, then)
        }
        (Value::Array(now), Value::Array(then)) if now.iter().chain(then).all(is_of_clock) => of_clock(now, then),
        (Value::Array(now), Value::Array(then)) => {
            let then = then.iter().chain(std::iter::repeat(&Value::Null));
            Value::Array(now.iter().zip(then).map(|(now, then)| change(now, then)).collect())
        }
        _ => Value::Null,
    }
}

/// Whether a line is of an hour or a minute: its date has a time.
fn is_of_clock(line: &Value) -> bool {
    clock(line).is_some()
}

/// The day and the time that a line of an hour or a minute is called by.
fn clock(line: &Value) -> Option<(&str, &str)> {
    line.get(DATE).and_then(Value::as_str)?.split_once(' ')
}

/// The change of lines of hours or minutes, by the number of their day, what the clock shows and the how manieth time it does:
/// where a clock change skips or repeats an hour, all other hours are compared with the same ones.
fn of_clock(now: &[Value], then: &[Value]) -> Value {
    let then: HashMap<_, _> = places(then).into_iter().zip(then).collect();
    let line = |(place, line): (_, &Value)| change(line, then.get(&place).copied().unwrap_or(&Value::Null));
    places(now).into_iter().zip(now).map(line).collect()
}

fn places(lines: &[Value]) -> Vec<(usize, &str, usize)> {
    let (mut day, mut today, mut seen) = (0, "", HashMap::new());
    let place = |line| {
        let (date, time) = clock(line).unwrap_or_default();
        if date != today {
            (day, today) = (day + 1, date);
            seen.clear();
        }
        let times: &mut usize = seen.entry(time).or_default();
        *times += 1;
        (day, time, *times)
    };
    lines.iter().map(place).collect()
}

/// The change of every sum of money, by its currency: those of today first, then those that there are no more.
fn revenue(now: &[Value], then: &[Value]) -> Value {
    let amount = |sums: &[Value], currency: &Value| {
        let sum = sums.iter().find(|sum| sum.get(CURRENCY) == Some(currency));
        let text = sum.and_then(|sum| sum.get("amount")).and_then(Value::as_str);
        text.map_or(Some(0.0), |text| text.parse::<f64>().ok())
    };
    let mut currencies: Vec<&Value> = now.iter().filter_map(|sum| sum.get(CURRENCY)).collect();
    for currency in then.iter().filter_map(|sum| sum.get(CURRENCY)) {
        if !currencies.contains(&currency) {
            currencies.push(currency);
        }
    }
    let sum = |currency: &Value| json!({ CURRENCY: currency, "amount": factor(amount(now, currency), amount(then, currency)) });
    currencies.into_iter().map(sum).collect()
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

    fn change_of(current: &Value, comparison: &Value) -> Value {
        let both = both(&current.to_string(), &comparison.to_string(), Range::Realtime).unwrap();
        let both: Value = serde_json::from_str(&both).unwrap();
        assert_eq!((&both["current"], &both["comparison"]), (current, comparison));
        both["change"].clone()
    }

    #[test]
    fn a_change_is_relative_and_nothing_has_no_factor() {
        let figures =
            change_of(&json!({"a": 15, "b": 4, "c": null, "d": 0}), &json!({"a": 10, "b": 0, "c": 1, "d": 0}));
        assert_eq!(figures, json!({"a": 0.5, "b": null, "c": null, "d": 0.0}));
        let series = change_of(
            &json!([{"date": "2024-01-02", "visitors": 1}, {"date": "2024-01-03", "visitors": 2}]),
            &json!([{"date": "2024-01-01", "visitors": 4}]),
        );
        assert_eq!(
            series,
            json!([{"date": "2024-01-02", "visitors": -0.75}, {"date": "2024-01-03", "visitors": null}])
        );
    }

    #[test]
    fn hours_are_compared_with_the_same_hours_of_their_day_whatever_the_clock_does() {
        let hours = |hours: &[(&str, u32)]| -> Value {
            hours.iter().map(|(date, visitors)| json!({ "date": date, "visitors": visitors })).collect()
        };
        let spring = hours(&[("2024-03-31 01:00", 2), ("2024-03-31 03:00", 6), ("2024-04-01 03:00", 1)]);
        let before = hours(&[
            ("2024-03-29 01:00", 1),
            ("2024-03-29 02:00", 9),
            ("2024-03-29 03:00", 4),
            ("2024-03-30 03:00", 2),
        ]);
        let found = change_of(&spring, &before);
        assert_eq!(
            found.as_array().unwrap().iter().map(|line| &line["visitors"]).collect::<Vec<_>>(),
            [1.0, 0.5, -0.5]
        );
        let autumn = hours(&[("2024-10-27 02:00", 3), ("2024-10-27 02:00", 5), ("2024-10-27 03:00", 1)]);
        let before = hours(&[("2024-10-26 02:00", 2), ("2024-10-26 03:00", 1)]);
        let found = change_of(&autumn, &before);
        assert_eq!(found[0]["visitors"], 0.5);
        assert_eq!((&found[1]["visitors"], &found[2]["visitors"]), (&Value::Null, &json!(0.0)));
    }

    #[test]
    fn steps_are_compared_by_their_place_even_if_they_are_called_the_same() {
        let step = |step: u32, visitors: u32| json!({"step": step, "label": "page:/", "visitors": visitors});
        let change = change_of(&json!([step(1, 4), step(2, 3)]), &json!([step(1, 2), step(2, 1)]));
        let expected =
            json!([{"step": 1, "label": "page:/", "visitors": 1.0}, {"step": 2, "label": "page:/", "visitors": 2.0}]);
        assert_eq!(change, expected);
    }

    #[test]
    fn money_is_compared_by_its_currency_and_paths_keep_their_names() {
        let now = json!({"revenue": [{"currency": "EUR", "amount": "3.0000"}, {"currency": null, "amount": "1.0000"}]});
        let then =
            json!({"revenue": [{"currency": "USD", "amount": "5.0000"}, {"currency": "EUR", "amount": "2.0000"}]});
        let expected = json!({"revenue": [
            {"currency": "EUR", "amount": 0.5}, {"currency": null, "amount": null}, {"currency": "USD", "amount": -1.0},
        ]});
        assert_eq!(change_of(&now, &then), expected);
        let paths = |visits: u32| json!([{"pages": ["/a", "/b"], "visits": visits}]);
        assert_eq!(change_of(&paths(3), &paths(2)), json!([{"pages": ["/a", "/b"], "visits": 0.5}]));
    }
}
