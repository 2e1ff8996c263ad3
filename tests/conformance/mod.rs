//! Real programs of the field as clients and as measure.

mod grafana;
mod names;
mod prometheus;
