//! What the texts of both languages share: places and faults, numbers, durations and quoted texts, and writing them.

pub(crate) mod fault;
pub(crate) mod literal;
pub(crate) mod near;
pub(crate) mod write;
