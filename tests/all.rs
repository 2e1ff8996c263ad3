//! Every test that needs more than one crate, in one binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod e2e;
mod sim;
mod tidy;
