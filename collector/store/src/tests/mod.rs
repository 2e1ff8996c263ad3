//! The store as a whole, on real and on power-cutting disks.

mod commit;
mod crash;
mod damage;
mod flush;
mod golden;
#[cfg(feature = "planted")]
mod planted;
mod random;
mod select;
mod world;
