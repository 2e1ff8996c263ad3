//! Long answers that many ask for at once: each is made once for a moment, and anew as soon as what it is made of has changed.
//!
//! A change wakes every open page at the same time, and all of them ask for the same. Who asks while an answer is made waits for that one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use muster_common::stat::Stat;
use muster_common::time;

/// How long an answer is good when nothing has told that it changed: whom ingest hears, and what time alone brings about, tell nobody.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(1);

/// Answers that are remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Long {
    Fleet,
    Problems,
    SoftProblems,
}

const LONG: usize = 3;

/// Versions of what answers are made of: alerts, status, registry.
pub(crate) type Versions = [u64; 3];

struct Kept {
    versions: Versions,
    /// By monotonic time.
    made: Duration,
    bytes: Bytes,
}

/// The newest of each of these answers: some MB.
pub struct Remembered {
    good_for: Duration,
    kept: [Mutex<Option<Kept>>; LONG],
    made: AtomicU64,
    given_again: AtomicU64,
    /// Processor time of those that were made, nanoseconds.
    cpu: AtomicU64,
}

impl Remembered {
    pub fn new(good_for: Duration) -> Self {
        Self {
            good_for,
            kept: Default::default(),
            made: AtomicU64::new(0),
            given_again: AtomicU64::new(0),
            cpu: AtomicU64::new(0),
        }
    }

    /// The answer as it is now. `versions` were read before, so that what changes meanwhile makes the next one new.
    ///
    /// # Errors
    /// Those of `make`; then nothing is remembered.
    pub(crate) fn of<E>(
        &self,
        long: Long,
        versions: Versions,
        now: Duration,
        make: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        let mut kept = self.kept[long as usize].lock().unwrap_or_else(PoisonError::into_inner);
        let is_good = |kept: &&Kept| kept.versions == versions && now.saturating_sub(kept.made) < self.good_for;
        if let Some(kept) = kept.as_ref().filter(is_good) {
            self.given_again.fetch_add(1, Ordering::Relaxed);
            return Ok(kept.bytes.clone());
        }
        *kept = None;
        // `make` does all of its work on this thread.
        let before = time::thread_cpu();
        let bytes = make()?;
        let cost = time::thread_cpu().saturating_sub(before);
        self.cpu.fetch_add(u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.made.fetch_add(1, Ordering::Relaxed);
        *kept = Some(Kept { versions, made: now, bytes: bytes.clone() });
        Ok(bytes)
    }

    pub(crate) fn stats(&self) -> [Stat; 3] {
        let help = "Answers of fleet and problems, by whether they were made or given again.";
        let stat = |how: &'static str, count: &AtomicU64| {
            Stat::counter("muster_collector_http_long_answers_total", help, count.load(Ordering::Relaxed))
                .with("how", how)
        };
        let help = "Processor time of making answers of fleet and problems.";
        let cpu = self.cpu.load(Ordering::Relaxed) as f64 / 1e9;
        let cpu = Stat { value: cpu, ..Stat::counter("muster_collector_http_long_answers_cpu_seconds_total", help, 0) };
        [stat("made", &self.made), stat("given_again", &self.given_again), cpu]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_good_for_a_moment_or_until_something_changes() {
        let remembered = Remembered::new(Duration::from_secs(1));
        let ask = |long, versions, ms, text: &'static str| {
            remembered.of(long, versions, Duration::from_millis(ms), || Ok::<_, ()>(Bytes::from(text))).unwrap()
        };
        assert_eq!(ask(Long::Fleet, [1, 1, 1], 0, "a"), "a");
        assert_eq!(ask(Long::Fleet, [1, 1, 1], 999, "b"), "a");
        assert_eq!(ask(Long::Problems, [1, 1, 1], 999, "c"), "c", "each is remembered by itself");
        assert_eq!(ask(Long::Fleet, [1, 2, 1], 999, "d"), "d", "something has changed");
        assert_eq!(ask(Long::Fleet, [1, 2, 1], 1_999, "e"), "e", "it is a second old");
        let failed = remembered.of(Long::Fleet, [9, 9, 9], Duration::from_secs(2), || Err(7));
        assert_eq!(failed, Err(7));
        assert_eq!(ask(Long::Fleet, [1, 2, 1], 2_000, "f"), "f", "nothing is left of one that failed");
        let [made, again, cpu] = remembered.stats().map(|stat| stat.value);
        assert_eq!((made, again), (5.0, 1.0));
        assert!((0.0..1.0).contains(&cpu), "{cpu}");
    }
}
