//! Values as CSV and as JSON.

use std::borrow::Cow;

use mallard_event::Stored;
use mallard_event::columns::{COLUMNS, Cell};
use serde_json::Value;

/// What makes a spreadsheet take a text for a formula.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Adds `text` in quotes, its own doubled.
pub(super) fn quote(line: &mut String, text: &str) {
    line.push('"');
    line.push_str(&text.replace('"', "\"\""));
    line.push('"');
}

/// `text` as no spreadsheet takes it for a formula.
pub(super) fn without_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(FORMULA_STARTS) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The names of all columns as a line of CSV.
pub(super) fn csv_header() -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    names.join(",") + "\n"
}

/// Adds a row as a line of CSV: an absent value is an empty field, an empty text is `""`.
pub(super) fn push_csv(lines: &mut String, row: &Stored) {
    for (number, column) in COLUMNS.iter().enumerate() {
        if number > 0 {
            lines.push(',');
        }
        match column.cell(row) {
            None => {}
            Some(Cell::Text(text)) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => quote(lines, text),
            Some(Cell::Text(text)) => lines.push_str(text),
            Some(Cell::Timestamp(at)) => lines.push_str(&format!("{at:.6}")),
            Some(Cell::Amount(amount)) => lines.push_str(&amount.to_string()),
            Some(Cell::Number(number)) => lines.push_str(&number.to_string()),
            Some(Cell::Boolean(is_true)) => lines.push_str(if is_true { "true" } else { "false" }),
        }
    }
    lines.push('\n');
}

/// Adds a row as a line of JSON: decimals are strings, absent values null.
pub(super) fn push_json(lines: &mut String, row: &Stored) {
    for (number, column) in COLUMNS.iter().enumerate() {
        let value = match column.cell(row) {
            None => Value::Null,
            Some(Cell::Text(text)) => Value::from(text),
            Some(Cell::Timestamp(at)) => Value::from(format!("{at:.6}")),
            Some(Cell::Amount(amount)) => Value::from(amount.to_string()),
            Some(Cell::Number(number)) => Value::from(number),
            Some(Cell::Boolean(is_true)) => Value::from(is_true),
        };
        lines.push(if number == 0 { '{' } else { ',' });
        lines.push_str(&format!("\"{}\":{value}", column.name));
    }
    lines.push_str("}\n");
}
