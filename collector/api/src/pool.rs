//! The query pool: so many queries run, so many wait, the rest is refused at once; what nobody waits for any more stops.
//!
//! Queries are synchronous and take processor time, so they run on blocking threads and never on the runtime's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use muster_common::stat::Stat;
use muster_common::time::monotonic;
use tokio::sync::Semaphore;

use crate::error::{ApiError, ErrorKind};

/// How many queries may run and wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    pub running_max: usize,
    pub waiting_max: usize,
    /// How long a query may wait for its turn.
    pub wait: Duration,
}

impl Default for PoolSettings {
    /// Two run, since ingest needs a core as well; a dashboard of 40 panels fits into the queue with room.
    fn default() -> Self {
        Self { running_max: 2, waiting_max: 128, wait: Duration::from_secs(30) }
    }
}

/// The pool; one a collector.
#[derive(Debug)]
pub struct QueryPool {
    settings: PoolSettings,
    running: Arc<Semaphore>,
    /// Permits of those that wait or run.
    admitted: Arc<Semaphore>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    finished: AtomicU64,
    micros: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
    abandoned: Arc<AtomicU64>,
    /// By [`REASONS`].
    wrong: [AtomicU64; REASONS.len()],
}

/// Why a query that ran has no answer, in Prometheus' words. One that was cancelled is counted as abandoned.
const REASONS: [ErrorKind; 4] = [ErrorKind::BadData, ErrorKind::Execution, ErrorKind::Timeout, ErrorKind::Internal];

/// Sets the flag when the answer is no longer waited for: the future that holds this was dropped.
struct CancelOnDrop {
    flag: Arc<AtomicBool>,
    abandoned: Arc<AtomicU64>,
    armed: bool,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if self.armed {
            self.flag.store(true, Ordering::Relaxed);
            self.abandoned.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl QueryPool {
    pub fn new(settings: PoolSettings) -> Self {
        Self {
            settings,
            running: Arc::new(Semaphore::new(settings.running_max)),
            admitted: Arc::new(Semaphore::new(settings.running_max + settings.waiting_max)),
            counts: Counts::default(),
        }
    }

    /// Runs `work` on a blocking thread once it has its turn. `work` gets the flag that says nobody waits any more.
    ///
    /// # Errors
    /// `unavailable` when the queue is full, `timeout` when the turn did not come, `internal` when the work panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<AtomicBool>) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let Ok(admitted) = Arc::clone(&self.admitted).try_acquire_owned() else {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
            let PoolSettings { running_max, waiting_max, .. } = self.settings;
            return Err(ApiError::new(ErrorKind::Unavailable, "too many queries at once")
                .place(format!("{running_max} run and {waiting_max} wait"))
                .remedy("ask again later, or raise query.running_max or query.waiting_max")
                .retry_after_seconds(1));
        };
        // From here on somebody may go away, also while the query waits.
        let flag = Arc::new(AtomicBool::new(false));
        let abandoned = Arc::clone(&self.counts.abandoned);
        let mut guard = CancelOnDrop { flag: Arc::clone(&flag), abandoned, armed: true };
        let turn = tokio::time::timeout(self.settings.wait, Arc::clone(&self.running).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            guard.armed = false;
            self.counts.expired.fetch_add(1, Ordering::Relaxed);
            return Err(ApiError::new(ErrorKind::Timeout, "query timed out in query queue"));
        };
        let answer = tokio::task::spawn_blocking(move || {
            // The permits go with the work: a query that is cancelled still takes its place until it has noticed.
            let _permits = (admitted, turn);
            let start = monotonic();
            (work(&flag), monotonic().saturating_sub(start))
        })
        .await;
        guard.armed = false;
        let (answer, took) = answer.map_err(|error| {
            tracing::error!("a query ended in a panic: {error}");
            ApiError::new(ErrorKind::Internal, "the query ended in a panic; the collector's log says where")
        })?;
        self.counts.finished.fetch_add(1, Ordering::Relaxed);
        self.counts.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(answer)
    }

    /// Counts a query that ended in this error.
    pub(crate) fn refused(&self, error: ApiError) -> ApiError {
        if let Some(place) = REASONS.iter().position(|reason| *reason == error.kind()) {
            self.counts.wrong[place].fetch_add(1, Ordering::Relaxed);
        }
        error
    }

    /// Counts of this pool.
    pub fn stats(&self) -> Vec<Stat> {
        const DROPPED: &str = "muster_collector_queries_dropped_total";
        const DROPPED_HELP: &str = "Queries that were not answered, by reason.";
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let free = self.running.available_permits();
        let running = self.settings.running_max.saturating_sub(free);
        let inside = (self.settings.running_max + self.settings.waiting_max) - self.admitted.available_permits();
        let mut seconds = Stat::counter("muster_collector_query_seconds_total", "Time that queries ran.", 0);
        seconds.value = Duration::from_micros(count(&self.counts.micros)).as_secs_f64();
        let mut stats = vec![
            Stat::gauge("muster_collector_queries_running", "Queries that run now.", running as f64),
            Stat::gauge(
                "muster_collector_queries_waiting",
                "Queries that wait for a turn.",
                inside.saturating_sub(running) as f64,
            ),
            Stat::counter(
                "muster_collector_queries_total",
                "Queries that ran to an answer or an error.",
                count(&self.counts.finished),
            ),
            seconds,
            Stat::counter(DROPPED, DROPPED_HELP, count(&self.counts.refused)).with("reason", "queue_full"),
            Stat::counter(DROPPED, DROPPED_HELP, count(&self.counts.expired)).with("reason", "queue_timeout"),
            Stat::counter(DROPPED, DROPPED_HELP, count(&self.counts.abandoned)).with("reason", "client_gone"),
        ];
        stats.extend(REASONS.iter().zip(&self.counts.wrong).map(|(reason, counter)| {
            let help = "Queries that ended in an error, by its kind.";
            Stat::counter("muster_collector_queries_refused_total", help, count(counter))
                .with("reason", reason.prometheus())
        }));
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pool: &QueryPool, name: &str, reason: &str) -> f64 {
        let found = pool.stats().into_iter().find(|stat| {
            stat.name == name && (reason.is_empty() || stat.labels.iter().any(|(_, value)| value == reason))
        });
        found.unwrap().value
    }

    #[tokio::test]
    async fn beyond_the_queue_a_query_is_refused_at_once() {
        let pool =
            Arc::new(QueryPool::new(PoolSettings { running_max: 1, waiting_max: 0, wait: Duration::from_secs(5) }));
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (release, wait) = std::sync::mpsc::sync_channel::<()>(1);
        let first = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                pool.run(move |_| {
                    let _ = started.send(());
                    let _ = wait.recv();
                    7
                })
                .await
            }
        });
        has_started.await.unwrap();
        let error = pool.run(|_| 8).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "too many queries at once"));
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap().unwrap(), 7);
        assert_eq!(stat(&pool, "muster_collector_queries_dropped_total", "queue_full"), 1.0);
        assert_eq!(stat(&pool, "muster_collector_queries_total", ""), 1.0);
    }

    #[tokio::test]
    async fn a_query_that_never_gets_its_turn_times_out() {
        let pool = QueryPool::new(PoolSettings { running_max: 0, waiting_max: 1, wait: Duration::from_millis(1) });
        let error = pool.run(|_| 1).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, "query timed out in query queue"));
    }

    #[tokio::test]
    async fn when_nobody_waits_any_more_the_flag_is_set() {
        let pool = Arc::new(QueryPool::new(PoolSettings::default()));
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (done, is_done) = tokio::sync::oneshot::channel();
        let asked = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                pool.run(move |cancelled| {
                    let _ = started.send(());
                    while !cancelled.load(Ordering::Relaxed) {
                        std::thread::yield_now();
                    }
                    let _ = done.send(());
                })
                .await
            }
        });
        has_started.await.unwrap();
        asked.abort();
        is_done.await.unwrap();
        assert_eq!(stat(&pool, "muster_collector_queries_dropped_total", "client_gone"), 1.0);
    }

    #[tokio::test]
    async fn who_goes_away_before_the_turn_is_counted() {
        let pool = QueryPool::new(PoolSettings { running_max: 0, waiting_max: 1, wait: Duration::from_secs(60) });
        let mut waiting = Box::pin(pool.run(|_| 1));
        assert!(
            std::future::poll_fn(|context| std::task::Poll::Ready(waiting.as_mut().poll(context).is_pending())).await
        );
        drop(waiting);
        assert_eq!(stat(&pool, "muster_collector_queries_dropped_total", "client_gone"), 1.0);
        assert_eq!(pool.admitted.available_permits(), 1, "its place is free");
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_and_frees_the_place() {
        let pool = QueryPool::new(PoolSettings { running_max: 1, waiting_max: 0, wait: Duration::from_secs(5) });
        let error = pool.run(|_| panic!("planted")).await.map(|(): ()| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert_eq!(pool.run(|_| 3).await.unwrap(), 3);
    }
}
