//! What went wrong while a field was read, before it is known which field of which struct that was.

use super::session::Session;
use super::text::Unreadable;
use crate::page::{FieldError, FieldFault};

/// Why a field cannot be filled: its own fault, or that of a field of the struct in it.
#[derive(Debug)]
pub struct Fault(Inner);

#[derive(Debug)]
enum Inner {
    /// In the entry with this number, if it is a list.
    Own(Option<usize>, FieldFault),
    /// Field and place are known already.
    Told(Box<FieldError>),
}

impl Fault {
    pub(super) fn unreadable(reason: impl std::fmt::Display) -> Self {
        FieldFault::Unreadable { reason: reason.to_string() }.into()
    }

    pub(super) fn told(error: Box<FieldError>) -> Self {
        Self(Inner::Told(error))
    }

    /// Says in which entry of a list it was.
    pub(super) fn in_entry(self, index: usize) -> Self {
        match self.0 {
            Inner::Own(_, fault) => Self(Inner::Own(Some(index), fault)),
            Inner::Told(error) => Self::told(error),
        }
    }

    /// The error, now that it is known what it is named and where it was looked for.
    pub(super) fn named(
        self,
        name: &'static str,
        selector: &impl ToString,
        session: &Session<'_>,
    ) -> Box<FieldError> {
        match self.0 {
            Inner::Own(entry, fault) => session.error((name, entry), selector.to_string(), fault),
            Inner::Told(error) => error,
        }
    }
}

impl From<FieldFault> for Fault {
    fn from(fault: FieldFault) -> Self {
        Self(Inner::Own(None, fault))
    }
}

impl From<Unreadable> for Fault {
    fn from(reason: Unreadable) -> Self {
        Self::unreadable(reason.into_reason())
    }
}
