//! The dispatcher against what people expect of it: cases, hosts of a real fleet, and random worlds with a ledger of their own.

mod bench;
mod cases;
mod hosts;
mod ledger;
mod worlds;
