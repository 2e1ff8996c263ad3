//! Reports that other processes hand to the agent: `muster-agent exec` and `muster-agent push`, whoever starts them, whether an agent runs
//! or not.
//!
//! Each is a file in `STATE/handed` ([`file`] its bytes, [`names`] what it is called; `agent/SPOOL.md` tells both) that is durable before
//! the command returns ([`give`]). The agent finds them ([`folder`], on a thread of its own: [`worker`], which [`bell`] wakes) and gives each its place in lane
//! p0 (`uplink::session::handed`). [`exec`] and [`push`] are the commands.

mod bell;
pub mod exec;
pub mod file;
pub mod folder;
pub mod give;
pub mod names;
pub mod perfdata;
pub mod push;
mod tail;
pub mod worker;
