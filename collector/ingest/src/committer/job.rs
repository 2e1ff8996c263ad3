//! What the thread is asked, and what it takes on in one turn.

use std::time::Duration;

use muster_common::host::HostId;
use muster_common::wire::message::Epoch;
use muster_store::Append;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::answer::{Answer, Reply};
use super::queue::QueueLimits;
use crate::session::Greeting;

pub(super) struct Queued {
    pub(super) append: Append,
    pub(super) bytes: usize,
    pub(super) reply: Reply,
    pub(super) permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

pub(super) enum Job {
    Append(Queued),
    Hello {
        asked: HelloAsked,
        _permit: OwnedSemaphorePermit,
    },
    /// A host is gone for good: its marks go.
    Forget {
        host: HostId,
        _permit: OwnedSemaphorePermit,
    },
    /// Which hosts have marks.
    Marked {
        reply: oneshot::Sender<Vec<HostId>>,
        _permit: OwnedSemaphorePermit,
    },
    /// Everything queued before is decided and, where taken, visible.
    Barrier {
        reply: oneshot::Sender<()>,
        _permit: OwnedSemaphorePermit,
    },
    Stop,
    #[cfg(test)]
    Panic,
}

/// A host that has said hello and waits for its marks.
pub(super) struct HelloAsked {
    pub(super) host: HostId,
    pub(super) held: Vec<Epoch>,
    pub(super) reply: oneshot::Sender<Result<Greeting, String>>,
}

/// A job's way back, while the append itself is with the store.
pub(super) struct Waiting {
    pub(super) bytes: usize,
    pub(super) reply: Reply,
    pub(super) permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Queued {
    pub(super) fn split(self) -> (Append, Waiting) {
        (self.append, Waiting { bytes: self.bytes, reply: self.reply, permits: self.permits })
    }

    pub(super) fn join(appends: Vec<Append>, waiting: Vec<Waiting>) -> Vec<Self> {
        let pairs = appends.into_iter().zip(waiting);
        pairs.map(|(append, Waiting { bytes, reply, permits })| Self { append, bytes, reply, permits }).collect()
    }
}

pub(super) fn fail(queued: Vec<Queued>, retry_after: Option<Duration>) {
    for Queued { append, reply, .. } in queued {
        reply.send(Answer::Failed { append, retry_after });
    }
}

/// What one turn of the thread serves.
#[derive(Default)]
pub(super) struct Round {
    pub(super) appends: Vec<Queued>,
    pub(super) bytes: usize,
    pub(super) hellos: Vec<HelloAsked>,
    pub(super) forgotten: Vec<HostId>,
    pub(super) marked: Vec<oneshot::Sender<Vec<HostId>>>,
    pub(super) barriers: Vec<oneshot::Sender<()>>,
    pub(super) stops: bool,
}

impl Round {
    pub(super) fn add(&mut self, job: Job) {
        match job {
            Job::Append(queued) => {
                self.bytes += queued.bytes;
                self.appends.push(queued);
            }
            Job::Hello { asked, .. } => self.hellos.push(asked),
            Job::Forget { host, .. } => self.forgotten.push(host),
            Job::Marked { reply, .. } => self.marked.push(reply),
            Job::Barrier { reply, .. } => self.barriers.push(reply),
            Job::Stop => self.stops = true,
            #[cfg(test)]
            Job::Panic => panic!("planted"),
        }
    }

    pub(super) fn fits(&self, limits: &QueueLimits) -> bool {
        !self.stops && self.appends.len() < limits.commit_appends_max && self.bytes < limits.commit_bytes_max
    }
}
