//! What the tests share: starting real collectors and agents, loads, the simulator.

pub mod load;
