//! Reading back what is in a Parquet file.

use std::fs::File;
use std::io;
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::reader::SerializedFileReader;
use parquet::record::Field;
use parquet::record::reader::RowIter;
use serde_json::{Map, Value};

use crate::sink::read::ReadError;
use crate::sink::table::date;

/// Gives every row to `take`, in order. Dates and moments are text, what has no place in JSON is the text of it.
///
/// # Errors
/// If it is no Parquet file that can be read, or `take` fails.
pub fn each_row<E>(
    path: &Path,
    mut take: impl FnMut(Map<String, Value>) -> Result<(), E>,
) -> Result<(), ReadError<E>> {
    let file = SerializedFileReader::new(File::open(path)?).map_err(told)?;
    for row in RowIter::from_file_into(Box::new(file)) {
        let row = row.map_err(told)?;
        let record = row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect();
        take(record).map_err(ReadError::Taker)?;
    }
    Ok(())
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => (*truth).into(),
        Field::Byte(number) => (*number).into(),
        Field::Short(number) => (*number).into(),
        Field::Int(number) => (*number).into(),
        Field::Long(number) => (*number).into(),
        Field::UByte(number) => (*number).into(),
        Field::UShort(number) => (*number).into(),
        Field::UInt(number) => (*number).into(),
        Field::ULong(number) => (*number).into(),
        Field::Float(number) => (*number).into(),
        Field::Double(number) => (*number).into(),
        Field::Str(text) => text.as_str().into(),
        Field::Date(days) => date::shown_days((*days).into()).into(),
        Field::TimestampMillis(ms) => date::shown_millis(*ms).into(),
        Field::TimestampMicros(us) => date::shown_millis(us.div_euclid(1000)).into(),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::Group(row) => {
            Value::Object(row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect())
        }
        other => other.to_string().into(),
    }
}

fn told<E>(error: ParquetError) -> ReadError<E> {
    ReadError::Io(io::Error::new(io::ErrorKind::InvalidData, error))
}
