//! The environment as a place to set variables.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::ConfigError;
use super::table::{TABLE, Variable};

const PREFIX: &str = "MALLARD_";
/// Set by Fly in every machine.
const FLY_APP_NAME: &str = "FLY_APP_NAME";

/// The variables of a process that concern this program.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// Picks out of `variables` (name, value) what this program reads.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = |name: &str| name.starts_with(PREFIX) || name == FLY_APP_NAME || name == "RUST_LOG";
        let named = variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { variables: named.filter(|(name, _)| ours(name)).collect() }
    }

    /// Whether this process runs on Fly.
    pub(super) fn is_on_fly(&self) -> bool {
        self.variables.contains_key(FLY_APP_NAME)
    }

    /// What is set for `variable`, under its name or its alias.
    pub(super) fn text(&self, variable: &'static Variable) -> Result<Option<String>, ConfigError> {
        let by_name = self.utf8(variable, variable.name)?;
        let Some(alias) = variable.alias else { return Ok(by_name) };
        match (by_name, self.utf8(variable, alias)?) {
            (Some(text), Some(other)) if text != other => Err(ConfigError::Conflict { name: variable.name, alias }),
            (text, other) => Ok(text.or(other)),
        }
    }

    fn utf8(&self, variable: &'static Variable, name: &str) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.variables.get(name) else { return Ok(None) };
        match value.to_str() {
            Some("") if variable.empty_is_unset => Ok(None),
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(ConfigError::Invalid {
                name: name.to_owned(),
                shown: variable.shown(Some(&value.to_string_lossy())),
                expected: "text in UTF-8".to_owned(),
            }),
        }
    }

    /// Names with our prefix that no row of the table has.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &str> {
        let known = |name: &str| TABLE.iter().any(|row| row.name == name || row.alias == Some(name));
        self.variables.keys().map(String::as_str).filter(move |name| name.starts_with(PREFIX) && !known(name))
    }

    /// Whether `variable` is there but empty, where that is allowed.
    pub(super) fn is_empty(&self, variable: &Variable) -> bool {
        self.variables.get(variable.name).is_some_and(|value| value.is_empty())
    }
}
