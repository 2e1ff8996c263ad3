//! The one bounded cache of decoded parts of segments: value groups, time groups, series blocks, directories, postings.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Which part of which segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) segment: u64,
    pub(crate) section: u8,
    pub(crate) number: u32,
}

type Part = Arc<dyn Any + Send + Sync>;

/// Parts by key; when it is full, those not used since they were last passed over go (second chance).
pub(crate) struct Cache {
    bytes_max: usize,
    inner: Mutex<Inner>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Default)]
struct Inner {
    parts: HashMap<Key, Cached>,
    order: VecDeque<Key>,
    bytes: usize,
}

struct Cached {
    part: Part,
    bytes: usize,
    used: bool,
}

/// What the cache holds and how it did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CacheCounts {
    pub(crate) bytes: u64,
    pub(crate) parts: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

impl Cache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, inner: Mutex::default(), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The part, made by `make` (which also tells its size) when it is not there. Making happens without the lock.
    pub(crate) fn part<T: Any + Send + Sync, E>(
        &self,
        key: Key,
        make: impl FnOnce() -> Result<(T, usize), E>,
    ) -> Result<Arc<T>, E> {
        if let Some(found) = self.inner.lock().find(key)
            && let Ok(part) = found.downcast::<T>()
        {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(part);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let (part, bytes) = make()?;
        let part = Arc::new(part);
        self.inner.lock().insert(key, part.clone(), bytes, self.bytes_max);
        Ok(part)
    }

    /// Forgets what there is of a segment.
    pub(crate) fn forget(&self, segment: u64) {
        let inner = &mut *self.inner.lock();
        inner.order.retain(|key| key.segment != segment);
        let gone = inner.parts.extract_if(|key, _| key.segment == segment);
        inner.bytes -= gone.map(|(_, cached)| cached.bytes).sum::<usize>();
    }

    pub(crate) fn counts(&self) -> CacheCounts {
        let inner = self.inner.lock();
        CacheCounts {
            bytes: inner.bytes as u64,
            parts: inner.parts.len() as u64,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }
}

impl Inner {
    fn find(&mut self, key: Key) -> Option<Part> {
        let cached = self.parts.get_mut(&key)?;
        cached.used = true;
        Some(cached.part.clone())
    }

    fn insert(&mut self, key: Key, part: Part, bytes: usize, bytes_max: usize) {
        if bytes > bytes_max / 4 || self.parts.contains_key(&key) {
            // One part may not push out most others; and another thread may have been quicker.
            return;
        }
        while self.bytes + bytes > bytes_max
            && let Some(oldest) = self.order.pop_front()
        {
            match self.parts.get_mut(&oldest) {
                Some(cached) if cached.used => {
                    cached.used = false;
                    self.order.push_back(oldest);
                }
                _ => {
                    let gone = self.parts.remove(&oldest);
                    self.bytes -= gone.map_or(0, |cached| cached.bytes);
                }
            }
        }
        self.bytes += bytes;
        self.order.push_back(key);
        self.parts.insert(key, Cached { part, bytes, used: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(segment: u64, number: u32) -> Key {
        Key { segment, section: 0, number }
    }

    #[test]
    fn it_stays_within_its_bytes_and_keeps_what_is_used() {
        let cache = Cache::new(1000);
        let load = |number| cache.part(key(1, number), || Ok::<_, ()>((number, 100))).map(|part| *part);
        for number in 0..50 {
            assert_eq!(load(number), Ok(number));
            assert_eq!(load(0), Ok(0));
        }
        let counts = cache.counts();
        assert!(counts.bytes <= 1000 && counts.parts == 10, "{counts:?}");
        assert_eq!(counts.misses, 50, "part 0 was always there");
        cache.forget(1);
        assert_eq!((cache.counts().bytes, cache.counts().parts), (0, 0));
    }

    #[test]
    fn a_huge_part_and_a_failed_one_are_not_kept() {
        let cache = Cache::new(1000);
        assert_eq!(cache.part(key(1, 1), || Ok::<_, ()>(("x", 600))).as_deref(), Ok(&"x"));
        assert_eq!(cache.part::<u8, _>(key(1, 2), || Err("damaged")), Err("damaged"));
        assert_eq!(cache.counts().parts, 0);
    }
}
