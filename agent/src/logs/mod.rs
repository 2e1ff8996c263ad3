//! Logs of the host: found, followed over rotation, cut into lines, redacted, handed out with the ranges that they are.
//!
//! Position decides (EXACTLY-ONCE.md section B): what the collector has committed is where reading goes on, and the files are the buffer.
//! A source is (device, inode, fingerprint, incarnation). Its fingerprint covers what of the first 1,024 bytes was there when it was
//! first read and stays; a file is the source if it begins so and has the same bytes before the position. So the id never changes while
//! the file grows, and a host that forgot everything finds its files again by the collector's positions alone.
//!
//! The way of a line: [`scan`] finds files, [`family`] and [`plan`] say which are to be read, [`fenced`] which a remote configuration may not have, [`answer`] takes the first positions; [`reader`] has them read in turn; [`read`] cuts
//! [`lines`], joins them by [`multiline`], cuts out secrets by [`muster_common::redact`]; [`batch`] holds what goes out. [`kept`] has what was handed out and is not
//! acknowledged, [`rescue`] puts what no file will give again into [`log_spool`]. [`worker`] is the thread around
//! it, [`watch`] wakes it. [`journal`] is the other kind of source; [`settings`] and [`defaults`] say what is read.

mod answer;
pub mod batch;
mod content;
pub mod counters;
pub mod defaults;
mod family;
mod fenced;
pub mod files;
pub mod glob;
pub mod hints;
pub mod journal;
mod kept;
mod level;
mod lines;
pub mod log_spool;
pub mod memory;
pub mod multiline;
mod names;
mod plan;
mod problems;
mod read;
pub mod reader;
mod rescue;
mod scan;
pub mod settings;
mod source;
pub mod watch;
pub mod worker;

pub(crate) use fenced::told_outside;
pub(crate) use problems::{shortened, unreadable};

#[cfg(test)]
pub(crate) mod tests;
