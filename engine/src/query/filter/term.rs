//! A term: what is looked at, and what it must be. It is a description: `matcher.rs` makes it ready for values.

use super::{FilterError, PATTERN_BYTES_MAX, PATTERNS_MAX, VALUE_BYTES_MAX, VALUES_MAX};
use crate::query::dimension::Dimension;

/// What a term looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A dimension, by its event's or its visit's value as breakdowns count it.
    Dimension(Dimension),
    /// A dimension by the value of the visit's first pageview (its first event if it has none), whatever breakdowns do.
    Visit(Dimension),
    /// The name of the event.
    EventName,
    /// A custom property of the event, by its key.
    Prop(Box<str>),
    /// Where the visit came from as Plausible says it: the source that its address states, else that of its referrer.
    Source,
    /// The referrer of the visit as Plausible says it: without its scheme and `www.`, and none if it is the site itself.
    Referrer,
}

impl Subject {
    /// The columns that it is read from: one, for some a second one.
    pub(super) fn columns(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Dimension(dimension) | Self::Visit(dimension) => (dimension.column(), None),
            Self::EventName => ("event_name", None),
            Self::Prop(_) => ("props", None),
            Self::Source => (Dimension::UtmSources.column(), Some(Dimension::Sources.column())),
            // A referrer without a source is the site itself.
            Self::Referrer => (Dimension::Referrers.column(), Some(Dimension::Sources.column())),
        }
    }

    /// What it is called in an error.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Dimension(dimension) => dimension.name().to_owned(),
            Self::Visit(dimension) => format!("the visit's value of {}", dimension.name()),
            Self::EventName => "the name of the event".to_owned(),
            Self::Prop(key) => format!("props:{key}"),
            Self::Source => "visit:source".to_owned(),
            Self::Referrer => "visit:referrer".to_owned(),
        }
    }

    /// Whether all events of a visit share the value.
    pub(in crate::query) fn is_of_visit(&self) -> bool {
        match self {
            Self::Dimension(dimension) => dimension.scope().is_of_sessions(),
            Self::Visit(_) | Self::Source | Self::Referrer => true,
            Self::EventName | Self::Prop(_) => false,
        }
    }
}

/// One comparison of one value with a list: true if any entry of the list fits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    subject: Subject,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Test {
    Is { values: Box<[Box<str>]>, is_missing_too: bool, is_case_sensitive: bool },
    Contains { values: Box<[Box<str>]>, is_case_sensitive: bool },
    Like(Box<[Box<str>]>),
    Matches(Box<[Box<str>]>),
}

impl Term {
    /// True of a value that equals one of `values`. A missing value equals none of them; see [`Term::or_missing`].
    pub fn is<'a>(
        subject: Subject,
        values: impl IntoIterator<Item = &'a str>,
        is_case_sensitive: bool,
    ) -> Result<Self, FilterError> {
        let values = texts(values, is_case_sensitive)?;
        Ok(Self { subject, test: Test::Is { values, is_missing_too: false, is_case_sensitive } })
    }

    /// True of a value that contains one of `values`. A missing value contains nothing.
    pub fn contains<'a>(
        subject: Subject,
        values: impl IntoIterator<Item = &'a str>,
        is_case_sensitive: bool,
    ) -> Result<Self, FilterError> {
        Ok(Self { subject, test: Test::Contains { values: texts(values, is_case_sensitive)?, is_case_sensitive } })
    }

    /// True of a value that is one of `patterns`, in which each `*` stands for any characters, or none. A missing value is
    /// like nothing.
    pub fn like<'a>(subject: Subject, patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, FilterError> {
        Ok(Self { subject, test: Test::Like(texts(patterns, true)?) })
    }

    /// True of a value in which one of `patterns` is found, anywhere unless it is anchored. A missing value has none.
    ///
    /// The syntax is RE2's: time is linear in the length of the value, whatever the pattern. A wrong pattern is found by
    /// [`super::Filter::tried`], or by the report.
    pub fn matches<'a>(subject: Subject, patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, FilterError> {
        let patterns = bounded(patterns, PATTERNS_MAX, PATTERN_BYTES_MAX)?;
        Ok(Self { subject, test: Test::Matches(patterns.into_iter().map(Box::from).collect()) })
    }

    /// [`Term::is`] becomes true of missing values, too; other terms stay as they are.
    #[must_use]
    pub fn or_missing(mut self) -> Self {
        if let Test::Is { is_missing_too, .. } = &mut self.test {
            *is_missing_too = true;
        }
        self
    }

    /// What it looks at.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What the value must be.
    pub(super) fn test(&self) -> &Test {
        &self.test
    }

    /// Regular expressions, each of which is a program of its own.
    pub(super) fn patterns(&self) -> usize {
        if let Test::Matches(patterns) = &self.test { patterns.len() } else { 0 }
    }

    /// Memory held, from above.
    pub(super) fn bytes(&self) -> usize {
        let (Test::Is { values, .. } | Test::Contains { values, .. } | Test::Like(values) | Test::Matches(values)) =
            &self.test;
        values.iter().map(|value| size_of_val(value) + value.len()).sum()
    }
}

fn texts<'a>(
    values: impl IntoIterator<Item = &'a str>,
    is_case_sensitive: bool,
) -> Result<Box<[Box<str>]>, FilterError> {
    let values = bounded(values, VALUES_MAX, VALUE_BYTES_MAX)?;
    let text = |value: &str| if is_case_sensitive { value.into() } else { value.to_lowercase().into() };
    Ok(values.into_iter().map(text).collect())
}

fn bounded<'a>(
    values: impl IntoIterator<Item = &'a str>,
    values_max: usize,
    bytes_max: usize,
) -> Result<Vec<&'a str>, FilterError> {
    let values: Vec<&str> = values.into_iter().collect();
    if values.len() > values_max {
        return Err(FilterError::TooManyValues { max: values_max, got: values.len() });
    }
    match values.iter().map(|value| value.len()).max() {
        Some(got) if got > bytes_max => Err(FilterError::TooLong { max: bytes_max, got }),
        _ => Ok(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_patterns_are_bounded() {
        let many = vec!["x"; VALUES_MAX + 1];
        let error = Term::is(Subject::EventName, many, true).unwrap_err();
        assert_eq!(error.to_string(), "at most 500 values are compared, got 501");
        let long = "x".repeat(VALUE_BYTES_MAX + 1);
        let error = Term::contains(Subject::EventName, [&*long], true).unwrap_err();
        assert_eq!(error.to_string(), "a value is at most 2048 bytes long, got 2049");
        let error = Term::matches(Subject::EventName, vec!["x"; PATTERNS_MAX + 1]).unwrap_err();
        assert_eq!(error, FilterError::TooManyValues { max: PATTERNS_MAX, got: PATTERNS_MAX + 1 });
    }
}
