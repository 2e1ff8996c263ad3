//! What ingest asks and tells: what sessions are to be given, and what hosts said.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message as wire;
use tokio::sync::watch;

use super::book::{Queued, TaskBook, TaskDue};
use super::keys::TaskSettings;
use super::step::{Problems, Work};
use crate::by::By;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;

impl Fleet {
    /// What the configuration says from now on.
    pub fn set_task_settings(&self, settings: TaskSettings) {
        self.tasks.lock().settings = settings;
    }

    /// Moves when sessions are to be given something of [`Fleet::take_tasks_due`].
    pub fn subscribe_tasks(&self) -> watch::Receiver<u64> {
        self.tasks_due.subscribe()
    }

    /// Moves when an order or a catalogue is otherwise than before.
    pub fn subscribe_task_orders(&self) -> watch::Receiver<u64> {
        self.tasks_moved.subscribe()
    }

    /// What sessions are to be given, in order, each once. What is due to a host without a session may be dropped: its next session is given all anew.
    pub fn take_tasks_due(&self) -> Vec<(HostId, TaskDue)> {
        std::mem::take(&mut self.tasks.lock().due)
    }

    /// A session of this host has begun; `takes`: its agent has a program that runs tasks. The next [`Fleet::step_tasks`] gives it what it is owed.
    pub fn task_connected(&self, host: HostId, takes: bool) {
        self.tasks.lock().queue(host, Queued::Connected { takes });
    }

    /// The host's session has ended and no other took its place.
    pub fn task_gone(&self, host: HostId) {
        self.tasks.lock().queue(host, Queued::Gone);
    }

    /// How a host says that a call stands. Acknowledged by the next [`Fleet::step_tasks`].
    pub fn task_told(&self, host: HostId, state: wire::TaskState) {
        self.tasks.lock().queue(host, Queued::State(state));
    }

    /// What a task wrote. Acknowledged by the next [`Fleet::step_tasks`].
    pub fn task_wrote(&self, host: HostId, output: wire::TaskOutput) {
        self.tasks.lock().queue(host, Queued::Output(output));
    }

    /// To be called about once a second: works in what hosts told, and goes on with each open order. What it decides is durable when it returns, and
    /// due to sessions.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file failed; the next call goes on from what the file has.
    pub fn step_tasks(&self, now: Timestamp) -> Result<(), FleetError> {
        {
            // The first step of a process looks at all: it finds maintenances that no order has.
            let book = self.tasks.lock();
            if book.began_ms > 0 && !book.has_queue() && book.open_orders().is_empty() {
                return Ok(());
            }
        }
        self.change_tasks(&By::MUSTER, now, |book, work| {
            book.step(work);
            Ok(())
        })
    }

    /// Runs a decision over tasks and makes what it drafted durable. A decision that fails must have changed nothing.
    pub(super) fn change_tasks<T>(
        &self,
        by: &By,
        now: Timestamp,
        decide: impl FnOnce(&mut TaskBook, &mut Work<'_>) -> Result<T, FleetError>,
    ) -> Result<T, FleetError> {
        let mut state = self.sure_state()?;
        let watched = self.tasks.lock().watched();
        let problems = self.problems_of(&watched);
        let mut draft = Draft::default();
        let (value, due, moved, maintained) = {
            let memory = self.memory.read();
            let mut book = self.tasks.lock();
            let mut work = Work::new(&memory, by, now, problems);
            let numbers = book.numbers.clone();
            let value = decide(&mut book, &mut work)?;
            book.finish(&mut work, &numbers);
            draft.rows = std::mem::take(&mut work.puts);
            draft.events = std::mem::take(&mut work.events);
            (value, work.due, book.moved, book.work())
        };
        // What is not told of hosts that work is durable before a host is given its call.
        let (is_changed, unmaintained) = self.keep_task_work(maintained, now);
        if is_changed {
            self.commit_status(&mut state, draft, now)?;
        } else {
            self.commit(&mut state, draft)?;
        }
        let is_due = !due.is_empty();
        // While the file is held, so that of two changes the later one is given last.
        {
            let mut book = self.tasks.lock();
            book.due.extend(due);
            book.worked.clear();
            book.unmaintained = unmaintained;
        }
        drop(state);
        self.tasks_moved.send_if_modified(|known| std::mem::replace(known, moved) != moved);
        if is_due {
            self.tasks_due.send_modify(|moved| *moved += 1);
        }
        Ok(value)
    }

    /// What is wrong on these hosts since then: hard problems of their checks.
    fn problems_of(&self, watched: &BTreeMap<HostId, i64>) -> Problems {
        if watched.is_empty() {
            return Problems::new();
        }
        let book = self.book.lock();
        let of = |(host, since_ms): (&HostId, &i64)| {
            let bad = book.glance(*host).bad.into_iter().filter(|bad| bad.since_ms >= *since_ms);
            let mut bad: Vec<(i64, String)> =
                bad.map(|bad| (bad.since_ms, format!("{} is {}", bad.check, bad.severity.as_str()))).collect();
            bad.sort_unstable();
            (!bad.is_empty()).then_some((*host, bad))
        };
        watched.iter().filter_map(of).collect()
    }
}
