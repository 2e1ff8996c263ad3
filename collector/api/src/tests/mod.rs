//! The routes against a real store and a real registry in a temporary folder.

mod admin;
mod auth;
mod fixture;
mod gaps;
mod muster;
mod prometheus;
