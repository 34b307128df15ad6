//! Which columns a file has: found by looking at every one of its items.

use std::collections::HashMap;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::Result;
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Value};

use crate::sink::table::MOST_COLUMNS;
use crate::sink::table::column::{ColumnType, Declared, declared};
use crate::sink::table::name::{apart, fitting};

/// The column for what has no column of its own.
const MORE: &str = "_more";

/// What a column holds: one value, or a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    One(ColumnType),
    List(ColumnType),
}

impl Shape {
    /// The shape that a value has by itself; `None` if it says nothing.
    fn of(value: &Value) -> Option<Self> {
        let Value::Array(list) = value else {
            return ColumnType::of(value).map(Self::One);
        };
        let types = list.iter().filter_map(ColumnType::of);
        let of_all = types.reduce(ColumnType::widened)?;
        Some(if of_all == ColumnType::Json { Self::One(of_all) } else { Self::List(of_all) })
    }

    /// The narrowest shape that holds what both hold.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::One(one), Self::One(other)) => Self::One(one.widened(other)),
            (Self::List(one), Self::List(other)) => match one.widened(other) {
                ColumnType::Json => Self::One(ColumnType::Json),
                of_both => Self::List(of_both),
            },
            _ => Self::One(ColumnType::Json),
        }
    }
}

/// Whether the value, or each one of a list, is of this type.
pub(super) fn fits(holds: ColumnType, value: &Value) -> bool {
    match value {
        Value::Array(list) if holds != ColumnType::Json => {
            list.iter().all(|value| holds.fit(value).is_some())
        }
        value => holds.fit(value).is_some(),
    }
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) shape: Shape,
}

/// The columns of a file, and which field goes to which.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) all: Vec<Column>,
    fields: HashMap<String, usize>,
    /// Whether the last column takes what has none of its own.
    has_more: bool,
}

/// Looks at items, one after the other.
#[derive(Default)]
pub(super) struct Survey {
    /// In the order in which they were met; `None`: nothing but null so far.
    fields: Vec<(String, Option<Shape>)>,
    places: HashMap<String, usize>,
    has_more: bool,
}

impl Survey {
    pub(super) fn see(&mut self, item: &Map<String, Value>, types: &[Declared]) {
        let kind = item.get("kind").and_then(Value::as_str);
        for (field, value) in item {
            let place = match self.places.get(field) {
                Some(place) => *place,
                None if self.fields.len() >= MOST_COLUMNS => {
                    self.has_more |= !value.is_null();
                    continue;
                }
                None => {
                    self.fields.push((field.clone(), None));
                    self.places.insert(field.clone(), self.fields.len() - 1);
                    self.fields.len() - 1
                }
            };
            let shape = match declared(types, kind, field) {
                Some(_) if value.is_null() => None,
                Some(holds) if holds != ColumnType::Json && value.is_array() => Some(Shape::List(holds)),
                Some(holds) => Some(Shape::One(holds)),
                None => Shape::of(value),
            };
            let known = &mut self.fields[place].1;
            *known = match (*known, shape) {
                (Some(known), Some(shape)) => Some(known.with(shape)),
                (known, shape) => known.or(shape),
            };
        }
    }

    /// The columns that hold all that was seen, and those that are declared for items of every kind.
    pub(super) fn columns(mut self, types: &[Declared]) -> Columns {
        for Declared { field, holds, .. } in types.iter().filter(|declared| declared.kind.is_none()) {
            if !self.places.contains_key(field) {
                self.fields.push((field.clone(), Some(Shape::One(*holds))));
            }
        }
        let mut columns = Columns::default();
        for (field, shape) in self.fields {
            let by_word = types.iter().find(|declared| declared.field == field);
            if let Some(shape) = shape.or_else(|| by_word.map(|declared| Shape::One(declared.holds))) {
                columns.add(&field, shape);
            }
        }
        columns.has_more = self.has_more;
        if self.has_more {
            columns.add(MORE, Shape::One(ColumnType::Json));
        }
        if columns.all.is_empty() {
            // A file must have a column.
            columns.add("url", Shape::One(ColumnType::Text));
        }
        columns
    }
}

impl Columns {
    fn add(&mut self, field: &str, shape: Shape) {
        let known = self.all.iter().map(|column| column.name.as_str());
        let mut name = apart(fitting(field), known.clone());
        if known.clone().any(|known| known == name) {
            name = fitting(&format!("{field}\0"));
        }
        self.all.push(Column { name, shape });
        self.fields.insert(field.to_owned(), self.all.len() - 1);
    }

    /// The item's values in the order of the columns.
    pub(super) fn row(&self, item: Map<String, Value>) -> Vec<Value> {
        let mut row = vec![Value::Null; self.all.len()];
        let mut more = Map::new();
        for (field, value) in item {
            match self.fields.get(&field) {
                Some(place) => row[*place] = value,
                None if value.is_null() => {}
                None => drop(more.insert(field, value)),
            }
        }
        if self.has_more
            && !more.is_empty()
            && let Some(last) = row.last_mut()
        {
            *last = Value::Object(more);
        }
        row
    }

    /// As Parquet has it.
    pub(super) fn schema(&self) -> Result<TypePtr> {
        let fields = self.all.iter().map(Column::schema).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?))
    }
}

impl Column {
    fn schema(&self) -> Result<TypePtr> {
        match self.shape {
            Shape::One(holds) => value(&self.name, holds),
            Shape::List(holds) => {
                let list = Type::group_type_builder("list")
                    .with_repetition(Repetition::REPEATED)
                    .with_fields(vec![value("element", holds)?])
                    .build()?;
                let column = Type::group_type_builder(&self.name)
                    .with_repetition(Repetition::OPTIONAL)
                    .with_logical_type(Some(LogicalType::List))
                    .with_fields(vec![Arc::new(list)])
                    .build()?;
                Ok(Arc::new(column))
            }
        }
    }
}

/// A value, which may be null.
fn value(name: &str, holds: ColumnType) -> Result<TypePtr> {
    let (physical, logical) = match holds {
        ColumnType::Text | ColumnType::Json => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Integer => (Physical::INT64, None),
        ColumnType::Decimal => (Physical::DOUBLE, None),
        ColumnType::Boolean => (Physical::BOOLEAN, None),
        ColumnType::Date => (Physical::INT32, Some(LogicalType::Date)),
        ColumnType::DateTime => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
    };
    let built = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()?;
    Ok(Arc::new(built))
}
