//! [`Pick`]: which lines of a list are answered. A list is cut here, so that no answer is longer than what was asked for.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::journey::Journeys;

/// Which lines of a list are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The first ones in the order of the report, at most this many.
    First(usize),
    /// Exactly those of these values, in this order, with zeros where nothing was counted: another answer is compared.
    Of(Vec<Option<String>>),
}

/// Which paths of journeys are wanted, and which pages of each of their steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paths {
    /// The most frequent ones, at most this many.
    First(usize),
    /// Those of this answer, in its order, with zeros where nothing was counted.
    Of(Journeys),
}

impl From<usize> for Pick {
    fn from(lines: usize) -> Self {
        Self::First(lines)
    }
}

impl From<usize> for Paths {
    fn from(lines: usize) -> Self {
        Self::First(lines)
    }
}

/// What was counted under a value.
pub(super) type Counted<C> = (Option<Box<str>>, C);

impl Pick {
    /// The lines that are wanted of all that were counted, each value once.
    pub(super) fn lines<C: Default>(
        &self,
        counted: impl Iterator<Item = Counted<C>>,
        order: impl Fn(&Counted<C>, &Counted<C>) -> Ordering,
    ) -> Vec<Counted<C>> {
        match self {
            Self::First(lines) => {
                let mut all: Vec<Counted<C>> = counted.collect();
                all.sort_unstable_by(order);
                all.truncate(*lines);
                all
            }
            Self::Of(values) => of(values, counted),
        }
    }
}

fn of<C: Default>(values: &[Option<String>], counted: impl Iterator<Item = Counted<C>>) -> Vec<Counted<C>> {
    let places: HashMap<Option<&str>, usize> =
        values.iter().enumerate().map(|(place, value)| (value.as_deref(), place)).collect();
    let mut lines: Vec<Counted<C>> =
        values.iter().map(|value| (value.as_deref().map(Box::from), C::default())).collect();
    for (value, counts) in counted {
        let line = places.get(&value.as_deref()).and_then(|place| lines.get_mut(*place));
        if let Some((_, nothing)) = line {
            *nothing = counts;
        }
    }
    lines
}

impl Paths {
    /// Which pages of a step.
    pub(super) fn pages(&self, step: usize) -> Pick {
        match self {
            Self::First(lines) => Pick::First(*lines),
            Self::Of(other) => {
                let pages = other.positions.get(step).into_iter().flat_map(|position| &position.pages);
                Pick::Of(pages.map(|(page, _)| Some(page.clone())).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pick: &Pick) -> Vec<(Option<Box<str>>, u64)> {
        let counted = [(Some("a".into()), 1), (None, 3), (Some("b".into()), 2)];
        pick.lines(counted.into_iter(), |(_, count), (_, other)| other.cmp(count))
    }

    #[test]
    fn the_first_lines_are_those_of_the_order_and_no_more() {
        assert_eq!(lines(&Pick::First(2)), [(None, 3), (Some("b".into()), 2)]);
        assert_eq!(lines(&Pick::First(0)), []);
    }

    #[test]
    fn lines_of_given_values_are_exactly_these_and_zero_where_nothing_was_counted() {
        let pick = Pick::Of(vec![Some("b".into()), Some("c".into()), None]);
        assert_eq!(lines(&pick), [(Some("b".into()), 2), (Some("c".into()), 0), (None, 3)]);
    }
}
