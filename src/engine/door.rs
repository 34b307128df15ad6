//! How the loop reaches the writer: on a thread of its own, or in place.

use tokio::sync::mpsc;

use super::worker::Execution;
use super::writer::{GROUP, Job, Reply, Writer};

/// Where the loop sends its jobs.
pub(super) enum WriterDoor {
    /// To a thread of its own; the bounded channel is the back-pressure.
    Thread {
        jobs: mpsc::Sender<Job>,
        replies: mpsc::UnboundedReceiver<Reply>,
        thread: std::thread::JoinHandle<()>,
    },
    /// Done in place, so that a simulation is the same every time.
    Inline { writer: Box<Writer>, replies: std::collections::VecDeque<Reply> },
}

impl WriterDoor {
    /// Sets the writer to work.
    pub(super) fn open(writer: Writer, execution: Execution) -> Self {
        match execution {
            Execution::Threads => Self::thread(writer),
            Execution::Inline => Self::inline(writer),
        }
    }

    /// Starts a thread for the writer.
    fn thread(mut writer: Writer) -> Self {
        let (jobs, mut inbox) = mpsc::channel(GROUP * 2);
        let (outbox, replies) = mpsc::unbounded_channel();
        let thread = std::thread::spawn(move || {
            while let Some(first) = inbox.blocking_recv() {
                let mut group = vec![first];
                while group.len() < GROUP
                    && let Ok(job) = inbox.try_recv()
                {
                    group.push(job);
                }
                for reply in writer.work(group) {
                    let last = matches!(reply, Reply::Fatal(_) | Reply::Finished(..));
                    if outbox.send(reply).is_err() || last {
                        return;
                    }
                }
            }
        });
        Self::Thread { jobs, replies, thread }
    }

    /// Works in place.
    fn inline(writer: Writer) -> Self {
        Self::Inline { writer: Box::new(writer), replies: std::collections::VecDeque::new() }
    }

    /// Waits until the writer has let go of state, sinks and cache: only then may another run have them.
    pub(super) async fn close(self) {
        if let Self::Thread { jobs, replies, thread } = self {
            drop((jobs, replies));
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the writer thread did not end well");
            }
        }
    }

    /// Hands a job over; waits while the writer is behind.
    pub(super) async fn send(&mut self, job: Job) {
        match self {
            // A writer that is gone has sent its reason, or will be missed when its reply is waited for.
            Self::Thread { jobs, .. } => drop(jobs.send(job).await),
            Self::Inline { writer, replies } => replies.extend(writer.work(vec![job])),
        }
    }

    /// The next answer; `None` if the writer is gone. Never ends while there is nothing to answer.
    pub(super) async fn reply(&mut self) -> Option<Reply> {
        match self {
            Self::Thread { replies, .. } => replies.recv().await,
            Self::Inline { replies, .. } => match replies.pop_front() {
                Some(reply) => Some(reply),
                None => std::future::pending().await,
            },
        }
    }
}
