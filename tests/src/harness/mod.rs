//! Real programs under test: started on loopback with port 0, asked over HTTP, ended by their process id.

pub mod agent;
pub mod booted;
pub mod collector;
pub mod http;
pub mod mailbox;
pub mod operator;
pub mod packaged;
pub mod programs;
pub mod relay;
pub mod root;
pub mod tasks;
