//! SQL over tables that lie in memory: SQLite reads them where they are, and nothing else.
//!
//! Floor 2 (see ARCHITECTURE.md): no disk, no network, no clock of its own but for the time that a question takes.
//!
//! [`Database`] holds the tables, [`Database::ask`] answers one `SELECT`. What may be asked is bounded four ways: an authoriser that lets
//! through reading alone, a time limit, a limit on what is answered, and one on what SQLite may allocate.

mod answer;
mod ask;
mod error;
mod functions;
mod like;
mod plan;
mod relation;
mod table;
mod versions;
mod walk;

pub use answer::{Answer, Cell};
pub use ask::{Database, Limits};
pub use error::SqlError;
pub use relation::{Field, Kind, Relation, Shared};

#[cfg(test)]
mod tests;
