//! The files themselves: what any Parquet reader sees in them, and that damage is seen.

use std::path::Path;

use crate::support::{ROOT, Store, event, record, stored, us};
use mallard_compactor::{Error, FileEntry, read_file};
use mallard_event::columns::{COLUMNS, rows_from};
use mallard_wal::disk;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ConvertedType, LogicalType, TimeUnit, Type};
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::serialized_reader::ReadOptionsBuilder;

const GOLDEN: &[u8] = include_bytes!("../fixtures/v1/events.parquet");

/// A store with one file of `rows` rows, and that file's bytes.
pub(crate) fn one_file(rows: u64, row_group_rows_max: usize) -> (Store, FileEntry, Vec<u8>) {
    let start = us("2026-03-01T12:00:00Z");
    let records: Vec<_> = (0..rows).map(|number| record(&event("a.example", start + number as i64, number))).collect();
    let mut store = Store::with_segments(&[records]);
    store.limits.row_group_rows_max = row_group_rows_max;
    store.step(0).unwrap();
    let entry = store.manifest().files().next().unwrap().as_ref().clone();
    let bytes = disk::read(store.env.disk.as_ref(), &store.root().join(&*entry.path)).unwrap();
    (store, entry, bytes)
}

fn reader(bytes: &[u8]) -> SerializedFileReader<bytes::Bytes> {
    let with_filters = ReaderProperties::builder().set_read_bloom_filter(true).build();
    let options = ReadOptionsBuilder::new().with_reader_properties(with_filters).build();
    SerializedFileReader::new_with_options(bytes::Bytes::copy_from_slice(bytes), options).unwrap()
}

#[test]
fn the_footer_names_the_store_the_lsns_the_schema_version_and_the_order() {
    let (_, _, bytes) = one_file(10, 65_536);
    let reader = reader(&bytes);
    let metadata = reader.metadata().file_metadata();
    let pairs: Vec<_> =
        metadata.key_value_metadata().unwrap().iter().map(|pair| (&*pair.key, pair.value.clone().unwrap())).collect();
    assert_eq!(
        pairs,
        [
            ("mallard.store_id", "0123456789abcdef".to_owned()),
            ("mallard.first_lsn", "1".to_owned()),
            ("mallard.last_lsn", "10".to_owned()),
            ("mallard.schema_version", "1".to_owned()),
        ]
    );
    let sorting = reader.metadata().row_group(0).sorting_columns().unwrap();
    let names: Vec<_> = sorting.iter().map(|column| COLUMNS[column.column_idx as usize].name).collect();
    assert_eq!(names, ["timestamp", "lsn"]);
}

#[test]
fn columns_have_the_names_and_types_of_the_contract() {
    let (_, _, bytes) = one_file(10, 65_536);
    let reader = reader(&bytes);
    let schema = reader.metadata().file_metadata().schema_descr();
    let names: Vec<_> = schema.columns().iter().map(|column| column.name().to_owned()).collect();
    assert_eq!(names, COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>());
    let column = |name: &str| schema.columns().iter().find(|column| column.name() == name).unwrap().clone();

    let timestamp = column("timestamp");
    let local_micros = LogicalType::timestamp(false, TimeUnit::MICROS);
    assert_eq!((timestamp.physical_type(), timestamp.logical_type_ref()), (Type::INT64, Some(&local_micros)));
    assert_eq!(timestamp.max_def_level(), 0, "not null");
    assert_eq!(
        (column("visitor_id").physical_type(), column("visitor_id").converted_type()),
        (Type::BYTE_ARRAY, ConvertedType::UTF8)
    );
    let amount = column("revenue_amount");
    assert_eq!((amount.type_precision(), amount.type_scale(), amount.max_def_level()), (18, 4, 1));
    assert_eq!(column("lsn").converted_type(), ConvertedType::UINT_64);
    assert_eq!(column("schema_version").converted_type(), ConvertedType::UINT_16);
    assert_eq!(column("interactive").physical_type(), Type::BOOLEAN);
}

#[test]
fn row_groups_are_bounded_compressed_and_carry_minima_and_maxima() {
    let (_, _, bytes) = one_file(25, 10);
    let reader = reader(&bytes);
    let groups = reader.metadata().row_groups();
    assert_eq!(groups.iter().map(parquet::file::metadata::RowGroupMetaData::num_rows).collect::<Vec<_>>(), [10, 10, 5]);
    for group in groups {
        for chunk in group.columns() {
            assert!(matches!(chunk.compression(), Compression::ZSTD(_)), "{:?}", chunk.column_path());
            assert!(chunk.statistics().is_some(), "{:?}", chunk.column_path());
        }
    }
}

#[test]
fn a_visitor_that_is_not_in_a_file_is_ruled_out_by_its_filter() {
    let (_, _, bytes) = one_file(5000, 65_536);
    let reader = reader(&bytes);
    let group = reader.get_row_group(0).unwrap();
    let visitor = COLUMNS.iter().position(|column| column.name == "visitor_id").unwrap();
    let filter = group.get_column_bloom_filter(visitor).unwrap();
    for number in 0..7 {
        assert!(filter.check(format!("visitor-{number}").as_str()), "{number} is in the file");
    }
    let wrong = (0..1000).filter(|number| filter.check(format!("stranger-{number}").as_str())).count();
    assert!(wrong < 50, "{wrong} of 1000 strangers pass");
    assert!(
        (0..COLUMNS.len())
            .filter(|index| *index != visitor)
            .all(|index| group.get_column_bloom_filter(index).is_none())
    );
}

#[test]
fn a_small_file_is_small() {
    let (_, entry, _) = one_file(1, 65_536);
    assert!(entry.bytes < 8192, "{} bytes for one row", entry.bytes);
}

#[test]
fn the_widest_column_bounds_what_a_merge_must_hold() {
    let (_, entry, bytes) = one_file(3000, 1000);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let batches: Vec<_> = builder.with_batch_size(3000).build().unwrap().map(Result::unwrap).collect();
    let widest = (0..COLUMNS.len())
        .map(|index| {
            batches.iter().map(|batch| batch.column(index).to_data().get_slice_memory_size().unwrap()).sum::<usize>()
        })
        .max()
        .unwrap() as u64;
    assert!(entry.column_bytes >= widest, "{} < {widest}", entry.column_bytes);
    assert!(entry.column_bytes < 3 * widest, "{} is no useful bound of {widest}", entry.column_bytes);
}

#[test]
fn a_live_file_that_is_gone_is_an_error() {
    let (store, entry, _) = one_file(3, 65_536);
    store.env.disk.remove_file(&store.root().join(&*entry.path)).unwrap();
    let read = read_file(&store.env, store.root(), &entry, &mut |_| panic!("there is nothing to read"));
    assert!(matches!(read, Err(Error::Io { .. })), "{read:?}");
}

#[test]
fn a_file_of_version_1_is_read_today() {
    let (store, mut entry, _) = one_file(3, 65_536);
    entry.path = "events/golden.parquet".into();
    entry.bytes = GOLDEN.len() as u64;
    entry.crc32 = crc32fast::hash(GOLDEN);
    store.env.disk.create(&Path::new(ROOT).join(&*entry.path)).unwrap().write_all_at(GOLDEN, 0).unwrap();
    let mut rows = Vec::new();
    read_file(&store.env, store.root(), &entry, &mut |batch| rows.extend(rows_from(&batch).unwrap())).unwrap();
    let start = us("2026-03-01T12:00:00Z");
    let expected: Vec<_> = (0..3).map(|n| stored(&event("a.example", start + n as i64, n), n + 1)).collect();
    assert_eq!(rows, expected);
}
