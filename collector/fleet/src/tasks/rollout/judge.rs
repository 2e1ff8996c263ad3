//! What time brings about: calls that are lost, hosts that are well or not, orders that expire, and failures that are too many.

use muster_common::host::HostId;

use super::{
    ACCEPT_MS, Ask, CANCEL_MS, Effect, Facts, Health, Machine, OnTrouble, OrderState, Run, RunState, STEP_BACK,
};

/// What a look at a host's run finds.
enum Found {
    Lost(String),
    Well,
    Unwell(String),
}

impl Machine {
    /// Looks at each host that the wave waits for.
    pub(super) fn judge_time(&mut self, now_ms: i64, ask: Ask<'_>, effects: &mut Vec<Effect>) {
        let step = self.progress.step;
        let mut found: Vec<(HostId, Found)> = Vec::new();
        for (host, member) in &self.members {
            let Some(run) = member.run(step).filter(|run| run.is_unsettled()) else { continue };
            found.extend(self.look(run, now_ms, &ask(*host, run.sent_ms)).map(|found| (*host, found)));
        }
        for (host, found) in found {
            let Some(run) = self.members.get_mut(&host).and_then(|member| member.run_mut(step)) else { continue };
            match found {
                Found::Lost(reason) => {
                    (run.state, run.ended_ms, run.reason) = (RunState::Lost, now_ms, reason);
                    // It may begin yet: if it comes back it is told that it must not.
                    if run.cancel_ms == 0 {
                        run.cancel_ms = now_ms;
                        effects.push(Effect::Cancel(host, step));
                    }
                    effects.push(Effect::Ended(host, step));
                }
                Found::Well => run.health = Health::Good,
                Found::Unwell(reason) => {
                    (run.health, run.reason) = (Health::Bad, reason);
                    effects.push(Effect::Ended(host, step));
                }
            }
        }
    }

    fn look(&self, run: &Run, now_ms: i64, facts: &Facts) -> Option<Found> {
        let past = |since_ms: i64, span_ms: i64| now_ms >= since_ms.saturating_add(span_ms);
        let minutes = |span_ms: i64| format!("{} min", (span_ms + 59_999) / 60_000);
        let is_away_long = !facts.is_able && facts.away_ms >= self.terms.return_ms;
        // While it is paused nobody is given what was lost on the way.
        let is_awaited = self.progress.state != OrderState::Paused || now_ms >= self.expires_ms();
        let run_ms = if self.progress.step == STEP_BACK { self.terms.back_ms } else { self.terms.run_ms };
        match run.state {
            _ if run.cancel_ms > 0 && run.state.is_under_way() => past(run.cancel_ms, CANCEL_MS)
                .then(|| Found::Lost(format!("did not say within {} that it has stopped", minutes(CANCEL_MS)))),
            RunState::Sent if run.again_ms == 0 && is_awaited && past(run.asked_ms, ACCEPT_MS) => {
                Some(Found::Lost(format!("did not say within {} that it has the call", minutes(ACCEPT_MS))))
            }
            RunState::Sent if past(run.sent_ms, run_ms.saturating_add(ACCEPT_MS)) => {
                Some(Found::Lost("was busy all the time".to_owned()))
            }
            RunState::Running if is_away_long => Some(Found::Lost(format!(
                "went away with it and was not back within {}",
                minutes(self.terms.return_ms)
            ))),
            RunState::Running if facts.is_able && past(run.began_ms, run_ms) => {
                Some(Found::Lost(format!("did not say within {} how it ended", minutes(run_ms))))
            }
            RunState::Ok if is_away_long => {
                Some(Found::Unwell(format!("did not come back within {}", minutes(self.terms.return_ms))))
            }
            RunState::Ok if facts.is_able && past(run.ended_ms, self.terms.soak_ms) => Some(match &facts.problem {
                None => Found::Well,
                Some(problem) => Found::Unwell(format!("has a new problem: {problem}")),
            }),
            _ => None,
        }
    }

    /// Those that have not had their turn when the time is over have none.
    pub(super) fn judge_expiry(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        if now_ms < self.expires_ms() || self.progress.state == OrderState::Stopping {
            return;
        }
        let is_any = self.runs().any(|run| run.state == RunState::Waiting);
        self.leave_waiting(RunState::Skipped, "the order expired before its turn", now_ms);
        if self.progress.state == OrderState::Requested {
            "nobody approved it in time".clone_into(&mut self.progress.reason);
            self.finish(OrderState::Expired, now_ms, effects);
            return;
        }
        if is_any {
            "it expired before all hosts had their turn".clone_into(&mut self.progress.reason);
        }
        // Hosts that run may go on to their end; one that nobody resumes ends too.
        let is_over = !self.runs().any(Run::is_unsettled);
        let expires_ms = self.expires_ms();
        let has_skipped = self.runs().any(|run| run.state == RunState::Skipped && run.ended_ms >= expires_ms);
        if is_over && (has_skipped || self.progress.state == OrderState::Paused) {
            self.finish(OrderState::Expired, now_ms, effects);
        }
    }

    /// Whether more hosts have failed than may, and what follows.
    pub(super) fn judge_trouble(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        if self.progress.state != OrderState::Running {
            return;
        }
        let step = self.progress.step;
        let failures = self.failures(step);
        let over = failures.saturating_sub(self.progress.forgiven);
        let allowed = if self.is_canary() { 0 } else { self.terms.failures_max };
        if over <= allowed {
            return;
        }
        let last = self.members.iter().filter_map(|(host, member)| Some((host, member.run(step)?)));
        let last = last.filter(|(_, run)| run.has_failed()).max_by_key(|(_, run)| run.ended_ms);
        let last = last.map_or_else(String::new, |(host, run)| format!("; the last one, {host}: {}", run.reason));
        let reason = if self.is_canary() {
            format!("{over} of {} canaries failed{last}", self.wave_size())
        } else {
            format!("{over} hosts failed, {allowed} may{last}")
        };
        let can_turn_back = step != STEP_BACK && self.terms.back_expires_ms.is_some_and(|expires| now_ms < expires);
        match self.terms.on_trouble {
            OnTrouble::RollBack if can_turn_back => self.turn_back(reason, now_ms, effects),
            OnTrouble::Stop if step != STEP_BACK => {
                self.leave_waiting(RunState::Cancelled, "the order stopped before its turn", now_ms);
                (self.progress.reason, self.progress.rolls_back) = (reason, false);
                self.set(OrderState::Stopping, now_ms);
                effects.push(Effect::Stopping);
            }
            _ => {
                (self.progress.reason, self.progress.is_trouble) = (reason, true);
                self.set(OrderState::Paused, now_ms);
                effects.push(Effect::Paused);
            }
        }
    }
}
