//! Periods of the first Stats API: relative to `date`, which is today unless it is given.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::error::ApiError;
use crate::request::Pairs;
use crate::stats::params::value;

/// The first and the last day of a request, as texts for the parameters that all reports share.
pub(super) fn days(pairs: &Pairs<'_>, today: Date) -> Result<(String, String), ApiError> {
    let period = value(pairs, "period").unwrap_or("30d");
    let date = value(pairs, "date");
    if period == "custom" {
        let pair = date.and_then(|date| date.split_once(','));
        let (first, last) =
            pair.ok_or_else(|| ApiError::bad_request("period=custom needs date=YYYY-MM-DD,YYYY-MM-DD"))?;
        return Ok((first.to_owned(), last.to_owned()));
    }
    let wrong_date = |_| ApiError::bad_request("Invalid date format. Use YYYY-MM-DD.");
    let day: Date = date.map_or(Ok(today), |date| date.parse().map_err(wrong_date))?;
    let months_back = |months: i32| day.first_of_month().saturating_sub(months.months());
    let (first, last) = match period {
        "day" => (day, day),
        "7d" => (day.saturating_sub(6.days()), day),
        "30d" => (day.saturating_sub(29.days()), day),
        "month" => (day.first_of_month(), day.last_of_month()),
        "6mo" => (months_back(5), day.last_of_month()),
        "12mo" => (months_back(11), day.last_of_month()),
        "year" => (day.first_of_year(), day.last_of_year()),
        _ => {
            let known = "day, 7d, 30d, month, 6mo, 12mo, year or custom";
            return Err(ApiError::bad_request(format!("Invalid period: {period}. Use {known}.")));
        }
    };
    Ok((first.to_string(), last.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(query: &str) -> Result<String, String> {
        let pairs: Pairs<'_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let today = jiff::civil::date(2024, 3, 31);
        days(&pairs, today).map(|(first, last)| format!("{first}..{last}")).map_err(|error| error.to_string())
    }

    #[test]
    fn periods_are_relative_to_the_date() {
        for (query, expected) in [
            ("", "2024-03-02..2024-03-31"),
            ("period=day&date=2024-02-29", "2024-02-29..2024-02-29"),
            ("period=7d", "2024-03-25..2024-03-31"),
            ("period=month&date=2024-02-10", "2024-02-01..2024-02-29"),
            ("period=6mo", "2023-10-01..2024-03-31"),
            ("period=12mo&date=2024-02-10", "2023-03-01..2024-02-29"),
            ("period=custom&date=2021-01-01,2021-01-31", "2021-01-01..2021-01-31"),
        ] {
            assert_eq!(period(query).as_deref(), Ok(expected), "{query}");
        }
        assert_eq!(
            period("period=91d").unwrap_err(),
            "Invalid period: 91d. Use day, 7d, 30d, month, 6mo, 12mo, year or custom."
        );
        assert_eq!(period("date=yesterday").unwrap_err(), "Invalid date format. Use YYYY-MM-DD.");
        assert_eq!(
            period("period=custom&date=2021-01-01").unwrap_err(),
            "period=custom needs date=YYYY-MM-DD,YYYY-MM-DD"
        );
    }
}
