//! [`Program`]: a filter made ready for rows. Terms about visits and `has_done` are answered once for a visit, all others
//! for each event.

use super::cell::Cell;
use super::matcher::Matcher;
use super::{Filter, FilterError, Term};
use crate::query::question::QueryError;
use crate::query::rows::Row;

/// A filter over rows that have [`Program::columns`].
#[derive(Debug, Default)]
pub(in crate::query) struct Program {
    columns: Vec<&'static str>,
    /// What is asked once for a visit; a later question may use the answer of an earlier one.
    of_visit: Vec<VisitNode>,
    /// `None`: every event is kept.
    root: Option<Node>,
    /// Of all terms.
    patterns: usize,
}

#[derive(Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Event(Condition),
    /// The answer of a [`VisitNode`], by its place.
    Visit(usize),
}

#[derive(Debug)]
enum VisitNode {
    Value(Condition),
    HasDone(Node),
}

/// A term and where its value is.
#[derive(Debug)]
struct Condition {
    matcher: Matcher,
    cell: Cell,
}

impl Program {
    pub(in crate::query) fn new(filter: &Filter) -> Result<Self, FilterError> {
        let mut program = Self { patterns: filter.patterns(), ..Self::default() };
        if !filter.is_everything() {
            let root = program.node(filter)?;
            program.root = Some(root);
        }
        Ok(program)
    }

    /// Whether a row may take so long that time has to be looked at after each of them.
    pub(in crate::query) fn is_slow(&self) -> bool {
        self.patterns > 0
    }

    /// The text columns that the terms look at, each once.
    pub(in crate::query) fn columns(&self) -> &[&'static str] {
        &self.columns
    }

    /// Whether an event can be judged without the rest of its visit.
    pub(in crate::query) fn is_by_event(&self) -> bool {
        self.of_visit.is_empty()
    }

    /// Whether an event is kept, if [`Program::is_by_event`].
    pub(in crate::query) fn keeps(&self, row: Row<'_>) -> bool {
        self.holds(row, &[])
    }

    /// Hands each of the rows of one visit on, with whether it is kept. `look` is asked for every row that is judged whether
    /// to go on.
    pub(in crate::query) fn each_of_visit<'a>(
        &self,
        rows: impl Iterator<Item = Row<'a>> + Clone,
        mut look: impl FnMut() -> Result<(), QueryError>,
        mut take: impl FnMut(Row<'a>, bool) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let mut answers = Vec::with_capacity(self.of_visit.len());
        for node in &self.of_visit {
            let answer = match node {
                VisitNode::Value(condition) => condition.holds_of_visit(rows.clone()),
                VisitNode::HasDone(node) => {
                    let mut has_done = false;
                    for row in rows.clone() {
                        look()?;
                        has_done = node.holds(row, &answers);
                        if has_done {
                            break;
                        }
                    }
                    has_done
                }
            };
            answers.push(answer);
        }
        rows.into_iter().try_for_each(|row| {
            look()?;
            take(row, self.holds(row, &answers))
        })
    }

    fn holds(&self, row: Row<'_>, answers: &[bool]) -> bool {
        self.root.as_ref().is_none_or(|root| root.holds(row, answers))
    }

    fn node(&mut self, filter: &Filter) -> Result<Node, FilterError> {
        Ok(match filter {
            Filter::All(parts) => Node::All(parts.iter().map(|part| self.node(part)).collect::<Result<_, _>>()?),
            Filter::Any(parts) => Node::Any(parts.iter().map(|part| self.node(part)).collect::<Result<_, _>>()?),
            Filter::Not(part) => Node::Not(Box::new(self.node(part)?)),
            Filter::Term(term) => {
                let condition = self.condition(term)?;
                match term.subject().is_of_visit() {
                    true => self.visit_node(VisitNode::Value(condition)),
                    false => Node::Event(condition),
                }
            }
            Filter::HasDone(part) => {
                let part = self.node(part)?;
                self.visit_node(VisitNode::HasDone(part))
            }
        })
    }

    fn visit_node(&mut self, node: VisitNode) -> Node {
        self.of_visit.push(node);
        Node::Visit(self.of_visit.len() - 1)
    }

    fn condition(&mut self, term: &Term) -> Result<Condition, FilterError> {
        let cell = Cell::of(term.subject().clone(), &mut self.columns);
        Ok(Condition { matcher: Matcher::new(term, self.patterns)?, cell })
    }
}

impl Node {
    fn holds(&self, row: Row<'_>, answers: &[bool]) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(row, answers)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(row, answers)),
            Self::Not(part) => !part.holds(row, answers),
            Self::Event(condition) => condition.holds(row),
            Self::Visit(place) => answers.get(*place).is_some_and(|answer| *answer),
        }
    }
}

impl Condition {
    fn holds(&self, row: Row<'_>) -> bool {
        self.matcher.is_true_of(self.cell.of_event(row).as_deref())
    }

    fn holds_of_visit<'a>(&self, rows: impl Iterator<Item = Row<'a>> + Clone) -> bool {
        self.matcher.is_true_of(self.cell.of_visit(rows).as_deref())
    }
}
