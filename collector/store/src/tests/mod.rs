//! The store as a whole, on real and on power-cutting disks.

mod commit;
mod crash;
mod damage;
mod flush;
mod golden;
mod log_crash;
mod log_damage;
mod log_golden;
mod log_random;
mod log_world;
mod logs;
#[cfg(feature = "planted")]
mod planted;
mod random;
mod select;
mod snapshot;
mod world;
