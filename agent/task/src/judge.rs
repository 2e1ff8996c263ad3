//! Whether something may run: decided here, on the host, from what was signed, what was approved and what the host's own file says.
//!
//! Pure. It trusts nothing that a collector says but that it said it: every refusal has a name, and the first that applies is told.

use std::collections::BTreeMap;

use muster_common::digest::{Sha256, Sum};
use muster_common::host::HostId;
use muster_common::task::{Catalogue, Limits, Order, Signature, Step, is_target};
use muster_common::wire::tasks::{Task, TaskCall, TaskCatalogue, TaskRefusal};

use crate::record::Record;
use crate::settings::Settings;

/// How far the clocks of those who make orders and the host's may differ.
pub const CLOCK_TOLERANCE_MS: i64 = 30_000;
/// For so long an order may be good: nonces are remembered until then.
pub const ORDER_LIFE_MS_MAX: i64 = 7 * 86_400_000;

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub why: TaskRefusal,
    /// Place, reason and remedy.
    pub problem: String,
}

/// The newest catalogue that this host has ever taken; older ones are none any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub version: u64,
    pub digest: Option<Sum>,
}

/// What the host is when it judges.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    pub settings: &'a Settings,
    pub id: Option<HostId>,
    pub catalogue: Option<&'a Catalogue>,
    /// The file `no-tasks` is there.
    pub is_stopped: bool,
    /// Whether the system gives cgroups with limits.
    pub has_cgroup: bool,
    /// The latest end of an order that is remembered no more: none that ends before it is good again, even if the clock is set back.
    pub forgotten_ms: i64,
    /// By the host's clock.
    pub now_ms: i64,
}

/// What may run.
#[derive(Clone, Debug, PartialEq)]
pub struct Approved {
    pub call: TaskCall,
    /// SHA-256 of the order's text.
    pub order: Sum,
    pub nonce: [u8; 16],
    pub expires_ms: i64,
    pub requester: String,
    /// Those whose approvals hold.
    pub approvers: Vec<String>,
    pub task: String,
    pub command: Vec<String>,
    pub account: String,
    pub limits: Limits,
}

fn refuse<T>(why: TaskRefusal, problem: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { why, problem: problem.into() })
}

/// What an order's text is remembered by.
pub fn order_sum(text: &str) -> Sum {
    Sha256::of(text.as_bytes())
}

/// # Errors
/// [`Refusal`]: unsigned, unreadable, expired, or older than what this host has seen.
pub fn judge_catalogue(
    offer: &TaskCatalogue,
    seen: Seen,
    settings: &Settings,
    now_ms: i64,
) -> Result<Catalogue, Refusal> {
    if !settings.enabled {
        return refuse(
            TaskRefusal::Disabled,
            "this host runs no tasks: its file task.toml does not say `enabled = true`",
        );
    }
    // Before a byte of it is read: whoever cannot sign has no parser to try.
    let (bytes, signature) = (Catalogue::signed_bytes(&offer.document), Signature(offer.signature));
    if !settings.signers.iter().any(|key| key.signed(&bytes, &signature)) {
        let problem = "the catalogue is signed by none of `signers` in this host's task.toml: sign it with one of their keys, or add the key";
        return refuse(TaskRefusal::CatalogueUnsigned, problem);
    }
    let catalogue = match Catalogue::parse(&offer.document) {
        Ok(catalogue) => catalogue,
        Err(error) => return refuse(TaskRefusal::CatalogueMalformed, error.to_string()),
    };
    let is_same = seen.digest == Some(catalogue.digest());
    if catalogue.version < seen.version || (catalogue.version == seen.version && !is_same) {
        let problem = format!(
            "the catalogue has version {}, and this host has seen another one of version {}: sign it with a higher version",
            catalogue.version, seen.version
        );
        return refuse(TaskRefusal::CatalogueOlder, problem);
    }
    not_expired(&catalogue, now_ms)?;
    Ok(catalogue)
}

fn not_expired(catalogue: &Catalogue, now_ms: i64) -> Result<(), Refusal> {
    if now_ms > catalogue.expires_ms.saturating_add(CLOCK_TOLERANCE_MS) {
        let problem =
            format!("version {} of the catalogue has expired: sign one with a later `expires`", catalogue.version);
        return refuse(TaskRefusal::CatalogueExpired, problem);
    }
    Ok(())
}

/// `records`: what this host remembers of calls.
///
/// # Errors
/// [`Refusal`] with the first reason that applies.
pub fn judge(task: &Task, host: &Host<'_>, records: &BTreeMap<TaskCall, Record>) -> Result<Approved, Refusal> {
    if !host.settings.enabled {
        return refuse(
            TaskRefusal::Disabled,
            "this host runs no tasks: its file task.toml does not say `enabled = true`",
        );
    }
    if host.is_stopped {
        return refuse(
            TaskRefusal::Disabled,
            "this host runs no tasks while the file no-tasks stands beside its task.toml",
        );
    }
    let order = match Order::parse(&task.order) {
        Ok(order) => order,
        Err(error) => return refuse(TaskRefusal::OrderMalformed, error.to_string()),
    };
    if order.id != task.call.order {
        return refuse(
            TaskRefusal::OrderMalformed,
            "the order's id is not the one of the call: send the call of this order",
        );
    }
    let Some(step) = order.steps.get(task.call.step as usize) else {
        let problem = format!("step {} of an order that has {}", task.call.step, order.steps.len());
        return refuse(TaskRefusal::StepUnknown, problem);
    };
    meant_for(task, &order, host)?;
    in_time(&order, host)?;
    let sum = order_sum(&task.order);
    not_replayed(&order, sum, records)?;
    let approvers = approved(task, &order, host.settings)?;
    let Listed { command, account, limits } = listed(step, order.catalogue, host)?;
    Ok(Approved {
        call: task.call,
        order: sum,
        nonce: order.nonce,
        expires_ms: order.expires_ms,
        requester: order.requester.clone(),
        approvers,
        task: step.task.clone(),
        command,
        account,
        limits,
    })
}

/// What catalogue and host together say of a step.
struct Listed {
    command: Vec<String>,
    account: String,
    limits: Limits,
}

fn listed(step: &Step, of: Sum, host: &Host<'_>) -> Result<Listed, Refusal> {
    let Some(catalogue) = host.catalogue.filter(|catalogue| catalogue.digest() == of) else {
        let held = host.catalogue.map_or("none".to_owned(), |catalogue| format!("version {}", catalogue.version));
        let problem = format!(
            "the order is of another catalogue than the one in force here ({held}): send that one, or order anew"
        );
        return refuse(TaskRefusal::OtherCatalogue, problem);
    };
    not_expired(catalogue, host.now_ms)?;
    let Some(definition) = catalogue.tasks.get(&step.task) else {
        return refuse(
            TaskRefusal::TaskUnknown,
            format!("the catalogue has no task {}: add it, and sign it", step.task),
        );
    };
    let Some(allowed) = host.settings.tasks.get(&step.task) else {
        let problem =
            format!("this host does not allow {0}: write [tasks.{0}] with `account` into its task.toml", step.task);
        return refuse(TaskRefusal::NotAllowed, problem);
    };
    if allowed.account != definition.account {
        let problem = format!(
            "{} runs as {} by the catalogue, and as {} by this host's task.toml: make them the same",
            step.task, definition.account, allowed.account
        );
        return refuse(TaskRefusal::Account, problem);
    }
    let command = match definition.command(&step.parameters) {
        Ok(command) => command,
        Err(error) => return refuse(TaskRefusal::Parameters, format!("{}: {error}", step.task)),
    };
    if host.settings.require_cgroup && !host.has_cgroup {
        let problem = "this host demands a cgroup with limits (`require_cgroup`), and its system gives none: run muster-task as its unit, with cgroup version 2";
        return refuse(TaskRefusal::Unsupported, problem);
    }
    let limits = definition.limits.least(allowed.limits);
    Ok(Listed { command, account: definition.account.clone(), limits })
}

fn meant_for(task: &Task, order: &Order, host: &Host<'_>) -> Result<(), Refusal> {
    let Some(id) = host.id else {
        return refuse(TaskRefusal::OtherHost, "this host does not know yet which one it is: its agent says so first");
    };
    if id.0 != task.host || !is_target(&order.targets, id, &task.proof) {
        return refuse(TaskRefusal::OtherHost, format!("the order is not for this host ({id}): order it for this one"));
    }
    Ok(())
}

fn in_time(order: &Order, host: &Host<'_>) -> Result<(), Refusal> {
    let now_ms = host.now_ms;
    if is_expired(order.expires_ms, now_ms) {
        let late = now_ms.saturating_sub(order.expires_ms) / 1_000;
        return refuse(
            TaskRefusal::Expired,
            format!("the order expired {late} s ago by this host's clock: order it anew"),
        );
    }
    if order.expires_ms <= host.forgotten_ms {
        let problem = "the order ends before one that this host has forgotten, so it may have run: order it anew, with a later end";
        return refuse(TaskRefusal::Expired, problem);
    }
    if order.expires_ms.saturating_sub(now_ms) > ORDER_LIFE_MS_MAX + CLOCK_TOLERANCE_MS {
        let problem = "the order is good for more than 7 days: order it with an earlier end";
        return refuse(TaskRefusal::TooLong, problem);
    }
    Ok(())
}

/// Whether it is too late to begin.
pub fn is_expired(expires_ms: i64, now_ms: i64) -> bool {
    now_ms > expires_ms.saturating_add(CLOCK_TOLERANCE_MS)
}

fn not_replayed(order: &Order, sum: Sum, records: &BTreeMap<TaskCall, Record>) -> Result<(), Refusal> {
    let is_other = |(call, record): (&TaskCall, &Record)| {
        // What was cancelled before it came has no order yet.
        let Some(of) = record.order else { return false };
        let same_id = call.order == order.id && of != sum;
        let same_nonce = record.nonce == order.nonce && of != sum;
        same_id || same_nonce
    };
    if records.iter().any(is_other) {
        let problem = "another order with this id or this nonce was here before: make a new order";
        return refuse(TaskRefusal::Replayed, problem);
    }
    Ok(())
}

fn approved(task: &Task, order: &Order, settings: &Settings) -> Result<Vec<String>, Refusal> {
    let bytes = Order::signed_bytes(&task.order);
    let (mut approvers, mut is_own) = (Vec::new(), false);
    for approval in &task.approvals {
        let Some(key) = settings.approvers.get(&approval.approver) else {
            let problem = format!("{:?} is none of [approvers] in this host's task.toml", approval.approver);
            return refuse(TaskRefusal::ApprovalInvalid, problem);
        };
        if !key.signed(&bytes, &Signature(approval.signature)) {
            let problem = format!("the approval of {:?} is not of this order, or by another key", approval.approver);
            return refuse(TaskRefusal::ApprovalInvalid, problem);
        }
        if is_same_person(&approval.approver, &order.requester) {
            is_own = true;
        } else if !approvers.contains(&approval.approver) {
            approvers.push(approval.approver.clone());
        }
    }
    if !settings.require_approval || !approvers.is_empty() {
        return Ok(approvers);
    }
    if is_own {
        let problem = format!("{} asked for it and approved it: somebody else must approve", order.requester);
        return refuse(TaskRefusal::OwnApproval, problem);
    }
    refuse(TaskRefusal::Unapproved, "nobody has approved the order: one of [approvers] must, by `muster task approve`")
}

/// Requesters are named as the audit names them (`user:anna`), approvers as the file does (`anna`).
fn is_same_person(approver: &str, requester: &str) -> bool {
    let bare = |name: &str| name.rsplit_once(':').map_or(name, |(_, name)| name).to_lowercase();
    bare(approver) == bare(requester)
}

#[cfg(test)]
mod tests;
