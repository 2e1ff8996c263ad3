//! What people do: catalogues are added, orders are asked for, approved and steered. Each is one transaction.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::identity::random;
use muster_common::task::{Catalogue, Definition, Order, Signature, Step, Targets};
use muster_common::time::Timestamp;
use uuid::Uuid;

use super::book::{Entry, TaskBook, TaskDue};
use super::bounds::{
    REASON_BYTES_MAX, SLACK_MS, TASK_CATALOGUES_KEPT, TASK_ORDER_HOSTS_MAX, TASK_ORDERS_OPEN_MAX, TASK_WITHIN_MAX_MS,
    WAIT_MAX_MS,
};
use super::rollout::{Happened, Member, OnTrouble, Progress, STEP_BACK, STEP_FORWARD, Terms, WaveSize};
use super::rows::{Approval, CatalogueRow, TaskOrder};
use super::step::Work;
use super::views::{CatalogueView, OrderView};
use crate::by::{By, Who};
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::outbox::{Event, EventKind};
use crate::rows::encode;
use crate::tables::{Put, TASK_CATALOGUES};

/// A task with its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskCall {
    pub task: String,
    pub parameters: BTreeMap<String, String>,
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// Ids of active hosts, in the order in which they have their turns.
    pub hosts: Vec<HostId>,
    pub forward: TaskCall,
    /// What takes it back.
    pub back: Option<TaskCall>,
    pub canary: u32,
    pub batch: WaveSize,
    pub failures_max: u32,
    pub on_trouble: OnTrouble,
    pub soak_ms: i64,
    pub return_ms: i64,
    /// How long hosts may begin the task, from now on.
    pub within_ms: i64,
    /// How long after that it can be rolled back; counts only where something takes it back.
    pub back_within_ms: i64,
    pub reason: String,
}

impl TaskSpec {
    /// A task on these hosts, as people ask for one without more words: one host first, then a quarter of them at a time.
    pub fn new(hosts: Vec<HostId>, forward: TaskCall) -> Self {
        Self {
            hosts,
            forward,
            back: None,
            canary: 1,
            batch: WaveSize::Percent(25),
            failures_max: 0,
            on_trouble: OnTrouble::Pause,
            soak_ms: 60_000,
            return_ms: 600_000,
            within_ms: 3_600_000,
            back_within_ms: 4 * 3_600_000,
            reason: String::new(),
        }
    }
}

/// What is done to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskSteer {
    Pause,
    Resume,
    /// What runs is stopped too; of one that nobody approved yet: it is taken back.
    Stop,
    RollBack,
}

impl Fleet {
    /// Takes a signed catalogue: from now on hosts are offered it, and orders are of it.
    ///
    /// # Errors
    /// [`FleetError::TaskSpec`] when it cannot be read, is not newer than the one before, has expired, or its signature is by none of the signers
    /// that this collector knows; [`FleetError::TaskOpen`] while an order is open; when the disk or the file fails.
    pub fn add_task_catalogue(
        &self,
        document: &str,
        signature: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<CatalogueView, FleetError> {
        let refused = |why: String| FleetError::TaskSpec { what: "the catalogue", why };
        let read = Catalogue::parse(document).map_err(|error| refused(error.to_string()))?;
        let signature = Signature::parse(signature).ok_or_else(|| {
            refused("its signature is not 128 hexadecimal digits: sign it with `muster task sign`".into())
        })?;
        if read.expires_ms <= now.millis() {
            return Err(refused("it has expired: give it a later end and sign it again".to_owned()));
        }
        self.change_tasks(by, now, |book, work| {
            if let Some((newest, _)) = book.catalogues.last_key_value().filter(|(newest, _)| **newest >= read.version) {
                let version = read.version;
                return Err(refused(format!(
                    "its version {version} is not above {newest}, which hosts have: raise it and sign it again"
                )));
            }
            if let Some(number) = book.open_orders().first() {
                return Err(FleetError::TaskOpen { number: *number });
            }
            let keys = &book.settings.keys;
            let signer = keys.signer_of(&Catalogue::signed_bytes(document), &signature);
            if signer.is_none() && !keys.signers.is_empty() {
                return Err(refused(
                    "it is signed by none of the signers that `tasks.keys` names: sign it with one of theirs".into(),
                ));
            }
            let row = CatalogueRow {
                version: read.version,
                document: document.to_owned(),
                signature: signature.to_string(),
                signer: signer.unwrap_or_default().to_owned(),
                by: by.to_string(),
                added_ms: now.millis(),
            };
            let text =
                format!("added version {} of the catalogue of tasks, which has {}", row.version, read.tasks.len());
            work.events.push(
                Event::new(EventKind::TaskCatalogueAdded, by, now, text).with("version", row.version.to_string()),
            );
            work.puts.push(Put::set(TASK_CATALOGUES, &row.version.to_be_bytes(), encode(&row)));
            book.catalogues.insert(row.version, row);
            while book.catalogues.len() > TASK_CATALOGUES_KEPT
                && let Some((version, _)) = book.catalogues.pop_first()
            {
                work.puts.push(Put::remove(TASK_CATALOGUES, &version.to_be_bytes()));
            }
            book.read_current();
            book.taken.clear();
            let offer = book.offer();
            let takes = book.sessions.iter().filter(|(_, takes)| **takes).map(|(host, _)| *host);
            work.due.extend(takes.filter_map(|host| Some((host, TaskDue::Catalogue(offer.clone()?)))));
            book.catalogue_view(read.version).ok_or_else(|| refused("it went at once".to_owned()))
        })
    }

    /// Asks for a task. It begins when it is approved, or at once where no approval is needed.
    ///
    /// # Errors
    /// [`FleetError::TaskSpec`] says what is wrong with it; when the disk or the file fails.
    pub fn request_task(&self, spec: &TaskSpec, by: &By, now: Timestamp) -> Result<OrderView, FleetError> {
        let (id, nonce) = (random::<16>()?, random::<16>()?);
        let id = *uuid::Builder::from_random_bytes(id).into_uuid().as_bytes();
        self.change_tasks(by, now, |book, work| {
            let order = draw_up(book, work, spec, id, nonce)?;
            let number = order.number;
            let members = spec.hosts.iter().zip(0..).map(|(host, place)| (*host, Member::new(place))).collect();
            let (task, hosts, needs) = (order.tasks[0].clone(), order.hosts, order.needs);
            book.numbers.next = number + 1;
            book.put(id, order, members);
            work.touch(number);
            spec.hosts.iter().for_each(|host| work.touch_host(number, *host));
            let why = if spec.reason.is_empty() { String::new() } else { format!(": {}", spec.reason) };
            work.tell(
                EventKind::TaskRequested,
                number,
                format!("asked for task `{task}` on {hosts} hosts, order {number}{why}"),
            );
            if needs == 0 {
                book.happen(work, number, Happened::Approved);
            }
            book.order_view(number).ok_or(FleetError::NoTaskOrder { number })
        })
    }

    /// Somebody approves an order by a signature over its text, which hosts judge by the key that they have under this name. With the last one that it
    /// needs it begins.
    ///
    /// # Errors
    /// [`FleetError::NoTaskOrder`]; [`FleetError::TaskState`] for one that waits for none; [`FleetError::TaskSpec`] for a signature that cannot be
    /// right, or of the one who asked; when the disk or the file fails.
    pub fn approve_task(
        &self,
        number: u64,
        approver: &str,
        signature: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<OrderView, FleetError> {
        let refused = |why: String| FleetError::TaskSpec { what: "the approval", why };
        let read = Signature::parse(signature).ok_or_else(|| {
            refused("its signature is not 128 hexadecimal digits: `muster task approve` makes one".into())
        })?;
        self.change_tasks(by, now, |book, work| {
            let keys = book.settings.keys.approvers.clone();
            let entry = book.orders.get_mut(&number).ok_or(FleetError::NoTaskOrder { number })?;
            if !entry.machine.allows(&Happened::Approved, now.millis()) {
                return Err(wrong_state(entry, "approved"));
            }
            let asked = entry.row.by.strip_prefix("user:").unwrap_or(&entry.row.by);
            if is_known(by) && by.to_string() == entry.row.by || approver == asked {
                return Err(refused(format!(
                    "{} asked for order {number}: somebody else must approve it",
                    entry.row.by
                )));
            }
            if entry.row.approvals.iter().any(|one| one.approver == approver) {
                return Err(refused(format!("{approver} has approved order {number} already")));
            }
            let key = keys.get(approver);
            match key {
                Some(key) if !key.signed(&Order::signed_bytes(&entry.row.text), &read) => {
                    return Err(refused(format!(
                        "it is not signed by the key of {approver} over the text of order {number}"
                    )));
                }
                None if !keys.is_empty() => {
                    return Err(refused(format!("`tasks.keys` names no approver {approver}")));
                }
                _ => {}
            }
            entry.row.approvals.push(Approval {
                approver: approver.to_owned(),
                signature: read.to_string(),
                is_verified: key.is_some(),
                by: by.to_string(),
                at_ms: now.millis(),
            });
            let (given, needs) = (entry.row.approvals.len(), usize::from(entry.row.needs));
            let text =
                format!("approved order {number}, task `{}`, with the key of {approver}", entry.task(STEP_FORWARD));
            work.touch(number);
            work.tell(EventKind::TaskApproved, number, text);
            if given >= needs {
                book.happen(work, number, Happened::Approved);
            }
            book.order_view(number).ok_or(FleetError::NoTaskOrder { number })
        })
    }

    /// Takes the wheel of an order.
    ///
    /// # Errors
    /// [`FleetError::NoTaskOrder`]; [`FleetError::TaskState`] where it cannot be done to an order as it stands; [`FleetError::TaskSpec`] for a reason
    /// that is too long; when the disk or the file fails.
    pub fn steer_task(
        &self,
        number: u64,
        steer: TaskSteer,
        reason: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<OrderView, FleetError> {
        check_reason(reason)?;
        let why = |what: &str| match reason.trim() {
            "" => format!("{by} {what} it"),
            reason => format!("{by} {what} it: {reason}"),
        };
        self.change_tasks(by, now, |book, work| {
            let entry = book.orders.get(&number).ok_or(FleetError::NoTaskOrder { number })?;
            let (text, word) = match steer {
                TaskSteer::Pause => (why("paused"), "paused"),
                TaskSteer::Resume => (String::new(), "resumed"),
                TaskSteer::Stop => (why("stopped"), "stopped"),
                TaskSteer::RollBack => (why("rolls back"), "rolled back"),
            };
            let happened = match steer {
                TaskSteer::Pause => Happened::Pause(&text),
                TaskSteer::Resume => Happened::Resume,
                TaskSteer::Stop => Happened::Stop(&text),
                TaskSteer::RollBack => Happened::RollBack(&text),
            };
            if !entry.machine.allows(&happened, now.millis()) {
                return Err(wrong_state(entry, word));
            }
            book.happen(work, number, happened);
            book.order_view(number).ok_or(FleetError::NoTaskOrder { number })
        })
    }

    /// Nothing is sent to any host any more, whichever order it is of, until [`Fleet::resume_tasks`].
    ///
    /// # Errors
    /// [`FleetError::TaskSpec`] for a reason that is too long; when the disk or the file fails.
    pub fn pause_tasks(&self, reason: &str, by: &By, now: Timestamp) -> Result<(), FleetError> {
        check_reason(reason)?;
        self.change_tasks(by, now, |book, work| {
            let reason = reason.trim();
            book.numbers.paused = if reason.is_empty() { format!("by {by}") } else { format!("by {by}: {reason}") };
            let text = format!("paused all tasks {}", book.numbers.paused);
            work.events.push(Event::new(EventKind::TasksPaused, by, now, text));
            Ok(())
        })
    }

    /// Takes [`Fleet::pause_tasks`] back.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn resume_tasks(&self, by: &By, now: Timestamp) -> Result<(), FleetError> {
        self.change_tasks(by, now, |book, work| {
            if !std::mem::take(&mut book.numbers.paused).is_empty() {
                work.events.push(Event::new(EventKind::TasksResumed, by, now, "tasks go on".to_owned()));
            }
            Ok(())
        })
    }
}

/// Whether it is known who it is: with `--no-auth` everybody is anybody, and hosts alone judge the approver.
const fn is_known(by: &By) -> bool {
    matches!(by, By::Somebody { who, .. } if !matches!(who, Who::Anybody))
}

fn wrong_state(entry: &Entry, action: &'static str) -> FleetError {
    FleetError::TaskState { number: entry.row.number, state: entry.machine.progress.word(), action }
}

fn check_reason(reason: &str) -> Result<(), FleetError> {
    if reason.len() > REASON_BYTES_MAX {
        let why = format!("it is longer than {REASON_BYTES_MAX} bytes: shorten it");
        return Err(FleetError::TaskSpec { what: "the reason", why });
    }
    Ok(())
}

/// The order that is made of what somebody asks for.
fn draw_up(
    book: &TaskBook,
    work: &Work<'_>,
    spec: &TaskSpec,
    id: [u8; 16],
    nonce: [u8; 16],
) -> Result<TaskOrder, FleetError> {
    let refused = |why: String| FleetError::TaskSpec { what: "the order", why };
    check_reason(&spec.reason)?;
    let now_ms = work.now.millis();
    let catalogue = book
        .current
        .as_ref()
        .ok_or_else(|| refused("there is no catalogue of tasks: add one with `muster task add`".into()))?;
    if catalogue.expires_ms <= now_ms {
        return Err(refused("the catalogue has expired: add a newer one".to_owned()));
    }
    if book.open_orders().len() >= TASK_ORDERS_OPEN_MAX {
        return Err(refused(format!("{TASK_ORDERS_OPEN_MAX} orders are open, which is the most: stop some")));
    }
    if spec.hosts.is_empty() || spec.hosts.len() > TASK_ORDER_HOSTS_MAX {
        return Err(refused(format!("it is for {} hosts: 1 to {TASK_ORDER_HOSTS_MAX} are allowed", spec.hosts.len())));
    }
    let active = |host: &HostId| work.memory.host(*host).is_some_and(|row| row.state == HostState::Active);
    if let Some(host) = spec.hosts.iter().find(|host| !active(host)) {
        return Err(refused(format!("host `{}` is not active", work.name(*host))));
    }
    let targets = Targets::new(spec.hosts.iter().copied()).filter(|targets| targets.count() == spec.hosts.len());
    let targets = targets.ok_or_else(|| refused("it names a host twice".to_owned()))?;
    let whole_ms = judge_terms(spec)?;
    let calls: Vec<&TaskCall> = [&spec.forward].into_iter().chain(&spec.back).collect();
    let (run_ms, maintenance_ms) = judge_calls(catalogue, &calls)?;
    let expires_ms = now_ms.saturating_add(whole_ms);
    let step = |call: &&TaskCall| Step { task: call.task.clone(), parameters: call.parameters.clone() };
    let order = Order {
        id,
        catalogue: catalogue.digest(),
        hosts: u32::try_from(spec.hosts.len()).unwrap_or(u32::MAX),
        targets: targets.root(),
        requester: work.by.to_string(),
        expires_ms,
        nonce,
        steps: calls.iter().map(step).collect(),
    };
    let text = order.text().map_err(|error| refused(error.to_string()))?;
    Ok(TaskOrder {
        number: book.numbers.next,
        text,
        tasks: calls.iter().map(|call| call.task.clone()).collect(),
        hosts: spec.hosts.len() as u64,
        by: work.by.to_string(),
        reason: spec.reason.trim().to_owned(),
        made_ms: now_ms,
        needs: book.settings.approvals,
        approvals: Vec::new(),
        terms: Terms {
            canary: spec.canary.min(u32::try_from(spec.hosts.len()).unwrap_or(u32::MAX)),
            batch: spec.batch,
            failures_max: spec.failures_max,
            on_trouble: spec.on_trouble,
            soak_ms: spec.soak_ms,
            return_ms: spec.return_ms,
            run_ms: run_ms[usize::from(STEP_FORWARD)],
            back_ms: run_ms[usize::from(STEP_BACK)],
            expires_ms: now_ms.saturating_add(spec.within_ms),
            back_expires_ms: spec.back.is_some().then_some(expires_ms),
            maintenance_ms: maintenance_ms[usize::from(STEP_FORWARD)],
            back_maintenance_ms: maintenance_ms[usize::from(STEP_BACK)],
        },
        progress: Progress::requested(now_ms),
    })
}

/// Whether the catalogue has these tasks with such parameters; the answer is how long each may be at a host, and how long health may take to return
/// after it.
fn judge_calls(catalogue: &Catalogue, calls: &[&TaskCall]) -> Result<([i64; 2], [Option<i64>; 2]), FleetError> {
    let refused = |why: String| FleetError::TaskSpec { what: "the order", why };
    let millis = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4);
    let (mut run_ms, mut maintenance_ms) = ([SLACK_MS; 2], [None; 2]);
    for ((call, run_ms), maintenance_ms) in calls.iter().zip(&mut run_ms).zip(&mut maintenance_ms) {
        let definition: &Definition = catalogue.tasks.get(&call.task).ok_or_else(|| {
            refused(format!("the catalogue has no task `{}`: `muster task catalogue` shows those there are", call.task))
        })?;
        definition.command(&call.parameters).map_err(|error| refused(format!("task `{}`: {error}", call.task)))?;
        *run_ms += millis(definition.limits.timeout);
        *maintenance_ms = definition.maintenance.map(millis);
    }
    Ok((run_ms, maintenance_ms))
}

/// Waves and times; the answer is how long the order is good for with its way back.
fn judge_terms(spec: &TaskSpec) -> Result<i64, FleetError> {
    let refused = |why: &str| FleetError::TaskSpec { what: "the order", why: why.to_owned() };
    let wave = match spec.batch {
        WaveSize::Hosts(count) => count >= 1,
        WaveSize::Percent(percent) => (1..=100).contains(&percent),
    };
    if !wave {
        return Err(refused("a batch has one host at least, or 1 to 100 %"));
    }
    if !(0..=WAIT_MAX_MS).contains(&spec.soak_ms) || !(0..=WAIT_MAX_MS).contains(&spec.return_ms) {
        return Err(refused("the soak and the time to come back are 12 hours at most"));
    }
    let back_within_ms = if spec.back.is_some() { spec.back_within_ms } else { 0 };
    let whole_ms = spec.within_ms.saturating_add(back_within_ms);
    if spec.within_ms < 60_000 || back_within_ms < 0 || whole_ms > TASK_WITHIN_MAX_MS {
        return Err(refused("it is good for less than a minute, or with its way back for more than 7 days"));
    }
    Ok(whole_ms)
}

/// An order's id as people write it.
pub(super) fn shown_id(id: &[u8; 16]) -> String {
    Uuid::from_bytes(*id).hyphenated().to_string()
}
