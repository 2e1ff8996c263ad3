//! The program itself: `muster-task run` over its socket, with real processes.

mod attacker;
mod host;
mod runs;
