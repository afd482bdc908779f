//! The text form of filters of Plausible's first Stats API, `event:page==/blog/*;visit:country!=DE`, as the same tree.
//! Pure.

use super::syntax::{Clause, Comparison, GOAL, Operator};

/// The most comparisons of one text.
const PARTS_MAX: usize = 100;

/// `name==value`, `name!=value`, values apart by `|` (`\|` is one), comparisons apart by `;`, and `*` for any characters.
pub fn parse(text: &str) -> Result<Clause, String> {
    let parts: Vec<&str> = text.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() > PARTS_MAX {
        return Err(format!("filters: at most {PARTS_MAX} filters, got {}", parts.len()));
    }
    parts.iter().enumerate().map(|(nth, part)| comparison(part, nth)).collect::<Result<_, _>>().map(Clause::And)
}

fn comparison(text: &str, nth: usize) -> Result<Clause, String> {
    let at = format!("filters[{nth}]");
    let equal = text.find("==").map(|place| (place, false));
    let different = text.find("!=").map(|place| (place, true));
    let (place, is_negated) = [equal, different]
        .into_iter()
        .flatten()
        .min()
        .ok_or_else(|| format!("{at}: '{text}' is not a filter. Use name==value or name!=value."))?;
    let (dimension, values) = (text.get(..place).unwrap_or_default(), text.get(place + 2..).unwrap_or_default());
    let values = values_of(values);
    let is_wild = values.iter().any(|value| value.contains('*'));
    let dimension = dimension.trim().to_owned();
    // A goal is meant by its name, in which an asterisk is one.
    let operator = if is_wild && dimension != GOAL { Operator::Like } else { Operator::Is };
    let clause = Clause::Compare(Comparison { at, operator, dimension, values, is_case_sensitive: true });
    Ok(if is_negated { Clause::Not(Box::new(clause)) } else { clause })
}

fn values_of(text: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some('|')) => {
                characters.next();
                push(&mut values, '|');
            }
            ('|', _) => values.push(String::new()),
            _ => push(&mut values, character),
        }
    }
    values.iter().map(|value| value.trim().to_owned()).collect()
}

fn push(values: &mut [String], character: char) {
    if let Some(last) = values.last_mut() {
        last.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Comparison {
        match parse(text).unwrap() {
            Clause::And(parts) => match parts.as_slice() {
                [Clause::Compare(comparison)] => comparison.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_apart_by_bars_that_can_be_escaped() {
        let comparison = only(r"visit:utm_campaign==campaign\|one|two");
        assert_eq!((comparison.operator, comparison.dimension.as_str()), (Operator::Is, "visit:utm_campaign"));
        assert_eq!(comparison.values, ["campaign|one", "two"]);
    }

    #[test]
    fn a_wildcard_is_a_pattern_of_the_whole_value_and_all_else_is_itself() {
        let is = |text: &str| (only(text).operator, only(text).values);
        assert_eq!(is("event:page==/blog/**|/a.b*ü"), (Operator::Like, vec!["/blog/**".into(), "/a.b*ü".into()]));
        assert_eq!(is("event:page==/a.b"), (Operator::Is, vec!["/a.b".into()]));
        assert_eq!(is("event:goal==Visit /blog*"), (Operator::Is, vec!["Visit /blog*".into()]), "that is its name");
    }

    #[test]
    fn comparisons_are_apart_by_semicolons_and_may_be_negated() {
        let Clause::And(parts) = parse("event:goal==Signup;visit:country!=DE").unwrap() else { panic!() };
        assert_eq!(parts.len(), 2);
        assert!(matches!(parts[1], Clause::Not(_)));
        let error = parse("visit:source").unwrap_err();
        assert_eq!(error, "filters[0]: 'visit:source' is not a filter. Use name==value or name!=value.");
    }
}
