//! Typed items of a page: as values, and as the page's harvest.

use serde::Serialize;

use super::fault::Fault;
use super::found::FromSpot;
use super::place::Place;
use super::session::{Broken, Dropped, Session};
use super::shape::{Shape, Take};
use crate::extract::ExtractError;
use crate::item::Harvest;
use crate::page::element::Element;
use crate::page::{FieldError, FieldFault, Page};

/// A struct that is read from a page. Derive it with `#[derive(Item)]`; see [`crate::extract::typed`].
///
/// ```
/// use crawl::prelude::*;
/// use crawl::testing;
///
/// #[derive(Item, serde::Serialize)]
/// struct Author {
///     #[item(css = "h1")]
///     name: String,
/// }
///
/// // What it gives for a page is an extractor:
/// let extractor: Box<dyn Extractor> = Box::new(Author::harvest);
/// let mut harvest = Harvest::new();
/// extractor.extract(&testing::page("https://a.example/", "<h1>Ada</h1>"), &mut harvest)?;
/// assert_eq!(harvest.items()[0].1["name"], "Ada");
/// # Ok::<(), ExtractError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not read from pages",
    note = "write `#[derive(Item)]` at `{Self}`"
)]
pub trait FromPage: FromSpot {
    /// What the derive has read off the struct.
    fn shape() -> &'static Shape;

    /// Reads one from its place.
    ///
    /// # Errors
    /// If a field cannot be filled.
    fn read(place: &Place<'_>) -> Result<Self, Box<FieldError>>;

    /// Yields every one that is on the page: [`Harvest::items_of`] in the form of an [`Extractor`](super::super::Extractor).
    ///
    /// # Errors
    /// As [`Harvest::items_of`].
    fn harvest(page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError>
    where
        Self: Serialize,
    {
        harvest.items_of::<Self>(page).map(drop)
    }
}

/// All `T` in a place, in the order of the page. After [`FieldFault::TooMuch`] there are no more.
fn each<'p, T: FromPage>(place: Place<'p>) -> impl Iterator<Item = Result<T, Box<FieldError>>> + 'p {
    let shape = T::shape();
    let spots = match shape.scope() {
        Some(scope) => place.walk(&scope.way, Take::Text),
        None => Box::new(std::iter::once(Ok(place))),
    };
    let mut spots = spots.enumerate();
    let mut spent = false;
    std::iter::from_fn(move || {
        let (index, spot) = spots.next().filter(|_| !spent)?;
        let entry = shape.scope().map(|_| index);
        let read = spot.and_then(|spot| {
            place.session.begin_entry()?;
            place.session.nested(shape.name(), entry, || T::read(&spot).map_err(Fault::told))
        });
        let read =
            read.map_err(|fault| fault.in_entry(index).named(shape.name(), &scope_of(shape), place.session));
        spent = read.as_ref().is_err_and(|error| matches!(error.fault, FieldFault::TooMuch { .. }));
        Some(read)
    })
}

/// Where items stand, in words.
fn scope_of(shape: &Shape) -> String {
    shape.scope().map_or_else(|| "the page".to_owned(), ToString::to_string)
}

fn all<T: FromPage>(place: Place<'_>) -> Result<Vec<T>, ExtractError> {
    Ok(each(place).collect::<Result<_, _>>()?)
}

fn first<T: FromPage>(place: Place<'_>) -> Result<T, ExtractError> {
    let first = each(place).next();
    let missing =
        || place.session.error((T::shape().name(), None), scope_of(T::shape()), FieldFault::Missing);
    Ok(first.unwrap_or_else(|| Err(missing()))?)
}

/// Typed items.
impl Page {
    /// Every `T` of the page: one for each place of its scope.
    ///
    /// # Errors
    /// [`ExtractError::Field`] with page, struct, field and selector if one of them is broken. To keep the others, see
    /// [`Harvest::items_of`].
    pub fn items<T: FromPage>(&self) -> Result<Vec<T>, ExtractError> {
        all(Place::of_page(&Session::new(self, Broken::Fails)))
    }

    /// The first `T` of the page.
    ///
    /// # Errors
    /// [`ExtractError::Field`] if it is broken, or not there.
    pub fn item<T: FromPage>(&self) -> Result<T, ExtractError> {
        first(Place::of_page(&Session::new(self, Broken::Fails)))
    }
}

/// Typed items.
impl Element<'_> {
    /// Every `T` below this element: one for each place of its scope.
    ///
    /// # Errors
    /// As [`Page::items`].
    pub fn items<T: FromPage>(&self) -> Result<Vec<T>, ExtractError> {
        all(Place::of_element(&Session::new(self.page(), Broken::Fails), *self))
    }

    /// The first `T` below this element.
    ///
    /// # Errors
    /// As [`Page::item`].
    pub fn item<T: FromPage>(&self) -> Result<T, ExtractError> {
        first(Place::of_element(&Session::new(self.page(), Broken::Fails), *self))
    }
}

/// Typed items.
impl Harvest {
    /// Yields every `T` of the page with its kind, and gives them back. One that is broken is dropped and reported as a problem
    /// of the page, and so is a broken entry of a list inside of it, or a value that may be absent and cannot be read; the rest
    /// is kept.
    ///
    /// # Errors
    /// [`ExtractError::Json`] if one cannot be written as JSON.
    pub fn items_of<T: FromPage + Serialize>(&mut self, page: &Page) -> Result<Vec<T>, ExtractError> {
        let session = Session::new(page, Broken::IsDropped);
        let mut kept = Vec::new();
        for read in each::<T>(Place::of_page(&session)) {
            match read {
                Ok(item) => {
                    match T::shape().kind() {
                        Some(kind) => self.item_of(kind, &item)?,
                        None => self.item(&item)?,
                    }
                    kept.push(item);
                }
                Err(error) => {
                    session.drop_entry(error).unwrap_or_else(|error| self.problem(error.to_string()));
                }
            }
        }
        session.into_dropped().for_each(|dropped| self.problem(told(&dropped)));
        Ok(kept)
    }
}

fn told(dropped: &Dropped) -> String {
    match dropped.count {
        1 => format!("{}; 1 entry was dropped", dropped.first),
        more => format!("{}; {more} entries were dropped", dropped.first),
    }
}
