//! The routes against a real store and a real registry in a temporary folder.

mod admin;
mod alerting;
mod ask;
mod audit;
mod auth;
mod availability;
mod deploys;
mod discovery;
mod doctor;
mod fixture;
mod gaps;
mod gate;
mod install;
mod inventory;
mod live;
mod logins;
mod loki;
mod loki_tail;
mod maintenances;
mod matrix;
mod muster;
mod pages;
mod processes;
mod profiles;
mod prometheus;
mod tasks;
