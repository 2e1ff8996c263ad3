//! The simulator of alerting: the real fleet, dispatcher and queue on a disk whose power can be cut, from results of checks to mails, in virtual
//! time, all from one seed.
//!
//! Real: `muster_fleet::Fleet` with its status, `muster_alert::desk::Desk` as its follower, the ruler with its groups, the configuration's and the
//! rules' readers, the mails' words. Stood in for: agents and their sessions (a script makes results, values, silences and returns), the engine
//! (`rules` answers from the script), the clock, the disk, the mail servers (`smtp`). `truth` and `rule_truth` say from the script what is bad and
//! what holds it, `ledger` judges the mails by that; none of them shares code with what it judges. `big` has worlds of many hosts.
//!
//! A world runs under faults, then all is well until everything has settled; then the ledger is closed. Hash tables of the product iterate in an
//! order of their own and identities of hosts are made anew by each process, so a seed that fails one time in many may need some runs.

pub mod big;
mod faults;
mod happenings;
mod ledger;
mod many;
mod node;
pub mod planted;
mod routes;
mod rule_truth;
mod rules;
mod script;
mod smtp;
mod truth;
mod world;

pub use faults::Faults;
pub use many::{Found, catch, many};
pub use planted::Bug;
pub use world::{Report, run};

/// A broken promise, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// What an alert is about: host and check, or host and the host's own alert; the fleet as a whole has no host.
type Key = (String, String);
