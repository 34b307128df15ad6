//! The way to the writer and back.
//!
//! What the loop settles in one go is handed over in one go: to wake the writer costs more than to write a page.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc::{self, error::TrySendError};

use super::{GROUP, Job, Reply, Writer};
use crate::engine::stages::{Mark, Stopwatch};
use crate::engine::worker::Execution;

/// Parcels of jobs that wait for the writer at most.
const PARCELS: usize = 4;
/// Jobs of a parcel beyond which the loop waits until the writer takes it.
const PARCEL: usize = GROUP;

/// Where the loop sends its jobs.
pub(in crate::engine) enum WriterDoor {
    /// To a thread of its own; the bounded channel, and the parcel that may not grow on, are the back-pressure.
    Thread {
        /// What will be handed over next.
        parcel: Vec<Job>,
        jobs: mpsc::Sender<Vec<Job>>,
        replies: mpsc::UnboundedReceiver<Reply>,
        thread: JoinHandle<()>,
        stopwatch: Arc<Stopwatch>,
    },
    /// Done in place, so that a simulation is the same every time.
    Inline { writer: Box<Writer>, replies: VecDeque<Reply> },
}

impl WriterDoor {
    /// Sets the writer to work.
    pub(in crate::engine) fn open(writer: Writer, execution: Execution) -> Self {
        match execution {
            Execution::Threads => Self::thread(writer),
            Execution::Inline => Self::Inline { writer: Box::new(writer), replies: VecDeque::new() },
        }
    }

    /// Starts a thread for the writer.
    fn thread(mut writer: Writer) -> Self {
        let stopwatch = Arc::clone(&writer.stopwatch);
        let (jobs, mut inbox) = mpsc::channel::<Vec<Job>>(PARCELS);
        let (outbox, replies) = mpsc::unbounded_channel();
        let thread = std::thread::spawn(move || {
            while let Some(mut group) = inbox.blocking_recv() {
                while group.len() < GROUP
                    && let Ok(parcel) = inbox.try_recv()
                {
                    group.extend(parcel);
                }
                for reply in writer.work(group) {
                    let last = matches!(reply, Reply::Fatal(_) | Reply::Finished(..));
                    if outbox.send(reply).is_err() || last {
                        return;
                    }
                }
            }
        });
        Self::Thread { parcel: Vec::new(), jobs, replies, thread, stopwatch }
    }

    /// Waits until the writer has let go of state, sinks and cache: only then may another run have them.
    pub(in crate::engine) async fn close(self) {
        if let Self::Thread { jobs, replies, thread, .. } = self {
            drop((jobs, replies));
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the writer thread did not end well");
            }
        }
    }

    /// Takes a job. It is done when the loop waits for an answer at the latest.
    pub(in crate::engine) async fn send(&mut self, job: Job) {
        match self {
            Self::Thread { parcel, .. } => {
                parcel.push(job);
                if parcel.len() >= PARCEL {
                    self.hand_over().await;
                }
            }
            Self::Inline { writer, replies } => replies.extend(writer.work(vec![job])),
        }
    }

    /// Hands over what was sent, if the writer has room for it; waits while it is far behind.
    pub(in crate::engine) async fn hand_over(&mut self) {
        let Self::Thread { parcel, jobs, stopwatch, .. } = self else { return };
        if parcel.is_empty() {
            return;
        }
        match jobs.try_reserve() {
            Ok(room) => room.send(std::mem::take(parcel)),
            // It grows on: what the writer does not get to now it does in one go later.
            Err(TrySendError::Full(())) if parcel.len() < PARCEL => {}
            Err(TrySendError::Full(())) => {
                let began = stopwatch.begin();
                drop(jobs.send(std::mem::take(parcel)).await);
                stopwatch.end(Mark::Blocked, began);
            }
            // A writer that is gone has sent its reason, or will be missed when its reply is waited for.
            Err(TrySendError::Closed(())) => parcel.clear(),
        }
    }

    /// The next answer; `None` if the writer is gone. What was sent is handed over as soon as there is room. Never ends while there is
    /// nothing to answer.
    pub(in crate::engine) async fn reply(&mut self) -> Option<Reply> {
        match self {
            Self::Thread { parcel, jobs, replies, .. } => {
                while !parcel.is_empty() {
                    tokio::select! {
                        biased;
                        reply = replies.recv() => return reply,
                        room = jobs.reserve() => match room {
                            Ok(room) => room.send(std::mem::take(parcel)),
                            Err(_) => parcel.clear(),
                        },
                    }
                }
                replies.recv().await
            }
            Self::Inline { replies, .. } => match replies.pop_front() {
                Some(reply) => Some(reply),
                None => std::future::pending().await,
            },
        }
    }
}
