//! The dispatcher against what people expect of it: cases, and random worlds with a ledger of their own.

mod bench;
mod cases;
mod ledger;
mod worlds;
