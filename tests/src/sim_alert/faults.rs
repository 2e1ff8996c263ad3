//! How often what happens in a world. Drawn from the seed, so that seeds cover mild and wild worlds alike.

use super::planted::Bug;

/// Chances are per virtual minute, in thousandths.
#[derive(Clone, Debug)]
pub struct Faults {
    pub seed: u64,
    pub bug: Option<Bug>,
    /// Tell on standard error what happens: for one seed at a time.
    pub trace: bool,
    pub hosts: usize,
    /// Virtual minutes under faults.
    pub minutes: i64,
    /// A check that is well begins to fail, toggle, worsen or be silent.
    pub trouble: u32,
    /// Somebody acknowledges, silences, plans a downtime, or ends one of these.
    pub hold: u32,
    pub reload: u32,
    /// A host is not heard for a while.
    pub absence: u32,
    /// All agents are restarted at once.
    pub upgrade: u32,
    pub restart: u32,
    /// Of a session: the collector's power goes before or after it is sent.
    pub crash: u32,
    pub smtp: u32,
    /// The clock is set forward.
    pub clock: u32,
    /// A host is retired, renamed or relabelled, or a check is forgotten.
    pub change: u32,
    /// The data folder is put back to an older state.
    pub restore: u32,
}

impl Faults {
    /// The world of a seed.
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0xa1e7_0000);
        let mut faults = Self {
            seed,
            bug,
            trace: false,
            hosts: rng.usize(2..=5),
            minutes: rng.i64(30..=70),
            trouble: rng.u32(5..=50),
            hold: 0,
            reload: 0,
            absence: 0,
            upgrade: 0,
            restart: 0,
            crash: 0,
            smtp: 0,
            clock: 0,
            change: 0,
            restore: 0,
        };
        // Each kind is away from half of the worlds, so that one fault's effect is not always hidden by another's.
        let mut chance = |most: u32| if rng.bool() { rng.u32(1..=most) } else { 0 };
        faults.hold = chance(200);
        faults.reload = chance(30);
        faults.absence = chance(60);
        faults.upgrade = chance(20);
        faults.restart = chance(40);
        faults.crash = chance(100);
        faults.smtp = chance(40);
        faults.clock = chance(10);
        faults.change = chance(80);
        faults.restore = chance(25);
        if let Some(bug) = bug {
            bug.provoke(&mut faults);
        }
        faults
    }
}
