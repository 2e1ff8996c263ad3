//! Live tails: so many at a time, the rest is refused at once; all end when the collector does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use muster_common::stat::Stat;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::error::{ApiError, ErrorKind};

/// Tails at a time: each may hold 16 MiB of waiting lines, so all together 1 GiB at the worst.
const TAILS_MAX: u32 = 64;
/// How long tails may take to say goodbye.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The tails of one collector.
#[derive(Debug)]
pub struct Tails {
    places: Arc<Semaphore>,
    ended: watch::Sender<bool>,
    begun: AtomicU64,
    refused: AtomicU64,
    slow: AtomicU64,
}

/// A place among them, while it is held.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    ended: watch::Receiver<bool>,
}

impl Default for Tails {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(TAILS_MAX as usize)),
            ended: watch::Sender::new(false),
            begun: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            slow: AtomicU64::new(0),
        }
    }
}

impl Tails {
    /// # Errors
    /// `unavailable` when all places are taken.
    pub(crate) fn begin(&self) -> Result<Place, ApiError> {
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let message = format!(
                "max concurrent tail requests limit exceeded, count > limit ({} > {TAILS_MAX})",
                TAILS_MAX.saturating_add(1)
            );
            return Err(ApiError::new(ErrorKind::Unavailable, message).retry_after_seconds(5));
        };
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ok(Place { _permit: permit, ended: self.ended.subscribe() })
    }

    /// Counts a tail that was ended since its client took nothing for too long.
    pub(crate) fn count_slow(&self) {
        self.slow.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends all of them; returns when they have, or after a bounded wait.
    pub async fn end(&self) {
        self.ended.send_replace(true);
        if tokio::time::timeout(END_WITHIN, self.places.acquire_many(TAILS_MAX)).await.is_err() {
            tracing::warn!("live tails were cut off");
        }
    }

    pub(crate) fn stats(&self) -> Vec<Stat> {
        let open = (TAILS_MAX as usize).saturating_sub(self.places.available_permits());
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let dropped = |reason: &'static str, number| {
            let help = "Live tails that were refused or ended by the collector, by reason.";
            Stat::counter("muster_collector_tails_dropped_total", help, number).with("reason", reason)
        };
        vec![
            Stat::gauge("muster_collector_tails", "Live tails over HTTP.", open as f64),
            Stat::counter("muster_collector_tails_total", "Live tails that began.", count(&self.begun)),
            dropped("too_many", count(&self.refused)),
            dropped("slow_client", count(&self.slow)),
        ]
    }
}

impl Place {
    /// Ends when the collector wants the tails to end.
    pub(crate) async fn ended(&mut self) {
        // An error: the tails are gone, so this one is to go as well.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_the_places_a_tail_is_refused_and_counted() {
        let tails = Tails::default();
        let mut held: Vec<Place> = (0..TAILS_MAX).map(|_| tails.begin().unwrap()).collect();
        let error = tails.begin().map(drop).unwrap_err();
        assert_eq!(error.message(), "max concurrent tail requests limit exceeded, count > limit (65 > 64)");
        let value = |name: &str| tails.stats().iter().find(|stat| stat.name.ends_with(name)).unwrap().value;
        assert_eq!((value("tails"), value("tails_total"), value("dropped_total")), (64.0, 64.0, 1.0));
        held.truncate(1);
        assert!(tails.begin().is_ok());
        let mut last = held.remove(0);
        let ending = tokio::spawn(async move {
            last.ended().await;
            drop(last);
        });
        tails.end().await;
        ending.await.unwrap();
        assert_eq!(tails.places.available_permits(), TAILS_MAX as usize);
    }
}
