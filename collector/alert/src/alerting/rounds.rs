//! Rounds of rule groups: each due group looks at one view of the store; what follows of its alerts is one transaction.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_common::label::LabelSet;
use muster_common::time::{Timestamp, monotonic};
use muster_common::wire::message::Report;
use muster_fleet::{Reported, Standing};
use muster_query::Control;

use super::handle::{Alerting, AlertingError, add};
use crate::{MetricResult, RuleContext, ViewAsk};

impl Alerting {
    /// Evaluates every group that is due. Blocks for as long as that takes; `stop` ends it early.
    ///
    /// # Errors
    /// [`AlertingError`] when the disk or the file fails: alerts are compared anew then.
    pub(super) fn round(&self, now: Timestamp, stop: &Arc<AtomicBool>) -> Result<(), AlertingError> {
        self.be_sure(now)?;
        let away = self.away();
        let external_url = self.ask(|desk| desk.config().external_url.clone().unwrap_or_default());
        let external_labels = LabelSet::default();
        let context = RuleContext {
            external_labels: &external_labels,
            external_url: &external_url,
            ready_ms: self.parts.ready.millis(),
            is_away: &|host| away.contains(host),
        };
        let count = self.ask_rules(|ruler| ruler.groups().len());
        for place in 0..count {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            // The lock is let go between groups, so that a question or a reload waits for one group at most; and not before what the round
            // made is written, so that a reload ends that too.
            let mut ruler = self.ruler.lock();
            let round = {
                let Some(group) = ruler.groups_mut().get_mut(place) else { break };
                let Some(due) = group.due(now.millis()) else { continue };
                let engine = self.parts.engine.load();
                let view = self.parts.reader.view();
                let control = Control {
                    cancelled: Arc::clone(stop),
                    deadline: monotonic().saturating_add(engine.limits().timeout),
                };
                let began = monotonic();
                let round = group.evaluate(due, &ViewAsk { engine: &engine, view: &view, control: &control }, &context);
                group.note_time(monotonic().saturating_sub(began));
                round
            };
            if !round.batch.samples.is_empty() && self.parts.batches.try_send(round.batch).is_err() {
                self.batches_dropped.fetch_add(1, Ordering::Relaxed);
            }
            self.hand_over(round.results, now)?;
            if round.changes.is_empty() && round.rows.is_empty() {
                continue;
            }
            let (changes, rows) = (round.changes, round.rows);
            self.change(now, |desk| {
                let mut change = desk.alerts(now.millis(), changes);
                add(&mut change, muster_fleet::SmallChange { rows, events: Vec::new() });
                change
            })?;
        }
        Ok(())
    }

    /// Results of metric checks are fleet's, as those of agents are. A tick that is repeated after a crash brings them again, which changes nothing.
    fn hand_over(&self, results: Vec<MetricResult>, now: Timestamp) -> Result<(), AlertingError> {
        let fleet = &self.parts.fleet;
        let reported = |result: MetricResult| {
            let Ok(host) = fleet.find(&result.host) else {
                self.results_dropped.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            Some(Reported { host, arrived: now, is_live: true, report: Report::Check(result.report) })
        };
        let reports: Vec<Reported> = results.into_iter().filter_map(reported).collect();
        if reports.is_empty() { Ok(()) } else { Ok(fleet.apply_reports(&reports)?) }
    }

    /// Metric checks that no rule file has any more are no more.
    pub(super) fn settle_metric_checks(&self, now: Timestamp) -> Result<(), AlertingError> {
        let rules = self.rules.load();
        let all = rules.iter().flat_map(|file| &file.groups).flat_map(|group| &group.rules);
        let named: BTreeSet<&str> = all.filter(|rule| rule.check().is_some()).map(|rule| rule.name.as_str()).collect();
        Ok(self.parts.fleet.keep_metric_checks(&named, now)?)
    }

    /// Hosts of which nothing is expected to come now.
    fn away(&self) -> HashSet<String> {
        let standings = self.parts.fleet.standings();
        let absent = standings.iter().filter(|one| one.standing != Standing::Present);
        absent.filter_map(|one| self.parts.fleet.host(one.host).map(|host| host.name)).collect()
    }
}
