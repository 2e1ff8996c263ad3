//! The agent's connection to its collector.
//!
//! [`session`] decides everything and does nothing: rows, frames, answers of the spool and the time go in, what is to be done comes out.
//! [`sender`] carries out what concerns the spool at once (the simulator's form), and `agent.rs` puts them together
//! with the spool on its own thread. [`batch`] codes rows, [`clock`] and [`backoff`] are decisions of their own.

pub mod backoff;
pub mod batch;
pub mod clock;
pub mod moment;
pub mod quic;
mod reframe;
pub mod renewal;
pub mod sender;
pub mod session;

pub use batch::Row;
pub use moment::Moment;
pub use sender::Sender;
pub use session::{
    Channel, Effect, HandedAnswer, HandedFrame, HandedOrder, HelloFacts, Input, InventoryOrder, LinkState, LogFrame,
    LogOrder, Note, Session, Settings,
};

#[cfg(test)]
pub(crate) mod test_collector;
