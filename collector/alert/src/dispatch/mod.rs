//! From alerts to notices: one straight pipeline that groups alerts along the routes, asks of each why it is not told, and remembers whom it told.
//!
//! A pure machine. [`Dispatch::step`] takes a moment, an event and the [`Plan`] in force (routes, silences, inhibition, mute times), and gives the
//! notices that are due, the rows that the caller writes in the same transaction, and what is worth an event. [`Dispatch::load`] makes the same
//! machine of the same rows. `group` decides when a group is told and of what; `machine` moves alerts between groups; `rows` are the bytes.
//! ALERTING.md, "Dispatch", has the rules.

mod group;
mod machine;
mod plan;
mod planted;
mod rows;
mod step;
#[cfg(test)]
mod tests;

pub use group::{Group, Member, ToldMark, severity_rank};
pub use machine::Dispatch;
pub use plan::{Plan, RoutePlan, Waits};
pub use planted::Planted;
pub use rows::{BadRow, FIRING_ROW};
pub use step::{Counts, Effects, Event, News};
