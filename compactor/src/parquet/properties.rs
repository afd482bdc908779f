//! How a Parquet file is encoded, and what its footer says.

use mallard_event::columns;
use mallard_wal::shown_store_id;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::{Identity, Order};
use crate::Limits;

/// The column that erasure and a visitor's history look for.
const FILTERED_COLUMN: &str = "visitor_id";
/// One file in a hundred is opened for nothing.
const FILTER_FALSE_POSITIVES: f64 = 0.01;

/// The properties of a file with this identity.
pub(super) fn properties(identity: &Identity<'_>, store_id: u128, limits: &Limits) -> WriterProperties {
    let filtered = ColumnPath::from(FILTERED_COLUMN);
    let group_rows = identity.rows.min(limits.row_group_rows_max as u64);
    WriterProperties::builder()
        .set_compression(compression(limits))
        .set_max_row_group_row_count(Some(limits.row_group_rows_max))
        // NOTE: pages end by size only. A column that has compressed a page keeps its compressor, half a megabyte, until
        // its chunk is closed; with a limit of rows all columns would do so at once.
        .set_data_page_row_count_limit(limits.row_group_rows_max)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        // Without per-page statistics there is nothing to look up in it.
        .set_offset_index_disabled(true)
        .set_column_bloom_filter_enabled(filtered.clone(), true)
        .set_column_bloom_filter_fpp(filtered.clone(), FILTER_FALSE_POSITIVES)
        // NOTE: sized for the rows there are; the default is sized for a million and costs megabytes.
        .set_column_bloom_filter_max_ndv(filtered, group_rows)
        .set_sorting_columns(sorting_columns(identity.order))
        .set_key_value_metadata(Some(key_values(identity, store_id)))
        .build()
}

fn compression(limits: &Limits) -> Compression {
    if limits.is_compressed { Compression::ZSTD(ZstdLevel::default()) } else { Compression::UNCOMPRESSED }
}

fn sorting_columns(order: Order) -> Option<Vec<SortingColumn>> {
    order
        .columns()
        .iter()
        .map(|name| {
            let index = columns::COLUMNS.iter().position(|column| column.name == *name)?;
            Some(SortingColumn { column_idx: i32::try_from(index).ok()?, descending: false, nulls_first: false })
        })
        .collect()
}

fn key_values(identity: &Identity<'_>, store_id: u128) -> Vec<KeyValue> {
    let pairs = [
        // NOTE: half of it. Parquet files are made to be handed on, and the other half is a secret of the log.
        ("mallard.store_id", shown_store_id(store_id)),
        ("mallard.first_lsn", identity.lsns.first.to_string()),
        ("mallard.last_lsn", identity.lsns.last.to_string()),
        ("mallard.schema_version", columns::SCHEMA_VERSION.to_string()),
    ];
    pairs.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect()
}
