//! The one thread that owns the store's Writer: takes appends of all intakes, commits many at once, answers each.
//!
//! Order of effects: commit (with its marks), head, view, small state, answer. The queue is bounded by count and bytes;
//! whoever finds it full waits or refuses. The thread never holds up the runtime, and the runtime never touches the disk.

mod answer;
mod gather;
mod job;
mod queue;
mod thread;

pub(crate) use answer::size_of;
pub use answer::{Answer, Reply};
pub use queue::{CommitQueue, Health, QueueFull, QueueLimits};
pub use thread::{Committer, new};
