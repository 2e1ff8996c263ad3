//! The inbox: the only log. Everything acknowledged was committed here first, with the mark that makes it so once.
//!
//! [`Inbox`] owns the active generation's file and knows the sealed ones. Order of effects: commit, head, view (rule 18).
//! After any error the handle is dropped; the next call reopens the file and takes up what it finds (rule 3).

pub(crate) mod active;
pub(crate) mod blob;
pub(crate) mod blob_logs;
pub(crate) mod epochs;
pub(crate) mod file;
pub(crate) mod marks;
pub(crate) mod pieces;
pub(crate) mod positions;
pub(crate) mod repeats;
pub(crate) mod replay;
pub(crate) mod seal;
pub(crate) mod tables;
pub(crate) mod write;

pub(crate) use active::{Active, Inbox, SealedFile};
