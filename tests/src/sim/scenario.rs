//! Which faults a world has, and how often. Drawn from the seed, so that seeds cover mild and wild worlds alike.

use super::planted::Bug;

/// Chances are per step of a world, in thousandths.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub bug: Option<Bug>,
    /// Tell on standard error what happens: for one seed at a time.
    pub trace: bool,
    pub agents: usize,
    /// Virtual milliseconds under faults.
    pub faulty_ms: i64,
    pub connection_break: u32,
    pub agent_power: u32,
    pub agent_kill: u32,
    pub collector_power: u32,
    pub collector_kill: u32,
    pub agent_revert: u32,
    pub collector_restore: u32,
    /// The inbox files go while the collector is down.
    pub inbox_gone: u32,
    /// A host's state folder is deleted.
    pub agent_wipe: u32,
    /// Lines are deleted from the store.
    pub lines_deleted: u32,
    /// A log file is rotated.
    pub rotation: u32,
    pub clone: u32,
    pub clock_step: u32,
    pub disk_error: u32,
    pub flush: u32,
    pub merge: u32,
    pub partition: u32,
    pub contexts_lost: u32,
    /// What a frame on a lane takes at most.
    pub lane_delay_ms: i64,
}

impl Scenario {
    /// The world of a seed.
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5ce0_a51e);
        // Each kind of fault is away from half of the worlds, so that one fault's effect is not always hidden by another's.
        let mut chance = |most: u32| if rng.bool() { rng.u32(1..=most) } else { 0 };
        let mut scenario = Self {
            seed,
            bug,
            trace: false,
            agents: 1,
            faulty_ms: 0,
            connection_break: chance(40),
            agent_power: chance(15),
            agent_kill: chance(15),
            collector_power: chance(25),
            collector_kill: chance(15),
            agent_revert: chance(6),
            collector_restore: chance(4),
            clone: chance(4),
            clock_step: chance(5),
            disk_error: chance(15),
            flush: chance(50),
            merge: chance(20),
            partition: chance(10),
            contexts_lost: chance(10),
            inbox_gone: 0,
            agent_wipe: 0,
            lines_deleted: 0,
            rotation: 0,
            lane_delay_ms: 120,
        };
        scenario.agents = rng.usize(1..=2);
        scenario.faulty_ms = rng.i64(40_000..125_000);
        if scenario.clone > 0 {
            // Two machines with one spool that both must move its content to another epoch would both send it: what prevents
            // that is the registry, which sets the second machine aside, and it has tests of its own.
            scenario.collector_restore = 0;
            scenario.agent_revert = 0;
        }
        if rng.u32(..4) == 0 {
            // Long enough that batches are still on their way when their agent is back on another connection.
            scenario.lane_delay_ms = 3_000;
        }
        // Drawn last, so that the worlds without it are those of their seeds. In an eighth of the worlds: doubles are not judged there.
        if scenario.clone == 0 && bug.is_none() && rng.u32(..8) == 0 {
            scenario.inbox_gone = rng.u32(1..=4);
        }
        if rng.u32(..4) == 0 {
            scenario.agent_wipe = rng.u32(1..=4);
        }
        if rng.u32(..4) == 0 {
            scenario.lines_deleted = rng.u32(1..=6);
        }
        if rng.u32(..4) > 0 {
            scenario.rotation = rng.u32(1..=30);
        }
        if let Some(bug) = bug {
            bug.provoke(&mut scenario);
        }
        scenario
    }
}
