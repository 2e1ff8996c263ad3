//! An order over hosts in waves. Pure: facts and time in, effects out.
//!
//! A wave is given its calls, and is over when each of its hosts has ended and, where the task went well, has been well for `soak_ms` since: it is
//! connected, and no problem is open that was not before its call. More failures than the terms allow, or one of the canaries, are trouble: then
//! the order pauses, stops or is rolled back. Taking back has waves of its own over the hosts on which the task may have run.
//!
//! Invariants, which seeded worlds hold it to: never more hosts under way than a wave has; no call after the order was stopped or has expired; a
//! host is given one call a step, sent again only while it has not said that it has it; every order ends, and every host of it by a name.

use std::collections::BTreeMap;

use muster_common::host::HostId;

pub(crate) use self::kept::Member;
pub use self::kept::{
    Health, OnTrouble, OrderState, Progress, Run, RunState, STEP_BACK, STEP_FORWARD, Terms, WaveSize,
};

mod judge;
mod kept;
mod maintained;
mod word;

pub(crate) use self::maintained::{PREFIX, order_prefix};
pub(crate) use self::word::Word;

/// How long a connected host may say nothing of a call: its program judges within a second, a queue before it included.
pub const ACCEPT_MS: i64 = 300_000;
/// How long a host that is told to stop may take to say that it has: its program kills within seconds.
pub const CANCEL_MS: i64 = 120_000;
/// When a host that was busy is given the call again.
pub const AGAIN_MS: i64 = 30_000;

/// What is known of a host now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// It is connected, and takes tasks.
    pub(crate) is_able: bool,
    /// How long it has been away, milliseconds, as far as this process knows; 0 of one that is connected.
    pub(crate) away_ms: i64,
    /// The problem that opened first after the moment asked about, and is open still.
    pub(crate) problem: Option<String>,
}

/// What is known of a host; problems from this moment on (milliseconds) count.
pub(crate) type Ask<'a> = &'a dyn Fn(HostId, i64) -> Facts;

/// What happened.
#[derive(Debug)]
pub(crate) enum Happened<'a> {
    /// It was approved, or needs no approval.
    Approved,
    /// What a host says of its call of this step.
    Told(HostId, u8, Word),
    /// The host is retired.
    Left(HostId),
    Pause(&'a str),
    Resume,
    /// A person stops it: what runs is stopped too.
    Stop(&'a str),
    /// A person has it rolled back.
    RollBack(&'a str),
    /// About once a second. `calls`: how many calls may be sent now, of which those that are get taken off.
    Tick {
        calls: &'a mut usize,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Give this host the call of this step.
    Call(HostId, u8),
    /// Tell this host to stop the call of this step, or never to begin it.
    Cancel(HostId, u8),
    /// A host's run has ended, or was found to be bad.
    Ended(HostId, u8),
    Begun,
    /// This wave is over, and the next one begins.
    WaveDone(u32),
    Paused,
    Resumed,
    /// Nobody else begins.
    Stopping,
    RollingBack,
    /// The order is in a state that it stays in.
    Finished,
}

/// The machine: rows, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) terms: Terms,
    pub(crate) progress: Progress,
    pub(crate) members: BTreeMap<HostId, Member>,
}

impl Machine {
    /// What can be done to an order as it stands.
    pub(crate) fn allows(&self, happened: &Happened<'_>, now_ms: i64) -> bool {
        let Progress { state, step, .. } = self.progress;
        match happened {
            Happened::Approved => state == OrderState::Requested && now_ms < self.terms.expires_ms,
            Happened::Pause(_) => state == OrderState::Running,
            Happened::Resume => state == OrderState::Paused && now_ms < self.expires_ms(),
            Happened::Stop(_) => state.is_open(),
            Happened::RollBack(_) => {
                step == STEP_FORWARD
                    && self.terms.back_expires_ms.is_some_and(|expires_ms| now_ms < expires_ms)
                    && !matches!(state, OrderState::Requested | OrderState::Cancelled)
                    && !self.progress.rolls_back
                    && self.members.values().any(|member| member.forward.may_have_run())
            }
            Happened::Told(..) | Happened::Left(_) | Happened::Tick { .. } => true,
        }
    }

    /// When the step that it is at has expired.
    pub(crate) fn expires_ms(&self) -> i64 {
        match self.progress.step {
            STEP_BACK => self.terms.back_expires_ms.unwrap_or(self.terms.expires_ms),
            _ => self.terms.expires_ms,
        }
    }

    /// Hosts of this step by state, in the order of [`RunState::ALL`].
    pub(crate) fn counts(&self, step: u8) -> [u64; RunState::ALL.len()] {
        let mut counts = [0; RunState::ALL.len()];
        self.members.values().filter_map(|member| member.run(step)).for_each(|run| counts[run.state as usize] += 1);
        counts
    }

    /// Hosts of this step that have failed, or are not well since.
    pub(crate) fn failures(&self, step: u8) -> u32 {
        let failed = self.members.values().filter_map(|member| member.run(step)).filter(|run| run.has_failed()).count();
        u32::try_from(failed).unwrap_or(u32::MAX)
    }

    /// What a new session of a host is given: a call that it has not said that it has, and what it must not go on with.
    pub(crate) fn owed(&self, host: HostId, now_ms: i64) -> Vec<Effect> {
        let Some(member) = self.members.get(&host) else { return Vec::new() };
        let Progress { state, step: at, .. } = self.progress;
        let owed = [STEP_FORWARD, STEP_BACK].into_iter().filter_map(|step| {
            let run = member.run(step)?;
            if run.cancel_ms > 0 && (run.state.is_under_way() || run.state == RunState::Lost) {
                return Some(Effect::Cancel(host, step));
            }
            let is_on = state == OrderState::Running && at == step && now_ms < self.expires_ms();
            (is_on && run.state == RunState::Sent && now_ms >= run.again_ms).then_some(Effect::Call(host, step))
        });
        owed.collect()
    }

    /// Takes what happened; what [`Machine::allows`] forbids changes nothing.
    pub(crate) fn step(&mut self, now_ms: i64, happened: Happened<'_>, ask: Ask<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.allows(&happened, now_ms) {
            return effects;
        }
        match happened {
            Happened::Approved => {
                self.set(OrderState::Running, now_ms);
                effects.push(Effect::Begun);
            }
            Happened::Told(host, step, word) => self.told(host, step, word, now_ms, &mut effects),
            Happened::Left(host) => self.left(host, now_ms, &mut effects),
            Happened::Pause(reason) => {
                self.set(OrderState::Paused, now_ms);
                (self.progress.reason, self.progress.is_trouble) = (reason.to_owned(), false);
                effects.push(Effect::Paused);
            }
            Happened::Resume => {
                if self.progress.is_trouble {
                    self.progress.forgiven = self.failures(self.progress.step);
                }
                self.set(OrderState::Running, now_ms);
                self.progress.reason.clear();
                self.progress.is_trouble = false;
                effects.push(Effect::Resumed);
                self.call_again(now_ms, true, &mut effects);
            }
            Happened::Stop(reason) => self.stop(reason, now_ms, &mut effects),
            Happened::RollBack(reason) => self.turn_back(reason.to_owned(), now_ms, &mut effects),
            Happened::Tick { calls } => self.tick(now_ms, calls, ask, &mut effects),
        }
        effects
    }

    fn set(&mut self, state: OrderState, now_ms: i64) {
        (self.progress.state, self.progress.changed_ms) = (state, now_ms);
    }

    fn tick(&mut self, now_ms: i64, calls: &mut usize, ask: Ask<'_>, effects: &mut Vec<Effect>) {
        if !self.progress.state.is_open() {
            return;
        }
        self.judge_time(now_ms, ask, effects);
        self.judge_expiry(now_ms, effects);
        self.judge_trouble(now_ms, effects);
        if self.progress.state == OrderState::Stopping {
            self.settle(now_ms, effects);
        }
        if self.progress.state == OrderState::Running {
            self.call_again(now_ms, false, effects);
            self.go_on(now_ms, calls, ask, effects);
        }
    }

    /// A person stops it.
    fn stop(&mut self, reason: &str, now_ms: i64, effects: &mut Vec<Effect>) {
        let was = self.progress.state;
        reason.clone_into(&mut self.progress.reason);
        (self.progress.rolls_back, self.progress.is_trouble) = (false, false);
        self.leave_waiting(RunState::Cancelled, reason, now_ms);
        if was == OrderState::Requested {
            self.finish(OrderState::Cancelled, now_ms, effects);
            return;
        }
        let step = self.progress.step;
        for (host, member) in &mut self.members {
            if let Some(run) = member.run_mut(step).filter(|run| run.state.is_under_way() && run.cancel_ms == 0) {
                run.cancel_ms = now_ms;
                effects.push(Effect::Cancel(*host, step));
            }
        }
        self.set(OrderState::Stopping, now_ms);
        effects.push(Effect::Stopping);
        self.settle(now_ms, effects);
    }

    /// Nobody else begins, and what was done is taken back once those that run have ended.
    fn turn_back(&mut self, reason: String, now_ms: i64, effects: &mut Vec<Effect>) {
        self.leave_waiting(RunState::Cancelled, &reason, now_ms);
        (self.progress.reason, self.progress.rolls_back, self.progress.is_trouble) = (reason, true, false);
        self.set(OrderState::Stopping, now_ms);
        self.settle(now_ms, effects);
        if self.progress.state == OrderState::Stopping {
            effects.push(Effect::Stopping);
        }
    }

    /// What has not had its turn will not have one.
    fn leave_waiting(&mut self, state: RunState, reason: &str, now_ms: i64) {
        let step = self.progress.step;
        let runs = self.members.values_mut().filter_map(|member| member.run_mut(step));
        for run in runs.filter(|run| run.state == RunState::Waiting) {
            (run.state, run.ended_ms) = (state, now_ms);
            reason.clone_into(&mut run.reason);
        }
    }

    /// Ends what is stopping, or turns it back, once no host is under way.
    fn settle(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        if self.runs().any(|run| run.state.is_under_way()) {
            return;
        }
        if !self.progress.rolls_back {
            self.finish(OrderState::Stopped, now_ms, effects);
            return;
        }
        for member in self.members.values_mut().filter(|member| member.forward.may_have_run()) {
            member.back.get_or_insert(Run::WAITING);
        }
        let progress = &mut self.progress;
        (progress.step, progress.wave, progress.forgiven, progress.rolls_back) = (STEP_BACK, 0, 0, false);
        self.set(OrderState::Running, now_ms);
        effects.push(Effect::RollingBack);
    }

    fn finish(&mut self, state: OrderState, now_ms: i64, effects: &mut Vec<Effect>) {
        self.set(state, now_ms);
        effects.push(Effect::Finished);
    }

    /// The runs of the step that it is at.
    fn runs(&self) -> impl Iterator<Item = &Run> {
        let step = self.progress.step;
        self.members.values().filter_map(move |member| member.run(step))
    }

    /// How many hosts the wave may have that it is at.
    pub(crate) fn wave_size(&self) -> usize {
        let Progress { step, wave, .. } = self.progress;
        match (step, wave, self.terms.canary) {
            (STEP_FORWARD, 0, canary @ 1..) => canary as usize,
            _ => self.terms.batch.of(self.runs().count()),
        }
    }

    /// Whether the wave that it is at may not fail at all.
    fn is_canary(&self) -> bool {
        self.progress.step == STEP_FORWARD && self.progress.wave == 0 && self.terms.canary > 0
    }

    /// Gives the call again to hosts that were busy, and (`all`) to those that may not have got it while the order was paused.
    fn call_again(&mut self, now_ms: i64, all: bool, effects: &mut Vec<Effect>) {
        let step = self.progress.step;
        if now_ms >= self.expires_ms() {
            return;
        }
        for (host, member) in &mut self.members {
            let Some(run) = member.run_mut(step) else { continue };
            let is_busy = run.again_ms > 0;
            let is_due = if is_busy { now_ms >= run.again_ms } else { all };
            if run.state == RunState::Sent && run.cancel_ms == 0 && is_due {
                // Until it has the call: it may be busy once more.
                run.again_ms = if is_busy { now_ms.saturating_add(AGAIN_MS) } else { 0 };
                run.asked_ms = now_ms;
                effects.push(Effect::Call(*host, step));
            }
        }
    }

    /// Gives calls to as many hosts as the wave has room for, and begins the next wave when it is over.
    fn go_on(&mut self, now_ms: i64, calls: &mut usize, ask: Ask<'_>, effects: &mut Vec<Effect>) {
        let step = self.progress.step;
        loop {
            let (wanted, wave) = (self.wave_size(), self.progress.wave);
            let in_wave = self.runs().filter(|run| run.sent_ms > 0 && run.wave == wave).count();
            let waiting: Vec<(u32, HostId)> = self
                .members
                .iter()
                .filter(|(_, member)| member.run(step).is_some_and(|run| run.state == RunState::Waiting))
                .map(|(host, member)| (member.place, *host))
                .collect();
            let mut ready: Vec<(u32, HostId)> =
                waiting.iter().copied().filter(|(_, host)| ask(*host, now_ms).is_able).collect();
            ready.sort_unstable();
            // A host that was given up may come back to life; those under way count whichever wave they are of.
            let unsettled = self.runs().filter(|run| run.is_unsettled()).count();
            let room = wanted.saturating_sub(in_wave.max(unsettled)).min(*calls);
            let is_more = ready.len() > room;
            for (_, host) in ready.into_iter().take(room) {
                if let Some(run) = self.members.get_mut(&host).and_then(|member| member.run_mut(step)) {
                    let (sent_ms, asked_ms) = (now_ms.max(1), now_ms);
                    *run = Run { state: RunState::Sent, wave, sent_ms, asked_ms, ..Run::WAITING };
                }
                *calls -= 1;
                effects.push(Effect::Call(host, step));
            }
            if waiting.is_empty() && !self.runs().any(Run::is_unsettled) {
                let state = if step == STEP_BACK { OrderState::RolledBack } else { OrderState::Done };
                self.finish(state, now_ms, effects);
                return;
            }
            let in_wave = self.runs().filter(|run| run.sent_ms > 0 && run.wave == wave).count();
            let is_full = in_wave >= wanted || in_wave > 0 && !is_more;
            if self.runs().any(Run::is_unsettled) || !is_full {
                return;
            }
            (self.progress.wave, self.progress.changed_ms) = (wave + 1, now_ms);
            effects.push(Effect::WaveDone(wave));
        }
    }
}

#[cfg(test)]
mod tests;
