//! The store: inbox, heads, segments, catalog and views. `LAYOUT.md` beside this crate describes every file it writes; rules
//! that comments cite by number stand in `common/EXACTLY-ONCE.md`.
//!
//! [`open`] splits it into handles, and the split is the design: [`Writer`] for ingest alone, [`Reader`] for queries, [`Admin`]
//! for the server, [`Replay`] for the projection in state.redb. Everything here is synchronous and takes `now` as an argument;
//! threads and queues are the callers'.
//!
//! Data flows one way: append -> inbox file (durable, with its mark) -> head -> view; later head -> segment, named by the
//! catalog, and then the inbox file goes. Lines go the same way, beside the samples of their generation.

mod admin;
mod append;
mod bytes;
mod catalog;
mod check_copy;
mod columns;
mod config;
pub mod database;
mod engine;
mod error;
mod flush;
mod head;
mod inbox;
mod logs;
mod merge;
mod merge_plan;
mod open;
mod past;
#[cfg(feature = "planted")]
pub mod planted;
#[cfg(not(feature = "planted"))]
mod planted;
mod postings;
mod reader;
mod replay;
mod retention;
mod segment;
mod select;
mod shared;
mod snapshot;
mod stats;
mod table;
#[cfg(test)]
mod tests;
mod view;
mod writer;

pub use admin::{Admin, FlushReport, Health, MaintainReport};
pub use append::{
    Append, GapRecord, MarkRow, OWN_HOST, Outcome, Point, Position, Record, ReplayEntry, ReportRecord, Row,
    SampleBlock, Source, StateRecord,
};
pub use catalog::{FORMAT, StoreIdentity};
pub use check_copy::{check_copy, count_copy, identity_of};
pub use config::Config;
pub use error::{CommitError, FileError, FlushError, OpenError, ReplayError, SelectError, SnapshotError};
pub use logs::delete::DeleteReport;
pub use logs::record::{LogBlock, LogClass, LogEntry, LogLossRecord, PositionRow, RangeRecord};
pub use logs::select::{LabelsRef, LogEntryRef, LogLimits, LogOrder, LogSelect, LogVolume};
pub use logs::tail::{LineArrival, TailEntry, TailReceiver, Wake};
pub use open::{Parts, open};
pub use past::{Past, Reborn};
pub use reader::Reader;
pub use replay::Replay;
pub use select::{Select, SelectLimits, SeriesColumns};
pub use snapshot::{StoreCopy, StoreCounts};
pub use table::{SeriesTable, TableSeries};
pub use view::{View, ViewStats};
pub use writer::Writer;
