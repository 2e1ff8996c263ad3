//! Status: what checks and hosts are, decided from results and time alone. `collector/fleet/STATUS.md` tells the rules.

mod acknowledgement;
mod book;
mod check_row;
mod condition;
mod downtime;
mod expected;
mod flapping;
mod freshness;
mod machine;
mod maintenance;
mod recurrence;
mod window;

pub use acknowledgement::Acknowledgement;
pub(crate) use book::{AbsentNow, Away, HostNow, StatusBook, Work};
pub use book::{CheckCounts, CheckMark, CheckView};
pub use condition::{Condition, EndReason, Hold, HoldReason, Severity, StatusChange, Subject};
pub(crate) use downtime::ReadDowntime;
pub use downtime::{Downtime, DowntimeSpec};
pub use expected::{Expected, Goodbye};
pub use maintenance::{
    MAINTENANCE_GRACE_MAX_MS, MAINTENANCE_GRACE_MS, MAINTENANCE_HOSTS_MAX, MAINTENANCE_MAX_MS, MAINTENANCES_CLOSED_MAX,
    MAINTENANCES_KEPT_MS, MAINTENANCES_OPEN_MAX, Maintenance, MaintenanceSpec, MaintenanceState, Unreturned,
};
pub(crate) use window::Window;
