//! Changes as they happen, for open pages: one feed for the whole collector, and a stream of Server-Sent Events for each who follows it.
//!
//! The way of a change: what fleet and alert changed rings [`run`], which reads the topics that somebody follows ([`rows`]), compares them with
//! what was told last ([`tracker`], pure) and puts the difference as one message into the ring ([`ring`], pure), which all streams read at
//! their own pace ([`stream`]). So a change is made to text once, a slow reader costs no memory, and one that fell behind is told to load its
//! lists anew.

mod event;
mod feed;
mod ring;
mod rows;
mod run;
mod stream;
mod topic;
mod tracker;

pub(crate) use event::{comment, sse};
pub use feed::Live;
pub use run::run;
pub(crate) use stream::{LIFE_EVERY, Look, answer, begin, bye, may, ticks};
pub(crate) use topic::Topics;
