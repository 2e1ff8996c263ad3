//! What a host has and is, as tables: the kinds of tables, their rows, and what changed between two looks at one.
//!
//! The agent fills rows, the wire carries differences ([`crate::wire::inventory`]), the collector keeps rows and changes.

mod difference;
mod rows;
pub(crate) mod tables;

pub use difference::{Difference, DifferenceError};
pub use rows::{Digest, Rows, RowsError, key_of, row_hash};
pub use tables::{Column, Kind, QUIET, TABLES, Table, named, numbered};

pub use crate::wire::inventory::{Row, Value};
