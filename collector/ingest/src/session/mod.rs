//! One agent's connection after TLS, as a pure machine: frames, commit outcomes and time in, effects out.
//!
//! No socket, no clock, no store: the listener carries out the effects over QUIC, the simulator over its own network and
//! disk. The rules are those of `common/EXACTLY-ONCE.md`: only mark + 1 is taken, an ack follows the commit, a
//! refusal takes its seq as a gap, a later hello fences the older session and is answered only when that one has drained.
//!
//! Invariants: never more outstanding commits than the settings allow ([`Session::takes_batches`] says when to read on);
//! an [`Effect::Commit`] is answered exactly once before [`Effect::End`]; after `End` nothing is sent.

mod batch;
mod content;
mod hello;
mod lane;
mod lines;
mod machine;
mod message;
mod outcome;
mod outstanding;
mod positions;
mod questions;
mod refusal;
mod report;
mod tasks;
#[cfg(test)]
mod tests;

pub use machine::{Session, Shared};
#[cfg(feature = "planted")]
pub use message::Planted;
pub use message::{Effect, Greeting, Input, Peer, Settings};
pub(crate) use refusal::refusal_count;
