//! `muster-task`: runs what this host allows, once it is signed and approved. Off by default, a process of its own, and the only part of Muster on a
//! host that runs commands for people; the agent merely passes frames on to it.
//!
//! [`judge`] decides whether something may run, [`desk`] what becomes of calls (both pure); [`run`] is one run of a process, started through
//! [`exec_task`], bounded by [`group`]; [`shape`] makes its output text; [`store`] and [`audit`] are on disk; [`server`] joins them.
//! `common/TASKS.md` tells what is signed and approved.

pub mod account;
pub mod arguments;
pub mod audit;
pub mod check;
pub mod desk;
pub mod exec_task;
pub mod group;
pub mod judge;
pub mod record;
pub mod run;
pub mod server;
pub mod settings;
pub mod shape;
pub mod store;
