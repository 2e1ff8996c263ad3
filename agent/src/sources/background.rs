//! Work that may hang (a dead network mount, a driver that holds its lock) on a thread of its own, so that sampling never
//! waits for it longer than it wants to.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Something to do again and again. What it finds stays in it, buffers included.
pub(crate) trait Job: Send + 'static {
    fn run(&mut self);
}

/// The stack of a helper: a job calls the kernel and fills arrays, it does not recurse.
const STACK_BYTES: usize = 128 << 10;

#[derive(Debug)]
enum Desk<J> {
    /// Nobody has anything.
    Empty,
    /// Handed in, not taken yet.
    Asked(J),
    /// The helper is at it.
    Running,
    /// Handed back.
    Done(J),
    /// The owner has gone: the helper ends as soon as it sees this.
    Left,
}

#[derive(Debug)]
struct Shared<J> {
    desk: Mutex<Desk<J>>,
    moved: Condvar,
}

impl<J> Shared<J> {
    fn lock(&self) -> MutexGuard<'_, Desk<J>> {
        // A job that panicked poisons the lock; the desk is a plain value and stays true.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One helper thread and its job. Dropping it lets a hanging helper be; the helper ends when its call returns.
#[derive(Debug)]
pub(crate) struct Background<J> {
    shared: Arc<Shared<J>>,
}

impl<J: Job> Background<J> {
    /// Starts the helper.
    ///
    /// # Errors
    /// The system's error when no thread can be made.
    pub(crate) fn start(name: &str) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { desk: Mutex::new(Desk::Empty), moved: Condvar::new() });
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(move || serve(&theirs))?;
        Ok(Self { shared })
    }

    /// Has the job done, waiting up to `limit`. `Err` means that the helper is still at it: [`Background::wait`] gives the
    /// job back later.
    pub(crate) fn run(&self, job: J, limit: Duration) -> Option<J> {
        *self.shared.lock() = Desk::Asked(job);
        self.shared.moved.notify_all();
        self.wait(limit)
    }

    /// The job, if the helper hands it back within `limit`.
    pub(crate) fn wait(&self, limit: Duration) -> Option<J> {
        let busy = |desk: &mut Desk<J>| matches!(desk, Desk::Asked(_) | Desk::Running);
        let waited = self.shared.moved.wait_timeout_while(self.shared.lock(), limit, busy);
        let (mut desk, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *desk, Desk::Empty) {
            Desk::Done(job) => Some(job),
            other => {
                *desk = other;
                None
            }
        }
    }
}

impl<J> Drop for Background<J> {
    fn drop(&mut self) {
        *self.shared.lock() = Desk::Left;
        self.shared.moved.notify_all();
    }
}

fn serve<J: Job>(shared: &Shared<J>) {
    let mut desk = shared.lock();
    loop {
        match std::mem::replace(&mut *desk, Desk::Running) {
            Desk::Asked(mut job) => {
                drop(desk);
                job.run();
                desk = shared.lock();
                if matches!(*desk, Desk::Left) {
                    return;
                }
                *desk = Desk::Done(job);
                shared.moved.notify_all();
            }
            Desk::Left => return,
            other => {
                *desk = other;
                desk = shared.moved.wait(desk).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// Counts its runs; each run waits for a word first when it has a gate.
    struct Count {
        runs: u32,
        gate: Option<Receiver<()>>,
    }

    impl Job for Count {
        fn run(&mut self) {
            self.runs += 1;
            if let Some(gate) = &self.gate {
                gate.recv().ok();
            }
        }
    }

    fn gated() -> (SyncSender<()>, Count) {
        let (open, gate) = sync_channel(1);
        (open, Count { runs: 0, gate: Some(gate) })
    }

    #[test]
    fn a_job_comes_back_with_what_it_found() {
        let helper = Background::start("test").unwrap();
        let mut job = Count { runs: 0, gate: None };
        for _ in 0..50 {
            job = helper.run(job, Duration::from_secs(10)).unwrap();
        }
        assert_eq!(job.runs, 50);
    }

    #[test]
    fn a_hanging_job_costs_only_the_limit_and_comes_back_later() {
        let helper = Background::start("test").unwrap();
        let (open, job) = gated();
        assert!(helper.run(job, Duration::from_millis(5)).is_none());
        assert!(helper.wait(Duration::ZERO).is_none());
        open.send(()).unwrap();
        assert_eq!(helper.wait(Duration::from_secs(10)).map(|job| job.runs), Some(1));
    }

    #[test]
    fn a_helper_that_was_left_ends_when_its_job_does() {
        let helper = Background::start("test").unwrap();
        let (open, job) = gated();
        assert!(helper.run(job, Duration::from_millis(1)).is_none());
        let shared = Arc::downgrade(&helper.shared);
        drop(helper);
        // The helper may have had no time to take the job: then it is dropped unrun, and nobody listens.
        open.send(()).ok();
        while shared.strong_count() > 0 {
            std::thread::yield_now();
        }
    }
}
