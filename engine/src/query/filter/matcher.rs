//! [`Matcher`]: a term made ready for values. Patterns are compiled here, for one query: a filter itself holds only texts.

use regex::{Regex, RegexBuilder};

use super::FilterError;
use super::term::{Term, Test};

/// Memory that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 256 << 10;
/// Memory that all compiled patterns of a filter may take.
const PATTERNS_BYTES_MAX: usize = 2 << 20;
/// Memory that a pattern may take while it is used.
const SCRATCH_BYTES_MAX: usize = 64 << 10;

/// A term and its compiled patterns.
#[derive(Debug)]
pub(super) struct Matcher {
    term: Term,
    patterns: Vec<Regex>,
}

impl Matcher {
    /// A term of a filter that has as many patterns as `of` says in all.
    pub(super) fn new(term: &Term, of: usize) -> Result<Self, FilterError> {
        let bytes_max = PATTERN_BYTES_MAX.min(PATTERNS_BYTES_MAX / of.max(1));
        let patterns = match term.test() {
            Test::Matches(patterns) => {
                patterns.iter().map(|pattern| compiled(pattern, bytes_max)).collect::<Result<_, _>>()?
            }
            Test::Is { .. } | Test::Contains { .. } | Test::Like(_) => Vec::new(),
        };
        Ok(Self { term: term.clone(), patterns })
    }

    /// Whether it is true of `value`.
    pub(super) fn is_true_of(&self, value: Option<&str>) -> bool {
        let test = self.term.test();
        let Some(value) = value else {
            return matches!(test, Test::Is { is_missing_too: true, .. });
        };
        match test {
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
            Test::Like(patterns) => patterns.iter().any(|pattern| is_like(pattern, value)),
            Test::Matches(_) => self.patterns.iter().any(|pattern| pattern.is_match(value)),
        }
    }
}

fn compiled(pattern: &str, bytes_max: usize) -> Result<Regex, FilterError> {
    let built = RegexBuilder::new(pattern).size_limit(bytes_max).dfa_size_limit(SCRATCH_BYTES_MAX).build();
    built.map_err(|error| FilterError::Pattern { pattern: pattern.to_owned(), reason: reason(&error) })
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

/// Whether `text` is `pattern`, in which each `*` stands for any characters, or none.
pub(in crate::query) fn is_like(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = text.strip_prefix(start).and_then(|text| text.strip_suffix(end));
    let Some(mut inner) = inner else { return false };
    middle.split('*').all(|part| match inner.split_once(part) {
        Some((_, after)) => {
            inner = after;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Subject;
    use super::*;
    use crate::query::dimension::Dimension;

    fn holds(term: Result<Term, FilterError>, value: Option<&str>) -> bool {
        Matcher::new(&term.unwrap(), 1).unwrap().is_true_of(value)
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
        assert!(holds(Term::like(page(), ["/x", "/user/*"]), Some("/user/")));
        assert!(!holds(Term::like(page(), ["user/*"]), Some("/user/1")), "a wildcard is of the whole value");
        assert!(!holds(Term::is(page(), [], true), Some("")), "no value, nothing fits");
    }

    #[test]
    fn a_missing_value_is_equal_to_nothing_unless_it_is_asked_for() {
        let source = || Subject::Dimension(Dimension::Sources);
        assert!(!holds(Term::is(source(), [""], true), None));
        assert!(holds(Term::is(source(), ["x"], true).map(Term::or_missing), None));
        assert!(!holds(Term::contains(source(), [""], true).map(Term::or_missing), None));
        assert!(!holds(Term::matches(source(), [".*"]), None));
        assert!(!holds(Term::like(source(), ["*"]), None));
    }

    #[test]
    fn usual_patterns_fit_into_their_memory_and_wrong_ones_are_named() {
        let compiled = |pattern| Matcher::new(&Term::matches(Subject::EventName, [pattern]).unwrap(), 8).map(drop);
        for usual in [r"^/[\w-]+/\d{4}/\d{2}/[^/]+$", r"(?i)^/(products|angebote|größe)/.*\.html?$", r"\p{Greek}\s"] {
            assert_eq!(compiled(usual), Ok(()));
        }
        assert_eq!(
            compiled("a(b").unwrap_err().to_string(),
            "'a(b' is not a regular expression in RE2 syntax: unclosed group"
        );
        for refused in [r"(a)\1", "a(?=b)", r"(?:\w{100}){100}"] {
            assert!(matches!(compiled(refused), Err(FilterError::Pattern { .. })), "{refused}");
        }
    }

    #[test]
    fn a_star_stands_for_any_characters_or_none() {
        for (pattern, path, is_match) in [
            ("/blog/*", "/blog/a/b", true),
            ("/blog/*", "/blog/", true),
            ("/blog/*", "/blog", false),
            ("*", "", true),
            ("/*/edit", "/a/b/edit", true),
            ("/*/edit", "/edit", false),
            ("/a*a", "/a", false),
            ("*a*b*", "/xaxbx", true),
            ("*b*a*", "/xaxbx", false),
            ("*ab*bc*", "/abc", false),
            ("/a", "/a/", false),
            ("/**", "/a", true),
        ] {
            assert_eq!(is_like(pattern, path), is_match, "{pattern} {path}");
        }
    }
}
