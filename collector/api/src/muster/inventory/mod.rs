//! What hosts have and are: one host's tables, all hosts' by SQL, two against each other, and every change.

mod changes;
mod csv;
mod of_host;
mod query;
mod relations;
mod words;

pub(super) use changes::list as changes;
pub(super) use of_host::{compare, rows, tables_of_host};
pub(super) use query::{ask, tables};
