//! The array form of filters, `["is", "event:page", ["/a"]]`, as a tree. Pure: it knows the shape and the operators, no
//! dimension, and nothing of this program, so that fuzzing can take it alone.
//!
//! ```text
//! filters  = [filter, ...]                                          all of them
//! filter   = ["and" | "or", filters] | ["not" | "has_done" | "has_not_done", filter]
//!          | [operator, dimension, [value, ...]] | [operator, dimension, [value, ...], {"case_sensitive": bool}]
//! operator = "is" | "is_not" | "contains" | "contains_not" | "matches" | "matches_not"
//! ```

use serde_json::Value;

/// The dimension that stands for goals, whose values are their names.
pub const GOAL: &str = "event:goal";
/// The most levels that are read; how many are accepted is the engine's business.
const DEPTH_MAX: usize = 16;
/// The most filters of one list.
const PARTS_MAX: usize = 100;

/// A filter as it was sent. What is negated is inside of [`Clause::Not`].
#[derive(Clone, Debug, PartialEq)]
pub enum Clause {
    /// All of these.
    And(Vec<Clause>),
    /// Any of these.
    Or(Vec<Clause>),
    /// Not this.
    Not(Box<Clause>),
    /// The visit has an event for which this holds.
    HasDone(Box<Clause>),
    /// A dimension compared with values.
    Compare(Comparison),
}

/// One comparison as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Where it stands: `filters[0]`.
    pub at: String,
    /// How values are compared.
    pub operator: Operator,
    /// What is compared, by its name.
    pub dimension: String,
    /// The values; numbers and booleans as they were written.
    pub values: Vec<String>,
    /// Whether upper and lower case differ.
    pub is_case_sensitive: bool,
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The whole value.
    Is,
    /// A part of the value.
    Contains,
    /// The whole value, in which `*` stands for any characters: only the text form has it.
    Like,
    /// A regular expression.
    Matches,
}

impl Clause {
    /// How many comparisons there are, through all levels.
    pub fn comparisons(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::comparisons).sum(),
            Self::Not(part) | Self::HasDone(part) => part.comparisons(),
            Self::Compare(_) => 1,
        }
    }
}

/// A list of filters; an error names the place that is wrong.
pub fn parse(filters: &Value) -> Result<Clause, String> {
    clauses(filters, "filters", 0).map(Clause::And)
}

/// The same from text.
pub fn parse_text(text: &str) -> Result<Clause, String> {
    let filters = serde_json::from_str(text).map_err(|error| format!("filters: invalid JSON: {error}"))?;
    parse(&filters)
}

fn clauses(json: &Value, at: &str, depth: usize) -> Result<Vec<Clause>, String> {
    let parts = json.as_array().ok_or_else(|| format!("{at}: must be a list of filters"))?;
    if parts.len() > PARTS_MAX {
        return Err(format!("{at}: at most {PARTS_MAX} filters, got {}", parts.len()));
    }
    parts.iter().enumerate().map(|(nth, part)| clause(part, &format!("{at}[{nth}]"), depth)).collect()
}

fn clause(json: &Value, at: &str, depth: usize) -> Result<Clause, String> {
    if depth == DEPTH_MAX {
        return Err(format!("{at}: filters are nested too deeply"));
    }
    let shape = || format!("{at}: must be a filter such as [\"is\", \"event:page\", [\"/\"]]");
    let [Value::String(operator), rest @ ..] = json.as_array().ok_or_else(shape)?.as_slice() else {
        return Err(shape());
    };
    let inner = format!("{at}[1]");
    match (operator.as_str(), rest) {
        ("and", [parts]) => clauses(parts, &inner, depth + 1).map(Clause::And),
        ("or", [parts]) => clauses(parts, &inner, depth + 1).map(Clause::Or),
        ("not", [part]) => clause(part, &inner, depth + 1).map(not),
        ("has_done", [part]) => clause(part, &inner, depth + 1).map(has_done),
        ("has_not_done", [part]) => clause(part, &inner, depth + 1).map(has_done).map(not),
        ("and" | "or" | "not" | "has_done" | "has_not_done", _) => Err(format!("{at}: {operator} takes one argument")),
        _ => comparison(operator, rest, at),
    }
}

fn not(clause: Clause) -> Clause {
    Clause::Not(Box::new(clause))
}

fn has_done(clause: Clause) -> Clause {
    Clause::HasDone(Box::new(clause))
}

fn comparison(name: &str, rest: &[Value], at: &str) -> Result<Clause, String> {
    let (operator, is_negated) = match name {
        "is" => (Operator::Is, false),
        "is_not" => (Operator::Is, true),
        "contains" => (Operator::Contains, false),
        "contains_not" => (Operator::Contains, true),
        "matches" => (Operator::Matches, false),
        "matches_not" => (Operator::Matches, true),
        _ => {
            let known =
                "is, is_not, contains, contains_not, matches, matches_not, and, or, not, has_done or has_not_done";
            return Err(format!("{at}: unknown operator '{name}'. Use {known}."));
        }
    };
    let (dimension, values, modifiers) = match rest {
        [Value::String(dimension), Value::Array(values)] => (dimension, values, None),
        [Value::String(dimension), Value::Array(values), Value::Object(modifiers)] => {
            (dimension, values, Some(modifiers))
        }
        _ => return Err(format!("{at}: {name} takes a dimension and a list of values")),
    };
    let mut is_case_sensitive = true;
    for (modifier, setting) in modifiers.into_iter().flatten() {
        match (modifier.as_str(), setting) {
            ("case_sensitive", Value::Bool(setting)) if operator != Operator::Matches => is_case_sensitive = *setting,
            _ => return Err(format!("{at}[3]: {name} does not take {modifier}={setting}")),
        }
    }
    if values.is_empty() {
        return Err(format!("{at}[2]: at least one value is needed"));
    }
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(format!("{at}[2]: values are texts, numbers or booleans")),
    };
    let values = values.iter().map(text).collect::<Result<_, _>>()?;
    let (at, dimension) = (at.to_owned(), dimension.clone());
    let clause = Clause::Compare(Comparison { at, operator, dimension, values, is_case_sensitive });
    Ok(if is_negated { not(clause) } else { clause })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(at: &str, dimension: &str, values: &[&str]) -> Clause {
        Clause::Compare(Comparison {
            at: at.into(),
            operator: Operator::Is,
            dimension: dimension.into(),
            values: values.iter().map(ToString::to_string).collect(),
            is_case_sensitive: true,
        })
    }

    #[test]
    fn lists_are_nested_and_negations_are_taken_apart() {
        let text =
            r#"[["is","event:page",["/",7,true]],["or",[["is_not","a",["b"]],["has_not_done",["is","c",["d"]]]]]]"#;
        let expected = Clause::And(vec![
            compare("filters[0]", "event:page", &["/", "7", "true"]),
            Clause::Or(vec![
                not(compare("filters[1][1][0]", "a", &["b"])),
                not(has_done(compare("filters[1][1][1][1]", "c", &["d"]))),
            ]),
        ]);
        assert_eq!(parse_text(text), Ok(expected));
        assert_eq!(parse_text("[]"), Ok(Clause::And(vec![])));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, message) in [
            ("{", "filters: invalid JSON: EOF while parsing an object at line 1 column 1"),
            ("{}", "filters: must be a list of filters"),
            ("[7]", r#"filters[0]: must be a filter such as ["is", "event:page", ["/"]]"#),
            (
                r#"[["is","a",["b"]],["like","a",["b"]]]"#,
                "filters[1]: unknown operator 'like'. Use is, is_not, contains, contains_not, matches, matches_not, and, or, not, has_done or has_not_done.",
            ),
            (r#"[["is","a"]]"#, "filters[0]: is takes a dimension and a list of values"),
            (r#"[["is","a",[]]]"#, "filters[0][2]: at least one value is needed"),
            (r#"[["is","a",[null]]]"#, "filters[0][2]: values are texts, numbers or booleans"),
            (r#"[["not"]]"#, "filters[0]: not takes one argument"),
            (
                r#"[["matches","a",["b"],{"case_sensitive":false}]]"#,
                "filters[0][3]: matches does not take case_sensitive=false",
            ),
        ] {
            assert_eq!(parse_text(text), Err(message.to_owned()), "{text}");
        }
        let deep = format!("[{}{}]", r#"["not","#.repeat(40), "]".repeat(40));
        assert!(parse_text(&deep).unwrap_err().contains("invalid JSON") || parse_text(&deep).is_err());
        let deep = (0..DEPTH_MAX).fold(r#"["is","a",["b"]]"#.to_owned(), |inner, _| format!(r#"["not",{inner}]"#));
        assert!(parse_text(&format!("[{deep}]")).unwrap_err().ends_with("filters are nested too deeply"));
    }
}
