//! The only place where text becomes SQL. None of it is a user's: names come from the column table, paths are our own.

use std::path::Path;

use super::question::QueryError;

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
    let list = files.into_iter().map(path).collect::<Result<Vec<_>, _>>()?.join(", ");
    Ok(format!("read_parquet([{list}], union_by_name = true, hive_partitioning = false)"))
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
    fn a_path_that_duckdb_would_take_for_a_pattern_is_refused() {
        for pattern in ["/a*", "/a?b", "/[a]"] {
            assert!(path(Path::new(pattern)).is_err(), "{pattern}");
        }
    }
}
