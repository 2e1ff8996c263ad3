//! Seeded worlds: a queue, its table, mail servers with faults, and a ledger that knows nothing of how the queue works.

mod cases;
mod ledger;
mod world;
