//! The queue of what is to be sent: one row a recipient, from the notice's transaction until it is known what became of it.
//!
//! A pure machine: [`Queue::step`] takes a moment and an event and gives back the rows that the caller writes in one transaction, the sessions
//! that it starts once that transaction is durable, and what there is to tell. [`Queue::load`] makes the same machine of the same rows. What the
//! caller could not write durably it takes back by loading anew. ALERTING.md, "Outgoing rows", has the bytes and the rules.

mod backoff;
mod digest;
mod planted;
mod pool;
mod queue;
mod row;
mod step;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod worlds;

pub use digest::{DigestEntry, DigestLetter};
pub use planted::Planted;
pub use queue::{Limits, Queue};
pub use row::{BadRow, Key, NewRow, Payload, Row, State, Target, message_id, recipient_hash};
pub use step::{Change, Counts, DeadReason, Event, News, Outcome, Parcel, Session};
