//! Every test that needs more than one crate, in one binary.

mod conformance;
mod e2e;
mod sim;
mod tidy;
