//! Items as rows of a PostgreSQL database.
//!
//! Tables and columns are those of [`table`](super::table): one table for each kind of item, found by the `search_path` of the
//! connection. One flush is one transaction, and each batch of rows is one statement. A connection that is lost is made anew
//! once; if that does not help the run ends and can be gone on with. What is locked by others is waited for half a minute.
//!
//! The password is in the URL only, which is never shown, logged or written down.

mod database;
mod login;
mod session;

use std::fmt;

use self::database::Postgres;
use self::login::Login;
pub use self::login::LoginError;
use super::Sink;
use super::table::{TableOptions, TableSink};

/// `[sink.postgres]`.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    login: Box<Login>,
    /// What the tables are like.
    pub tables: TableOptions,
}

/// Without the password.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions").field("place", &self.place()).field("tables", &self.tables).finish()
    }
}

impl PostgresOptions {
    /// All items to the database of this URL (`postgres://user:password@host:port/database?sslmode=verify-full`), in tables that
    /// begin empty with every round.
    ///
    /// A connection to another machine is encrypted and the server's certificate verified, by the machine's roots and those of
    /// `sslrootcert`, unless the URL says `sslmode=disable`; one to this machine is if it says so.
    ///
    /// # Errors
    /// If it is no such URL.
    pub fn to(url: &str) -> Result<Self, LoginError> {
        Ok(Self { login: Box::new(Login::parse(url)?), tables: TableOptions::default() })
    }

    /// Host, port and database.
    #[must_use]
    pub fn place(&self) -> String {
        self.login.place()
    }

    /// A sink to this database, which is connected to when it is first needed. Its position is the number of its last transaction.
    #[must_use]
    pub fn sink(&self) -> impl Sink + use<> {
        let name = format!("postgres:{}", self.place());
        TableSink::new(name, Postgres::new((*self.login).clone()), self.tables.clone())
    }
}
