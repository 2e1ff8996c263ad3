//! The host's side of Muster: samples the host, keeps what is not yet acknowledged, and sends it on.
//!
//! The one way through: [`schedule`] says when, [`sampler`] lets the [`sources`] fill one row of [`rows`], and the uplink
//! codes rows into batches. [`collect`] prints one row for people, [`facts`] tells what the host is.

pub mod agent;
pub mod arguments;
pub mod ask;
pub mod bundle;
pub mod checks;
pub mod collect;
pub mod compare;
pub mod config;
pub mod doctor;
pub mod enrol;
pub mod facts;
pub mod fence;
pub mod handed;
pub mod identity_files;
pub mod inventory;
mod log_side;
pub mod logs;
pub mod own;
pub mod remote;
mod report_side;
pub mod rows;
pub mod sampler;
pub mod schedule;
mod service;
pub mod sources;
pub mod spool;
pub mod status;
pub mod stop;
pub mod tasks;
mod top;
pub mod uplink;

#[cfg(test)]
mod testing;
