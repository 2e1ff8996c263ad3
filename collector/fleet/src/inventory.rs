//! What hosts have and are: the rows of each table as the last look told them, what changed when, and both at any moment of the past.
//!
//! A projection of reports as gaps and looks at processes are, written in the transaction that says how far the inbox is applied:
//! [`step`] decides over the rows in memory what a report changes, [`log`] writes it, and only then [`state`] takes it in. [`snapshot`] is
//! what readers hold without a lock; [`query`] has the questions, [`drift`](mod@drift) compares
//! hosts that ought to be alike, [`baselines`] keeps what they ought to have. `INVENTORY.md` tells rows, log, rules and bytes.

mod baselines;
mod book;
mod drift;
mod groups;
mod log;
mod measured;
mod packed;
mod query;
mod snapshot;
mod spread;
mod state;
mod step;
mod went;
mod words;

pub use self::baselines::{BASELINES_MAX, Baseline, BaselineRows, BaselineSpec, tables_of};
pub use self::book::RowBook;
pub use self::drift::{DRIFT_HOSTS_MIN, DriftLimits, Expected, HostDrift, KeyDrift, Norm, TableDrift, drift, majority};
pub use self::groups::AlikeHosts;
pub(crate) use self::log::write_inventory;
pub use self::log::{CHANGES_A_HOST_MAX, CHANGES_KEPT_MS, CHANGES_MAX};
pub(crate) use self::measured::DriftCounts;
pub use self::query::{ChangeCursor, ChangePage, ChangeQuery, InventoryChange, RowChange, RowSince, TableKnown};
pub use self::snapshot::{HostInventory, HostTable, InventorySnapshot};
pub(crate) use self::spread::hosts_with;
pub(crate) use self::state::{InventoryState, Loading};
pub(crate) use self::step::InventoryStep;
pub(crate) use self::went::last_change;
pub(crate) use self::words::thing_words;

#[cfg(test)]
mod tests;
