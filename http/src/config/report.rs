//! What the operator is told about the configuration: warnings, the effective values, the list for `--help`.

use std::fmt::{self, Display, Formatter};

use super::table::{Status, TABLE};
use super::{Config, Environment, Loaded, Setting, Source};

/// The one variable that somebody else sets.
const FLY_HELP: &str = "\n  FLY_APP_NAME\n          set by Fly in its machines, to any value: the client's address is taken from Fly-Client-IP";

/// Shorter passwords are taken, with a warning.
const PASSWORD_BYTES_ADVISED: usize = 8;

/// The known name that looks most like `name`, if any of them does.
pub(super) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.7;
    let scored = known.map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate));
    scored.filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, candidate)| candidate)
}

/// Everything that is worth a line in the log at start.
pub(super) fn warnings(config: &Config, environment: &Environment, settings: &[Setting]) -> Vec<String> {
    let unknown = environment.unknown().map(unknown_variable);
    let empty = TABLE.iter().filter(|row| row.empty_is_unset && environment.is_empty(row));
    let empty = empty.map(|row| format!("{} is empty and counts as not set", row.name));
    unknown.chain(empty).chain(weak_password(config)).chain(tests_only(settings)).collect()
}

/// A variable that is left over from a test changes what a server does, and nobody would look for it.
fn tests_only(settings: &[Setting]) -> impl Iterator<Item = String> {
    let set = settings.iter().filter(|one| one.variable.status == Status::Internal && one.is_set());
    set.map(|one| format!("{} is set, which is for tests only: unset it on a real server", one.variable.name))
}

fn unknown_variable(name: &str) -> String {
    let known = TABLE.iter().filter(|row| row.status != Status::Internal).flat_map(|row| [Some(row.name), row.alias]);
    match closest(name, known.flatten()) {
        Some(known) => format!("unknown variable {name} is ignored; did you mean {known}?"),
        None => format!("unknown variable {name} is ignored"),
    }
}

fn weak_password(config: &Config) -> Option<String> {
    let password = config.admin_password.as_ref()?;
    (password.len() < PASSWORD_BYTES_ADVISED)
        .then(|| format!("MALLARD_ADMIN_PASSWORD is shorter than {PASSWORD_BYTES_ADVISED} bytes: choose a longer one"))
}

impl Setting {
    fn is_set(&self) -> bool {
        self.source != Source::Default
    }
}

/// The effective configuration, one line per variable, then the warnings.
impl Display for Loaded {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for setting in &self.settings {
            if setting.variable.status == Status::Internal && !setting.is_set() {
                continue;
            }
            let source = match setting.source {
                Source::Default => "default",
                Source::File => "file",
                Source::Environment => "environment",
                Source::GdprMode => "GDPR mode",
            };
            writeln!(f, "{}={} ({source})", setting.variable.name, setting.shown())?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}

impl Loaded {
    /// The effective configuration in one line, without what is meant for tests and not set.
    pub(crate) fn in_one_line(&self) -> String {
        let shown = self.settings.iter().filter(|one| one.variable.status != Status::Internal || one.is_set());
        let shown: Vec<String> = shown.map(|one| format!("{}={}", one.variable.name, one.shown())).collect();
        shown.join(" ")
    }
}

/// Every variable with its other name, its meaning, what it takes, its default and its key in the file, for `--help`.
pub fn variables_help() -> String {
    let mut text = "Environment variables:".to_owned();
    for row in TABLE.iter().filter(|row| row.status != Status::Internal) {
        let unit = row.toml.key().and_then(unit).unwrap_or_default();
        let default = row.default.map(|text| format!(" [default: {text}{unit}]")).unwrap_or_default();
        let key = row.toml.key().map(|key| format!(" [in the file: {key}]")).unwrap_or_default();
        let alias = row.alias.map(|alias| format!(" (also {alias})")).unwrap_or_default();
        let values = row.values().map(|values| format!(": {values}")).unwrap_or_default();
        text.push_str(&format!("\n  {}{alias}\n          {}{values}{default}{key}", row.name, row.help));
    }
    text + FLY_HELP
}

/// In what a number is counted, where its key says so.
fn unit(key: &str) -> Option<&'static str> {
    let units = [("_secs", " s"), ("_mb", " MB"), ("_hours", " h"), ("_days", " days")];
    units.iter().find(|(ending, _)| key.ends_with(ending)).map(|(_, unit)| *unit)
}
