//! What state.redb has of tasks; STATE.md tells the bytes.

use muster_common::host::HostId;
use muster_common::task::Signature;
use serde::{Deserialize, Serialize};

use super::rollout::{Member, Progress, Terms};

/// Row `tasks` of `meta`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbers {
    /// What the next order gets.
    pub(super) next: u64,
    /// Nothing is sent to anybody, for this reason; empty: it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) paused: String,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { next: 1, paused: String::new() }
    }
}

/// A catalogue: table `task_catalogues`, key its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CatalogueRow {
    pub(super) version: u64,
    pub(super) document: String,
    /// 128 hexadecimal digits.
    pub(super) signature: String,
    /// The name that this collector has for the key; empty: it knows none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) signer: String,
    pub(super) by: String,
    pub(super) added_ms: i64,
}

/// Somebody's word for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The name under which hosts have the key.
    pub approver: String,
    /// 128 hexadecimal digits.
    pub signature: String,
    /// Whether this collector knows the key and has looked.
    pub is_verified: bool,
    pub by: String,
    pub at_ms: i64,
}

impl Approval {
    pub(super) fn bytes(&self) -> Option<[u8; 64]> {
        Signature::parse(&self.signature).map(|signature| signature.0)
    }
}

/// An order: table `task_orders`, key its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskOrder {
    pub number: u64,
    /// What is approved and told to hosts (`common/TASKS.md`).
    pub text: String,
    /// The names of its tasks, of which the second takes the first back.
    pub tasks: Vec<String>,
    pub hosts: u64,
    pub by: String,
    pub reason: String,
    pub made_ms: i64,
    /// Approvals that it needs.
    pub needs: u8,
    pub approvals: Vec<Approval>,
    pub terms: Terms,
    pub progress: Progress,
}

/// What was heard of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The highest number of a state.
    pub number: u32,
    /// Chunks of output that were taken: all below this number.
    pub chunks: u32,
    /// Those that are kept, and their bytes.
    pub kept: u32,
    pub kept_bytes: u64,
    /// Bytes that are not kept here since there were too many.
    pub left_out: u64,
    /// What the task wrote, and what of it the host left out, as it told last.
    pub output_bytes: u64,
    pub dropped_bytes: u64,
}

/// A host of an order: table `task_hosts`, key the order's number and the host's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostRow {
    pub(super) member: Member,
    #[serde(default)]
    pub(super) heard: [Heard; 2],
}

pub(super) fn host_key(order: u64, host: HostId) -> Vec<u8> {
    [&order.to_be_bytes()[..], &host.0].concat()
}

pub(super) fn split_host_key(key: &[u8]) -> Result<(u64, HostId), String> {
    let (order, rest) = key.split_first_chunk::<8>().ok_or("the key has no order")?;
    let host = rest.try_into().map_err(|_| "the key ends with no host")?;
    Ok((u64::from_be_bytes(*order), HostId(host)))
}

pub(super) fn output_key(order: u64, host: HostId, step: u8, chunk: u32) -> Vec<u8> {
    [&host_key(order, host)[..], &[step], &chunk.to_be_bytes()].concat()
}
