//! Live tails of log lines, over WebSockets and as Server-Sent Events: so many at a time.

use std::sync::atomic::{AtomicU64, Ordering};

use muster_common::stat::Stat;

use crate::error::{ApiError, ErrorKind};
use crate::places::{Place, Places};

/// Tails at a time: each may hold 16 MiB of waiting lines, so all together 1 GiB at the worst.
const TAILS_MAX: u32 = 64;

/// The tails of one collector.
#[derive(Debug)]
pub struct Tails {
    places: Places,
    slow: AtomicU64,
}

impl Default for Tails {
    fn default() -> Self {
        Self { places: Places::new(TAILS_MAX), slow: AtomicU64::new(0) }
    }
}

impl Tails {
    /// # Errors
    /// `unavailable` when all places are taken.
    pub(crate) fn begin(&self) -> Result<Place, ApiError> {
        self.places.take().ok_or_else(|| {
            let (count, max) = (self.places.max().saturating_add(1), self.places.max());
            let message = format!("max concurrent tail requests limit exceeded, count > limit ({count} > {max})");
            ApiError::new(ErrorKind::Unavailable, message).retry_after_seconds(5)
        })
    }

    /// Counts a tail that was ended since its client took nothing for too long.
    pub(crate) fn count_slow(&self) {
        self.slow.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends all of them; returns when they have, or after a bounded wait.
    pub async fn end(&self) {
        if !self.places.end().await {
            tracing::warn!("live tails were cut off");
        }
    }

    pub(crate) fn stats(&self) -> Vec<Stat> {
        let dropped = |reason: &'static str, number| {
            let help = "Live tails that were refused or ended by the collector, by reason.";
            Stat::counter("muster_collector_tails_dropped_total", help, number).with("reason", reason)
        };
        vec![
            Stat::gauge("muster_collector_tails", "Live tails over HTTP.", self.places.open() as f64),
            Stat::counter("muster_collector_tails_total", "Live tails that began.", self.places.begun()),
            dropped("too_many", self.places.refused()),
            dropped("slow_client", self.slow.load(Ordering::Relaxed)),
        ]
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
        assert_eq!(tails.places.open(), 0);
    }
}
