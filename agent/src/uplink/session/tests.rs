//! Tables for the rules one by one ([`rules`], [`ends`]), and random interleavings against a small model of the collector ([`interleavings`]).

mod ends;
mod interleavings;
pub(crate) mod model;
mod rules;
mod world;
