//! Catalogues and orders as others see them.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::stat::Stat;
use muster_common::task::{Catalogue, Definition};

use super::book::TaskBook;
use super::change::shown_id;
use super::rollout::{RunState, STEP_BACK, STEP_FORWARD};
use super::rows::{Heard, TaskOrder, output_key};
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::rows::decode;
use crate::tables::TASK_OUTPUTS;

/// A catalogue.
#[derive(Clone, Debug)]
pub struct CatalogueView {
    pub version: u64,
    /// SHA-256 as hexadecimal digits, by which orders name it.
    pub digest: String,
    pub document: String,
    pub signature: String,
    /// The name that this collector has for the key that signed it; empty: it knows none.
    pub signer: String,
    pub by: String,
    pub added_ms: i64,
    pub expires_ms: i64,
    pub tasks: BTreeMap<String, Definition>,
    /// Hosts that have said that it is in force there, and those that refused it with their reasons.
    pub taken: u64,
    pub refused: Vec<(HostId, String)>,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    pub order: TaskOrder,
    /// A UUID.
    pub id: String,
    /// Of the step that it is at.
    pub wave_size: u64,
    /// Hosts by state, in the order of [`RunState::ALL`]: of the task, and of what takes it back.
    pub counts: [[u64; RunState::ALL.len()]; 2],
    /// Hosts of the step that it is at that have failed or are not well since.
    pub failures: u32,
    /// Why its hosts are in no maintenance although they are to be in one.
    pub unmaintained: Option<String>,
}

/// A host of an order in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderHost {
    pub host: HostId,
    pub place: u32,
    /// The task, and what takes it back if that came to be wanted.
    pub runs: Vec<(super::rollout::Run, Heard)>,
}

/// What a call wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskOutput {
    pub text: String,
    pub heard: Heard,
}

impl TaskBook {
    pub(super) fn catalogue_view(&self, version: u64) -> Option<CatalogueView> {
        let row = self.catalogues.get(&version)?;
        let read = Catalogue::parse(&row.document).ok();
        let is_newest = self.catalogues.last_key_value().is_some_and(|(newest, _)| *newest == version);
        let refused = self.taken.iter().filter(|_| is_newest);
        let mut refused: Vec<(HostId, String)> =
            refused.filter_map(|(host, taken)| Some((*host, taken.clone().err()?))).collect();
        refused.sort_unstable();
        Some(CatalogueView {
            version,
            digest: Catalogue::digest_of(&row.document).to_string(),
            document: row.document.clone(),
            signature: row.signature.clone(),
            signer: row.signer.clone(),
            by: row.by.clone(),
            added_ms: row.added_ms,
            expires_ms: read.as_ref().map_or(0, |read| read.expires_ms),
            tasks: read.map(|read| read.tasks).unwrap_or_default(),
            taken: self.taken.values().filter(|taken| is_newest && taken.is_ok()).count() as u64,
            refused,
        })
    }

    pub(super) fn order_view(&self, number: u64) -> Option<OrderView> {
        let entry = self.orders.get(&number)?;
        let mut order = entry.row.clone();
        order.progress = entry.machine.progress.clone();
        Some(OrderView {
            id: shown_id(&entry.id),
            wave_size: entry.machine.wave_size() as u64,
            counts: [entry.machine.counts(STEP_FORWARD), entry.machine.counts(STEP_BACK)],
            unmaintained: self.unmaintained.get(&number).cloned(),
            failures: entry.machine.failures(order.progress.step),
            order,
        })
    }
}

impl Fleet {
    /// The newest catalogue; `None`: there is none.
    pub fn task_catalogue(&self) -> Option<CatalogueView> {
        let book = self.tasks.lock();
        let newest = book.catalogues.last_key_value().map(|(version, _)| *version)?;
        book.catalogue_view(newest)
    }

    /// Every order that is kept, newest first.
    pub fn task_orders(&self) -> Vec<OrderView> {
        let book = self.tasks.lock();
        book.orders.keys().rev().filter_map(|number| book.order_view(*number)).collect()
    }

    /// One order.
    pub fn task_order(&self, number: u64) -> Option<OrderView> {
        self.tasks.lock().order_view(number)
    }

    /// The hosts of an order, in their turns.
    pub fn task_hosts(&self, number: u64) -> Vec<OrderHost> {
        let book = self.tasks.lock();
        let Some(entry) = book.orders.get(&number) else { return Vec::new() };
        let mut hosts: Vec<OrderHost> = entry
            .machine
            .members
            .iter()
            .map(|(host, member)| {
                let heard = entry.heard.get(host).copied().unwrap_or_default();
                let runs = [Some(&member.forward), member.back.as_ref()];
                let runs = runs.into_iter().flatten().cloned().zip(heard).collect();
                OrderHost { host: *host, place: member.place, runs }
            })
            .collect();
        hosts.sort_by_key(|host| host.place);
        hosts
    }

    /// What a host's call of a step wrote, as far as it is here.
    ///
    /// # Errors
    /// [`FleetError::NoTaskOrder`] where there is no such order, or the host is none of its; when the disk or the file fails.
    pub fn task_output(&self, number: u64, host: HostId, step: u8) -> Result<TaskOutput, FleetError> {
        let heard = {
            let book = self.tasks.lock();
            let entry = book.orders.get(&number).filter(|entry| entry.machine.members.contains_key(&host));
            let entry = entry.ok_or(FleetError::NoTaskOrder { number })?;
            entry.heard.get(&host).copied().unwrap_or_default()[usize::from(step.min(STEP_BACK))]
        };
        let text = self.scan(|reading| {
            let mut text = String::new();
            for chunk in 0..heard.kept {
                let Some(bytes) = reading.row(TASK_OUTPUTS, &output_key(number, host, step, chunk))? else { break };
                // A chunk that cannot be read ends what can be shown.
                let Ok(piece) = decode::<String>(&bytes) else { break };
                text.push_str(&piece);
            }
            Ok(text)
        })?;
        Ok(TaskOutput { text, heard })
    }

    /// Why nothing is sent to anybody; `None`: it is.
    pub fn tasks_paused(&self) -> Option<String> {
        let paused = self.tasks.lock().numbers.paused.clone();
        (!paused.is_empty()).then_some(paused)
    }

    pub(crate) fn task_stats(&self) -> Vec<Stat> {
        let book = self.tasks.lock();
        let gauge = |name: &'static str, help: &'static str, value: usize| Stat::gauge(name, help, value as f64);
        vec![
            gauge("muster_collector_task_orders", "Orders of tasks that are open.", book.open_orders().len()),
            Stat::counter("muster_collector_task_calls_total", "Calls of tasks sent to hosts.", book.called),
            Stat::counter(
                "muster_collector_task_words_dropped_total",
                "Words and output of tasks that found the queue full; they are told again.",
                book.dropped,
            ),
        ]
    }
}
