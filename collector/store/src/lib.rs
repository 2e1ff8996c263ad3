//! The store: inbox, head, segments, catalog and views. `LAYOUT.md` beside this crate describes every file it writes.

pub mod database;
