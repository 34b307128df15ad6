//! A connection on a thread of its own.
//!
//! The client waits for its answers with an async runtime inside, which must not be done where another one runs: a sink may be
//! opened and dropped anywhere. Everything that is asked here is asked there.

use std::error::Error as _;
use std::sync::mpsc;
use std::thread;

use postgres::error::SqlState;
use postgres::{Client, Error};

use super::login::Login;
use crate::sink::table::database::Fault;

/// What holds for the whole connection. Locks of others are waited for, but not for ever.
const SETTINGS: &str = "SET lock_timeout = '30s'; SET client_min_messages = warning";

type Work = Box<dyn FnOnce(&mut Client) + Send>;

/// An open connection; dropped, it is closed.
pub(super) struct Session {
    inbox: mpsc::Sender<Work>,
}

impl Session {
    /// Connects.
    pub(super) fn open(login: Login) -> Result<Self, Fault> {
        let (inbox, work) = mpsc::channel::<Work>();
        let (opened, outcome) = mpsc::channel();
        let run = move || {
            let mut client = match login.connect() {
                Ok(client) => client,
                Err(fault) => return drop(opened.send(Err(fault))),
            };
            let ready = prepare(&mut client);
            // Whoever has asked waits for the answer.
            let _ = opened.send(ready);
            while let Ok(work) = work.recv() {
                work(&mut client);
            }
        };
        let thread = thread::Builder::new().name("postgres".to_owned()).spawn(run);
        thread.map_err(|error| Fault::Lost(error.to_string()))?;
        outcome.recv().map_err(|_| gone())??;
        Ok(Self { inbox })
    }

    /// Does some work with the client, and waits for what comes of it.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Client) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Fault> {
        let (done, outcome) = mpsc::channel();
        let work: Work = Box::new(move |client| drop(done.send(work(client).map_err(|error| told(&error)))));
        self.inbox.send(work).map_err(|_| gone())?;
        outcome.recv().map_err(|_| gone())?
    }
}

fn gone() -> Fault {
    Fault::Lost("the connection's thread has ended".to_owned())
}

/// Makes the connection ready, and sees that the database can hold every letter.
fn prepare(client: &mut Client) -> Result<(), Fault> {
    client.batch_execute(SETTINGS).map_err(|error| told(&error))?;
    let row = client.query_one("SHOW server_encoding", &[]).map_err(|error| told(&error))?;
    match row.get::<_, String>(0).as_str() {
        "UTF8" => Ok(()),
        other => Err(Fault::Refused(format!(
            "its encoding is {other}, which does not have every letter: make a database with ENCODING 'UTF8'"
        ))),
    }
}

/// The client's error in our words.
pub(super) fn told(error: &Error) -> Fault {
    let Some(said) = error.as_db_error() else {
        let cause = error.source().map(|source| format!(": {source}"));
        return Fault::Lost(format!("{error}{}", cause.unwrap_or_default()));
    };
    let more = [said.detail(), said.hint()].into_iter().flatten();
    let reason = std::iter::once(said.message()).chain(more).collect::<Vec<_>>().join("; ");
    let code = said.code();
    let busy =
        [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
    // 08: the connection; 57P: the server is about to end, or to begin; 53300: it has enough connections.
    let lost = ["08", "57P", "53300"].iter().any(|class| code.code().starts_with(class));
    match () {
        () if busy.contains(code) => Fault::Busy(reason),
        () if lost => Fault::Lost(reason),
        () => Fault::Refused(reason),
    }
}
