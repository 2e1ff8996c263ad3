//! Tables for the rules one by one ([`rules`], [`ends`], [`trouble`]), reports ([`reports`]), questions ([`questions`]), configurations ([`configuration`]), tasks ([`tasks`]), and random interleavings against a small model of the collector ([`interleavings`]).

mod configuration;
mod ends;
mod interleavings;
mod logs;
pub(crate) mod model;
mod questions;
mod reports;
mod rules;
mod tasks;
mod trouble;
mod world;
