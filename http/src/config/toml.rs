//! The configuration file: flat TOML, one key per variable, the TOML type that fits the value.
//!
//! A value is turned into the text that the environment would have, so that both places share one grammar.

use std::collections::BTreeMap;
use std::path::Path;

use ::toml::{Table, Value};

use super::ConfigError;
use super::report::closest;
use super::table::{TABLE, Toml};

/// Texts by key.
pub(super) type Texts = BTreeMap<String, String>;

/// Reads `file`; every key must be known and have the right type.
pub(super) fn read(file: &Path) -> Result<Texts, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
    parse(file, &std::fs::read_to_string(file).map_err(unreadable)?)
}

/// The keys and values of `text`; `file` is named in errors.
pub(super) fn parse(file: &Path, text: &str) -> Result<Texts, ConfigError> {
    let syntax = |error: ::toml::de::Error| ConfigError::Syntax { file: file.to_owned(), reason: error.to_string() };
    let table: Table = text.parse().map_err(syntax)?;
    let mut texts = Texts::new();
    for (key, value) in table {
        if let Some(text) = as_text(file, &key, &value)? {
            texts.insert(key, text);
        }
    }
    Ok(texts)
}

fn as_text(file: &Path, key: &str, value: &Value) -> Result<Option<String>, ConfigError> {
    let Some(row) = TABLE.iter().find(|row| row.toml.key() == Some(key)) else {
        return Err(ConfigError::UnknownKey { key: key.to_owned(), file: file.to_owned(), hint: hint(key) });
    };
    match (row.toml, value) {
        (Toml::Text(_), Value::String(text)) => Ok(Some(text.clone())),
        (Toml::Integer(_), Value::Integer(number)) => Ok(Some(number.to_string())),
        (Toml::Boolean(_), Value::Boolean(flag)) => Ok(Some(flag.to_string())),
        // Where no item is the default, nothing is set. Elsewhere it would mean the default, which is not what it says.
        (Toml::List(_), Value::Array(items)) if items.is_empty() && row.default.is_none() => Ok(None),
        (Toml::List(_), Value::Array(items)) if items.is_empty() => Err(empty_list(file, key)),
        (Toml::List(_), Value::Array(items)) => {
            join(items).map(Some).ok_or_else(|| wrong_type(file, key, row.toml, value))
        }
        (expected, _) => Err(wrong_type(file, key, expected, value)),
    }
}

/// Items joined as the environment has them; `None` unless all are strings without a comma.
fn join(items: &[Value]) -> Option<String> {
    let texts: Option<Vec<&str>> = items.iter().map(|item| item.as_str().filter(|text| !text.contains(','))).collect();
    texts.map(|texts| texts.join(","))
}

fn empty_list(file: &Path, key: &str) -> ConfigError {
    let expected = r#"at least one item; for none of them write ["none"]"#.to_owned();
    ConfigError::Invalid { name: format!("{}: {key}", file.display()), shown: "[]".to_owned(), expected }
}

fn wrong_type(file: &Path, key: &str, expected: Toml, value: &Value) -> ConfigError {
    let expected = match expected {
        Toml::Text(_) => "a string in quotes",
        Toml::Integer(_) => "an integer without quotes",
        Toml::Boolean(_) => "true or false without quotes",
        Toml::List(_) => "an array of strings, one item each",
        Toml::EnvironmentOnly => "nothing here: set it in the environment",
    };
    let name = format!("{}: {key}", file.display());
    ConfigError::Invalid { name, shown: value.to_string(), expected: expected.to_owned() }
}

fn hint(key: &str) -> String {
    let in_environment = format!("MALLARD_{}", key.to_ascii_uppercase());
    if let Some(row) = TABLE.iter().find(|row| row.name == in_environment && row.toml == Toml::EnvironmentOnly) {
        return format!("set {} in the environment, secrets do not belong into files", row.name);
    }
    match closest(key, TABLE.iter().filter_map(|row| row.toml.key())) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "keys stand at the top level, without tables".to_owned(),
    }
}
