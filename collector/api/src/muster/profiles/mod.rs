//! Profiles, what hosts run by because of them, and how that is rolled out.

mod change;
mod hosts;
mod list;
mod rollouts;

pub(super) use change::{apply, plan};
pub(super) use hosts::{assign, assigned, configuration, retry, unassign};
pub(super) use list::{export, list, one, version, versions};
pub(super) use rollouts::{resume, revert, rollouts, stop};
