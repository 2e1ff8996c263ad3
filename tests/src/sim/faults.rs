//! What goes wrong in a world: power, disks, processes, networks, clocks, and people who restore, revert, wipe, clone and delete.

use muster_common::disk::cut::{Fault, Operation};
use muster_common::time::Timestamp;

use super::ledger::Violation;
use super::lines::{any_file, matchers};
use super::scenario::Scenario;
use super::world::World;

impl World {
    /// What goes wrong in this step.
    pub(super) fn faults(&mut self) -> Result<(), Violation> {
        let scenario = self.scenario.clone();
        if self.luck(scenario.collector_power) {
            let after = self.collector.disk.operations() + self.rng.u64(1..60);
            self.collector.disk.power_off_at(after);
        }
        if self.luck(scenario.collector_kill) && self.collector.running.is_some() {
            self.collector.crash(self.now_ms, false);
            self.collector_gone();
        }
        if self.luck(scenario.disk_error) {
            let operation = if self.rng.bool() { Operation::Sync } else { Operation::Write };
            let fault = if self.rng.bool() { Fault::Io } else { Fault::NoSpace };
            self.collector.disk.fail(operation, self.rng.u64(1..10), 1, fault);
        }
        // Nothing is put back in half of the worlds; a snapshot there would only cost time.
        if self.luck(20) && scenario.collector_restore > 0 {
            self.collector.save(self.now_ms)?;
        }
        self.go_back(&scenario);
        if let Some(running) = &mut self.collector.running {
            let now = Timestamp::from_millis(self.now_ms);
            // A disk error under these is the disk's; the next attempt is the product's.
            if self.rng.u32(..1_000) < scenario.merge {
                let _ = running.admin.flush(true, now);
            } else if self.rng.u32(..1_000) < scenario.flush {
                let _ = running.admin.flush(false, now);
            }
        }
        if self.luck(scenario.lines_deleted) {
            self.delete_lines()?;
        }
        if self.luck(scenario.contexts_lost)
            && let Some(running) = &mut self.collector.running
        {
            let mut said = Vec::new();
            running.lose_contexts(self.now_ms, &mut said);
            self.hear(said)?;
        }
        if self.luck(scenario.partition) {
            self.partitioned_until_ms = self.now_ms + self.rng.i64(5_000..40_000);
            for agent in &mut self.agents {
                let (first, second) = (self.rng.i64(1..20_000), self.rng.i64(1..20_000));
                if let Some(link) = &mut agent.link {
                    link.cut(self.now_ms + first, self.now_ms + second);
                }
            }
        }
        for number in 0..self.agents.len() {
            self.agent_faults(number, &scenario);
        }
        Ok(())
    }

    /// The collector is as it was before, or has lost a part of what it had.
    fn go_back(&mut self, scenario: &Scenario) {
        if self.luck(scenario.collector_restore)
            && let Some((image_ms, is_snapshot)) = self.collector.restore(self.now_ms)
        {
            self.tell(&format!("restored to {image_ms}"));
            self.report.restores += 1;
            self.report.from_snapshots += u64::from(is_snapshot);
            self.ledger.restore(image_ms);
            self.ledger.lines.restore(image_ms);
            self.ledger.lines.forget_positions(image_ms);
            self.http.written.clear();
            self.http.maybe.clear();
            self.collector_gone();
        }
        if self.luck(scenario.inbox_gone) && self.collector.running.is_some() {
            let flushed = self.collector.lose_inbox(self.now_ms);
            self.tell(if flushed { "inbox gone, all flushed" } else { "inbox gone" });
            // What is in segments has no mark any more; what is not is gone.
            self.ledger.restore(if flushed { self.now_ms } else { 0 });
            self.ledger.marks_lost = true;
            self.ledger.lines.restore(i64::MAX);
            if !flushed {
                self.ledger.lines.forget_positions(i64::MIN);
            }
            self.http.written.clear();
            self.http.maybe.clear();
            self.report.inboxes_lost += 1;
            self.collector_gone();
        }
    }

    /// Somebody deletes what the store has of one file.
    fn delete_lines(&mut self) -> Result<(), Violation> {
        let agent = &self.agents[self.rng.usize(..self.agents.len())];
        let (host, key) = (agent.host, any_file(agent.number, &mut self.rng));
        let Some(running) = self.collector.running.as_mut().filter(|_| !self.collector.disk.is_off()) else {
            return Ok(());
        };
        if !running.looks_up(host) {
            return Ok(());
        }
        let through = self.ledger.lines.arrived(host, key, &running.reader.view())?;
        let now = Timestamp::from_millis(self.now_ms);
        let deleted = running.admin.delete_logs(matchers(host, key), i64::MIN, i64::MAX, now);
        // Where the power went meanwhile, what was said before that is not known to be so.
        let is_known = deleted.is_ok() && !self.collector.disk.is_off();
        self.ledger.lines.delete(key, self.now_ms, through, is_known);
        self.report.deletes += 1;
        self.tell(&format!("{through} lines of {key:?} deleted: {is_known}"));
        Ok(())
    }

    fn agent_faults(&mut self, number: usize, scenario: &Scenario) {
        if self.luck(scenario.connection_break) {
            let (first, second) = (self.rng.i64(1..5_000), self.rng.i64(1..5_000));
            if let Some(link) = &mut self.agents[number].link {
                link.cut(self.now_ms + first, self.now_ms + second);
            }
        }
        if self.luck(scenario.agent_power) && self.agents[number].is_running() {
            let agent = &mut self.agents[number];
            let after = agent.disk.operations() + self.rng.u64(1..20);
            agent.disk.power_off_at(after);
        }
        if self.luck(scenario.agent_kill) && self.agents[number].is_running() {
            self.agents[number].crash(self.now_ms, false);
            self.report.crashes += 1;
        }
        if self.luck(20) {
            self.agents[number].save(&self.ledger);
        }
        if self.luck(scenario.agent_revert) {
            self.agents[number].revert(self.now_ms, &mut self.ledger);
        }
        if self.luck(scenario.agent_wipe) {
            self.report.wipes += 1;
            self.agents[number].wipe(self.now_ms, &mut self.ledger);
        }
        if self.luck(scenario.clock_step) {
            self.agents[number].clock_offset_ms = self.rng.i64(-40_000..40_000);
        }
        if self.luck(scenario.clone) && self.clones == 0 {
            self.clones = 1;
            self.tell(&format!("agent {number} cloned"));
            let next = self.agents.len();
            let clone = self.agents[number].clone_machine(next);
            self.agents.push(clone);
        }
    }
}
