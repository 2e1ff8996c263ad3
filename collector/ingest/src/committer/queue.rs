//! The bounded queue before the committer's thread, as intakes see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::wire::message::{Epoch, Throttle};
use muster_store::Append;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Reply};
use super::job::{HelloAsked, Job, Queued};
use crate::session::Greeting;

/// Bounds of the queue before the disk.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Appends that may wait or be under way.
    pub appends_max: usize,
    /// Their bytes in memory.
    pub bytes_max: usize,
    /// How long a commit gathers when several intakes are at work: fewer, larger transactions cost less of disk and CPU.
    pub gather_min: Duration,
    pub gather_max: Duration,
    /// Appends and bytes of one transaction.
    pub commit_appends_max: usize,
    pub commit_bytes_max: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            appends_max: 4096,
            bytes_max: 64 << 20,
            gather_min: Duration::from_millis(5),
            gather_max: Duration::from_millis(20),
            commit_appends_max: 1024,
            commit_bytes_max: 8 << 20,
        }
    }
}

/// The queue is full: try later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue before the disk is full: try again in some seconds")]
pub struct QueueFull;

/// Access to the committer for all intakes.
#[derive(Clone)]
pub struct CommitQueue {
    pub(super) jobs: SyncSender<Job>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) bytes: Arc<Semaphore>,
    pub(super) limits: QueueLimits,
    pub(super) health: Arc<Health>,
    pub(super) throttle: watch::Receiver<Throttle>,
}

/// What others may know of the committer.
#[derive(Debug, Default)]
pub struct Health {
    is_failing: AtomicBool,
    broken: CancellationToken,
}

impl Health {
    /// Cancelled when the committer's thread has ended without having been told to: nothing is committed any more, and
    /// only a new start helps.
    pub fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }

    pub(super) fn set_broken(&self) {
        self.set(true);
        self.broken.cancel();
    }

    /// Whether the last commit was not taken by the disk.
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::Relaxed);
    }
}

/// Bytes a permit of the byte semaphore stands for, since its count is 32 bits.
pub(super) const BYTES_A_PERMIT: usize = 1024;

impl CommitQueue {
    /// Queues an append, waiting for room.
    pub async fn append(&self, append: Append, bytes: usize, reply: Reply) {
        let slot = self.slots.clone().acquire_owned().await;
        let room = self.bytes.clone().acquire_many_owned(self.permits(bytes)).await;
        if let (Ok(slot), Ok(room)) = (slot, room) {
            self.push(Job::Append(Queued { append, bytes, reply, permits: (slot, room) }));
        }
    }

    /// Queues an append if there is room now.
    ///
    /// # Errors
    /// [`QueueFull`] gives nothing back: the caller still has the body it was made of.
    pub fn try_append(&self, append: Append, bytes: usize) -> Result<oneshot::Receiver<Answer>, QueueFull> {
        let slot = self.slots.clone().try_acquire_owned().map_err(|_| QueueFull)?;
        let room = self.bytes.clone().try_acquire_many_owned(self.permits(bytes)).map_err(|_| QueueFull)?;
        let (reply, answer) = oneshot::channel();
        self.push(Job::Append(Queued { append, bytes, reply: Reply::Once(reply), permits: (slot, room) }));
        Ok(answer)
    }

    /// Closes the epochs that are not held and reads the marks of those that are.
    ///
    /// # Errors
    /// The store's text, or that the collector stops.
    pub async fn hello(&self, host: HostId, held: Vec<Epoch>) -> Result<Greeting, String> {
        const STOPS: &str = "the collector stops";
        let permit = self.slots.clone().acquire_owned().await.map_err(|_| STOPS)?;
        let (reply, answer) = oneshot::channel();
        self.push(Job::Hello { asked: HelloAsked { host, held, reply }, _permit: permit });
        answer.await.map_err(|_| STOPS)?
    }

    /// A host is gone for good and has no session any more: its marks are forgotten.
    pub async fn forget(&self, host: HostId) {
        if let Ok(permit) = self.slots.clone().acquire_owned().await {
            self.push(Job::Forget { host, _permit: permit });
        }
    }

    /// The hosts that have marks; none where the disk does not tell.
    pub async fn marked_hosts(&self) -> Vec<HostId> {
        let Ok(permit) = self.slots.clone().acquire_owned().await else { return Vec::new() };
        let (reply, hosts) = oneshot::channel();
        self.push(Job::Marked { reply, _permit: permit });
        hosts.await.unwrap_or_default()
    }

    /// Waits until everything queued before is decided.
    pub async fn barrier(&self) {
        if let Ok(permit) = self.slots.clone().acquire_owned().await {
            let (reply, done) = oneshot::channel();
            self.push(Job::Barrier { reply, _permit: permit });
            // An error means that the committer stopped, after deciding everything.
            let _ = done.await;
        }
    }

    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What sessions are to be told of the collector's load.
    pub fn throttle(&self) -> watch::Receiver<Throttle> {
        self.throttle.clone()
    }

    /// Appends waiting or under way, and their bytes.
    pub fn depth(&self) -> (usize, usize) {
        let appends = self.limits.appends_max.saturating_sub(self.slots.available_permits());
        let permits = (self.limits.bytes_max / BYTES_A_PERMIT).saturating_sub(self.bytes.available_permits());
        (appends, permits * BYTES_A_PERMIT)
    }

    /// Lets the thread end in a panic.
    #[cfg(test)]
    pub(crate) fn plant_panic(&self) {
        self.push(Job::Panic);
    }

    /// Lets the thread end once it has decided everything queued so far.
    pub fn stop(&self) {
        self.push(Job::Stop);
    }

    fn permits(&self, bytes: usize) -> u32 {
        let most = self.limits.bytes_max / BYTES_A_PERMIT;
        u32::try_from(bytes.div_ceil(BYTES_A_PERMIT).clamp(1, most.max(1))).unwrap_or(u32::MAX)
    }

    /// A permit is held for every job, and the channel has room for all permits and some stops: this never waits.
    fn push(&self, job: Job) {
        match self.jobs.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Disconnected(Job::Append(queued)) | TrySendError::Full(Job::Append(queued))) => {
                queued.reply.send(Answer::Failed { append: queued.append, retry_after: None });
            }
            Err(_) => tracing::debug!("the committer has stopped"),
        }
    }
}
