//! Places for what stays open: so many at a time, the rest is refused at once; all end when the collector does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// How long what is open may take to say goodbye.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The places of one kind.
#[derive(Debug)]
pub(crate) struct Places {
    places: Arc<Semaphore>,
    places_max: u32,
    ended: watch::Sender<bool>,
    begun: AtomicU64,
    refused: AtomicU64,
}

/// A place among them, while it is held.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    ended: watch::Receiver<bool>,
}

impl Places {
    pub(crate) fn new(places_max: u32) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places_max as usize)),
            places_max,
            ended: watch::Sender::new(false),
            begun: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// A place; `None`, and counted, when all are taken.
    pub(crate) fn take(&self) -> Option<Place> {
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        self.begun.fetch_add(1, Ordering::Relaxed);
        Some(Place { _permit: permit, ended: self.ended.subscribe() })
    }

    /// Ends all that is open; returns when it has, or after a bounded wait: whether all had ended by then.
    pub(crate) async fn end(&self) -> bool {
        self.ended.send_replace(true);
        tokio::time::timeout(END_WITHIN, self.places.acquire_many(self.places_max)).await.is_ok()
    }

    /// Ends when all places are to end.
    pub(crate) fn ending(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    pub(crate) const fn max(&self) -> u32 {
        self.places_max
    }

    pub(crate) fn open(&self) -> usize {
        (self.places_max as usize).saturating_sub(self.places.available_permits())
    }

    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Place {
    /// Ends when the collector wants what is open to end.
    pub(crate) async fn ended(&mut self) {
        // An error: the places are gone, so this one is to go as well.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }
}
