//! From the places that a field's selector finds to the field's value: one, perhaps one, or a list.

use std::fmt::Display;

use super::fault::Fault;
use super::place::{Place, Spots};
use super::shape::{Field, Scope, Take};
use super::text::FromText;
use super::{FromPage, place::Raw};
use crate::page::element::Element;
use crate::page::{FieldError, FieldFault};

/// What can be read from one place: a value from its text, or a struct from everything in it.
///
/// Comes with [`FromText`] and with the derive; there is no need to implement it.
///
/// ```
/// fn can_be_a_field<T: crawl::extract::typed::FromSpot>() {}
/// can_be_a_field::<f64>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a page",
    note = "derive `Item` for it, implement `FromText`, or name a parser: `#[item(css = \"…\", with = \"function\")]`"
)]
pub trait FromSpot: Sized {
    /// Where in the places that were found its own places are, if it says so.
    #[must_use]
    fn scope() -> Option<&'static Scope> {
        None
    }

    /// Reads it; `None` if there is nothing.
    ///
    /// # Errors
    /// If what is there is something else.
    fn from_spot(spot: &Place<'_>, field: &Field) -> Result<Option<Self>, Fault>;
}

impl<T: FromText> FromSpot for T {
    fn from_spot(spot: &Place<'_>, field: &Field) -> Result<Option<Self>, Fault> {
        let reading = spot.reading(field);
        Ok(match spot.raw(field)? {
            None => None,
            Some(Raw::Text(text)) => Some(T::from_text(&text, &reading)?),
            Some(Raw::Json(value)) => Some(T::from_json(value, &reading)?),
        })
    }
}

/// Reads a struct that lies in another one: what the derive puts behind [`FromSpot::from_spot`].
///
/// # Errors
/// If one of its fields cannot be filled.
pub fn nested<T: FromPage>(spot: &Place<'_>, field: &Field) -> Result<Option<T>, Fault> {
    if spot.is_null() {
        return Ok(None);
    }
    spot.session.nested(field.name, spot.entry, || T::read(spot).map(Some).map_err(Fault::told))
}

/// What the type of a field says about how often it may be there: `T` once, `Option<T>` once at most, `Vec<T>` any number
/// of times.
///
/// Comes with [`FromSpot`]; there is no need to implement it.
///
/// ```
/// fn can_be_a_field<T: crawl::extract::typed::FromFound>() {}
/// can_be_a_field::<Vec<f64>>();
/// can_be_a_field::<Option<String>>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a page",
    note = "a field is `T`, `Option<T>` or `Vec<T>`, where `T` derives `Item` or implements `FromText`; for other types \
            name a parser: `#[item(css = \"…\", with = \"function\")]`"
)]
pub trait FromFound: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// If it is not there and must be, or is something else.
    fn from_found(found: &Found<'_>) -> Result<Self, Fault>;
}

/// The places that a field's selector finds.
pub struct Found<'a> {
    place: &'a Place<'a>,
    field: &'a Field,
}

impl Found<'_> {
    /// The places; where the type has a scope of its own, that scope's places in them.
    fn spots<'b>(&'b self, scope: Option<&'static Scope>) -> Spots<'b> {
        let spots = self.place.walk(&self.field.way, self.field.take);
        let Some(scope) = scope else { return spots };
        Box::new(spots.flat_map(|spot| match spot {
            Ok(spot) => spot.walk(&scope.way, Take::Text),
            Err(fault) => Box::new(std::iter::once(Err(fault))),
        }))
    }

    /// The first value, if there is one. What is there and cannot be read is dropped where that is allowed.
    fn perhaps<T>(
        &self,
        scope: Option<&'static Scope>,
        read: impl Fn(&Place<'_>) -> Result<Option<T>, Fault>,
    ) -> Result<Option<T>, Fault> {
        match self.first(scope, read) {
            Ok(value) => Ok(value),
            Err(fault) => self.drop_entry(fault).map(|()| None),
        }
    }

    fn first<T>(
        &self,
        scope: Option<&'static Scope>,
        read: impl Fn(&Place<'_>) -> Result<Option<T>, Fault>,
    ) -> Result<Option<T>, Fault> {
        self.spots(scope).next().map_or(Ok(None), |spot| read(&spot?))
    }

    fn all<T>(
        &self,
        scope: Option<&'static Scope>,
        read: impl Fn(&Place<'_>) -> Result<Option<T>, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut all = Vec::new();
        for (index, spot) in self.spots(scope).enumerate() {
            self.place.session.begin_entry()?;
            let read = spot.and_then(|mut spot| {
                spot.entry = Some(index);
                read(&spot)
            });
            match read {
                Ok(value) => all.extend(value),
                Err(fault) => self.drop_entry(fault.in_entry(index))?,
            }
        }
        Ok(all)
    }

    fn drop_entry(&self, fault: Fault) -> Result<(), Fault> {
        let error = fault.named(self.field.name, self.field, self.place.session);
        self.place.session.drop_entry(error).map_err(Fault::told)
    }
}

impl<T: FromSpot> FromFound for T {
    fn from_found(found: &Found<'_>) -> Result<Self, Fault> {
        let value = found.first(T::scope(), |spot| T::from_spot(spot, found.field))?;
        value.ok_or_else(|| Fault::from(FieldFault::Missing))
    }
}

impl<T: FromSpot> FromFound for Option<T> {
    fn from_found(found: &Found<'_>) -> Result<Self, Fault> {
        found.perhaps(T::scope(), |spot| T::from_spot(spot, found.field))
    }
}

impl<T: FromSpot> FromFound for Vec<T> {
    fn from_found(found: &Found<'_>) -> Result<Self, Fault> {
        found.all(T::scope(), |spot| T::from_spot(spot, found.field))
    }
}

/// A parser of one's own for `with`: a function of the element or of its text. `By` tells the two apart.
///
/// Implemented for functions; there is no need to implement it.
///
/// ```
/// use crawl::prelude::*;
/// use crawl::testing;
///
/// fn stars(rating: &Element<'_>) -> Result<usize, ExtractError> {
///     Ok(rating.select(".star.full")?.len())
/// }
/// fn minutes(text: &str) -> Result<u32, std::num::ParseIntError> {
///     let (hours, minutes) = text.split_once(':').unwrap_or(("0", text));
///     Ok(hours.parse::<u32>()? * 60 + minutes.parse::<u32>()?)
/// }
///
/// #[derive(Item)]
/// struct Film {
///     #[item(css = ".rating", with = "stars")]
///     stars: usize,
///     #[item(css = ".length", with = "minutes")]
///     minutes: Option<u32>,
/// }
///
/// let html = "<p class=rating><i class='star full'></i><i class='star full'></i></p><p class=length>2:05</p>";
/// let film = testing::page("https://films.example/", html).item::<Film>()?;
/// assert_eq!((film.stars, film.minutes), (2, Some(125)));
/// # Ok::<(), ExtractError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`with` wants a function of an element or of its text",
    note = "write it as `fn(&Element<'_>) -> Result<T, E>` or `fn(&str) -> Result<T, E>`, with an E that can be printed"
)]
pub trait Parser<By, T> {
    /// Reads what is here; `None` if there is nothing.
    ///
    /// # Errors
    /// What the function says.
    fn parse(&self, spot: &Place<'_>, field: &Field) -> Result<Option<T>, Fault>;
}

/// A [`Parser`] of elements.
pub struct ByElement;

/// A [`Parser`] of text.
pub struct ByText;

impl<F, T, E> Parser<(ByElement, E), T> for F
where
    F: Fn(&Element<'_>) -> Result<T, E>,
    E: Display,
{
    fn parse(&self, spot: &Place<'_>, _: &Field) -> Result<Option<T>, Fault> {
        spot.element().map(|element| self(&element)).transpose().map_err(Fault::unreadable)
    }
}

impl<F, T, E> Parser<(ByText, E), T> for F
where
    F: Fn(&str) -> Result<T, E>,
    E: Display,
{
    fn parse(&self, spot: &Place<'_>, field: &Field) -> Result<Option<T>, Fault> {
        let text = String::from_spot(spot, field)?;
        text.map(|text| self(&text)).transpose().map_err(Fault::unreadable)
    }
}

type Read<T> = Result<T, Box<FieldError>>;

/// What the derived code calls: each reads one field.
impl Place<'_> {
    fn found<'b, T>(
        &'b self,
        field: &'b Field,
        read: impl FnOnce(&Found<'b>) -> Result<T, Fault>,
    ) -> Read<T> {
        read(&Found { place: self, field }).map_err(|fault| fault.named(field.name, field, self.session))
    }

    /// The field's value.
    ///
    /// # Errors
    /// If it is not there and must be, or is something else.
    pub fn value<T: FromFound>(&self, field: &Field) -> Read<T> {
        self.found(field, |found| T::from_found(found))
    }

    /// Whether there is what the field looks for.
    #[must_use]
    pub fn exists(&self, field: &Field) -> bool {
        let mut spots = self.walk(&field.way, Take::Text);
        spots.any(|spot| spot.is_ok_and(|spot| spot.holds(field)))
    }

    /// As [`Place::value`] with a parser, for a field that must be there.
    ///
    /// # Errors
    /// If it is not there, or the parser fails.
    pub fn one_with<By, T>(&self, field: &Field, parser: &impl Parser<By, T>) -> Read<T> {
        self.found(field, |found| {
            let value = found.first(None, |spot| parser.parse(spot, field))?;
            value.ok_or_else(|| Fault::from(FieldFault::Missing))
        })
    }

    /// As [`Place::value`] with a parser, for a field that may be absent.
    ///
    /// # Errors
    /// If the parser fails.
    pub fn option_with<By, T>(&self, field: &Field, parser: &impl Parser<By, T>) -> Read<Option<T>> {
        self.found(field, |found| found.perhaps(None, |spot| parser.parse(spot, field)))
    }

    /// As [`Place::value`] with a parser, for a list.
    ///
    /// # Errors
    /// If the parser fails.
    pub fn list_with<By, T>(&self, field: &Field, parser: &impl Parser<By, T>) -> Read<Vec<T>> {
        self.found(field, |found| found.all(None, |spot| parser.parse(spot, field)))
    }
}
