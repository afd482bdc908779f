//! Filters: which events a report is about.
//!
//! ```text
//! term.rs      a term: what is looked at, and what it must be             program.rs   a filter made ready for rows
//! matcher.rs   a term made ready for values                               cell.rs      where a value is
//! ```
//!
//! # What a filter keeps
//!
//! A filter is true or false of one event:
//!
//! - A term about an *event* (page, hostname, name, property, browser, country, ...) looks at the event's own value.
//! - A term about a *visit* (source, channel, campaign, ...) looks at the visit's first pageview, or its first event if it
//!   has no pageview; entry and exit page are the paths of its first and last pageview.
//! - `has_done` is true of every event of a visit in which any event fulfils what is inside of it.
//!
//! Figures of events (visitors, pageviews, events) count the events for which it is true. Figures of visits (visits, bounce
//! rate, durations) count the visits of which at least one event was kept, each with all its events: a filter never
//! shortens a visit. So `and` of two terms about events asks for one event that fulfils both; `has_done` asks for two.
//!
//! Everything a filter looks at lies within a session, and so within a UTC day: filtered figures are as additive as others.
//! Nothing of a filter reaches DuckDB.

mod cell;
mod matcher;
mod program;
mod term;

pub(super) use cell::{Cell, VisitValue};
pub(super) use matcher::is_like;
pub(super) use program::Program;
pub use term::{Subject, Term};

/// The most levels of `and`, `or`, `not` and `has_done` inside of each other.
const DEPTH_MAX: usize = 8;
/// The most patterns of one term, and of all terms of a filter: each is a program of its own.
const PATTERNS_MAX: usize = 10;
const PATTERNS_TOTAL_MAX: usize = 20;
/// Longest value, in bytes: no stored text is longer.
const VALUE_BYTES_MAX: usize = 2048;
/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 256;

/// True or false of every event; the default is true of all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// True if every part is; without parts, true.
    All(Vec<Filter>),
    /// True if any part is; without parts, false.
    Any(Vec<Filter>),
    /// True if the part is not.
    Not(Box<Filter>),
    /// One comparison.
    Term(Term),
    /// True of all events of a visit if the part is true of any of them.
    HasDone(Box<Filter>),
}

/// Why a filter is refused. The texts name what was exceeded, not where: that is known to whoever read it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// More terms than [`TERMS_MAX`].
    #[error("a filter has at most {TERMS_MAX} terms, got {0}")]
    TooManyTerms(usize),
    /// More patterns in all than [`PATTERNS_TOTAL_MAX`].
    #[error("a filter has at most {PATTERNS_TOTAL_MAX} regular expressions, got {0}")]
    TooManyPatterns(usize),
    /// More levels than [`DEPTH_MAX`].
    #[error("a filter is at most {DEPTH_MAX} levels deep")]
    TooDeep,
    /// More values than [`VALUES_MAX`], or more patterns than [`PATTERNS_MAX`].
    #[error("at most {max} values are compared, got {got}")]
    TooManyValues {
        /// The bound.
        max: usize,
        /// How many there were.
        got: usize,
    },
    /// A text is longer than [`VALUE_BYTES_MAX`] or [`PATTERN_BYTES_MAX`].
    #[error("a value is at most {max} bytes long, got {got}")]
    TooLong {
        /// The bound.
        max: usize,
        /// Its length.
        got: usize,
    },
    /// A part that cannot be judged by an event alone, where it has to be.
    #[error("{0} is about whole visits, and here only events are looked at, one by one; use filters about events")]
    OfVisits(String),
    /// Not a pattern of RE2's syntax, or one that would need too much memory.
    #[error("'{pattern}' is not a regular expression in RE2 syntax: {reason}")]
    Pattern {
        /// The text.
        pattern: String,
        /// What is wrong with it, in one line.
        reason: String,
    },
}

impl Default for Filter {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

/// In the texts of errors.
const TERMS_MAX: usize = Filter::TERMS_MAX;
/// The same.
const VALUES_MAX: usize = Filter::VALUES_MAX;

impl Filter {
    /// The most terms of a filter, counted through all its levels.
    pub const TERMS_MAX: usize = 50;
    /// The most values of one term.
    pub const VALUES_MAX: usize = 500;

    /// This filter, if it is within the bounds.
    ///
    /// # Errors
    /// [`FilterError::TooManyTerms`], [`FilterError::TooManyPatterns`], [`FilterError::TooDeep`]. Bounds of a term are those of its constructors.
    pub fn checked(self) -> Result<Self, FilterError> {
        if self.depth() > DEPTH_MAX {
            return Err(FilterError::TooDeep);
        }
        match (self.terms(), self.patterns()) {
            (0..=TERMS_MAX, 0..=PATTERNS_TOTAL_MAX) => Ok(self),
            (0..=TERMS_MAX, patterns) => Err(FilterError::TooManyPatterns(patterns)),
            (terms, _) => Err(FilterError::TooManyTerms(terms)),
        }
    }

    /// Compiles every pattern once, to see whether a report could. Takes up to milliseconds for each.
    ///
    /// # Errors
    /// [`FilterError::Pattern`].
    pub fn tried(&self) -> Result<(), FilterError> {
        Program::new(self).map(drop)
    }

    /// Whether each event can be judged without its visit.
    ///
    /// # Errors
    /// [`FilterError::OfVisits`] names the first part that needs the visit.
    pub fn of_events(&self) -> Result<(), FilterError> {
        match self {
            Self::HasDone(_) => Err(FilterError::OfVisits("has_done".into())),
            Self::Term(term) if term.subject().is_of_visit() => Err(FilterError::OfVisits(term.subject().name())),
            _ => self.parts().iter().try_for_each(Self::of_events),
        }
    }

    /// Whether it is true of every event by its form alone.
    pub fn is_everything(&self) -> bool {
        matches!(self, Self::All(parts) if parts.iter().all(Self::is_everything))
    }

    /// This and `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.is_everything(), other.is_everything()) {
            (true, _) => other,
            (_, true) => self,
            _ => Self::All(vec![self, other]),
        }
    }

    fn parts(&self) -> &[Self] {
        match self {
            Self::All(parts) | Self::Any(parts) => parts,
            Self::Not(part) | Self::HasDone(part) => std::slice::from_ref(part),
            Self::Term(_) => &[],
        }
    }

    fn terms(&self) -> usize {
        usize::from(matches!(self, Self::Term(_))) + self.parts().iter().map(Self::terms).sum::<usize>()
    }

    fn patterns(&self) -> usize {
        let own = if let Self::Term(term) = self { term.patterns() } else { 0 };
        own + self.parts().iter().map(Self::patterns).sum::<usize>()
    }

    fn depth(&self) -> usize {
        1 + self.parts().iter().map(Self::depth).max().unwrap_or(0)
    }

    /// Memory held, from above.
    pub(super) fn bytes(&self) -> usize {
        let term = if let Self::Term(term) = self { term.bytes() } else { 0 };
        size_of::<Self>() + term + self.parts().iter().map(Self::bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term() -> Filter {
        Filter::Term(Term::is(Subject::EventName, ["signup"], true).unwrap())
    }

    #[test]
    fn terms_and_levels_are_bounded() {
        assert!(Filter::All(vec![term(); TERMS_MAX]).checked().is_ok());
        let error = Filter::Any(vec![term(); TERMS_MAX + 1]).checked().unwrap_err();
        assert_eq!(error.to_string(), "a filter has at most 50 terms, got 51");
        let nested = |levels| (1..levels).fold(term(), |inner, _| Filter::Not(Box::new(inner)));
        assert!(nested(DEPTH_MAX).checked().is_ok());
        assert_eq!(nested(DEPTH_MAX + 1).checked(), Err(FilterError::TooDeep));
    }

    #[test]
    fn patterns_are_bounded_over_all_terms() {
        let patterns = |count| Filter::Term(Term::matches(Subject::EventName, vec!["x"; count]).unwrap());
        assert!(Filter::All(vec![patterns(10), patterns(10)]).checked().is_ok());
        let error = Filter::Any(vec![patterns(10), Filter::HasDone(Box::new(patterns(10))), patterns(1)]).checked();
        assert_eq!(error.unwrap_err().to_string(), "a filter has at most 20 regular expressions, got 21");
    }

    #[test]
    fn a_filter_without_terms_keeps_everything_and_adds_nothing() {
        assert!(Filter::default().is_everything());
        assert!(Filter::All(vec![Filter::default()]).is_everything());
        assert!(!Filter::Any(Vec::new()).is_everything());
        assert_eq!(Filter::default().and(term()), term());
        assert_eq!(term().and(Filter::default()), term());
    }
}
