//! Tasks: what hosts are ordered to do, who asked for it and who approved, and in which waves they do it (`TASKS.md`).
//!
//! [`rollout`] is the pure machine of an order. [`book`] is all of it in memory, [`step`] what follows from what happens, [`change`] what people do,
//! [`maintained`] what they keep back from people meanwhile, [`handles`] what sessions ask and tell, [`keys`] what this collector knows of who signs.
//!
//! Invariants: the collector carries what others signed and makes nothing that a host would run by itself; nothing is given to a host before it is
//! durable that it is to have it; what a host told is acknowledged once it is durable.

mod book;
mod bounds;
mod change;
mod handles;
mod keys;
mod maintained;
mod rollout;
mod rows;
mod step;
mod views;

pub use self::book::TaskDue;
pub(crate) use self::book::{TaskBook, TaskRows};
pub use self::bounds::{
    TASK_CATALOGUES_KEPT, TASK_HOSTS_KEPT, TASK_ORDER_HOSTS_MAX, TASK_ORDERS_KEPT, TASK_ORDERS_OPEN_MAX,
    TASK_OUTPUT_KEPT_BYTES_MAX, TASK_OUTPUTS_BYTES_MAX, TASK_WITHIN_MAX_MS,
};
pub use self::change::{TaskCall, TaskSpec, TaskSteer};
pub use self::keys::{TaskKeys, TaskSettings};
pub use self::rollout::{
    ACCEPT_MS, AGAIN_MS, CANCEL_MS, Health, OnTrouble, OrderState, Progress, Run, RunState, STEP_BACK, STEP_FORWARD,
    Terms, WaveSize,
};
pub use self::rows::{Approval, Heard, TaskOrder};
pub use self::views::{CatalogueView, OrderHost, OrderView, TaskOutput};

#[cfg(test)]
mod tests;
