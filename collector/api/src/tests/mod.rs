//! The routes against a real store and a real registry in a temporary folder.

mod admin;
mod alerting;
mod auth;
mod fixture;
mod gaps;
mod install;
mod loki;
mod loki_tail;
mod muster;
mod prometheus;
