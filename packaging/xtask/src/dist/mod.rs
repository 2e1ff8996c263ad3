//! `cargo xtask dist`: the packages of Muster in `target/dist`. The same programs give the same bytes (SOURCE_DATE_EPOCH, else the time of
//! the commit, is the time of every file).
//!
//! A package is a row of [`table`]; [`stage`] lays its files out, [`deb`], [`rpm`] and [`tar`] wrap the same folder; [`installer`] makes the
//! script that picks one of them; [`glibc`] says on which systems the programs start.

mod deb;
mod files;
mod glibc;
mod installer;
mod options;
mod rpm;
mod run;
mod stage;
mod table;
mod tar;
mod template;

pub(crate) use options::Options;
pub(crate) use run::run;
