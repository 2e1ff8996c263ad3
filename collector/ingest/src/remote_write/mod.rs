//! Prometheus remote write, version 1, as a route: `POST /api/v1/write`.
//!
//! A body goes through [`body`] (headers, snappy under a cap), [`walker`] (protobuf, by hand, nothing copied), [`series`] (a
//! bounded cache from raw label bytes to resolved series) and [`intake`] (time bounds, blocks) to one append. A body whose
//! samples all carry a time is remembered for 15 min by its hash, so that a sender's repeat is not stored twice.

pub mod body;
pub mod intake;
pub mod route;
pub mod series;
pub mod walker;

#[cfg(test)]
pub(crate) mod tests;
