//! The log side of the store: lines in memory, in segments and in answers. Inbox, catalog, generations and views are shared
//! with metrics; what differs stands here.

pub(crate) mod catalog;
pub(crate) mod delete;
pub(crate) mod flush;
pub(crate) mod gather;
pub(crate) mod group;
pub(crate) mod head;
pub(crate) mod maintain;
pub(crate) mod merge;
pub(crate) mod record;
pub(crate) mod segment;
pub(crate) mod select;
pub(crate) mod stats;
pub(crate) mod tail;
pub(crate) mod view;
pub(crate) mod write;
