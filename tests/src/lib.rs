//! What the tests share: starting real collectors and agents, loads, the simulator.

pub mod harness;
pub mod kill;
pub mod load;
pub mod sim;
pub mod tail;
