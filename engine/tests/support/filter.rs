//! Generated filters, and what they mean in the plainest way: looked up in the event and its visit, each time anew.

use mallard_engine::{Dimension, Filter, Subject, Term};
use mallard_event::Event;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A filter as a test writes it.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    All(Vec<Wanted>),
    Any(Vec<Wanted>),
    Not(Box<Wanted>),
    HasDone(Box<Wanted>),
    Is { subject: Subject, values: Vec<&'static str>, or_missing: bool, is_case_sensitive: bool },
    Contains { subject: Subject, values: Vec<&'static str>, is_case_sensitive: bool },
    Matches { subject: Subject, pattern: Shape },
    Like { subject: Subject, likeness: Likeness },
}

/// Patterns with asterisks, with what they mean.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Likeness {
    StartsWithSlash,
    EndsWithR,
    HasLetterA,
    IsSlashA,
}

/// Patterns, with what they mean.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    StartsWithSlash,
    OneCharacter,
    HasLetterA,
}

const LIKE: [(Likeness, &str); 4] = [
    (Likeness::StartsWithSlash, "/*"),
    (Likeness::EndsWithR, "*r"),
    (Likeness::HasLetterA, "*a*"),
    (Likeness::IsSlashA, "/a"),
];

pub(crate) fn filters() -> impl Strategy<Value = Wanted> {
    let term = prop_oneof![
        (subjects(), vec(texts(), 0..3), any::<bool>(), any::<bool>()).prop_map(
            |(subject, values, or_missing, is_case_sensitive)| Wanted::Is {
                subject,
                values,
                or_missing,
                is_case_sensitive
            }
        ),
        (subjects(), vec(texts(), 0..3), any::<bool>()).prop_map(|(subject, values, is_case_sensitive)| {
            Wanted::Contains { subject, values, is_case_sensitive }
        }),
        (subjects(), select(&[Shape::StartsWithSlash, Shape::OneCharacter, Shape::HasLetterA][..]))
            .prop_map(|(subject, pattern)| Wanted::Matches { subject, pattern }),
        (subjects(), select(&LIKE[..]).prop_map(|(likeness, _)| likeness))
            .prop_map(|(subject, likeness)| Wanted::Like { subject, likeness }),
    ];
    term.prop_recursive(4, 10, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Wanted::All),
            vec(inner.clone(), 0..3).prop_map(Wanted::Any),
            inner.clone().prop_map(|part| Wanted::Not(Box::new(part))),
            inner.prop_map(|part| Wanted::HasDone(Box::new(part))),
        ]
    })
}

pub(crate) fn subjects() -> impl Strategy<Value = Subject> {
    let dimension = || select(Dimension::ALL);
    prop_oneof![
        dimension().prop_map(Subject::Dimension),
        dimension().prop_map(Subject::Visit),
        Just(Subject::Dimension(Dimension::Pages)),
        Just(Subject::EventName),
        select(&["plan", "seats", "none", ""][..]).prop_map(|key| Subject::Prop(key.into())),
        select(&[Subject::Source, Subject::Referrer][..]),
    ]
}

/// Values of all kinds of subjects: each fits some of them.
fn texts() -> impl Strategy<Value = &'static str> {
    select(&["", "/", "/a", "/B", "pageview", "signup", "Zürich", "ZÜRICH", "a'b", "(direct)", "pro", "true", "3"][..])
}

impl Wanted {
    /// The filter of the engine.
    pub(crate) fn to_filter(&self) -> Filter {
        let parts = |parts: &[Self]| parts.iter().map(Self::to_filter).collect();
        match self {
            Self::All(all) => Filter::All(parts(all)),
            Self::Any(any) => Filter::Any(parts(any)),
            Self::Not(part) => Filter::Not(Box::new(part.to_filter())),
            Self::HasDone(part) => Filter::HasDone(Box::new(part.to_filter())),
            Self::Is { subject, values, or_missing, is_case_sensitive } => {
                let term = Term::is(subject.clone(), values.iter().copied(), *is_case_sensitive).unwrap();
                Filter::Term(if *or_missing { term.or_missing() } else { term })
            }
            Self::Contains { subject, values, is_case_sensitive } => {
                Filter::Term(Term::contains(subject.clone(), values.iter().copied(), *is_case_sensitive).unwrap())
            }
            Self::Matches { subject, pattern } => {
                let pattern = match pattern {
                    Shape::StartsWithSlash => "^/",
                    Shape::OneCharacter => "^.$",
                    Shape::HasLetterA => "[aA]",
                };
                Filter::Term(Term::matches(subject.clone(), [pattern]).unwrap())
            }
            Self::Like { subject, likeness } => {
                let (_, pattern) = LIKE[*likeness as usize];
                Filter::Term(Term::like(subject.clone(), [pattern]).unwrap())
            }
        }
    }

    /// Whether it is true of an event of a visit.
    pub(crate) fn holds(&self, event: &Event, visit: &[&Event]) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(event, visit)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(event, visit)),
            Self::Not(part) => !part.holds(event, visit),
            Self::HasDone(part) => visit.iter().any(|other| part.holds(other, visit)),
            Self::Is { subject, values, or_missing, is_case_sensitive } => match value_of(subject, event, visit) {
                None => *or_missing,
                Some(value) if *is_case_sensitive => values.contains(&&*value),
                Some(value) => values.iter().any(|wanted| wanted.to_lowercase() == value.to_lowercase()),
            },
            Self::Contains { subject, values, is_case_sensitive } => {
                let Some(value) = value_of(subject, event, visit) else { return false };
                let is_part = |part: &&str| match is_case_sensitive {
                    true => value.contains(part),
                    false => value.to_lowercase().contains(&part.to_lowercase()),
                };
                values.iter().any(is_part)
            }
            Self::Matches { subject, pattern } => value_of(subject, event, visit).is_some_and(|value| match pattern {
                Shape::StartsWithSlash => value.starts_with('/'),
                Shape::OneCharacter => value.chars().count() == 1,
                Shape::HasLetterA => value.contains(['a', 'A']),
            }),
            Self::Like { subject, likeness } => value_of(subject, event, visit).is_some_and(|value| match likeness {
                Likeness::StartsWithSlash => value.starts_with('/'),
                Likeness::EndsWithR => value.ends_with('r'),
                Likeness::HasLetterA => value.contains('a'),
                Likeness::IsSlashA => value == "/a",
            }),
        }
    }
}

/// What a term looks at.
pub(crate) fn value_of(subject: &Subject, event: &Event, visit: &[&Event]) -> Option<String> {
    match subject {
        Subject::Visit(dimension) => super::oracle::value_of_visit(*dimension, visit).map(str::to_owned),
        Subject::Dimension(dimension) => {
            super::oracle::value_by_definition(*dimension, event, visit).map(str::to_owned)
        }
        Subject::EventName => Some(event.name.as_str().to_owned()),
        Subject::Source => super::oracle::source_of(visit).map(str::to_owned),
        Subject::Referrer => super::oracle::referrer_of(visit).map(str::to_owned),
        Subject::Prop(key) => prop(event.props.as_ref()?.as_str(), key).map(str::to_owned),
    }
}

/// The properties of generated events, written out.
fn prop(props: &str, key: &str) -> Option<&'static str> {
    Some(match (props, key) {
        (r#"{"plan":"pro"}"# | r#"{"pl\u0061n":"\u0070ro"}"#, "plan") => "pro",
        (r#"{"plan":"free","seats":3}"#, "plan") => "free",
        (r#"{"plan":"free","seats":3}"# | r#"{"seats":"3","plan":true}"#, "seats") => "3",
        (r#"{"seats":"3","plan":true}"#, "plan") => "true",
        (r#"{"plan":null,"":""}"#, "") => "",
        _ => return None,
    })
}
