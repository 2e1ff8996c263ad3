//! What the tests share: starting real collectors and agents, loads, the simulators.

pub mod alerts;
pub mod ask;
pub mod gate;
pub mod harness;
pub mod inventory;
pub mod kill;
pub mod load;
pub mod maintenance;
pub mod pages;
pub mod rollout;
pub mod sim;
pub mod sim_alert;
pub mod snapshots;
pub mod sql;
pub mod tail;
pub mod upgrade;
pub mod without_outage;
pub mod worlds;
