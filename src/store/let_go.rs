//! Lets go of what the database has sorted away, where nobody waits for it.
//!
//! A memtable is some hundred thousand small pieces of memory, and files that were merged are removed with the last list that has
//! them. The database gives both back when it next changes the list of its files, and lets nobody read or write meanwhile: tens of
//! milliseconds, and hundreds on a busy machine. So memtables and lists are also held here, and when the database has let go of them,
//! a thread of its own does what is left to do.

use std::any::Any;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// What is held, and who gives it back.
pub(super) struct LetGo {
    held: Mutex<Held>,
    hand: Option<Sender<Box<dyn Any + Send>>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Held {
    /// The last one is the one that is written to.
    memtables: Vec<Arc<dyn Any + Send + Sync>>,
    /// Lists of files by their numbers, which rise.
    versions: Vec<(u64, Box<dyn Any + Send>)>,
}

impl LetGo {
    pub(super) fn start() -> Self {
        let (hand, taken) = channel::<Box<dyn Any + Send>>();
        let thread = std::thread::Builder::new().name("store:let-go".to_owned());
        // Without a thread to spare, who writes gives it back.
        let thread = thread.spawn(move || taken.into_iter().for_each(drop)).ok();
        Self { held: Mutex::default(), hand: Some(hand), thread }
    }

    /// This memtable is written to now; those that nobody else has any more are given back.
    pub(super) fn memtable<T: Any + Send + Sync>(&self, now: Arc<T>) {
        let now: Arc<dyn Any + Send + Sync> = now;
        let memtables = &mut self.held.lock().unwrap_or_else(PoisonError::into_inner).memtables;
        if memtables.last().is_none_or(|last| !Arc::ptr_eq(last, &now)) {
            memtables.push(now);
        }
        let written_to = memtables.len() - 1;
        // Of one that is only here nobody can take another share.
        for gone in memtables.extract_if(..written_to, |memtable| Arc::strong_count(memtable) == 1) {
            self.give_back(Box::new(gone));
        }
    }

    /// This list of files holds now, and the database has so many `older` ones; those before them are given back.
    pub(super) fn version<T: Any + Send>(&self, number: u64, version: T, older: u64) {
        let versions = &mut self.held.lock().unwrap_or_else(PoisonError::into_inner).versions;
        if versions.last().is_none_or(|(last, _)| *last != number) {
            versions.push((number, Box::new(version)));
        }
        // One more, for the list may have changed since the others were counted.
        let first = number.saturating_sub(older + 1);
        for (_, gone) in versions.extract_if(.., |(number, _)| *number < first) {
            self.give_back(gone);
        }
    }

    fn give_back(&self, gone: Box<dyn Any + Send>) {
        let _ = self.hand.as_ref().map(|hand| hand.send(gone));
    }
}

impl Drop for LetGo {
    fn drop(&mut self) {
        self.hand = None;
        // It has nothing to tell.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;
    use std::thread::ThreadId;

    use super::*;

    struct Told(Sender<ThreadId>);

    impl Drop for Told {
        fn drop(&mut self) {
            self.0.send(std::thread::current().id()).unwrap_or_default();
        }
    }

    fn told() -> (Told, Receiver<ThreadId>) {
        let (tell, told) = channel();
        (Told(tell), told)
    }

    #[test]
    fn a_memtable_that_nobody_else_has_any_more_is_given_back_by_another_thread() {
        let [(first, of_first), (second, of_second)] = [told(), told()];
        let [first, second] = [first, second].map(Arc::new);
        let let_go = LetGo::start();
        let_go.memtable(Arc::clone(&first));
        let_go.memtable(Arc::clone(&second));
        let_go.memtable(Arc::clone(&second));
        drop(first);
        assert!(of_first.try_recv().is_err());
        let_go.memtable(Arc::clone(&second));
        assert_ne!(of_first.recv().unwrap(), std::thread::current().id());
        drop(second);
        assert!(of_second.try_recv().is_err());
        drop(let_go);
        assert!(of_second.try_recv().is_ok());
    }

    #[test]
    fn a_list_of_files_is_given_back_when_the_database_has_no_list_that_is_as_old() {
        let [(first, of_first), (second, of_second), (third, _), (fourth, _)] = [(); 4].map(|()| told());
        let let_go = LetGo::start();
        let_go.version(1, first, 0);
        let_go.version(2, second, 1);
        let_go.version(4, third, 2);
        assert!(of_first.try_recv().is_err());
        let_go.version(4, fourth, 1);
        assert_ne!(of_first.recv().unwrap(), std::thread::current().id());
        assert!(of_second.try_recv().is_err());
    }
}
