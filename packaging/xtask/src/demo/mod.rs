//! `cargo xtask demo`: a collector and an agent on loopback, from nothing to a host's metrics in PromQL, its log lines in LogQL, and a mail about
//! a process that died, what changed on the host, what it is set up by, and whether a version may be deployed.

mod changes;
mod deploys;
mod lines;
mod mail;
// The tests' mail server: one of both is enough.
#[path = "../../../../tests/src/harness/mailbox.rs"]
#[expect(dead_code, unreachable_pub, reason = "the tests see more of it")]
mod mailbox;
mod own_log;
mod pages;
mod run;
mod set_up;

pub(crate) use run::{run, run_with};
