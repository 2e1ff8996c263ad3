//! The bugs planted in the product (cargo feature `planted`) that these worlds must find, and the faults that each needs to show.

use muster_alert::PlantedRule as Rule;
use muster_alert::dispatch::Planted as Dispatch;
use muster_alert::outgoing::Planted as Queue;
use muster_fleet::planted::Planted as Fleet;

use super::faults::Faults;

/// One planted bug, wherever it is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    Fleet(Fleet),
    Dispatch(Dispatch),
    Queue(Queue),
    Rule(Rule),
}

impl Bug {
    /// All that these worlds are to show.
    pub fn all() -> Vec<(&'static str, Self)> {
        vec![
            ("a soft problem counts", Self::Fleet(Fleet::SoftIsHard)),
            ("a child is free before it has a result after its parent's", Self::Fleet(Fleet::ParentRecoveryFrees)),
            ("what was spooled is told as live", Self::Fleet(Fleet::BacklogIsLive)),
            ("checks of an absent host become stale", Self::Fleet(Fleet::StaleWhileAbsent)),
            ("holds are looked at when an alert comes", Self::Dispatch(Dispatch::HoldsAtArrival)),
            ("an end is swallowed by a hold", Self::Dispatch(Dispatch::EndSwallowedByHold)),
            ("who was told is forgotten when the route moves", Self::Dispatch(Dispatch::MovedForgotten)),
            ("a restart forgets who was told", Self::Dispatch(Dispatch::RestartForgetsTold)),
            ("the end of the untold is told", Self::Dispatch(Dispatch::EndOfTheUntold)),
            ("an alert that fires again begins anew", Self::Dispatch(Dispatch::RefiresAnew)),
            ("a notice's number twice", Self::Dispatch(Dispatch::NumberTwice)),
            ("what was under way is taken for accepted", Self::Queue(Queue::LeaseIsAccepted)),
            ("a Message-ID of each attempt", Self::Queue(Queue::FreshMessageId)),
            ("an end overtakes its beginning", Self::Queue(Queue::EndOvertakes)),
            ("what may have arrived is merged", Self::Queue(Queue::MergesTheUnknown)),
            ("what is refused is tried again", Self::Queue(Queue::RetriesRefused)),
            ("the hourly cap forgets at a restart", Self::Queue(Queue::CapForgets)),
            ("a digest leaves out its last", Self::Queue(Queue::DigestDropsLast)),
            ("accepted and not written", Self::Queue(Queue::AcceptedNotWritten)),
            ("a restart forgets for how long a condition must hold", Self::Rule(Rule::RestartForgetsFor)),
            ("a rule that is taken away leaves its alerts", Self::Rule(Rule::RemovedRuleGoesOn)),
            ("missing data end what they are to hold", Self::Rule(Rule::HeldEnds)),
            ("a kept alert ends at once", Self::Rule(Rule::NothingIsKept)),
        ]
    }

    /// Makes sure that the world has the faults under which this bug shows.
    pub(super) fn provoke(self, faults: &mut Faults) {
        let at_least = |chance: &mut u32, wanted: u32| *chance = (*chance).max(wanted);
        match self {
            Self::Fleet(Fleet::BacklogIsLive | Fleet::StaleWhileAbsent) => at_least(&mut faults.absence, 60),
            Self::Fleet(_) => {}
            Self::Dispatch(Dispatch::HoldsAtArrival | Dispatch::EndSwallowedByHold) => {
                at_least(&mut faults.hold, 150);
            }
            Self::Dispatch(Dispatch::MovedForgotten) => at_least(&mut faults.reload, 40),
            Self::Dispatch(Dispatch::RestartForgetsTold | Dispatch::NumberTwice) => at_least(&mut faults.restart, 40),
            Self::Dispatch(_) => {}
            Self::Queue(Queue::LeaseIsAccepted | Queue::AcceptedNotWritten) => {
                at_least(&mut faults.crash, 150);
                at_least(&mut faults.restart, 40);
            }
            Self::Queue(Queue::CapForgets | Queue::DigestDropsLast) => {
                // Mails enough for the hourly cap.
                (faults.hosts, faults.minutes) = (8, 150);
                at_least(&mut faults.trouble, 90);
                at_least(&mut faults.restart, 40);
            }
            Self::Queue(_) => at_least(&mut faults.smtp, 60),
            Self::Rule(Rule::RestartForgetsFor) => at_least(&mut faults.restart, 40),
            Self::Rule(Rule::RemovedRuleGoesOn) => at_least(&mut faults.reload, 40),
            Self::Rule(Rule::HeldEnds) => at_least(&mut faults.absence, 60),
            Self::Rule(_) => {}
        }
    }
}
