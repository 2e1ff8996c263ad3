//! Tasks: the signed catalogue, orders and their approvals, and what hosts made of them.

mod catalogue;
mod orders;
mod request;
mod rows;

pub(super) use catalogue::{add, catalogue};
pub(super) use orders::{approve, list, one, output, pause, pause_all, resume, resume_all, roll_back, stop};
pub(super) use request::request;
pub(crate) use rows::order_json;
