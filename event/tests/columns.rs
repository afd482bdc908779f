//! The columns: exactly those of the contract, and every value survives them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]

mod support;

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::record_batch::RecordBatch;
use mallard_event::columns::{COLUMNS, RowBuilder, RowError, SCHEMA_VERSION, rows_from, schema};
use mallard_event::{Event, Stored, Timestamp};
use proptest::prelude::*;
use support::{any_stored, full, minimal};

/// The 33 columns of the contract: name, and a letter for its type; upper case is NOT NULL.
const CONTRACT: [(&str, char); 33] = [
    ("site_id", 'S'),
    ("visitor_id", 'S'),
    ("timestamp", 'T'),
    ("event_name", 'S'),
    ("pathname", 'S'),
    ("hostname", 's'),
    ("referrer", 's'),
    ("referrer_source", 's'),
    ("utm_source", 's'),
    ("utm_medium", 's'),
    ("utm_campaign", 's'),
    ("utm_content", 's'),
    ("utm_term", 's'),
    ("browser", 's'),
    ("browser_version", 's'),
    ("os", 's'),
    ("os_version", 's'),
    ("device_type", 's'),
    ("screen_size", 's'),
    ("country_code", 's'),
    ("region", 's'),
    ("city", 's'),
    ("props", 's'),
    ("revenue_amount", 'd'),
    ("revenue_currency", 's'),
    ("lsn", 'l'),
    ("event_id", 's'),
    ("received_at", 't'),
    ("schema_version", 'v'),
    ("channel", 's'),
    ("user_hash", 's'),
    ("interactive", 'b'),
    ("time_rounded", 'b'),
];

fn data_type(letter: char) -> DataType {
    match letter.to_ascii_lowercase() {
        's' => DataType::Utf8,
        't' => DataType::Timestamp(TimeUnit::Microsecond, None),
        'd' => DataType::Decimal128(18, 4),
        'l' => DataType::UInt64,
        'v' => DataType::UInt16,
        'b' => DataType::Boolean,
        other => panic!("{other}"),
    }
}

fn stored(event: Event) -> Stored {
    Stored { lsn: Some(7), received_at: Timestamp::from_micros(1_706_745_600_000_123).unwrap(), event }
}

fn batch(rows: &[Stored]) -> RecordBatch {
    let mut builder = RowBuilder::new(rows.len());
    for row in rows {
        builder.push(row);
    }
    builder.finish()
}

/// `batch` with its columns renamed, replaced or left out.
fn edited(batch: &RecordBatch, edit: impl Fn(&str, ArrayRef) -> Option<(String, ArrayRef)>) -> RecordBatch {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let edited = columns.filter_map(|(field, array)| edit(field.name(), Arc::clone(array)));
    RecordBatch::try_from_iter_with_nullable(edited.map(|(name, array)| (name, array, true))).unwrap()
}

fn replaced(batch: &RecordBatch, column: &str, by: &ArrayRef) -> RecordBatch {
    edited(batch, |name, array| Some((name.to_owned(), if name == column { Arc::clone(by) } else { array })))
}

#[test]
fn the_columns_are_those_of_the_contract_in_their_order() {
    let schema = schema();
    let columns: Vec<_> = schema.fields().iter().map(|f| (f.name().as_str(), f.data_type(), f.is_nullable())).collect();
    assert_eq!(columns.len(), CONTRACT.len());
    for ((name, letter), column) in CONTRACT.into_iter().zip(columns) {
        assert_eq!(column, (name, &data_type(letter), letter.is_lowercase()));
    }
    assert_eq!(COLUMNS.each_ref().map(|column| column.name), CONTRACT.map(|(name, _)| name));
}

#[test]
fn an_event_with_every_field_leaves_no_column_empty() {
    let batch = batch(&[stored(full())]);
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        assert_eq!(array.null_count(), 0, "{}", field.name());
    }
}

#[test]
fn an_event_with_the_least_has_null_wherever_it_says_nothing() {
    let batch = batch(&[stored(minimal())]);
    let filled: Vec<_> =
        CONTRACT.iter().filter(|(name, _)| batch.column_by_name(name).unwrap().null_count() == 0).collect();
    let names: Vec<_> = filled.iter().map(|(name, _)| *name).collect();
    let expected = ["site_id", "visitor_id", "timestamp", "event_name", "pathname", "lsn", "event_id", "received_at"];
    assert_eq!(names, [&expected[..], &["schema_version"]].concat());
}

#[test]
fn values_stand_in_the_column_of_their_name() {
    let batch = batch(&[stored(full())]);
    let text =
        |name| batch.column_by_name(name).unwrap().as_any().downcast_ref::<StringArray>().unwrap().value(0).to_owned();
    for (column, value) in [
        ("site_id", "example.com"),
        ("visitor_id", "0123456789abcdef0123456789abcdef"),
        ("event_name", "Käufe"),
        ("pathname", "/shop/entenhausen"),
        ("hostname", "www.example.com"),
        ("referrer", "https://news.example.org/today"),
        ("referrer_source", "news.example.org"),
        ("utm_source", "newsletter"),
        ("utm_medium", "email"),
        ("utm_campaign", "spring sale"),
        ("utm_content", "button"),
        ("utm_term", "ducks"),
        ("browser", "Firefox"),
        ("browser_version", "131.0"),
        ("os", "Windows"),
        ("os_version", "10.0"),
        ("device_type", "desktop"),
        ("screen_size", "1920"),
        ("country_code", "DE"),
        ("region", "Land Berlin"),
        ("city", "Berlin"),
        ("props", r#"{"plan":"pro"}"#),
        ("revenue_currency", "EUR"),
        ("event_id", "3f0e9f0c-6d0f-4a55-9e1c-0d2b7f6f6a01"),
        ("channel", "Email"),
        ("user_hash", &"e".repeat(64)),
    ] {
        assert_eq!(text(column), value, "{column}");
    }
    let amount = batch.column_by_name("revenue_amount").unwrap().as_any().downcast_ref::<Decimal128Array>().unwrap();
    assert_eq!(amount.value_as_string(0), "-49.9900");
    let times = ["timestamp", "received_at"].map(|name| {
        batch.column_by_name(name).unwrap().as_any().downcast_ref::<TimestampMicrosecondArray>().unwrap().value(0)
    });
    assert_eq!(times, [1_706_745_599_999_999, 1_706_745_600_000_123]);
    assert_eq!(SCHEMA_VERSION, 1);
}

#[test]
fn a_builder_is_empty_after_each_batch() {
    let mut builder = RowBuilder::new(1);
    builder.push(&stored(full()));
    assert_eq!(builder.finish().num_rows(), 1);
    assert_eq!(builder.finish().num_rows(), 0);
    builder.push(&stored(minimal()));
    assert_eq!(rows_from(&builder.finish()).unwrap(), [stored(minimal())]);
}

#[test]
fn columns_are_found_by_name_in_any_order_and_unknown_ones_are_ignored() {
    let original = batch(&[stored(full())]);
    let schema = original.schema();
    let mut columns: Vec<_> =
        schema.fields().iter().map(|f| f.name().clone()).zip(original.columns().iter().cloned()).collect();
    columns.reverse();
    columns.insert(3, ("from_the_future".to_owned(), Arc::new(Int64Array::from(vec![5]))));
    let shuffled = RecordBatch::try_from_iter(columns).unwrap();
    assert_eq!(rows_from(&shuffled).unwrap(), [stored(full())]);
}

#[test]
fn a_row_of_the_original_is_read_and_written_back_without_what_it_never_had() {
    let cents = Decimal128Array::from(vec![-4999]).with_precision_and_scale(12, 2).unwrap();
    let ours = replaced(&batch(&[stored(full())]), "revenue_amount", &(Arc::new(cents) as ArrayRef));
    let theirs = edited(&ours, |name, array| {
        let is_original = CONTRACT[..25].iter().any(|(column, _)| *column == name);
        is_original.then(|| (name.to_owned(), array))
    });
    assert_eq!(theirs.num_columns(), 25);

    let rows = rows_from(&theirs).unwrap();
    assert_eq!(rows[0].lsn, None);
    assert_eq!(rows[0].received_at, full().timestamp);
    assert_eq!(rows[0].event.revenue_amount, full().revenue_amount);

    let rewritten = batch(&rows);
    for name in ["lsn", "event_id", "received_at", "channel", "user_hash", "interactive", "time_rounded"] {
        assert_eq!(rewritten.column_by_name(name).unwrap().null_count(), 1, "{name}");
    }
    assert_eq!(rows_from(&rewritten).unwrap(), rows);
}

#[test]
fn what_is_no_row_of_an_event_is_named() {
    let good = batch(&[stored(full()), stored(minimal())]);
    let text = |first: &str| Arc::new(StringArray::from(vec![first, "x"])) as ArrayRef;
    let missing = edited(&good, |name, array| (name != "pathname").then(|| (name.to_owned(), array)));
    let big: ArrayRef =
        Arc::new(Decimal128Array::from(vec![10_i128.pow(17), 0]).with_precision_and_scale(18, 4).unwrap());
    for (batch, message) in [
        (missing, "column pathname is missing: these are not rows of events"),
        (
            replaced(&good, "pathname", &(Arc::new(StringArray::from(vec![Some("/"), None])) as ArrayRef)),
            "column pathname is null in row 1, where every event has a value",
        ),
        (
            replaced(&good, "event_id", &(Arc::new(StringArray::from(vec![None, Some("x")])) as ArrayRef)),
            "column event_id is null in row 0, where every event has a value",
        ),
        (
            replaced(&good, "site_id", &text("a/b")),
            "row 0 is not a valid event: site id must be 1 to 256 of A-Z a-z 0-9 . _ : -",
        ),
        (replaced(&good, "props", &text("{")), "row 0 is not a valid event: props must be valid JSON"),
        (
            replaced(&good, "revenue_amount", &big),
            "row 0 is not a valid event: amount must be finite and below 10000000000 in absolute value",
        ),
    ] {
        assert_eq!(rows_from(&batch).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_type_that_loses_values_is_refused_and_one_that_does_not_is_converted() {
    let good = batch(&[stored(full())]);
    let negative = replaced(&good, "lsn", &(Arc::new(Int64Array::from(vec![-1])) as ArrayRef));
    assert!(matches!(rows_from(&negative), Err(RowError::WrongType { column: "lsn", .. })));
    let positive = replaced(&good, "lsn", &(Arc::new(Int64Array::from(vec![7])) as ArrayRef));
    assert_eq!(rows_from(&positive).unwrap(), [stored(full())]);
    let largest = replaced(&good, "lsn", &(Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef));
    assert_eq!(rows_from(&largest).unwrap()[0].lsn, Some(u64::MAX));
}

proptest! {
    #[test]
    fn what_goes_into_the_columns_comes_out(rows in prop::collection::vec(any_stored(), 0..5)) {
        prop_assert_eq!(rows_from(&batch(&rows)).unwrap(), rows);
    }
}
