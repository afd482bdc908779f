//! Counting by value: a growing [`Tally`] while rows or days are read, a compact [`Table`] to keep.

use std::collections::HashMap;

use super::question::QueryError;

/// The most memory that the values of one tally may take: of one day while it is read, or of all days of an answer.
const BYTES_MAX: usize = 16 << 20;
/// What a distinct value costs beside its text, from above: its slot in the map, its counter, the allocation.
const VALUE_BYTES: usize = 96;

/// Visitors and pageviews.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) visitors: u64,
    pub(super) pageviews: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.visitors += other.visitors;
        self.pageviews += other.pageviews;
    }
}

/// A value's place in its tally.
pub(super) type ValueId = usize;

/// The place of NULL, which every tally has.
const NULL: ValueId = 0;

/// Counts by value.
#[derive(Debug)]
pub(super) struct Tally {
    ids: HashMap<Box<str>, ValueId>,
    counters: Vec<Counter>,
    /// The value looked up last: rows come visitor by visitor, so the next one is most often the same.
    recent: (String, ValueId),
    bytes: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    counts: Counts,
    /// The visitor counted last; 0 before the first.
    visitor: u64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { ids: HashMap::new(), counters: vec![Counter::default()], recent: (String::new(), NULL), bytes: 0 }
    }

    /// The id of `value`; `None` if there are too many values.
    pub(super) fn id(&mut self, value: Option<&str>) -> Option<ValueId> {
        let Some(text) = value else { return Some(NULL) };
        if self.recent.1 != NULL && self.recent.0 == text {
            return Some(self.recent.1);
        }
        let id = self.ids.get(text).copied().or_else(|| self.insert(text))?;
        self.recent.0.clear();
        self.recent.0.push_str(text);
        self.recent.1 = id;
        Some(id)
    }

    fn insert(&mut self, text: &str) -> Option<ValueId> {
        self.bytes += text.len() + VALUE_BYTES;
        if self.bytes > BYTES_MAX {
            return None;
        }
        let id = self.counters.len();
        self.counters.push(Counter::default());
        self.ids.insert(text.into(), id);
        Some(id)
    }

    /// Counts pageviews of visitor number `visitor` for a value, and the visitor once however often it is said. Visitors
    /// come one after the other, numbered from 1.
    pub(super) fn count(&mut self, id: ValueId, visitor: u64, pageviews: u64) {
        let Some(counter) = self.counters.get_mut(id) else { return };
        let is_new = counter.visitor != visitor;
        counter.visitor = visitor;
        counter.counts.add(Counts { visitors: is_new.into(), pageviews });
    }

    /// Adds the counts of another day.
    pub(super) fn add(&mut self, table: &Table) -> Result<(), QueryError> {
        for (value, counts) in table.iter() {
            let id = self.id(value).ok_or(QueryError::OutOfMemory)?;
            if let Some(counter) = self.counters.get_mut(id) {
                counter.counts.add(counts);
            }
        }
        Ok(())
    }

    /// The values that were counted, in no particular order.
    pub(super) fn into_counts(self) -> impl Iterator<Item = (Option<Box<str>>, Counts)> {
        let Self { ids, counters, .. } = self;
        let null = std::iter::once((None, NULL));
        null.chain(ids.into_iter().map(|(text, id)| (Some(text), id))).filter_map(move |(text, id)| {
            let counts = counters.get(id)?.counts;
            (counts != Counts::default()).then_some((text, counts))
        })
    }

    pub(super) fn into_table(self) -> Result<Table, QueryError> {
        let (mut text, mut rows, mut null) = (String::new(), Vec::new(), Counts::default());
        for (value, counts) in self.into_counts() {
            let Some(value) = value else {
                null = counts;
                continue;
            };
            text.push_str(&value);
            rows.push(TableRow {
                end: narrow(text.len())?,
                visitors: narrow(counts.visitors)?,
                pageviews: narrow(counts.pageviews)?,
            });
        }
        Ok(Table { text: text.into(), rows: rows.into(), null })
    }
}

/// The counts of one day, as small as they can be kept: every value's text end to end.
#[derive(Clone, Debug)]
pub(super) struct Table {
    text: Box<str>,
    rows: Box<[TableRow]>,
    null: Counts,
}

/// One site cannot have 2^32 rows a day.
#[derive(Clone, Copy, Debug)]
struct TableRow {
    /// Where the text of this value ends; it begins where the one before ends.
    end: u32,
    visitors: u32,
    pageviews: u32,
}

impl Table {
    pub(super) fn iter(&self) -> impl Iterator<Item = (Option<&str>, Counts)> {
        let mut start = 0;
        let values = self.rows.iter().map(move |row| {
            let end = row.end as usize;
            let text = self.text.get(start..end);
            start = end;
            (text, Counts { visitors: row.visitors.into(), pageviews: row.pageviews.into() })
        });
        let null = (self.null != Counts::default()).then_some((None, self.null));
        values.chain(null)
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.rows)
    }
}

fn narrow<T: TryInto<u32, Error: ToString>>(count: T) -> Result<u32, QueryError> {
    count.try_into().map_err(QueryError::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(counts: impl Iterator<Item = (Option<Box<str>>, Counts)>) -> Vec<(Option<Box<str>>, u64, u64)> {
        let mut rows: Vec<_> = counts.map(|(value, counts)| (value, counts.visitors, counts.pageviews)).collect();
        rows.sort();
        rows
    }

    #[test]
    fn a_visitor_counts_once_per_value_and_null_and_the_empty_text_are_values() {
        let mut tally = Tally::new();
        for (visitor, value) in [(1, Some("a")), (1, None), (1, Some("a")), (2, Some("a")), (2, Some("")), (2, None)] {
            let id = tally.id(value).unwrap();
            tally.count(id, visitor, 1);
        }
        let expected = vec![(None, 2, 2), (Some("".into()), 1, 1), (Some("a".into()), 2, 3)];
        assert_eq!(sorted(tally.into_counts()), expected);
    }

    #[test]
    fn a_table_keeps_what_was_counted_and_days_add_up() {
        let mut day = Tally::new();
        for value in [Some("/ü"), None, Some("/"), Some("never counted")] {
            day.id(value).unwrap();
        }
        for value in [Some("/ü"), None, Some("/")] {
            let id = day.id(value).unwrap();
            day.count(id, 1, 3);
        }
        let table = day.into_table().unwrap();
        let mut total = Tally::new();
        total.add(&table).unwrap();
        total.add(&table).unwrap();
        let expected = vec![(None, 2, 6), (Some("/".into()), 2, 6), (Some("/ü".into()), 2, 6)];
        assert_eq!(sorted(total.into_counts()), expected);
    }

    #[test]
    fn too_many_values_are_refused_before_memory_is_gone() {
        let mut tally = Tally::new();
        let values = (0..).take_while(|number: &i32| tally.id(Some(&number.to_string())).is_some()).count();
        assert!(values > 100_000, "{values}");
        assert!(tally.bytes <= BYTES_MAX + VALUE_BYTES + 20);
    }
}
