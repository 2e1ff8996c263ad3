//! A disk in memory whose power can be cut: what was synced survives, of the rest a seeded part.
//!
//! The model is a journalling file system at its worst: unsynced writes vanish, survive in any order, or tear at 512-byte sectors; a length
//! survives as one of those that the file had since its last sync; created, renamed and unlinked names survive as a prefix
//! of their order until [`super::Disk::sync_dir`]; a rename is never half done; a folder made by `create_dir_all` survives.
//! After a failed sync the writes it was for stay readable and may be lost even if later syncs succeed, as on Linux.
//! Handles from before a cut fail for ever.
//!
//! The same seed and the same calls give the same disk. Meant for tests and simulators only, but not behind `cfg(test)`, since
//! those of other crates use it.

mod disk;
mod image;
mod inode;
mod names;
mod power;

pub use disk::CutDisk;
pub use image::DiskImage;
pub use power::{Fault, Operation};

#[cfg(test)]
mod tests;
