//! The parameter `filters`: text to a typed filter of the engine.
//!
//! ```text
//! text ──syntax.rs (JSON lists) or legacy.rs (name==value)──> Clause ──names.rs──> Filter
//! ```

mod countries;
pub mod legacy;
pub mod names;
pub mod syntax;

use mallard_engine::{Filter, FilterError, FunnelStep, Term};

use self::names::Named;
use self::syntax::{Clause, Comparison, GOAL, Operator};
use crate::error::ApiError;

/// The dimension that stands for saved segments.
const SEGMENT: &str = "segment";
/// The most segments of one comparison: each is read anew.
const SEGMENTS_MAX: usize = 20;

/// What is saved for a site and may be named by a filter.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
    /// The filter of a segment, by its id; an error if it cannot be understood any more.
    pub segment: &'a dyn Fn(u64) -> Option<Result<Filter, ApiError>>,
    /// The goals by their names.
    pub goals: &'a dyn Fn() -> Vec<(String, FunnelStep)>,
}

impl Saved<'_> {
    /// A site that has saved nothing.
    pub fn nothing() -> Self {
        Self { segment: &|_| None, goals: &Vec::new }
    }
}

/// The filter that a query parameter says: JSON lists, or the text form of Plausible's first API.
pub fn from_text(text: &str, saved: Saved<'_>) -> Result<Filter, ApiError> {
    let is_json = text.trim_start().starts_with(['[', '{']);
    let clause = if is_json { syntax::parse_text(text) } else { legacy::parse(text) };
    bind(&clause.map_err(ApiError::bad_request)?, saved)
}

/// The filter that JSON lists say.
pub fn from_json(filters: &serde_json::Value, saved: Saved<'_>) -> Result<Filter, ApiError> {
    bind(&syntax::parse(filters).map_err(ApiError::bad_request)?, saved)
}

/// Of whom those are who met the goals that a filter asks for.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// The goals that all filters on goals mean, if there are such filters at the top: each by its name as it is shown.
    pub goals: Option<Vec<(String, FunnelStep)>>,
    /// What is left without these filters, and without those on properties at the top.
    pub everyone: Filter,
}

impl Conversion {
    /// From a query parameter, as [`from_text`].
    pub fn from_text(text: &str, saved: Saved<'_>) -> Result<Self, ApiError> {
        let is_json = text.trim_start().starts_with(['[', '{']);
        let clause = if is_json { syntax::parse_text(text) } else { legacy::parse(text) };
        Self::of(&clause.map_err(ApiError::bad_request)?, saved)
    }

    /// From JSON lists.
    pub fn from_json(filters: &serde_json::Value, saved: Saved<'_>) -> Result<Self, ApiError> {
        Self::of(&syntax::parse(filters).map_err(ApiError::bad_request)?, saved)
    }

    fn of(clause: &Clause, saved: Saved<'_>) -> Result<Self, ApiError> {
        let Clause::And(parts) = clause else { return Err(ApiError::internal("filters are a list")) };
        let mut goals: Option<Vec<(String, FunnelStep)>> = None;
        let mut others = Vec::new();
        for part in parts {
            match part {
                Clause::Compare(comparison) if comparison.dimension == GOAL => {
                    let meant = meant_goals(comparison, saved)?;
                    match &mut goals {
                        Some(goals) => goals.retain(|goal| meant.contains(goal)),
                        None => goals = Some(meant),
                    }
                }
                _ if is_about_a_prop(part) => {}
                _ => others.push(part.clone()),
            }
        }
        Ok(Self { goals, everyone: bind(&Clause::And(others), saved)? })
    }
}

fn is_about_a_prop(clause: &Clause) -> bool {
    match clause {
        Clause::Compare(comparison) => {
            ["event:props:", "props:"].iter().any(|start| comparison.dimension.starts_with(start))
        }
        Clause::Not(part) => is_about_a_prop(part),
        _ => false,
    }
}

/// IMPORTANT: what is saved is looked up for each comparison, so their number is bounded before, and the terms of all
/// together after it.
fn bind(clause: &Clause, saved: Saved<'_>) -> Result<Filter, ApiError> {
    let refused = |error: FilterError| ApiError::bad_request(format!("filters: {error}"));
    let comparisons = clause.comparisons();
    if comparisons > Filter::TERMS_MAX {
        return Err(refused(FilterError::TooManyTerms(comparisons)));
    }
    filter(clause, saved)?.checked().map_err(refused)
}

fn filter(clause: &Clause, saved: Saved<'_>) -> Result<Filter, ApiError> {
    let all = |parts: &[Clause]| parts.iter().map(|part| filter(part, saved)).collect::<Result<_, _>>();
    Ok(match clause {
        Clause::And(parts) => Filter::All(all(parts)?),
        Clause::Or(parts) => Filter::Any(all(parts)?),
        Clause::Not(part) => Filter::Not(Box::new(filter(part, saved)?)),
        Clause::HasDone(part) => Filter::HasDone(Box::new(filter(part, saved)?)),
        Clause::Compare(comparison) if comparison.dimension == SEGMENT => any_segment(comparison, saved)?,
        Clause::Compare(comparison) if comparison.dimension == GOAL => any_goal(comparison, saved)?,
        Clause::Compare(comparison) => compared(comparison)?,
    })
}

/// What any of the segments keeps.
fn any_segment(comparison: &Comparison, saved: Saved<'_>) -> Result<Filter, ApiError> {
    let Comparison { at, operator, values, .. } = comparison;
    if *operator != Operator::Is {
        return Err(ApiError::bad_request(format!("{at}[0]: a segment is compared by is and is_not only")));
    }
    if values.len() > SEGMENTS_MAX {
        return Err(ApiError::bad_request(format!("{at}[2]: at most {SEGMENTS_MAX} segments, got {}", values.len())));
    }
    let find = |id: &String| {
        let found = id.parse().ok().and_then(saved.segment);
        let found = found.ok_or_else(|| ApiError::bad_request(format!("{at}[2]: there is no segment {id}")))?;
        found.map_err(|error| ApiError::bad_request(format!("{at}[2]: segment {id}: {error}")))
    };
    Ok(Filter::Any(values.iter().map(find).collect::<Result<_, _>>()?))
}

/// The events that meet any of the goals, each goal once however many of the values mean it.
fn any_goal(comparison: &Comparison, saved: Saved<'_>) -> Result<Filter, ApiError> {
    let at = &comparison.at;
    let filter = |(name, step): &(String, FunnelStep)| {
        step.filter().map_err(|error| ApiError::bad_request(format!("{at}[2]: goal '{name}': {error}")))
    };
    meant_goals(comparison, saved)?.iter().map(filter).collect::<Result<_, _>>().map(Filter::Any)
}

/// The goals that any of the values means.
fn meant_goals(comparison: &Comparison, saved: Saved<'_>) -> Result<Vec<(String, FunnelStep)>, ApiError> {
    let Comparison { at, operator, values, is_case_sensitive, .. } = comparison;
    let refused = |message: String| ApiError::bad_request(format!("{at}{message}"));
    let is_part = match operator {
        Operator::Is => false,
        Operator::Contains => true,
        Operator::Like | Operator::Matches => {
            return Err(refused(format!("[0]: {GOAL} is compared by is and contains only")));
        }
    };
    if values.len() > Filter::VALUES_MAX {
        let error = FilterError::TooManyValues { max: Filter::VALUES_MAX, got: values.len() };
        return Err(refused(format!("[2]: {error}")));
    }
    let cased = |text: &str| if *is_case_sensitive { text.to_owned() } else { text.to_lowercase() };
    let wanted: Vec<String> = values.iter().map(|value| cased(value)).collect();
    let mut is_found = vec![is_part; wanted.len()];
    let mut met = Vec::new();
    for (name, step) in (saved.goals)() {
        let names: Vec<String> = [Some(name.clone()), theirs(&step)].iter().flatten().map(|name| cased(name)).collect();
        let is_meant = |wanted: &String| names.iter().any(|name| name == wanted || (is_part && name.contains(wanted)));
        let meant: Vec<bool> = wanted.iter().map(is_meant).collect();
        if meant.contains(&true) {
            met.push((name, step));
        }
        is_found.iter_mut().zip(meant).for_each(|(found, meant)| *found |= meant);
    }
    match values.iter().zip(is_found).find(|(_, is_found)| !is_found) {
        Some((value, _)) => Err(refused(format!("[2]: there is no goal '{value}'"))),
        None => Ok(met),
    }
}

/// A goal as Plausible shows it: one about a page that has no name of its own is a visit to it.
pub fn goal_shown(name: &str, goal: &FunnelStep) -> String {
    match goal {
        FunnelStep::Views(page) if **page == *name => format!("Visit {page}"),
        _ => name.to_owned(),
    }
}

/// What Plausible calls a goal about a page, whatever its name is here.
fn theirs(goal: &FunnelStep) -> Option<String> {
    match goal {
        FunnelStep::Views(page) => Some(format!("Visit {page}")),
        _ => None,
    }
}

/// A comparison of a dimension, with values as its vocabulary calls them.
fn compared(comparison: &Comparison) -> Result<Filter, ApiError> {
    let Comparison { at, operator, dimension, values, is_case_sensitive } = comparison;
    let named = Named::find(dimension).map_err(|error| ApiError::bad_request(format!("{at}[1]: {error}")))?;
    let refused = |error: FilterError| ApiError::bad_request(format!("{at}[2]: {error}"));
    let is_case_sensitive = *is_case_sensitive && !named.is_case_folded;
    let subject = || named.subject.clone();
    let texts = || values.iter().map(String::as_str);
    let is = |values: &mut dyn Iterator<Item = &str>| Term::is(subject(), values, is_case_sensitive).map_err(refused);
    if !named.renamed.is_empty() && matches!(operator, Operator::Like | Operator::Matches) {
        // Patterns would be looked for in names that nobody is shown.
        let message = format!("{at}[0]: {dimension} is compared by is and contains only");
        return Err(ApiError::bad_request(message));
    }
    let term = match operator {
        Operator::Is => is(&mut texts().map(|value| named.stored(value, is_case_sensitive)))?,
        Operator::Contains if !named.renamed.is_empty() => {
            let cased = |text: &str| if is_case_sensitive { text.to_owned() } else { text.to_lowercase() };
            let is_meant = |theirs: &str| texts().any(|part| cased(theirs).contains(&cased(part)));
            let both = named.renamed.iter().chain(named.aliases);
            let meant = both.filter(|(_, theirs)| is_meant(theirs)).map(|(ours, _)| *ours);
            let renamed = Term::is(subject(), named.renamed.iter().map(|(ours, _)| *ours), true).map_err(refused)?;
            let others = Term::contains(subject(), texts(), is_case_sensitive).map_err(refused)?;
            let others = Filter::All(vec![Filter::Not(Box::new(Filter::Term(renamed))), Filter::Term(others)]);
            let meant = Term::is(subject(), meant, true).map_err(refused)?;
            return Ok(Filter::Any(vec![Filter::Term(meant), others]));
        }
        Operator::Contains => Term::contains(subject(), texts(), is_case_sensitive).map_err(refused)?,
        Operator::Like => Term::like(subject(), texts()).map_err(refused)?,
        Operator::Matches => Term::matches(subject(), texts()).map_err(refused)?,
    };
    let is_missing_too = values.iter().any(|value| named.is_missing(value));
    Ok(Filter::Term(if is_missing_too { term.or_missing() } else { term }))
}

#[cfg(test)]
mod tests {
    use mallard_engine::{Dimension, Subject};

    use super::*;

    fn from_text(text: &str) -> Result<Filter, ApiError> {
        let goals = || {
            let page = |pattern: &str| FunnelStep::Views(pattern.into());
            vec![("Sign-up".into(), FunnelStep::Event("signup".into())), ("Docs".into(), page("/docs/*.html"))]
        };
        let segment = |id| (id == 7).then(|| Ok(is(Subject::EventName, &["x"])));
        super::from_text(text, Saved { segment: &segment, goals: &goals })
    }

    #[test]
    fn a_goal_is_the_events_that_meet_it_and_an_unknown_one_is_an_error() {
        let signup = is(Subject::EventName, &["signup"]);
        let of = |goals: Vec<Filter>| Filter::All(vec![Filter::Any(goals)]);
        assert_eq!(from_text(r#"[["is","event:goal",["Sign-up"]]]"#).unwrap(), of(vec![signup.clone()]));
        assert_eq!(from_text("event:goal==Sign-up").unwrap(), of(vec![signup.clone()]));
        let path = Term::like(Subject::Dimension(Dimension::Pages), ["/docs/*.html"]).unwrap();
        let docs = Filter::All(vec![is(Subject::EventName, &["pageview"]), Filter::Term(path)]);
        assert_eq!(from_text(r#"[["is","event:goal",["Visit /docs/*.html"]]]"#).unwrap(), of(vec![docs.clone()]));
        let both = from_text(r#"[["contains","event:goal",["SIGN","doc"],{"case_sensitive":false}]]"#).unwrap();
        assert_eq!(both, of(vec![signup, docs]));
        for (text, message) in [
            (r#"[["is","event:goal",["Sign-up","sign-up"]]]"#, "filters[0][2]: there is no goal 'sign-up'"),
            (r#"[["matches","event:goal",["."]]]"#, "filters[0][0]: event:goal is compared by is and contains only"),
        ] {
            assert_eq!(from_text(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_goal_that_many_values_mean_is_looked_for_once() {
        let many = |count: usize| format!(r#"[["contains","event:goal",[{}"sign"]]]"#, "\"\",".repeat(count - 1));
        let all = from_text(r#"[["contains","event:goal",[""]]]"#).unwrap();
        assert_eq!(from_text(&many(500)).unwrap(), all);
        let refused = from_text(&many(501)).unwrap_err().to_string();
        assert_eq!(refused, "filters[0][2]: at most 500 values are compared, got 501");
    }

    #[test]
    fn what_is_saved_is_looked_up_for_no_more_comparisons_than_a_filter_has_terms() {
        let looked_up = std::cell::Cell::new(0);
        let segment = |_| {
            looked_up.set(looked_up.get() + 1);
            Some(Ok(Filter::default()))
        };
        let text = format!("[{}]", vec![r#"["is","segment",[1]]"#; 51].join(","));
        let error = super::from_text(&text, Saved { segment: &segment, goals: &Vec::new }).unwrap_err();
        assert_eq!(error.to_string(), "filters: a filter has at most 50 terms, got 51");
        assert_eq!(looked_up.get(), 0);
    }

    #[test]
    fn a_segment_is_its_filter_and_an_unknown_one_is_an_error() {
        let expected = Filter::All(vec![Filter::Any(vec![is(Subject::EventName, &["x"])])]);
        assert_eq!(from_text(r#"[["is","segment",[7]]]"#).unwrap(), expected);
        let error = from_text(r#"[["is_not","segment",[7,8]]]"#).unwrap_err();
        assert_eq!(error.to_string(), "filters[0][2]: there is no segment 8");
        assert!(from_text(r#"[["contains","segment",[7]]]"#).is_err());
    }

    fn is(subject: Subject, values: &[&str]) -> Filter {
        Filter::Term(Term::is(subject, values.iter().copied(), true).unwrap())
    }

    #[test]
    fn both_forms_say_the_same() {
        let json = from_text(r#"[["is","event:page",["/a","/b"]],["is_not","visit:utm_source",["x"]]]"#).unwrap();
        let text = from_text("event:page==/a|/b;visit:utm_source!=x").unwrap();
        assert_eq!(json, text);
        let expected = Filter::All(vec![
            is(Subject::Dimension(Dimension::Pages), &["/a", "/b"]),
            Filter::Not(Box::new(is(Subject::Visit(Dimension::UtmSources), &["x"]))),
        ]);
        assert_eq!(json, expected);
    }

    #[test]
    fn systems_and_browsers_are_found_by_the_names_that_plausible_shows_and_by_ours() {
        let os = |values: &[&str]| Filter::All(vec![is(Subject::Visit(Dimension::Os), values)]);
        let found = from_text(r#"[["is","visit:os",["Mac","macOS","GNU/Linux","Windows"]]]"#).unwrap();
        assert_eq!(found, os(&["macOS", "macOS", "Linux", "Windows"]));
        let contains = from_text(r#"[["contains","visit:os",["Linux"]]]"#).unwrap();
        let renamed = Filter::Not(Box::new(is(Subject::Visit(Dimension::Os), &["macOS", "Linux"])));
        let others = Filter::Term(Term::contains(Subject::Visit(Dimension::Os), ["Linux"], true).unwrap());
        let meant = is(Subject::Visit(Dimension::Os), &["Linux"]);
        assert_eq!(contains, Filter::All(vec![Filter::Any(vec![meant, Filter::All(vec![renamed, others])])]));
        let refused = from_text(r#"[["matches","visit:os",["^Mac"]]]"#).unwrap_err();
        assert_eq!(refused.to_string(), "filters[0][0]: visit:os is compared by is and contains only");
        assert!(from_text(r#"[["matches","os",["^mac"]]]"#).is_ok(), "our own vocabulary has our own names");
    }

    #[test]
    fn countries_are_found_by_their_names_by_others_in_use_and_by_their_codes() {
        let is = |values: &[&str]| Filter::All(vec![is(Subject::Visit(Dimension::Countries), values)]);
        let found =
            from_text(r#"[["is","visit:country_name",["Estonia","United States of America","United States","BR"]]]"#);
        assert_eq!(found.unwrap(), is(&["EE", "US", "US", "BR"]));
        let folded = from_text(r#"[["is","visit:country_name",["germany"],{"case_sensitive":false}]]"#).unwrap();
        assert!(format!("{folded:?}").contains("\"de\""), "{folded:?}");
        let contains = from_text(r#"[["contains","visit:country_name",["United States"]]]"#).unwrap();
        assert!(format!("{contains:?}").contains(r#"values: ["US", "US"]"#), "{contains:?}");
        assert!(from_text(r#"[["matches","visit:country_name",["."]]]"#).is_err());
    }

    #[test]
    fn a_goal_whose_pattern_has_an_asterisk_is_named_in_the_text_form() {
        let both = from_text("event:goal==Sign-up|Visit /docs/*.html").unwrap();
        assert_eq!(both, from_text(r#"[["is","event:goal",["Sign-up","Docs"]]]"#).unwrap());
    }

    #[test]
    fn those_who_may_convert_are_kept_by_all_but_the_goals_and_properties_at_the_top() {
        let goals =
            || vec![("A".to_owned(), FunnelStep::Event("a".into())), ("B".to_owned(), FunnelStep::Event("b".into()))];
        let of = |text: &str| Conversion::from_text(text, Saved { segment: &|_| None, goals: &goals }).unwrap();
        let names =
            |text: &str| of(text).goals.map(|goals| goals.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
        assert_eq!(names("event:page==/"), None);
        assert_eq!(names("event:goal==A|B"), Some(vec!["A".to_owned(), "B".to_owned()]));
        assert_eq!(names("event:goal==A|B;event:goal==B"), Some(vec!["B".to_owned()]));
        assert_eq!(names(r#"[["or",[["is","event:goal",["A"]]]]]"#), None);
        let left = of("event:goal==A;event:page==/;event:props:plan==pro;event:props:plan!=free").everyone;
        assert_eq!(left, from_text("event:page==/").unwrap());
    }

    #[test]
    fn the_label_of_a_missing_value_finds_missing_values() {
        let missing = |filter: &str| format!("{:?}", from_text(filter).unwrap()).contains("is_missing_too: true");
        for found in [
            r#"[["is","sources",["(direct)"]]]"#,
            r#"[["is","visit:source",["Direct / None"]]]"#,
            r#"[["is","visit:referrer",["Direct / None"]]]"#,
            r#"[["is_not","visit:utm_medium",["(not set)"]]]"#,
            r#"[["is","event:props:plan",["(none)"]]]"#,
            r#"[["is_not","visit:country",[""]]]"#,
        ] {
            assert!(missing(found), "{found}");
        }
        assert!(!missing(r#"[["is","sources",["Google"]]]"#));
        assert!(!missing(r#"[["contains","sources",["(direct)"]]]"#));
    }

    #[test]
    fn errors_name_the_field() {
        for (text, message) in [
            (r#"[["is","visit:color",["x"]]]"#, "filters[0][1]: unknown dimension 'visit:color'"),
            (r#"[["is","visit:city",["2950159"]]]"#, "filters[0][1]: visit:city is not supported"),
            ("visit:region==US-MD", "filters[0][1]: visit:region is not supported"),
        ] {
            let error = from_text(text).unwrap_err();
            assert_eq!(error.status(), 400);
            assert!(error.to_string().starts_with(message), "{error}");
        }
        let many = vec![r#"["is","event:page",["/"]]"#; 51].join(",");
        let error = from_text(&format!("[{many}]")).unwrap_err();
        assert_eq!(error.to_string(), "filters: a filter has at most 50 terms, got 51");
        let many = [r#"["matches","event:page",["a","b","c","d","e","f","g"]]"#; 3].join(",");
        let error = from_text(&format!("[{many}]")).unwrap_err();
        assert_eq!(error.to_string(), "filters: a filter has at most 20 regular expressions, got 21");
    }
}
