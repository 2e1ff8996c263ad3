//! What agent and collector share: types, the wire protocol, identity pieces, time and the disk trait.
//!
//! Floor 0 (see ARCHITECTURE.md): no sockets, no runtime, nothing of the crates above. Only [`time`] reads the clock and
//! only [`disk`] touches files; everything else is pure.

pub mod archive;
pub mod ask;
pub mod check;
pub mod digest;
pub mod disk;
pub mod finding;
pub mod host;
pub mod identity;
pub mod inventory;
pub mod label;
pub mod limits;
pub mod matcher;
pub mod matcher_text;
pub mod range;
mod re2;
pub mod redact;
pub mod redact_value;
pub mod sample;
pub mod settings;
pub mod stat;
pub mod task;
pub mod time;
pub mod version_probe;
pub mod watchdog;
pub mod wire;
