//! The values of a group of rows, column by column, with the levels by which Parquet knows nulls and lists.
//!
//! A value has definition level 1 if it is there. In a list: 0 no list, 1 an empty one, 2 an element that is null, 3 an element;
//! and repetition level 1 for each element but the first.

use std::fs::File;

use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::Result;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use serde_json::Value;

use super::schema::{Column, Columns, Shape};
use crate::sink::table::column::{Cell, ColumnType};
use crate::sink::table::date;

/// Bytes of text in one group of rows at most.
const MOST_BYTES: usize = 64 << 20;

/// Rows that wait to be written as one group.
pub(super) struct Group {
    columns: Vec<Gathered>,
    rows: usize,
    bytes: usize,
    most_rows: usize,
}

/// The values of one column.
struct Gathered {
    shape: Shape,
    values: Values,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

enum Values {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Days(Vec<i32>),
    Decimal(Vec<f64>),
    Boolean(Vec<bool>),
}

impl Group {
    pub(super) fn new(columns: &Columns, most_rows: usize) -> Self {
        Self { columns: columns.all.iter().map(Gathered::new).collect(), rows: 0, bytes: 0, most_rows }
    }

    pub(super) fn push(&mut self, row: &[Value]) {
        self.rows += 1;
        for (column, value) in self.columns.iter_mut().zip(row) {
            self.bytes += column.push(value);
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.rows >= self.most_rows || self.bytes >= MOST_BYTES
    }

    /// Writes what was gathered.
    pub(super) fn write(&mut self, out: &mut SerializedFileWriter<File>) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = out.next_row_group()?;
        for gathered in &mut self.columns {
            if let Some(mut column) = group.next_column()? {
                gathered.write(&mut column)?;
                column.close()?;
            }
            gathered.clear();
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl Gathered {
    fn new(column: &Column) -> Self {
        let (Shape::One(holds) | Shape::List(holds)) = column.shape;
        let values = match holds {
            ColumnType::Text | ColumnType::Json => Values::Text(Vec::new()),
            ColumnType::Integer | ColumnType::DateTime => Values::Integer(Vec::new()),
            ColumnType::Date => Values::Days(Vec::new()),
            ColumnType::Decimal => Values::Decimal(Vec::new()),
            ColumnType::Boolean => Values::Boolean(Vec::new()),
        };
        Self { shape: column.shape, values, definition: Vec::new(), repetition: Vec::new() }
    }

    /// Adds the value of one row, and tells how many bytes of text it has.
    fn push(&mut self, value: &Value) -> usize {
        match (self.shape, value) {
            (Shape::One(holds), value) => {
                let added = self.value(holds, value);
                self.definition.push(i16::from(added.is_some()));
                added.unwrap_or(0)
            }
            (Shape::List(holds), Value::Array(list)) if !list.is_empty() => {
                let mut bytes = 0;
                for (place, value) in list.iter().enumerate() {
                    let added = self.value(holds, value);
                    self.definition.push(if added.is_some() { 3 } else { 2 });
                    self.repetition.push(i16::from(place > 0));
                    bytes += added.unwrap_or(0);
                }
                bytes
            }
            (Shape::List(_), value) => {
                self.definition.push(i16::from(value.is_array()));
                self.repetition.push(0);
                0
            }
        }
    }

    /// Adds a value; `None` if it is null. Every other one fits: the columns were made for it.
    fn value(&mut self, holds: ColumnType, value: &Value) -> Option<usize> {
        let cell = holds.fit(value)?;
        match (&mut self.values, cell) {
            (_, Cell::Null) => return None,
            (Values::Text(all), Cell::Text(text)) => return Some(pushed(all, text)),
            (Values::Text(all), Cell::Json(value)) => return Some(pushed(all, value.to_string())),
            (Values::Integer(all), Cell::Integer(number)) => all.push(number),
            (Values::Integer(all), Cell::Text(moment)) => all.push(date::millis(&moment)?),
            (Values::Days(all), Cell::Text(day)) => all.push(i32::try_from(date::days(&day)?).ok()?),
            (Values::Decimal(all), Cell::Decimal(number)) => all.push(number),
            (Values::Boolean(all), Cell::Boolean(truth)) => all.push(truth),
            _ => return None,
        }
        Some(8)
    }

    fn write(&self, out: &mut SerializedColumnWriter<'_>) -> Result<()> {
        match &self.values {
            Values::Text(all) => self.batch::<ByteArrayType>(all, out),
            Values::Integer(all) => self.batch::<Int64Type>(all, out),
            Values::Days(all) => self.batch::<Int32Type>(all, out),
            Values::Decimal(all) => self.batch::<DoubleType>(all, out),
            Values::Boolean(all) => self.batch::<BoolType>(all, out),
        }
    }

    fn batch<T: DataType>(&self, values: &[T::T], out: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let repetition = matches!(self.shape, Shape::List(_)).then_some(&self.repetition[..]);
        out.typed::<T>().write_batch(values, Some(&self.definition), repetition).map(drop)
    }

    fn clear(&mut self) {
        match &mut self.values {
            Values::Text(all) => all.clear(),
            Values::Integer(all) => all.clear(),
            Values::Days(all) => all.clear(),
            Values::Decimal(all) => all.clear(),
            Values::Boolean(all) => all.clear(),
        }
        self.definition.clear();
        self.repetition.clear();
    }
}

fn pushed(all: &mut Vec<ByteArray>, text: String) -> usize {
    let length = text.len();
    all.push(text.into_bytes().into());
    length
}
