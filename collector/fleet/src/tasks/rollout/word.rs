//! What hosts say of their calls.

use muster_common::host::HostId;

use super::{AGAIN_MS, Effect, Health, Machine, RunState, STEP_BACK, STEP_FORWARD};
use crate::rows::cut_to;

/// Of what a host says, that which is kept.
const REASON_BYTES_MAX: usize = 500;

/// How a host says that a call stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It has the call, and will tell of its end.
    Accepted,
    /// It can take no more calls now.
    Busy,
    Refused(String),
    /// With this exit code.
    Ended(i32),
    /// It took too long, was killed, or could not be begun.
    Failed(String),
    Cancelled,
    /// The host does not know what became of it.
    Lost(String),
}

impl Machine {
    /// Takes a host's word. A call that was given up may be told of later: then what is so counts.
    pub(super) fn told(&mut self, host: HostId, step: u8, word: Word, now_ms: i64, effects: &mut Vec<Effect>) {
        let closed = !self.progress.state.is_open() || step != self.progress.step;
        let Some(run) = self.members.get_mut(&host).and_then(|member| member.run_mut(step)) else { return };
        let is_late = run.state == RunState::Lost && run.sent_ms > 0;
        if !run.state.is_under_way() && !is_late {
            return;
        }
        match word {
            Word::Accepted => {
                if !is_late && run.state == RunState::Sent {
                    (run.state, run.began_ms, run.again_ms) = (RunState::Running, now_ms.max(1), 0);
                }
                return;
            }
            Word::Busy => {
                if run.state == RunState::Sent && run.cancel_ms == 0 {
                    run.again_ms = now_ms.saturating_add(AGAIN_MS);
                }
                return;
            }
            Word::Refused(why) => (run.state, run.reason) = (RunState::Refused, cut_to(&why, REASON_BYTES_MAX)),
            Word::Ended(0) => {
                run.state = RunState::Ok;
                run.exit = Some(0);
                run.reason.clear();
                run.health = if closed || is_late { Health::Good } else { Health::Unjudged };
            }
            Word::Ended(code) => {
                (run.state, run.exit) = (RunState::Failed, Some(code));
                run.reason = format!("the task ended with exit code {code}");
            }
            Word::Failed(why) => (run.state, run.reason) = (RunState::Failed, cut_to(&why, REASON_BYTES_MAX)),
            // It was given up, not stopped by anybody.
            Word::Cancelled if is_late && run.cancel_ms == run.ended_ms => {
                run.state = RunState::Failed;
                run.reason.push_str(", and was stopped then");
            }
            Word::Cancelled => {
                run.state = RunState::Cancelled;
                "it was stopped".clone_into(&mut run.reason);
            }
            Word::Lost(_) if is_late => return,
            Word::Lost(why) => (run.state, run.reason) = (RunState::Lost, cut_to(&why, REASON_BYTES_MAX)),
        }
        run.ended_ms = now_ms;
        effects.push(Effect::Ended(host, step));
    }

    /// The host is retired: it will say nothing more.
    pub(super) fn left(&mut self, host: HostId, now_ms: i64, effects: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(&host) else { return };
        for step in [STEP_FORWARD, STEP_BACK] {
            let Some(run) = member.run_mut(step).filter(|run| run.is_unsettled() || run.state == RunState::Waiting)
            else {
                continue;
            };
            run.state = match run.state {
                RunState::Waiting => RunState::Skipped,
                RunState::Ok => RunState::Ok,
                _ => RunState::Lost,
            };
            (run.ended_ms, run.health) = (now_ms, Health::Good);
            "the host was retired".clone_into(&mut run.reason);
            effects.push(Effect::Ended(host, step));
        }
    }
}
