//! The only place where text becomes SQL. None of it is a user's: names come from the column table, paths are our own.

use std::path::Path;

use super::question::QueryError;

/// A path, made absolute, as a string literal.
pub(super) fn path(path: &Path) -> Result<String, QueryError> {
    Ok(literal(&absolute(path)?))
}

/// A table of exactly these Parquet files. Nothing is taken from the names of their folders: `site_id=` and `date=` are
/// there for people.
pub(super) fn read_parquet<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<String, QueryError> {
    let pattern = |file| Ok(literal(&only(&absolute(file)?)));
    let list = files.into_iter().map(pattern).collect::<Result<Vec<_>, QueryError>>()?.join(", ");
    Ok(format!("read_parquet([{list}], union_by_name = true, hive_partitioning = false)"))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// DuckDB reads every path as a pattern: this is the pattern that only `path` matches.
fn only(path: &str) -> String {
    path.chars().fold(String::with_capacity(path.len()), |mut pattern, character| {
        match character {
            '*' | '?' | '[' => pattern.extend(['[', character, ']']),
            other => pattern.push(other),
        }
        pattern
    })
}

fn absolute(path: &Path) -> Result<String, QueryError> {
    let absolute = std::path::absolute(path).map_err(QueryError::internal)?;
    absolute
        .into_os_string()
        .into_string()
        .map_err(|path| QueryError::Internal(format!("{} is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_wildcards_stand_for_themselves() {
        let files = [Path::new("/d'd/a.parquet"), Path::new("/*[?]/b.parquet")];
        assert_eq!(
            read_parquet(files).unwrap(),
            "read_parquet(['/d''d/a.parquet', '/[*][[][?]]/b.parquet'], union_by_name = true, hive_partitioning = false)"
        );
    }
}
