//! Tasks: commands that may be run on hosts, who may have them run, and what both ends can judge of it.
//!
//! A [`Catalogue`] says which tasks there are; it is signed offline, by a key that no collector has. An [`Order`] names tasks of one
//! catalogue for hosts; people approve it by signing its text with keys of their own. Hosts know both kinds of keys from a local file and
//! judge by themselves, so whoever has all keys of a collector can run nothing new (`TASKS.md` tells the bytes). Pure: no clock, no files.

mod catalogue;
mod key;
mod order;
mod parameter;
mod targets;

pub use catalogue::{Catalogue, CatalogueError, Definition, Limits};
pub use key::{KeyError, PublicKey, Signature, SigningKey};
pub use order::{Order, OrderError, Step};
pub use parameter::{Kind, ParameterError, is_name, is_plain};
pub use targets::{Targets, is_target};
