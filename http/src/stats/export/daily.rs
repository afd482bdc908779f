//! One line for every local day.

use hyper::StatusCode;
use mallard_engine::{Answer, DailyRow, Question, Reports};
use serde::Serialize;

use super::{CSV, Format, cells};
use crate::app::App;
use crate::error::ApiError;
use crate::response::{self, Response};
use crate::stats;

const HEADER: &str = "date,visitors,pageviews,top_page,top_source\n";
const NO_PAGE: &str = "(none)";
const NO_SOURCE: &str = "(direct)";

/// The file.
pub(super) async fn get(app: &App, question: Question, format: Format) -> Result<Response, ApiError> {
    let query = move |reports: &Reports<'_>| {
        reports.daily(&question)?.try_map(|rows| {
            let lines: Vec<Wire<'_>> = rows.iter().map(Wire::of).collect();
            if format == Format::Csv { Ok(csv(&lines)) } else { stats::text(&lines) }
        })
    };
    let Answer { value, as_of, incomplete } = stats::ask(app, "export", query).await?;
    let file = match format {
        Format::Csv => response::as_file(response::body(StatusCode::OK, CSV, value), "export.csv")?,
        Format::Json => response::as_file(response::json_text(value), "export.json")?,
    };
    stats::based_on(as_of, &incomplete, file)
}

#[derive(Debug, Serialize)]
struct Wire<'a> {
    date: &'a str,
    visitors: u64,
    pageviews: u64,
    top_page: &'a str,
    top_source: &'a str,
}

impl<'a> Wire<'a> {
    fn of(row: &'a DailyRow) -> Self {
        Self {
            date: &row.date,
            visitors: row.visitors,
            pageviews: row.pageviews,
            top_page: row.top_page.as_deref().unwrap_or(NO_PAGE),
            top_source: row.top_source.as_deref().unwrap_or(NO_SOURCE),
        }
    }
}

fn csv(lines: &[Wire<'_>]) -> String {
    let mut text = String::from(HEADER);
    for line in lines {
        text.push_str(&format!("{},{},{},", line.date, line.visitors, line.pageviews));
        cells::quote(&mut text, &cells::without_formula(line.top_page));
        text.push(',');
        cells::quote(&mut text, &cells::without_formula(line.top_source));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_quotes_its_texts_and_starts_no_formula() {
        let row = DailyRow {
            date: "2024-01-15".into(),
            visitors: 2,
            pageviews: 3,
            top_page: Some("=HYPERLINK(\"x\")".into()),
            top_source: None,
        };
        let empty = DailyRow { top_page: None, visitors: 0, pageviews: 0, ..row.clone() };
        let text = csv(&[Wire::of(&row), Wire::of(&empty)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "date,visitors,pageviews,top_page,top_source");
        assert_eq!(lines[1], "2024-01-15,2,3,\"'=HYPERLINK(\"\"x\"\")\",\"(direct)\"");
        assert_eq!(lines[2], "2024-01-15,0,0,\"(none)\",\"(direct)\"");
    }
}
