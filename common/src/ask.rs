//! Questions to hosts: which tables can be asked, and what a question's columns and conditions make of a row.
//!
//! The collector judges a question by [`Sieve::new`] before it sends it, the agent by the same before it looks; the messages are
//! [`crate::wire::orders`]. Beside the tables of the [inventory](crate::inventory) there are [`LIVE`] ones, of what changes all the time.

mod sieve;
mod tables;

pub use sieve::{AskError, SIGNS, Sieve, sign};
pub use tables::{LIVE, all, named};
