//! Loki's push API as a route: `POST /loki/api/v1/push`, in JSON or in snappy protobuf (`logproto.PushRequest`).
//!
//! A body goes through [`body`] (headers, gzip or snappy under a cap) and [`json`] or [`protobuf`] (read in place, entry by entry) to
//! [`intake`], which judges labels, times and lines and gathers one append. Label sets in protobuf are texts ([`selector`]). Every entry has
//! a time, so every body is remembered for 15 min by its hash.

pub mod body;
pub mod intake;
pub mod json;
pub mod protobuf;
pub mod route;
pub mod selector;

#[cfg(test)]
pub(crate) mod tests;
