//! Dimensions by their names: Plausible's (`event:page`, `visit:source`, `event:props:plan`), and those of
//! `/api/stats/breakdown/{dimension}` (`pages`, `sources`, `props:plan`).
//!
//! A `visit:` name is the value of the visit's first pageview, as Plausible defines it; a name of ours is what the breakdown
//! of that name counts.

use mallard_engine::{Dimension, Subject};

use super::countries::{ALIASES, COUNTRIES};

const KEY_BYTES_MAX: usize = 1200;

/// A dimension that was named.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// What is looked at.
    pub subject: Subject,
    /// The name in the vocabulary of Plausible decides how a missing value is shown.
    pub missing: &'static str,
    /// Values that Plausible writes with a capital letter and we do not.
    pub is_case_folded: bool,
    /// Values that Plausible calls otherwise: ours, and theirs.
    pub renamed: &'static [(&'static str, &'static str)],
    /// Further names by which values are found.
    pub aliases: &'static [(&'static str, &'static str)],
}

const SYSTEMS: [(&str, &str); 2] = [("macOS", "Mac"), ("Linux", "GNU/Linux")];
const BROWSERS: [(&str, &str); 2] = [("Edge", "Microsoft Edge"), ("Samsung Internet", "Samsung Browser")];

/// How Plausible calls what we have.
const PLAUSIBLE: [(&str, Dimension); 18] = [
    ("visit:entry_page_hostname", Dimension::Hostnames),
    ("visit:entry_page", Dimension::EntryPages),
    ("visit:exit_page", Dimension::ExitPages),
    ("visit:channel", Dimension::Channels),
    ("visit:utm_medium", Dimension::UtmMediums),
    ("visit:utm_source", Dimension::UtmSources),
    ("visit:utm_campaign", Dimension::UtmCampaigns),
    ("visit:utm_content", Dimension::UtmContents),
    ("visit:utm_term", Dimension::UtmTerms),
    ("visit:device", Dimension::Devices),
    ("visit:browser", Dimension::Browsers),
    ("visit:browser_version", Dimension::BrowserVersions),
    ("visit:os", Dimension::Os),
    ("visit:os_version", Dimension::OsVersions),
    ("visit:country", Dimension::Countries),
    ("visit:country_name", Dimension::Countries),
    ("visit:region_name", Dimension::Regions),
    ("visit:city_name", Dimension::Cities),
];

/// What Plausible has and we do not, and what to use.
const UNSUPPORTED: [(&str, &str); 3] = [
    ("visit:exit_page_hostname", "Use visit:exit_page, or event:hostname."),
    ("visit:region", "Codes of regions are not stored. Use visit:region_name."),
    ("visit:city", "GeoName numbers are not stored. Use visit:city_name."),
];

impl Named {
    /// The dimension called `name`; an error says what is wrong with it.
    pub fn find(name: &str) -> Result<Self, String> {
        if let Some((_, advice)) = UNSUPPORTED.iter().find(|(known, _)| *known == name) {
            return Err(format!("{name} is not supported. {advice}"));
        }
        if let Some(key) = name.strip_prefix("event:props:").or_else(|| name.strip_prefix("props:")) {
            return Self::prop(key);
        }
        let event = match name {
            "event:page" => Some(Subject::Dimension(Dimension::Pages)),
            "event:hostname" => Some(Subject::Dimension(Dimension::Hostnames)),
            "event:name" => Some(Subject::EventName),
            "visit:source" => Some(Subject::Source),
            "visit:referrer" => Some(Subject::Referrer),
            _ => None,
        };
        let visit = PLAUSIBLE.iter().find(|(known, _)| *known == name).map(|(_, dimension)| Subject::Visit(*dimension));
        let ours = || Dimension::from_name(name).map(Subject::Dimension);
        let subject = event.or(visit).or_else(ours).ok_or_else(|| format!("unknown dimension '{name}'"))?;
        let missing = match name {
            "visit:source" | "visit:referrer" => "Direct / None",
            _ => "(not set)",
        };
        let renamed: &[_] = match name {
            "visit:os" => &SYSTEMS,
            "visit:browser" => &BROWSERS,
            "visit:country_name" => &COUNTRIES,
            _ => &[],
        };
        let aliases: &[_] = if name == "visit:country_name" { &ALIASES } else { &[] };
        Ok(Self { subject, missing, is_case_folded: name == "visit:device", renamed, aliases })
    }

    fn prop(key: &str) -> Result<Self, String> {
        match key.len() {
            1..=KEY_BYTES_MAX => {
                let subject = Subject::Prop(key.into());
                Ok(Self { subject, missing: "(none)", is_case_folded: false, renamed: &[], aliases: &[] })
            }
            _ => Err(format!("the key of a property has 1 to {KEY_BYTES_MAX} bytes")),
        }
    }

    /// Whether `value` stands for a missing one, as we or Plausible show it.
    pub fn is_missing(&self, value: &str) -> bool {
        match &self.subject {
            Subject::Source | Subject::Referrer => {
                ["", "(direct)", "Direct / None", "(Direct / None)", "(not set)", "(unknown)"].contains(&value)
            }
            Subject::Visit(_) => ["", "(not set)", "(none)", "(unknown)"].contains(&value),
            Subject::Dimension(dimension) => value == dimension.null_label(),
            Subject::EventName => false,
            Subject::Prop(_) => ["(none)", "(unknown)"].contains(&value),
        }
    }

    /// A value as Plausible shows it.
    pub fn shown(&self, value: Option<String>) -> String {
        match value {
            None => self.missing.to_owned(),
            Some(value) if self.is_case_folded => capitalised(&value),
            Some(value) => {
                let theirs = self.renamed.iter().find(|(ours, _)| *ours == value);
                theirs.map_or(value, |(_, theirs)| (*theirs).to_owned())
            }
        }
    }

    /// A value as it is stored: given by Plausible's name or by ours.
    pub fn stored<'a>(&self, value: &'a str, is_case_sensitive: bool) -> &'a str {
        let is_same = |theirs: &str| match is_case_sensitive {
            true => theirs == value,
            false => theirs.to_lowercase() == value.to_lowercase(),
        };
        let value = if self.subject == Subject::Referrer { bare(value) } else { value };
        let mut names = self.renamed.iter().chain(self.aliases);
        names.find(|(_, theirs)| is_same(theirs)).map_or(value, |(ours, _)| ours)
    }

    /// Whether each event has its own value, which figures of visits cannot be grouped by.
    pub fn is_of_event(&self) -> bool {
        match self.subject {
            Subject::Visit(_) | Subject::Source | Subject::Referrer => false,
            Subject::Dimension(_) | Subject::EventName | Subject::Prop(_) => true,
        }
    }
}

/// A referrer as it is shown: without its scheme and `www.`.
fn bare(address: &str) -> &str {
    let without_scheme =
        address.strip_prefix("https://").or_else(|| address.strip_prefix("http://")).unwrap_or(address);
    without_scheme.strip_prefix("www.").unwrap_or(without_scheme)
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_vocabularies_are_known() {
        let subject = |name: &str| Named::find(name).unwrap().subject;
        assert_eq!(subject("event:page"), Subject::Dimension(Dimension::Pages));
        assert_eq!(subject("visit:browser"), Subject::Visit(Dimension::Browsers));
        assert_eq!(subject("browsers"), Subject::Dimension(Dimension::Browsers));
        assert_eq!(subject("event:props:a:b"), Subject::Prop("a:b".into()));
        assert_eq!(subject("props:plan"), Subject::Prop("plan".into()));
        assert!(Named::find("event:props:").is_err());
        for dimension in Dimension::ALL {
            assert!(Named::find(dimension.name()).is_ok(), "{dimension:?}");
        }
    }

    #[test]
    fn values_are_shown_as_plausible_shows_them() {
        let shown = |name: &str, value: Option<&str>| Named::find(name).unwrap().shown(value.map(Into::into));
        assert_eq!(shown("visit:source", None), "Direct / None");
        assert_eq!(shown("visit:referrer", None), "Direct / None");
        assert_eq!(shown("visit:utm_medium", None), "(not set)");
        assert_eq!(shown("event:props:plan", None), "(none)");
        assert_eq!(shown("visit:device", Some("mobile")), "Mobile");
        assert_eq!(shown("visit:browser", Some("chrome")), "chrome");
        assert_eq!(shown("visit:os", Some("macOS")), "Mac");
        assert_eq!(shown("os", Some("macOS")), "macOS", "that is our own vocabulary");
        assert_eq!(shown("visit:browser", Some("Edge")), "Microsoft Edge");
        assert_eq!(shown("visit:country_name", Some("EE")), "Estonia");
        assert_eq!(shown("visit:country_name", Some("QQ")), "QQ", "a code that no country has");
        assert_eq!(shown("visit:country", Some("EE")), "EE");
    }

    #[test]
    fn every_country_has_one_name_and_an_alias_is_of_a_country_and_no_name() {
        let names: std::collections::BTreeSet<_> = COUNTRIES.iter().map(|(_, name)| name).collect();
        assert_eq!(names.len(), COUNTRIES.len());
        assert!(COUNTRIES.is_sorted_by(|(code, _), (next, _)| code < next));
        for (code, alias) in &ALIASES {
            assert!(COUNTRIES.iter().any(|(known, _)| known == code) && !names.contains(alias), "{alias}");
        }
    }
}
