//! What hosts and their checks do: results, silences, spools, returns.

use super::Key;
use super::node::host_name;
use super::rules::{LOOKBACK_MS, METRICS, WATCHED};
use super::truth::{INTERVAL_MS, Result, Stand};

/// What a check does for a while.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Well,
    Failing(u8),
    /// A warning that becomes critical.
    Worsening,
    Toggling,
    /// Nothing comes of it.
    Mute,
}

struct Check {
    key: Key,
    max_attempts: u16,
    is_volatile: bool,
    parents: Vec<Key>,
    mood: Mood,
    from_ms: i64,
    until_ms: i64,
}

/// That a host's agent is not heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Away {
    pub(super) until_ms: i64,
    pub(super) spools: bool,
    /// It said that it stops.
    pub(super) is_stopped: bool,
    /// It said that it starts anew.
    pub(super) is_restart: bool,
}

/// What rules look at.
struct Gauge {
    mood: Mood,
    from_ms: i64,
    until_ms: i64,
    value: Option<f64>,
}

pub(super) struct Host {
    pub(super) name: String,
    checks: Vec<Check>,
    gauges: Vec<Gauge>,
    /// It may be retired or renamed.
    pub(super) is_mover: bool,
    pub(super) away: Option<Away>,
    pub(super) heard_ms: i64,
    pub(super) told: Stand,
    /// Since when it is heard again.
    pub(super) back_ms: i64,
    spool: Vec<Result>,
}

impl Host {
    pub(super) fn new(number: usize, now_ms: i64, rng: &mut fastrand::Rng) -> Self {
        let name = host_name(number);
        let checks = (0..rng.usize(1..=4)).map(|check| {
            let key = (name.clone(), format!("c{check}"));
            let parents = match rng.u32(..6) {
                0 if check > 0 => vec![(name.clone(), "c0".to_owned())],
                1 if number > 0 => vec![(host_name(rng.usize(..number)), "c0".to_owned())],
                2 if number > 0 => vec![(host_name(rng.usize(..number)), String::new())],
                _ => Vec::new(),
            };
            let (max_attempts, is_volatile) = (rng.u16(1..=3), rng.u32(..12) == 0);
            Check { key, max_attempts, is_volatile, parents, mood: Mood::Well, from_ms: 0, until_ms: 0 }
        });
        let checks = checks.collect();
        let gauges = (0..METRICS).map(|_| Gauge { mood: Mood::Well, from_ms: 0, until_ms: 0, value: None }).collect();
        let (heard_ms, back_ms) = (now_ms, now_ms);
        Self {
            name,
            checks,
            gauges,
            is_mover: number % 2 == 1,
            away: None,
            heard_ms,
            told: Stand::Present,
            back_ms,
            spool: Vec::new(),
        }
    }

    /// All its checks are well from now on.
    pub(super) fn heal(&mut self) {
        self.checks.iter_mut().for_each(|check| check.mood = Mood::Well);
        self.gauges.iter_mut().for_each(|gauge| gauge.mood = Mood::Well);
    }

    /// The clock is set on: what goes on goes on as long.
    pub(super) fn shift(&mut self, by_ms: i64) {
        self.heard_ms += by_ms;
        for check in &mut self.checks {
            (check.from_ms, check.until_ms) = (check.from_ms + by_ms, check.until_ms + by_ms);
        }
        for gauge in &mut self.gauges {
            (gauge.from_ms, gauge.until_ms) = (gauge.from_ms + by_ms, gauge.until_ms + by_ms);
        }
        if let Some(away) = &mut self.away {
            away.until_ms += by_ms;
        }
    }

    /// The results of this minute that arrive; those of a host that is away wait or are lost.
    pub(super) fn results(&mut self, now_ms: i64, trouble: u32, rng: &mut fastrand::Rng) -> Vec<Result> {
        let mut made = Vec::new();
        for check in &mut self.checks {
            if now_ms >= check.until_ms {
                (check.mood, check.from_ms, check.until_ms) = mood(now_ms, trouble, rng);
            }
            let is_late = now_ms - check.from_ms > (check.until_ms - check.from_ms) / 2;
            let state = match check.mood {
                Mood::Well => 0,
                Mood::Failing(state) => state,
                Mood::Worsening => 1 + u8::from(is_late),
                Mood::Toggling => 2 * rng.u8(0..=1),
                Mood::Mute => continue,
            };
            made.push(Result {
                key: check.key.clone(),
                state,
                at_ms: now_ms,
                arrived_ms: now_ms,
                is_live: true,
                max_attempts: check.max_attempts,
                is_volatile: check.is_volatile,
                parents: check.parents.clone(),
            });
        }
        match self.away {
            None => made,
            Some(away) => {
                self.spool.extend(if away.spools { made } else { Vec::new() });
                Vec::new()
            }
        }
    }

    /// Takes the values of this minute: those of a host that is away are seen for as long as a query looks back.
    pub(super) fn measure(&mut self, now_ms: i64, trouble: u32, rng: &mut fastrand::Rng) {
        for gauge in &mut self.gauges {
            if now_ms >= gauge.until_ms {
                // Fewer of them: there is a hard problem at once.
                (gauge.mood, gauge.from_ms, gauge.until_ms) = mood(now_ms, trouble / 4, rng);
            }
            if self.away.is_some() {
                continue;
            }
            gauge.value = match gauge.mood {
                Mood::Well => Some(1.0),
                Mood::Failing(state) => Some(f64::from(state) * 10.0),
                Mood::Worsening => Some(10.0 + ((now_ms - gauge.from_ms) / (5 * INTERVAL_MS)) as f64),
                Mood::Toggling => Some(if rng.bool() { 9.0 } else { 1.0 }),
                Mood::Mute => None,
            };
        }
    }

    /// The newest values. Of a host that may go or get another name the metric that is missed when it goes is not there.
    pub(super) fn values(&self) -> Vec<Option<f64>> {
        let value = |(metric, gauge): (usize, &Gauge)| gauge.value.filter(|_| metric != WATCHED || !self.is_mover);
        self.gauges.iter().enumerate().map(value).collect()
    }

    /// When its last values are no longer seen.
    pub(super) fn unseen_ms(&self) -> Option<i64> {
        self.away.map(|_| self.heard_ms + LOOKBACK_MS)
    }

    /// It is heard again: what waited comes first.
    pub(super) fn come_back(&mut self, now_ms: i64) -> Vec<Result> {
        (self.away, self.back_ms, self.heard_ms) = (None, now_ms, now_ms);
        let mut late = std::mem::take(&mut self.spool);
        late.iter_mut().for_each(|one| (one.arrived_ms, one.is_live) = (now_ms, false));
        late
    }

    /// How it is to be told to stand, where that is otherwise than was told: after 75 s of silence, 2 min of a restart, half a minute of a return.
    pub(super) fn decide(&self, now_ms: i64) -> Option<Stand> {
        let stand = match self.away {
            Some(away) if away.is_stopped => Stand::Stopped,
            Some(away) => {
                let patience_ms = if away.is_restart { 120_000 } else { 75_000 };
                if now_ms - self.heard_ms > patience_ms { Stand::Silent } else { self.told }
            }
            None if now_ms - self.back_ms >= 30_000 => Stand::Present,
            None => self.told,
        };
        (stand != self.told).then_some(stand)
    }
}

/// What one that is well does from now on, and until when.
fn mood(now_ms: i64, trouble: u32, rng: &mut fastrand::Rng) -> (Mood, i64, i64) {
    if rng.u32(..1_000) >= trouble {
        return (Mood::Well, now_ms, now_ms);
    }
    let mood = match rng.u32(..8) {
        0..=3 => Mood::Failing(rng.u8(1..=3)),
        4 | 5 => Mood::Worsening,
        6 => Mood::Toggling,
        _ => Mood::Mute,
    };
    (mood, now_ms, now_ms + rng.i64(1..=40) * INTERVAL_MS)
}
