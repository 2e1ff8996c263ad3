//! Bytes in, bytes out: tokens of log lines and the map from token to row groups. `FORMAT.md` beside this crate is the page of
//! its bytes. Pure: no files, no clock, and no bytes that make it panic.

mod build;
mod bytes;
mod map;
#[cfg(test)]
mod tests;
mod token;

pub use build::{TokenMap, TokenMapBuilder, union};
pub use map::{Page, groups_of};
pub use token::{HASH_BITS, Tokens, fold, hash, inner_tokens, tokens};
