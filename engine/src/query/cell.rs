//! [`Cell`]: what DuckDB answers, as values that a caller can show without knowing DuckDB or Arrow.

use arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryArray, BooleanArray, Decimal128Array, StringArray, StructArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// A moment as SQL writes it: what is copied from an answer can be compared with in the next question.
const MOMENT: &str = "%Y-%m-%d %H:%M:%S%.f";
const MOMENT_IN_ZONE: &str = "%Y-%m-%d %H:%M:%S%.f%:z";

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// A BOOLEAN.
    Boolean(bool),
    /// A whole number of any width.
    Integer(i128),
    /// A FLOAT or DOUBLE.
    Real(f64),
    /// Text, and everything that is exact only as text: decimals, moments, dates, intervals, bytes in hexadecimal digits.
    Text(String),
    /// A list or an array.
    List(Vec<Cell>),
    /// A STRUCT: its fields by name.
    Record(Vec<(String, Cell)>),
}

/// The value in a row of a column.
pub(super) fn cell(column: &dyn Array, row: usize) -> Cell {
    if column.is_null(row) {
        return Cell::Null;
    }
    let any = column.as_any();
    match column.data_type() {
        DataType::Null => Cell::Null,
        DataType::Int8 => integer::<Int8Type>(column, row),
        DataType::Int16 => integer::<Int16Type>(column, row),
        DataType::Int32 => integer::<Int32Type>(column, row),
        DataType::Int64 => integer::<Int64Type>(column, row),
        DataType::UInt8 => integer::<UInt8Type>(column, row),
        DataType::UInt16 => integer::<UInt16Type>(column, row),
        DataType::UInt32 => integer::<UInt32Type>(column, row),
        DataType::UInt64 => integer::<UInt64Type>(column, row),
        DataType::Float32 => Cell::Real(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => Cell::Real(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, 0) => {
            any.downcast_ref().map_or(Cell::Null, |numbers: &Decimal128Array| Cell::Integer(numbers.value(row)))
        }
        DataType::Boolean => {
            any.downcast_ref().map_or(Cell::Null, |flags: &BooleanArray| Cell::Boolean(flags.value(row)))
        }
        DataType::Utf8 => {
            any.downcast_ref().map_or(Cell::Null, |texts: &StringArray| Cell::Text(texts.value(row).to_owned()))
        }
        DataType::Binary => any.downcast_ref().map_or(Cell::Null, |texts: &BinaryArray| hexadecimal(texts.value(row))),
        DataType::List(_) => list(&column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&column.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(&column.as_fixed_size_list().value(row)),
        DataType::Map(..) => list(&(std::sync::Arc::new(column.as_map().value(row)) as ArrayRef)),
        DataType::Struct(_) => record(column.as_struct(), row),
        _ => text(column, row),
    }
}

fn integer<T: ArrowPrimitiveType>(column: &dyn Array, row: usize) -> Cell
where
    i128: From<T::Native>,
{
    Cell::Integer(column.as_primitive::<T>().value(row).into())
}

fn list(values: &ArrayRef) -> Cell {
    Cell::List((0..values.len()).map(|row| cell(values.as_ref(), row)).collect())
}

fn record(fields: &StructArray, row: usize) -> Cell {
    let names = fields.fields().iter().map(|field| field.name().clone());
    Cell::Record(names.zip(fields.columns().iter().map(|column| cell(column.as_ref(), row))).collect())
}

fn hexadecimal(bytes: &[u8]) -> Cell {
    Cell::Text(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn text(column: &dyn Array, row: usize) -> Cell {
    let options =
        FormatOptions::new().with_timestamp_format(Some(MOMENT)).with_timestamp_tz_format(Some(MOMENT_IN_ZONE));
    let formatter = ArrayFormatter::try_new(column, &options);
    formatter
        .map_or_else(|error| Cell::Text(error.to_string()), |formatter| Cell::Text(formatter.value(row).to_string()))
}
