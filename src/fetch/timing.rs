//! Where the time of one exchange goes: looking the name up, connecting, waiting, reading, unpacking.
//!
//! The HTTP client makes its connections out of sight. What it does for an exchange it begins in that exchange's task, so the
//! exchange leaves its [`Timing`] there, and the resolver and a layer around the connector find it. A connection that is
//! overtaken by one that became free is counted; what it takes is nobody's wait, and is not.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::error::Elapsed;
use tower_layer::Layer;
use tower_service::Service;

use super::Limits;
use crate::clock::Clock;

/// A part of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// From the name to addresses.
    Dns,
    /// From addresses to an open connection, with TLS.
    Connect,
    /// From an open connection to the head of the answer.
    Wait,
    /// Until all pieces of the body were there.
    Download,
    /// Undoing content codings.
    Decode,
}

/// Takes down where the time of one exchange goes.
///
/// The engine puts one into each [`Outgoing`](super::Outgoing). A fetcher that knows more than the moments of its
/// [`Response`](crate::response::Response) notes it here.
#[derive(Debug)]
pub struct Timing {
    clock: Clock,
    times: Mutex<Times>,
}

/// How long the parts of an exchange took; `None` for those that it did not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// From the name to addresses.
    pub dns: Option<Duration>,
    /// From addresses to an open connection, with TLS.
    pub connect: Option<Duration>,
    /// From an open connection to the head of the answer.
    pub wait: Option<Duration>,
    /// Until all pieces of the body were there.
    pub download: Option<Duration>,
    /// Undoing content codings.
    pub decode: Option<Duration>,
    /// Connections that were begun for it. None: it went over one that was there.
    pub connections: u32,
}

impl Times {
    /// Whether nothing was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn part(&mut self, part: Part) -> &mut Option<Duration> {
        match part {
            Part::Dns => &mut self.dns,
            Part::Connect => &mut self.connect,
            Part::Wait => &mut self.wait,
            Part::Download => &mut self.download,
            Part::Decode => &mut self.decode,
        }
    }

    /// What went into connecting: nothing over a connection that was there, and up to `most` if it is still under way.
    fn on_connecting(&self, most: Duration) -> Duration {
        match (self.connections, self.connect) {
            (0, _) => self.dns.unwrap_or_default().min(most),
            (_, Some(_)) => self.until_connected().min(most),
            (_, None) => most,
        }
    }

    /// Until there was a connection.
    fn until_connected(&self) -> Duration {
        self.dns.unwrap_or_default() + self.connect.unwrap_or_default()
    }
}

impl Timing {
    /// Nothing is noted yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, times: Mutex::default() }
    }

    /// A reading, from which later readings are counted.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Adds to a part.
    pub fn note(&self, part: Part, spent: Duration) {
        let mut times = self.open();
        let sum = times.part(part);
        *sum = Some(sum.unwrap_or_default() + spent);
    }

    /// What was noted.
    #[must_use]
    pub fn times(&self) -> Times {
        *self.open()
    }

    /// Notes the wait for an answer whose head came now; `from` is the reading before its request was handed to the client.
    fn note_head(&self, from: Duration) {
        let spent = self.elapsed().saturating_sub(from);
        let connected = self.times().until_connected();
        self.note(Part::Wait, spent.saturating_sub(connected));
    }

    /// Notes how long it took to unpack a body that was read meanwhile.
    pub(super) fn note_decoded(&self, from: Duration) {
        let spent = self.elapsed().saturating_sub(from);
        let read = self.times().download.unwrap_or_default();
        self.note(Part::Decode, spent.saturating_sub(read));
    }

    fn open(&self) -> MutexGuard<'_, Times> {
        // Numbers: there is no half-way.
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for something, and notes how long it took.
pub(super) async fn noted<T>(timing: Option<&Timing>, part: Part, future: impl Future<Output = T>) -> T {
    let Some(timing) = timing else {
        return future.await;
    };
    let from = timing.elapsed();
    let output = future.await;
    timing.note(part, timing.elapsed().saturating_sub(from));
    output
}

tokio::task_local! {
    /// The timing of the exchange that this task is about.
    static EXCHANGE: Option<Arc<Timing>>;
}

/// Waits for the head of an answer, no longer than `limits` has it, and notes what that took: the connection, then the wait over
/// it. An exchange that failed before it had a connection did not wait.
///
/// The time for the head counts from the connection on, so what that took is added. A connection that was there took nothing.
pub(super) async fn head<T, E>(
    timing: &Arc<Timing>,
    limits: &Limits,
    exchange: impl Future<Output = Result<T, E>>,
) -> Result<Result<T, E>, Elapsed> {
    let began = timing.elapsed();
    let mut exchange = pin!(EXCHANGE.scope(Some(Arc::clone(timing)), exchange));
    let first_byte = limits.first_byte.min(limits.total);
    let mut answer = tokio::time::timeout(first_byte, &mut exchange).await;
    if answer.is_err() {
        let more = timing.times().on_connecting(limits.connect).min(limits.total - first_byte);
        answer = tokio::time::timeout(more, exchange).await;
    }
    if let Ok(Ok(_)) | Err(_) = answer {
        timing.note_head(began);
    }
    answer
}

/// A part of the exchange of this task that begins now. It ends when this is dropped.
pub(super) struct Lap {
    timing: Arc<Timing>,
    part: Part,
    from: Duration,
    /// What had been noted of looking names up, which is no part of connecting.
    dns: Duration,
}

impl Lap {
    /// `None` if nobody wants to know.
    pub(super) fn begin(part: Part) -> Option<Self> {
        let timing = EXCHANGE.try_with(Option::clone).ok()??;
        let dns = {
            let mut times = timing.open();
            times.connections += u32::from(part == Part::Connect);
            times.dns.unwrap_or_default()
        };
        Some(Self { from: timing.elapsed(), part, dns, timing })
    }
}

impl Drop for Lap {
    fn drop(&mut self) {
        let spent = self.timing.elapsed().saturating_sub(self.from);
        let of_names = match self.part {
            Part::Connect => self.timing.times().dns.unwrap_or_default().saturating_sub(self.dns),
            _ => Duration::ZERO,
        };
        self.timing.note(self.part, spent.saturating_sub(of_names));
    }
}

/// Times how connections are made. Put around the client's connector.
#[derive(Debug, Clone, Copy)]
pub(super) struct DialLayer;

impl<S> Layer<S> for DialLayer {
    type Service = Dial<S>;

    fn layer(&self, connector: S) -> Dial<S> {
        Dial(connector)
    }
}

/// A connector that is timed.
#[derive(Debug, Clone)]
pub(super) struct Dial<S>(S);

impl<S, T> Service<T> for Dial<S>
where
    S: Service<T>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, to: T) -> Self::Future {
        let lap = Lap::begin(Part::Connect);
        let connecting = self.0.call(to);
        Box::pin(async move {
            let _lap = lap;
            connecting.await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_mins(1);

    /// Looks a name up in 3 ms, then connects in 5 ms.
    #[derive(Clone)]
    struct Connector;

    impl Service<()> for Connector {
        type Response = ();
        type Error = ();
        type Future = Pin<Box<dyn Future<Output = Result<(), ()>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            Box::pin(async {
                let lap = Lap::begin(Part::Dns);
                tokio::time::advance(3 * MS).await;
                drop(lap);
                tokio::time::advance(5 * MS).await;
                Ok(())
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_exchange_has_all_parts_and_each_counts_once() {
        let timing = Arc::new(Timing::new(Clock::start()));
        let exchange = async {
            DialLayer.layer(Connector).call(()).await?;
            tokio::time::advance(7 * MS).await;
            Ok::<(), ()>(())
        };
        head(&timing, &Limits::default(), exchange).await.unwrap().unwrap();
        let from = timing.elapsed();
        noted(Some(&timing), Part::Download, tokio::time::advance(MS)).await;
        noted(Some(&timing), Part::Download, tokio::time::advance(MS)).await;
        tokio::time::advance(4 * MS).await;
        timing.note_decoded(from);
        let wanted = Times {
            dns: Some(3 * MS),
            connect: Some(5 * MS),
            wait: Some(7 * MS),
            download: Some(2 * MS),
            decode: Some(4 * MS),
            connections: 1,
        };
        assert_eq!(timing.times(), wanted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_given_up_took_its_time_all_the_same() {
        let timing = Arc::new(Timing::new(Clock::start()));
        let connecting = async {
            let never = async {
                let _lap = Lap::begin(Part::Connect);
                std::future::pending::<()>().await;
            };
            tokio::time::timeout(9 * MS, never).await
        };
        head(&timing, &Limits::default(), connecting).await.unwrap().unwrap_err();
        let times = timing.times();
        assert!(times.connect.unwrap() >= 9 * MS && times.wait.is_none(), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_has_its_time_from_the_connection_on() {
        let limits = Limits { connect: 10 * MS, first_byte: 30 * MS, ..Limits::default() };
        for (connecting, spent) in [(None, 30 * MS), (Some(6 * MS), 36 * MS), (Some(LONG), 40 * MS)] {
            let clock = Clock::start();
            let timing = Arc::new(Timing::new(clock.clone()));
            let exchange = async {
                if let Some(time) = connecting {
                    let _lap = Lap::begin(Part::Connect);
                    clock.sleep_until(clock.now() + time).await;
                }
                std::future::pending::<Result<(), ()>>().await
            };
            assert!(head(&timing, &limits, exchange).await.is_err());
            assert_eq!(timing.elapsed(), spent, "{connecting:?}");
        }
    }

    #[tokio::test]
    async fn without_anybody_who_wants_to_know_nothing_is_noted() {
        assert!(Lap::begin(Part::Dns).is_none());
        assert!(Timing::new(Clock::start()).times().is_empty());
    }
}
