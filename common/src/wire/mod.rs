//! The wire protocol, version 1. `WIRE.md` beside this crate is its byte-level page.
//!
//! [`message`] holds what can be said, `told` who says that it reads what, [`frame`] how it lies in bytes, `codec` is the only file that knows bincode,
//! [`metrics`] codes rows of values against a context, [`record`] is a report by itself, as it is kept, [`orders`] what is wanted of hosts beside data,
//! [`tasks`] what is called for on them. Decoders of foreign bytes never panic and never allocate more than
//! `limits` allows.

mod check;
mod codec;
mod error;
pub mod frame;
mod head;
pub mod inventory;
pub mod kind;
pub mod message;
pub mod metrics;
pub mod orders;
mod reader;
pub mod record;
mod report;
pub mod tasks;
mod told;

#[cfg(test)]
mod tests;
