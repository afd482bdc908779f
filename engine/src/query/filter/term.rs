//! A term: what is looked at, and what it must be. Patterns are compiled here, once.

use std::hash::{Hash, Hasher};

use regex::{Regex, RegexBuilder};

use super::{FilterError, PATTERN_BYTES_MAX, PATTERNS_MAX, VALUE_BYTES_MAX, VALUES_MAX};
use crate::query::dimension::Dimension;

/// Memory that one compiled pattern may take, and as much again while it is used.
const PATTERN_MEMORY_BYTES_MAX: usize = 256 << 10;

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
}

impl Subject {
    /// The column that it is read from.
    pub(in crate::query) fn column(&self) -> &'static str {
        match self {
            Self::Dimension(dimension) | Self::Visit(dimension) => dimension.column(),
            Self::EventName => "event_name",
            Self::Prop(_) => "props",
        }
    }

    /// Whether all events of a visit share the value.
    pub(super) fn is_of_visit(&self) -> bool {
        match self {
            Self::Dimension(dimension) => dimension.scope().is_of_sessions(),
            Self::Visit(_) => true,
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
enum Test {
    Is { values: Box<[Box<str>]>, is_missing_too: bool, is_case_sensitive: bool },
    Contains { values: Box<[Box<str>]>, is_case_sensitive: bool },
    Matches(Box<[Pattern]>),
}

#[derive(Clone, Debug)]
struct Pattern {
    text: Box<str>,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
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

    /// True of a value in which one of `patterns` is found, anywhere unless it is anchored. A missing value has none.
    ///
    /// The syntax is RE2's: time is linear in the length of the value, whatever the pattern.
    pub fn matches<'a>(subject: Subject, patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, FilterError> {
        let patterns = bounded(patterns, PATTERNS_MAX, PATTERN_BYTES_MAX)?;
        let patterns = patterns.into_iter().map(Pattern::new).collect::<Result<_, _>>()?;
        Ok(Self { subject, test: Test::Matches(patterns) })
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

    /// Whether it is true of `value`.
    pub(super) fn is_true_of(&self, value: Option<&str>) -> bool {
        let Some(value) = value else {
            return matches!(self.test, Test::Is { is_missing_too: true, .. });
        };
        match &self.test {
            Test::Is { values, is_case_sensitive: true, .. } => values.iter().any(|wanted| **wanted == *value),
            Test::Contains { values, is_case_sensitive: true } => values.iter().any(|part| value.contains(&**part)),
            Test::Is { values, .. } => {
                let value = value.to_lowercase();
                values.iter().any(|wanted| **wanted == *value)
            }
            Test::Contains { values, .. } => {
                let value = value.to_lowercase();
                values.iter().any(|part| value.contains(&**part))
            }
            Test::Matches(patterns) => patterns.iter().any(|pattern| pattern.regex.is_match(value)),
        }
    }

    /// Memory held, from above.
    pub(super) fn bytes(&self) -> usize {
        let sum = |values: &[Box<str>]| values.iter().map(|value| size_of_val(value) + value.len()).sum::<usize>();
        match &self.test {
            Test::Is { values, .. } | Test::Contains { values, .. } => sum(values),
            Test::Matches(patterns) => patterns.len() * 2 * PATTERN_MEMORY_BYTES_MAX,
        }
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, FilterError> {
        let built = RegexBuilder::new(text)
            .size_limit(PATTERN_MEMORY_BYTES_MAX)
            .dfa_size_limit(PATTERN_MEMORY_BYTES_MAX)
            .build();
        let refused = |error: regex::Error| FilterError::Pattern { pattern: text.to_owned(), reason: reason(&error) };
        Ok(Self { text: text.into(), regex: built.map_err(refused)? })
    }
}

/// What is wrong with a pattern, in one line: the last one of a syntax error, which follows a drawing of where.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it needs too much memory".to_owned(),
        other => {
            let text = other.to_string();
            let line = text.lines().last().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
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

    fn holds(term: Result<Term, FilterError>, value: Option<&str>) -> bool {
        term.unwrap().is_true_of(value)
    }

    #[test]
    fn values_are_compared_whole_in_part_or_by_pattern() {
        let page = || Subject::Dimension(Dimension::Pages);
        assert!(holds(Term::is(page(), ["/a", "/b"], true), Some("/b")));
        assert!(!holds(Term::is(page(), ["/a", "/b"], true), Some("/B")));
        assert!(holds(Term::is(page(), ["/Ä"], false), Some("/ä")));
        assert!(holds(Term::contains(page(), ["x", "log"], true), Some("/login")));
        assert!(!holds(Term::contains(page(), ["LOG"], true), Some("/login")));
        assert!(holds(Term::contains(page(), ["LOG"], false), Some("/login")));
        assert!(holds(Term::matches(page(), [r"^/user/\d+$"]), Some("/user/12")));
        assert!(!holds(Term::matches(page(), [r"^/user/\d+$"]), Some("/user/12/x")));
        assert!(holds(Term::matches(page(), ["ser"]), Some("/user")), "a pattern is found anywhere");
        assert!(!holds(Term::is(page(), [], true), Some("")), "no value, nothing fits");
    }

    #[test]
    fn a_missing_value_is_equal_to_nothing_unless_it_is_asked_for() {
        let source = || Subject::Dimension(Dimension::Sources);
        assert!(!holds(Term::is(source(), [""], true), None));
        assert!(holds(Term::is(source(), ["x"], true).map(Term::or_missing), None));
        assert!(!holds(Term::contains(source(), [""], true).map(Term::or_missing), None));
        assert!(!holds(Term::matches(source(), [".*"]), None));
    }

    #[test]
    fn values_and_patterns_are_bounded_and_wrong_patterns_are_named() {
        let many = vec!["x"; VALUES_MAX + 1];
        let error = Term::is(Subject::EventName, many, true).unwrap_err();
        assert_eq!(error.to_string(), "at most 500 values are compared, got 501");
        let long = "x".repeat(VALUE_BYTES_MAX + 1);
        let error = Term::contains(Subject::EventName, [&*long], true).unwrap_err();
        assert_eq!(error.to_string(), "a value is at most 2048 bytes long, got 2049");
        let error = Term::matches(Subject::EventName, vec!["x"; PATTERNS_MAX + 1]).unwrap_err();
        assert_eq!(error, FilterError::TooManyValues { max: PATTERNS_MAX, got: PATTERNS_MAX + 1 });
        let error = Term::matches(Subject::EventName, ["a(b"]).unwrap_err();
        assert_eq!(error.to_string(), "'a(b' is not a regular expression in RE2 syntax: unclosed group");
        for refused in [r"(a)\1", "a(?=b)", r"(?:\w{100}){100}"] {
            assert!(
                matches!(Term::matches(Subject::EventName, [refused]), Err(FilterError::Pattern { .. })),
                "{refused}"
            );
        }
    }
}
