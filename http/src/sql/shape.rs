//! [`Shape`]: rows as text.
//!
//! ```text
//! table    columns as wide as their first thousand values; numbers to the right; NULL is NULL
//! csv      RFC 4180 with a header; NULL is an empty field, an empty text is ""
//! json     an array of objects, one a line       whole numbers and doubles are numbers, NULL is null; decimals, moments
//! ndjson   an object a line                      and dates are strings, in which nothing of them is lost
//! ```
//! Lists and structs are JSON in every format.

use std::io::{self, Write};

use clap::ValueEnum;
use mallard_engine::Cell;
use serde_json::Value;

/// Rows that decide how wide the columns of a table are.
const MEASURED_ROWS: usize = 1_000;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// Comma-separated values.
    Csv,
    /// One array.
    Json,
    /// One object a line.
    Ndjson,
}

/// An answer on its way to `out`.
pub(super) struct Shape<W: Write> {
    format: Format,
    out: W,
    names: Vec<String>,
    rows: u64,
    /// Rows of a table that wait until the widths are known.
    waiting: Vec<Vec<Cell>>,
    /// Set when the header of a table has been written.
    widths: Option<Vec<usize>>,
}

impl<W: Write> Shape<W> {
    pub(super) fn new(format: Format, out: W) -> Self {
        Self { format, out, names: Vec::new(), rows: 0, waiting: Vec::new(), widths: None }
    }

    /// Takes the names of the columns, before all rows.
    pub(super) fn columns(&mut self, names: &[String]) -> io::Result<()> {
        self.names = match self.format {
            Format::Table | Format::Csv => names.to_vec(),
            Format::Json | Format::Ndjson => distinct(names),
        };
        match self.format {
            Format::Csv => self.csv_line(&names.iter().map(|name| Cell::Text(name.clone())).collect::<Vec<_>>()),
            Format::Json => self.out.write_all(b"["),
            Format::Table | Format::Ndjson => Ok(()),
        }
    }

    /// Takes the next row.
    pub(super) fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        self.rows += 1;
        match self.format {
            Format::Csv => self.csv_line(cells),
            Format::Json => {
                let separator = if self.rows == 1 { "\n" } else { ",\n" };
                write!(self.out, "{separator}{}", object(&self.names, cells))
            }
            Format::Ndjson => writeln!(self.out, "{}", object(&self.names, cells)),
            Format::Table if self.widths.is_some() => self.table_row(cells),
            Format::Table => {
                self.waiting.push(cells.to_vec());
                if self.waiting.len() < MEASURED_ROWS { Ok(()) } else { self.begin_table() }
            }
        }
    }

    /// There are no more rows.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self.format {
            Format::Json if self.rows == 0 => self.out.write_all(b"]\n")?,
            Format::Json => self.out.write_all(b"\n]\n")?,
            Format::Table => {
                self.begin_table()?;
                writeln!(self.out, "({} row{})", self.rows, if self.rows == 1 { "" } else { "s" })?;
            }
            Format::Csv | Format::Ndjson => {}
        }
        self.flush()
    }

    /// Writes what has been taken.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn csv_line(&mut self, cells: &[Cell]) -> io::Result<()> {
        for (number, cell) in cells.iter().enumerate() {
            let separator = if number == 0 { "" } else { "," };
            let text = plain(cell).unwrap_or_default();
            let is_quoted = text.contains(['"', ',', '\n', '\r']) || (text.is_empty() && *cell != Cell::Null);
            match is_quoted {
                true => write!(self.out, "{separator}\"{}\"", text.replace('"', "\"\""))?,
                false => write!(self.out, "{separator}{text}")?,
            }
        }
        writeln!(self.out)
    }

    /// Writes the header and the rows that have waited for it.
    fn begin_table(&mut self) -> io::Result<()> {
        if self.widths.is_some() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let mut widths: Vec<usize> = self.names.iter().map(|name| width(name)).collect();
        for row in &waiting {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = shown(cell).iter().map(|line| width(line)).fold(*widest, usize::max);
            }
        }
        let names: Vec<Cell> = self.names.iter().map(|name| Cell::Text(name.clone())).collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        self.widths = Some(widths);
        self.table_row(&names)?;
        writeln!(self.out, "{}", rule.join("+"))?;
        waiting.iter().try_for_each(|row| self.table_row(row))
    }

    /// A row is as high as the cell with the most lines.
    fn table_row(&mut self, cells: &[Cell]) -> io::Result<()> {
        let columns: Vec<Vec<String>> = cells.iter().map(shown).collect();
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        let widths = self.widths.as_deref().unwrap_or_default();
        for line in 0..height {
            let texts = columns.iter().map(|lines| lines.get(line).map_or("", String::as_str));
            let padded = texts.zip(cells).zip(widths).map(|((text, cell), widest)| {
                let space = " ".repeat(widest.saturating_sub(width(text)));
                let is_number = matches!(cell, Cell::Integer(_) | Cell::Real(_));
                if is_number { format!(" {space}{text} ") } else { format!(" {text}{space} ") }
            });
            writeln!(self.out, "{}", padded.collect::<Vec<_>>().join("|").trim_end())?;
        }
        Ok(())
    }
}

/// Names that occur once each, for objects.
fn distinct(names: &[String]) -> Vec<String> {
    let mut taken: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let numbered = (1_u64..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
        taken.extend(free);
    }
    taken
}

/// The lines of a value in a table. No value moves the cursor or colours the terminal.
fn shown(cell: &Cell) -> Vec<String> {
    let text = plain(cell).unwrap_or_else(|| "NULL".to_owned());
    let harmless = |line: &str| {
        line.chars()
            .map(|char| if char.is_control() { char.escape_unicode().to_string() } else { char.into() })
            .collect()
    };
    match text.trim_end_matches('\n') {
        "" => vec![String::new()],
        text => text.lines().map(harmless).collect(),
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// The text of a value; none for NULL.
fn plain(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Null => None,
        Cell::Text(text) => Some(text.clone()),
        Cell::Real(number) => Some(format!("{number:?}")),
        cell => Some(json(cell)),
    }
}

fn json(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Boolean(is_true) => is_true.to_string(),
        Cell::Integer(number) => number.to_string(),
        Cell::Real(number) if number.is_finite() => format!("{number:?}"),
        // JSON has no such numbers.
        Cell::Real(number) => format!("\"{number:?}\""),
        Cell::Text(text) => Value::from(text.as_str()).to_string(),
        Cell::List(cells) => format!("[{}]", cells.iter().map(json).collect::<Vec<_>>().join(",")),
        Cell::Record(fields) => {
            let (names, cells): (Vec<String>, Vec<Cell>) = fields.iter().cloned().unzip();
            object(&names, &cells)
        }
    }
}

fn object(names: &[String], cells: &[Cell]) -> String {
    let fields = names.iter().zip(cells).map(|(name, cell)| format!("{}:{}", Value::from(name.as_str()), json(cell)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaped(format: Format, names: &[&str], rows: &[Vec<Cell>]) -> String {
        let mut shape = Shape::new(format, Vec::new());
        shape.columns(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        rows.iter().for_each(|row| shape.row(row).unwrap());
        shape.finish().unwrap();
        String::from_utf8(shape.out).unwrap()
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn an_escape_sequence_in_a_value_does_not_reach_the_terminal() {
        let table = shaped(Format::Table, &["a"], &[vec![text("\x1b[2Jx\ttwo\nlines")]]);
        assert_eq!(table, " a\n--------------------\n \\u{1b}[2Jx\\u{9}two\n lines\n(1 row)\n");
    }

    #[test]
    fn a_table_with_more_rows_than_are_measured_has_them_all_in_order() {
        let rows: Vec<Vec<Cell>> = (0..2_500).map(|number| vec![Cell::Integer(number)]).collect();
        let table = shaped(Format::Table, &["n"], &rows);
        let numbers: Vec<i128> = table.lines().skip(2).filter_map(|line| line.trim().parse().ok()).collect();
        assert_eq!(numbers, (0..2_500).collect::<Vec<i128>>());
        assert!(table.ends_with("(2500 rows)\n"));
    }

    #[test]
    fn columns_of_one_name_are_told_apart_in_objects() {
        let row = vec![Cell::Integer(1), Cell::Integer(2), Cell::Null];
        assert_eq!(shaped(Format::Ndjson, &["a", "a", "a_1"], &[row]), "{\"a\":1,\"a_1\":2,\"a_1_1\":null}\n");
    }

    #[test]
    fn numbers_keep_their_digits_and_what_json_cannot_say_is_text() {
        let row = vec![Cell::Integer(i128::MAX), Cell::Real(f64::NAN), Cell::Real(0.1), Cell::Real(3.0)];
        assert_eq!(
            shaped(Format::Json, &["i", "n", "x", "y"], &[row]),
            "[\n{\"i\":170141183460469231731687303715884105727,\"n\":\"NaN\",\"x\":0.1,\"y\":3.0}\n]\n"
        );
        assert_eq!(shaped(Format::Json, &["i"], &[]), "[]\n");
    }
}
