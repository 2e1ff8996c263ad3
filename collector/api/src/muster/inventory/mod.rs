//! What hosts have and are: one host's tables, all hosts' by SQL, two against each other, those that ought to be alike, every change, and
//! which of them may be behind an alert.

mod announcements;
mod baselines;
mod before;
mod changes;
mod csv;
mod drift;
mod of_host;
mod query;
mod relations;
mod words;

pub(super) use announcements::{announce, announced, end};
pub(super) use baselines::{baselines, pin, unpin};
pub(super) use before::changes_before;
pub(super) use changes::list as changes;
pub(super) use drift::list as drift;
pub(super) use of_host::{compare, rows, tables_of_host};
pub(super) use query::{ask, tables};
pub(super) use words::{cells, kind, shape};
