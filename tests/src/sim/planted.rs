//! The bugs planted in the product (cargo feature `planted`), and the faults that each needs to show.

use super::scenario::Scenario;

/// One planted bug, wherever it is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    Store(muster_store::planted::Planted),
    Fleet(muster_fleet::planted::Planted),
    Ingest(muster_ingest::session::Planted),
    Agent(muster_agent::uplink::session::Planted),
}

impl Bug {
    /// All that are planted, with the words of EXACTLY-ONCE.md's list.
    pub fn all() -> Vec<(&'static str, Self)> {
        use muster_agent::uplink::session::Planted as Agent;
        use muster_fleet::planted::Planted as Fleet;
        use muster_ingest::session::Planted as Ingest;
        use muster_store::planted::Planted as Store;
        vec![
            ("ack before commit", Self::Store(Store::AckBeforeCommit)),
            ("mark outside the transaction", Self::Store(Store::MarkOutsideTransaction)),
            ("inbox unlinked before the manifest commit", Self::Store(Store::InboxUnlinkedBeforeManifest)),
            ("no sync_dir", Self::Store(Store::NoSyncDir)),
            ("flushed_through not written", Self::Store(Store::FlushedThroughNotWritten)),
            ("repeat rows not carried over a seal", Self::Store(Store::RepeatRowsNotCarried)),
            ("flushed file replayed into the head", Self::Store(Store::FlushedReplayedIntoHead)),
            ("merge across a gap", Self::Store(Store::MergeAcrossGap)),
            ("position in another transaction than the row", Self::Fleet(Fleet::PositionApart)),
            ("hello answered before the fenced session drained", Self::Ingest(Ingest::HelloAnsweredBeforeDrain)),
            ("gap remembered instead of computed", Self::Agent(Agent::GapRememberedInsteadOfComputed)),
            ("epoch reused after a revert", Self::Agent(Agent::EpochReusedAfterRevert)),
            ("spool dropped when sent", Self::Agent(Agent::SpoolDroppedWhenSent)),
            ("moved content kept under both epochs", Self::Agent(Agent::MovedTwice)),
            ("position in a transaction after that of its lines", Self::Store(Store::PositionApartFromData)),
            ("tombstone that hides later arrivals", Self::Store(Store::TombstoneHidesLater)),
            ("lines sent and read again", Self::Agent(Agent::LinesResentAndReread)),
        ]
    }

    /// Makes sure that the world has the faults under which this bug shows.
    pub(super) fn provoke(self, scenario: &mut Scenario) {
        use muster_agent::uplink::session::Planted as Agent;
        use muster_store::planted::Planted as Store;
        scenario.faulty_ms = 120_000;
        // Clones excuse what some bugs do.
        scenario.clone = 0;
        let at_least = |chance: &mut u32, wanted: u32| *chance = (*chance).max(wanted);
        match self {
            Self::Store(Store::FlushedThroughNotWritten | Store::FlushedReplayedIntoHead) => {
                at_least(&mut scenario.flush, 40);
                at_least(&mut scenario.collector_kill, 20);
            }
            Self::Store(Store::MergeAcrossGap) => {
                at_least(&mut scenario.flush, 80);
                at_least(&mut scenario.merge, 40);
            }
            Self::Store(Store::RepeatRowsNotCarried) => {
                at_least(&mut scenario.flush, 80);
                at_least(&mut scenario.connection_break, 20);
            }
            Self::Store(Store::TombstoneHidesLater) => at_least(&mut scenario.lines_deleted, 6),
            Self::Store(_) => {
                at_least(&mut scenario.flush, 40);
                at_least(&mut scenario.collector_power, 25);
            }
            Self::Fleet(_) => {
                at_least(&mut scenario.collector_power, 60);
                at_least(&mut scenario.agent_power, 60);
                at_least(&mut scenario.agent_kill, 20);
            }
            Self::Ingest(_) => {
                scenario.lane_delay_ms = 3_000;
                at_least(&mut scenario.connection_break, 60);
                at_least(&mut scenario.agent_kill, 15);
                at_least(&mut scenario.disk_error, 60);
            }
            Self::Agent(Agent::EpochReusedAfterRevert | Agent::MovedTwice) => {
                at_least(&mut scenario.agent_revert, 10);
                at_least(&mut scenario.collector_restore, 5);
            }
            Self::Agent(_) => {
                at_least(&mut scenario.agent_power, 15);
                at_least(&mut scenario.partition, 15);
                at_least(&mut scenario.connection_break, 20);
            }
        }
    }
}
