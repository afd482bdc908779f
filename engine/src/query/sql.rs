//! The only place where text becomes SQL. None of it is a user's: names come from the column table, paths are our own. (The
//! statements of `console.rs` are SQL already.)

use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Field};

use super::question::QueryError;
use super::source::SourceFile;

/// What DuckDB reads as part of a pattern, with no way of saying that it is none.
const WILDCARDS: [char; 3] = ['*', '?', '['];

/// A path, made absolute, as a string literal.
pub(super) fn path(path: &Path) -> Result<String, QueryError> {
    let absolute = std::path::absolute(path).map_err(QueryError::internal)?;
    match absolute.to_str() {
        Some(text) if !text.contains(WILDCARDS) => Ok(format!("'{}'", text.replace('\'', "''"))),
        _ => Err(QueryError::Internal(format!("{} must be UTF-8 without *, ? and [ for DuckDB", absolute.display()))),
    }
}

/// A table of exactly these Parquet files. Nothing is taken from the names of their folders: `site_id=` and `date=` are
/// there for people.
pub(super) fn read_parquet<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<String, QueryError> {
    Ok(format!("read_parquet([{}], union_by_name = true, hive_partitioning = false)", list(files)?))
}

/// The same of files that all have the columns of the first one: the footers of the others are not read before their rows.
fn read_alike<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<String, QueryError> {
    Ok(format!("read_parquet([{}], hive_partitioning = false)", list(files)?))
}

fn list<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<String, QueryError> {
    Ok(files.into_iter().map(path).collect::<Result<Vec<_>, _>>()?.join(", "))
}

/// All rows of `files`, for a view that is made again whenever they change. `is_alike` says that they all have the same
/// columns.
pub(super) fn view_of(files: &[PathBuf], is_alike: bool) -> Result<String, QueryError> {
    match is_alike && !files.is_empty() {
        true => Ok(format!("SELECT * FROM {}", read_alike(files.iter().map(PathBuf::as_path))?)),
        false => rows_of(files, false),
    }
}

/// The files of one day as a table with all columns, and what its rows are ordered by within an instant. Rows of the
/// original program have no LSN: they are in the order in which its files have them.
pub(super) fn day(files: &[SourceFile]) -> Result<(String, &'static str), QueryError> {
    let paths = files.iter().map(|file| file.path.as_path());
    if !files.iter().any(|file| file.is_adopted) {
        return Ok((read_parquet(paths)?, "lsn NULLS FIRST"));
    }
    let numbered = format!(
        "read_parquet([{}], union_by_name = true, hive_partitioning = false, filename = true, file_row_number = true)",
        list(paths)?
    );
    Ok((completed(&numbered, ", filename, file_row_number")?, "lsn NULLS FIRST, filename, file_row_number"))
}

/// All rows of `files`; with no files, no rows of the same columns.
pub(super) fn rows_of(files: &[PathBuf], has_adopted: bool) -> Result<String, QueryError> {
    if files.is_empty() {
        return no_rows();
    }
    let table = read_parquet(files.iter().map(PathBuf::as_path))?;
    let table = if has_adopted { completed(&table, "")? } else { table };
    Ok(format!("SELECT * FROM {table}"))
}

/// A moment, in microseconds since 1970, as a TIMESTAMP.
pub(super) fn moment(at_us: i64) -> String {
    format!("make_timestamp({at_us})")
}

/// Asks DuckDB's parser about a text, which is its parameter: the kind of its error, the message, the number of SELECTs.
pub(super) const PARSE: &str = "SELECT parsed->>'error_type', coalesce(parsed->>'error_message', ''), \
     coalesce(json_array_length(parsed, '$.statements'), 0)::BIGINT FROM (SELECT json_serialize_sql(?)::JSON AS parsed)";

/// What a statement explains, if it is an EXPLAIN; otherwise the statement. Comments before the word are not looked through.
pub(super) fn without_explain(statement: &str) -> &str {
    let Some(explained) = without_word(statement, "explain") else { return statement };
    without_word(explained, "analyze").unwrap_or(explained)
}

fn without_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = text.trim_start().split_once(char::is_whitespace)?;
    first.eq_ignore_ascii_case(word).then_some(rest)
}

/// No rows of all columns.
pub(super) fn no_rows() -> Result<String, QueryError> {
    Ok(format!("SELECT {} WHERE false", all_columns(|name, kind| format!("CAST(NULL AS {kind}) AS {name}"))?))
}

/// `table` with all columns, those that it lacks as nulls, and the types of the column table; and with `further` ones.
fn completed(table: &str, further: &str) -> Result<String, QueryError> {
    let columns = all_columns(|name, kind| format!("CAST({name} AS {kind}) AS {name}"))?;
    Ok(format!("(SELECT {columns}{further} FROM (SELECT * FROM {table} UNION ALL BY NAME {}))", no_rows()?))
}

fn all_columns(shown: impl Fn(&str, &str) -> String) -> Result<String, QueryError> {
    let schema = mallard_event::columns::schema();
    let columns = schema.fields().iter().map(|field| Ok(shown(field.name(), &type_name(field)?)));
    Ok(columns.collect::<Result<Vec<_>, QueryError>>()?.join(", "))
}

fn type_name(field: &Field) -> Result<String, QueryError> {
    Ok(match field.data_type() {
        DataType::Utf8 => "VARCHAR".into(),
        DataType::Boolean => "BOOLEAN".into(),
        DataType::UInt16 => "USMALLINT".into(),
        DataType::UInt64 => "UBIGINT".into(),
        DataType::Timestamp(..) => "TIMESTAMP".into(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        other => return Err(QueryError::Internal(format!("column {} has no type in DuckDB: {other}", field.name()))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_every_file_and_quotes_are_doubled() {
        let files = [Path::new("/d'd/a.parquet"), Path::new("/b.parquet")];
        assert_eq!(
            read_parquet(files),
            Ok("read_parquet(['/d''d/a.parquet', '/b.parquet'], union_by_name = true, hive_partitioning = false)"
                .into())
        );
    }

    #[test]
    fn what_is_explained_is_what_counts() {
        for explained in ["explain select 1", " EXPLAIN\tANALYZE  select 1", "select 1"] {
            assert_eq!(without_explain(explained).trim_start(), "select 1", "{explained}");
        }
        assert_eq!(without_explain("explain set threads = 1"), "set threads = 1");
    }

    #[test]
    fn a_path_that_duckdb_would_take_for_a_pattern_is_refused() {
        for pattern in ["/a*", "/a?b", "/[a]"] {
            assert!(path(Path::new(pattern)).is_err(), "{pattern}");
        }
    }
}
