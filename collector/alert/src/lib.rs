//! Alerts: from rules and status to notices, and from notices to people.
//!
//! The way of an alert: `rules` and `from_status` make [`Alert`]s; `dispatch` groups them along the `route` tree, asks for each why it is not
//! told (`inhibit`, `mute_time`, `silence`, the source's own holds), and makes [`Notice`]s; `outgoing` queues one row a recipient in the same
//! transaction; `notify` sends. Everything up to the queue is pure: time is an argument, rows and events are what comes out. ALERTING.md tells
//! the rules.

mod alert;
pub mod mail;
pub mod notify;
pub mod outgoing;
pub mod plot;

pub use alert::{Alert, AlertChange, AlertId, Held, HeldReason, Notice, NoticeKind, Origin};
