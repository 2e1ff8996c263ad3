//! The simulator: agents and a collector of the real code, on disks whose power can be cut, over a network that loses, in
//! virtual time, all from one seed.
//!
//! Real: the agent's session, spool and reader of log files, frames, the collector's session, fences, inbox, head, segments, catalog, redb,
//! and the projection to state.redb. Stood in for: sockets, the clock, both disks, threads, TLS and enrolment. [`ledger`] is an account of
//! its own of what was made, sent, promised and stored, and shares no code with what it judges but the frame decoder; [`files`] writes and
//! rotates log files, [`lines`] is the account of their lines, [`reports`] that of results of checks.
//!
//! A world runs under faults, then without until everything has settled; then the ledger is closed. The same seed gives the same
//! faults, so a violation is reported with its seed. (Hash tables of the product iterate in an order of their own, so a seed that fails one
//! time in many may need some runs.)

mod agent;
mod collector;
mod faults;
mod files;
mod http;
mod ledger;
mod lines;
mod link;
mod many;
pub mod planted;
mod reports;
mod scenario;
mod snapshot;
mod world;

pub use ledger::Violation;
pub use many::{Found, catch, many};
pub use planted::Bug;
pub use scenario::Scenario;
pub use world::{Report, run};
