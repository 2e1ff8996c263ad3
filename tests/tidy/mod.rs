//! The house rules as tests: the map is true, floors hold, files stay small, nothing foreign is committed.

mod files;
mod floors;
mod map;
mod pages;
mod text;
