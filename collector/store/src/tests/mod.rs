//! The store as a whole, on real and on power-cutting disks.

mod commit;
mod crash;
mod flush;
mod select;
mod world;
