//! Immutable segment files (LAYOUT.md, "segment"): written by flush and merge, read by views.

pub(crate) mod blocks;
pub(crate) mod cache;
pub(crate) mod cursor;
pub(crate) mod format;
pub(crate) mod postings;
pub(crate) mod read;
pub(crate) mod write;

pub(crate) use read::Segment;
