//! Tests of the wire protocol: [`golden`] frames read by us and by a [`second`] decoder, [`hostile`] bytes, [`frames`] cut and joined.

pub(super) mod alloc;
mod frames;
mod golden;
mod hostile;
mod samples;
mod second;
mod shape;
