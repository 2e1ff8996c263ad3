//! Real programs of the field as clients and as measure.

mod names;
mod prometheus;
