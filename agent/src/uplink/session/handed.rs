//! Reports that other processes handed over (`muster-agent exec` and `push`), each in a file of its own (`crate::handed`).
//!
//! Such a file is the report's only copy until the collector has it. It is given a place (epoch, seq) by a new name, durably, before it is
//! sent; under that place it is sent again after a crash, and when that is acknowledged the file goes. So each goes into p0 exactly once:
//! the file is never copied, and the collector's mark says of each place whether it arrived.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use muster_common::wire::message::{Epoch, Lane};

use super::super::moment::Moment;
use super::super::reframe::reframe;
use super::run::{Claim, Held};
use super::{Effect, Session};
use crate::spool::Loaded;

/// Reports with a place and no ack: the others wait in their folder, which holds them as well.
const CLAIMS_MAX: usize = 16;
/// A place that is not durable by then is given up, so that a disk that hangs does not hold up what checks find. It shows as a gap.
const CLAIM_WITHIN: Duration = Duration::from_secs(2);

/// A handed report as a whole frame of lane p0, under any epoch and seq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedFrame {
    /// Which file it is, for as long as this process lives.
    pub id: u64,
    pub at_ms: i64,
    pub frame: Arc<[u8]>,
    /// The place that an earlier process gave it.
    pub place: Option<(Epoch, u64)>,
}

/// What is to be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandedOrder {
    /// Make this place its name, durably; answer with [`HandedAnswer::Claimed`].
    Claim { id: u64, epoch: Epoch, seq: u64 },
    /// Take its place from it, durably, and give it again as a new one; answer with [`HandedAnswer::Freed`] first.
    Free { id: u64 },
    /// The collector has it: it goes.
    Done { id: u64 },
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandedAnswer {
    /// `kept`: the place is durable.
    Claimed {
        id: u64,
        kept: bool,
    },
    Freed {
        id: u64,
    },
}

/// Places asked for and not yet durable, with the time by which they must be.
#[derive(Debug, Default)]
pub(super) struct Handed {
    claiming: BTreeMap<u64, Duration>,
    /// Found done at the start.
    done: Vec<u64>,
}

impl Handed {
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.claiming.values().min().copied()
    }
}

impl Session {
    /// Reports that have a place already go again under it; those whose epoch is done were committed.
    pub(super) fn take_over_handed(&mut self, loaded: Loaded) {
        let mut handed = loaded.handed;
        handed.sort_unstable_by_key(|one| one.place);
        for one in handed {
            let Some((epoch, seq)) = one.place else { continue };
            let frame = reframe(&one.frame, epoch, seq);
            let run = self.run(epoch, Lane::P0).filter(|run| seq > run.acked && seq <= run.last);
            let (Some(run), Some(frame)) = (run, frame) else {
                self.handed.done.push(one.id);
                continue;
            };
            let claim = Some(Claim { id: one.id, kept: true, freeing: false });
            let (from_ms, to_ms) = (one.at_ms, one.at_ms);
            let made_at = Duration::ZERO;
            run.ram.push_back(Held { seq, context: 0, from_ms, to_ms, made_at, frame, spooling: false, claim });
        }
    }

    /// Whether an [`super::Input::Handed`] would be taken now.
    pub fn takes_handed(&self) -> bool {
        let claims = self.runs.iter().flat_map(|run| &run.ram).filter(|held| held.claim.is_some()).count();
        claims < CLAIMS_MAX && !self.is_stopping() && self.could_number(Lane::P0)
    }

    /// Gives it a place, and asks for that to be durable.
    pub(super) fn handed_report(&mut self, now: Moment, one: HandedFrame) {
        let id = one.id;
        let place = if self.may_begin_batch(now, Lane::P0) {
            self.current_run(Lane::P0).map(|run| (run.epoch, run.last + 1))
        } else {
            None
        };
        let framed = place.and_then(|(epoch, seq)| Some((epoch, seq, reframe(&one.frame, epoch, seq)?)));
        let Some((epoch, seq, frame)) = framed else {
            // Asked at a bad moment: it comes again.
            self.effects.push(Effect::Handed(HandedOrder::Free { id }));
            return;
        };
        let claim = Some(Claim { id, kept: false, freeing: false });
        let (from_ms, to_ms, made_at) = (one.at_ms, one.at_ms, now.steady);
        self.own.reports.add(1);
        self.hold_report(Held { seq, context: 0, from_ms, to_ms, made_at, frame, spooling: false, claim });
        self.handed.claiming.insert(id, now.steady + CLAIM_WITHIN);
        self.effects.push(Effect::Handed(HandedOrder::Claim { id, epoch, seq }));
    }

    pub(super) fn handed_answered(&mut self, answer: HandedAnswer) {
        match answer {
            HandedAnswer::Claimed { id, kept } => {
                if !self.handed.claiming.contains_key(&id) {
                    return;
                }
                if kept {
                    self.handed.claiming.remove(&id);
                    self.claims(id).for_each(|claim| claim.kept = true);
                } else {
                    // Nobody knows which name is durable: until one is, the place is neither used nor told as empty.
                    self.claims(id).for_each(|claim| claim.freeing = true);
                    self.effects.push(Effect::Handed(HandedOrder::Free { id }));
                }
            }
            HandedAnswer::Freed { id } => {
                self.handed.claiming.remove(&id);
                self.forget_claim(id);
            }
        }
    }

    /// What time makes due, and what was found at the start.
    pub(super) fn handed_on(&mut self, now: Moment) {
        let done = std::mem::take(&mut self.handed.done);
        self.handed_done(done);
        let late: Vec<u64> =
            self.handed.claiming.iter().filter(|(_, due)| now.steady >= **due).map(|(id, _)| *id).collect();
        late.into_iter().for_each(|id| self.withdraw(id));
    }

    /// The place could not be made durable: it stays empty, and the report gets another one.
    fn withdraw(&mut self, id: u64) {
        self.forget_claim(id);
        self.free_handed(id);
    }

    pub(super) fn free_handed(&mut self, id: u64) {
        self.handed.claiming.remove(&id);
        self.effects.push(Effect::Handed(HandedOrder::Free { id }));
    }

    /// Before an epoch's content moves: what is wanted of its handed reports gets another place by itself, the rest arrived.
    pub(super) fn free_handed_of(&mut self, (epoch, lane): (Epoch, Lane), wants: impl Fn(&Held) -> bool) {
        let (mut free, mut done) = (Vec::new(), Vec::new());
        let Some(run) = self.run(epoch, lane) else { return };
        run.ram.retain_mut(|held| {
            let wanted = wants(held);
            match &mut held.claim {
                Some(claim) if !wanted => {
                    done.push(claim.id);
                    false
                }
                Some(claim) => {
                    if !std::mem::replace(&mut claim.freeing, true) {
                        free.push(claim.id);
                    }
                    true
                }
                None => true,
            }
        });
        free.into_iter().for_each(|id| self.free_handed(id));
        self.handed_done(done);
    }

    /// The collector has these.
    pub(super) fn handed_done(&mut self, done: Vec<u64>) {
        for id in done {
            self.handed.claiming.remove(&id);
            self.effects.push(Effect::Handed(HandedOrder::Done { id }));
        }
    }

    fn claims(&mut self, id: u64) -> impl Iterator<Item = &mut Claim> {
        let held = self.runs.iter_mut().flat_map(|run| &mut run.ram);
        held.filter_map(|held| held.claim.as_mut()).filter(move |claim| claim.id == id)
    }

    fn forget_claim(&mut self, id: u64) {
        for run in &mut self.runs {
            run.ram.retain(|held| held.claim.is_none_or(|claim| claim.id != id));
        }
    }
}
