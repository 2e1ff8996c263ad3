//! Real programs of the field as clients and as measure.

mod alertmanager;
mod grafana;
mod names;
mod prometheus;
