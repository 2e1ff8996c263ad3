//! When which check runs: pure, without a clock of its own.
//!
//! Checks start spread over their interval (5 min of it at most) by a hash of (host, check), so that neither one host's checks nor one check of all hosts fall on
//! the same second; those that start no program do so in a dozen groups. Their times stay on that grid. From the first bad result until as many in
//! a row as make a problem hard, the retry interval counts instead; which state that is decides the collector. A check does not start while its
//! last run goes on. At most `concurrency` programs run at once, and [`NETWORK_MAX`] questions over the network; who waits longest goes first. So
//! plugins that hang hold up other plugins at worst.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

/// A start later than this after its time is counted: slots were taken, or the thread was held up.
const LATE_AFTER: Duration = Duration::from_secs(1);

/// The first starts are spread over no more than this: a check that runs once a day runs on a host too that is up for some hours, and who
/// starts an agent sees all results soon.
const FIRST_WITHIN: Duration = Duration::from_secs(300);

/// Checks that start no program start together at so many times of their spread: each result by itself wakes threads and is a packet with its
/// answer, which costs several times what such a check does.
const NATIVE_STARTS: u64 = 12;

/// Questions over the network that wait at once: as many as there are helpers to look up names for them.
pub const NETWORK_MAX: usize = 16;

/// What a run takes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// A process.
    Programs = 0,
    /// A connection.
    Network = 1,
    /// Nothing that is worth waiting for.
    Free = 2,
}

/// One check's times.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    pub name: String,
    pub pool: Pool,
    pub interval: Duration,
    pub retry: Duration,
    pub max_attempts: u16,
}

/// What [`Schedule::step`] says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Starts {
    /// Indices of checks to start now.
    pub checks: Vec<usize>,
    /// How many of them are late.
    pub late: u64,
    /// Times of the grid that passed while the run before went on, or nothing ran at all.
    pub missed: u64,
}

/// All checks of one host.
#[derive(Clone, Debug)]
pub struct Schedule {
    entries: Vec<Entry>,
    /// By [`Pool`]: how many may run, and how many do.
    most: [usize; 3],
    running: [usize; 3],
}

#[derive(Clone, Debug)]
struct Entry {
    timing: Timing,
    /// The latest time of its grid that was used.
    grid: Duration,
    due: Duration,
    is_running: bool,
    bad_in_row: u32,
}

impl Schedule {
    /// `now` is of any steady clock. Every interval is longer than zero.
    pub fn new(host: &str, timings: impl IntoIterator<Item = Timing>, concurrency: usize, now: Duration) -> Self {
        let entry = |timing: Timing| {
            let hash = xxh3_64(format!("{host}\0{}", timing.name).as_bytes());
            let spread_ms = u64::try_from(timing.interval.min(FIRST_WITHIN).as_millis()).unwrap_or(u64::MAX).max(1);
            let due = now + Duration::from_millis(first_ms(host, hash, spread_ms, timing.pool));
            Entry { timing, grid: due, due, is_running: false, bad_in_row: 0 }
        };
        let most = [concurrency.max(1), NETWORK_MAX, usize::MAX];
        Self { entries: timings.into_iter().map(entry).collect(), most, running: [0; 3] }
    }

    /// What starts now. Whoever starts it says [`Schedule::ended`] once for each.
    pub fn step(&mut self, now: Duration) -> Starts {
        let mut starts = Starts::default();
        let is_due = |entry: &Entry| !entry.is_running && entry.due <= now;
        let mut due: Vec<usize> = (0..self.entries.len()).filter(|index| is_due(&self.entries[*index])).collect();
        due.sort_unstable_by_key(|index| (self.entries[*index].due, *index));
        for index in due {
            if !self.has_room(self.entries[index].timing.pool) {
                continue;
            }
            let entry = &mut self.entries[index];
            starts.late += u64::from(now - entry.due > LATE_AFTER);
            starts.missed += entry.start(now);
            self.running[entry.timing.pool as usize] += 1;
            starts.checks.push(index);
        }
        starts
    }

    /// When [`Schedule::step`] is worth calling again; `None`: when a run has ended, or never.
    pub fn next_wake(&self) -> Option<Duration> {
        let can_start = |entry: &&Entry| !entry.is_running && self.has_room(entry.timing.pool);
        self.entries.iter().filter(can_start).map(|entry| entry.due).min()
    }

    fn has_room(&self, pool: Pool) -> bool {
        self.running[pool as usize] < self.most[pool as usize]
    }

    /// A run has ended.
    pub fn ended(&mut self, index: usize, is_ok: bool, now: Duration) {
        let Some(entry) = self.entries.get_mut(index).filter(|entry| entry.is_running) else { return };
        entry.is_running = false;
        entry.bad_in_row = if is_ok { 0 } else { entry.bad_in_row.saturating_add(1) };
        let on_grid = entry.grid + entry.timing.interval;
        let is_soft = entry.bad_in_row > 0 && entry.bad_in_row < u32::from(entry.timing.max_attempts);
        entry.due = if is_soft { (now + entry.timing.retry).min(on_grid.max(now)) } else { on_grid };
        self.running[entry.timing.pool as usize] -= 1;
    }
}

/// How long after the beginning a check starts first: below `spread_ms`, other for each host.
fn first_ms(host: &str, hash: u64, spread_ms: u64, pool: Pool) -> u64 {
    let step_ms = spread_ms / NATIVE_STARTS;
    if pool == Pool::Programs || step_ms == 0 {
        return hash % spread_ms;
    }
    hash % NATIVE_STARTS * step_ms + xxh3_64(host.as_bytes()) % step_ms
}

impl Entry {
    /// Marks it as running; gives the times of its grid that were passed over.
    fn start(&mut self, now: Duration) -> u64 {
        self.is_running = true;
        let passed = now.saturating_sub(self.grid).as_nanos() / self.timing.interval.as_nanos().max(1);
        // At its first start, and at retries, it is none.
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        self.grid += self.timing.interval.saturating_mul(passed);
        u64::from(passed.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timing(name: &str, interval: u64) -> Timing {
        Timing {
            name: name.to_owned(),
            pool: Pool::Programs,
            interval: SECOND * interval as u32,
            retry: SECOND * 15,
            max_attempts: 3,
        }
    }

    /// Lets time pass in steps of 100 ms; each start is told with its time in ms, and ends after `lasts`.
    fn play(
        schedule: &mut Schedule,
        until: Duration,
        lasts: Duration,
        is_ok: impl Fn(usize) -> bool,
    ) -> Vec<(u128, usize)> {
        let (mut starts, mut running, mut now) = (Vec::new(), Vec::<(Duration, usize)>::new(), Duration::ZERO);
        while now < until {
            let (over, on): (Vec<_>, Vec<_>) = running.into_iter().partition(|(end, _)| *end <= now);
            running = on;
            over.into_iter().for_each(|(_, index)| schedule.ended(index, is_ok(index), now));
            for index in schedule.step(now).checks {
                starts.push((now.as_millis(), index));
                running.push((now + lasts, index));
            }
            assert!(schedule.next_wake().is_none_or(|wake| wake > now), "all that is due has started");
            now += Duration::from_millis(100);
        }
        starts
    }

    #[test]
    fn starts_are_spread_over_the_interval_and_stay_on_their_grid() {
        let names: Vec<String> = (0..600).map(|number| format!("check{number}")).collect();
        let timings = || names.iter().map(|name| timing(name, 60));
        let mut schedule = Schedule::new("web1", timings(), 1_000, Duration::ZERO);
        // A look each 100 ms: the last start may fall on the end itself.
        let starts = play(&mut schedule, SECOND * 300 + SECOND / 20, SECOND, |_| true);
        assert_eq!(starts.len(), 600 * 5);
        for second in 0..60 {
            let count = starts.iter().filter(|(at, _)| at / 1_000 == second).count();
            assert!((1..30).contains(&count), "{count} start in second {second}");
        }
        let of_one: Vec<u128> = starts.iter().filter(|(_, index)| *index == 7).map(|(at, _)| *at).collect();
        assert!(of_one.windows(2).all(|pair| pair[1] - pair[0] == 60_000), "{of_one:?}");
        // The same on every start of the agent, other on another host.
        let first = |host: &str| {
            Schedule::new(host, timings(), 1, Duration::ZERO).entries.iter().map(|one| one.due).collect::<Vec<_>>()
        };
        assert_eq!(first("web1"), first("web1"));
        assert_ne!(first("web1"), first("web2"));
    }

    #[test]
    fn checks_that_start_no_program_start_together_at_few_times() {
        let timings = || (0..100).map(|number| Timing { pool: Pool::Free, ..timing(&format!("check{number}"), 60) });
        let times = |host: &str| {
            let schedule = Schedule::new(host, timings(), 1, SECOND);
            schedule.entries.iter().map(|one| one.due).collect::<std::collections::BTreeSet<_>>()
        };
        let own = times("web1");
        assert_eq!(own.len(), 12);
        assert!(own.iter().all(|due| (SECOND..SECOND * 61).contains(due)), "{own:?}");
        assert!(own.iter().zip(own.iter().skip(1)).all(|(one, next)| *next - *one == SECOND * 5), "{own:?}");
        assert!(own.is_disjoint(&times("web2")), "hosts do not start theirs together");
        // So short an interval that nothing can be gathered.
        let brief = Timing { interval: Duration::from_millis(5), ..timings().next().unwrap() };
        assert!(Schedule::new("web1", [brief], 1, SECOND).next_wake().unwrap() < SECOND + Duration::from_millis(5));
    }

    #[test]
    fn a_daily_check_runs_soon_after_the_start() {
        let timings = (0..100).map(|number| timing(&format!("check{number}"), 86_400));
        let schedule = Schedule::new("h", timings, 1, SECOND);
        let dues: Vec<Duration> = schedule.entries.iter().map(|one| one.due).collect();
        assert!(dues.iter().all(|due| (SECOND..SECOND * 301).contains(due)));
        assert!(dues.iter().any(|due| *due < SECOND * 60) && dues.iter().any(|due| *due > SECOND * 240));
    }

    #[test]
    fn the_retry_interval_counts_from_the_first_bad_result_until_it_is_hard() {
        let mut schedule = Schedule::new("h", [timing("a", 60)], 1, Duration::ZERO);
        let starts: Vec<u128> =
            play(&mut schedule, SECOND * 300, SECOND, |_| false).iter().map(|(at, _)| *at).collect();
        let first = starts[0];
        let gaps: Vec<u128> = starts.iter().map(|at| at - first).collect();
        // Three attempts 16 s apart (15 s after the end of one that lasts a second), then the grid again.
        assert_eq!(&gaps[..5], [0, 16_000, 32_000, 60_000, 120_000]);
        // Once good, all begins anew.
        assert_eq!(schedule.entries[0].bad_in_row as usize, starts.len());
        let mut schedule = Schedule::new("h", [timing("a", 60)], 1, Duration::ZERO);
        let starts = play(&mut schedule, SECOND * 300, SECOND, |_| true);
        assert_eq!(starts[1].0 - starts[0].0, 60_000);
    }

    #[test]
    fn a_run_that_goes_on_keeps_the_next_from_starting_and_what_passed_is_counted() {
        let mut schedule = Schedule::new("h", [timing("a", 10)], 4, Duration::ZERO);
        let due = schedule.next_wake().unwrap();
        assert_eq!(schedule.step(due), Starts { checks: vec![0], late: 0, missed: 0 });
        assert_eq!((schedule.step(due + SECOND * 35), schedule.next_wake()), (Starts::default(), None));
        schedule.ended(0, true, due + SECOND * 35);
        let starts = schedule.step(due + SECOND * 35);
        assert_eq!(starts, Starts { checks: vec![0], late: 1, missed: 2 });
        schedule.ended(0, true, due + SECOND * 36);
        assert_eq!(schedule.next_wake(), Some(due + SECOND * 40), "the grid is where it was");
        schedule.ended(0, false, due);
        assert_eq!(schedule.running, [0; 3], "an end that was told twice counts once");
    }

    #[test]
    fn no_more_than_the_limit_run_at_once_and_who_waits_longest_goes_first() {
        let timings = ["a", "b", "c", "d", "e"].map(|name| timing(name, 10));
        let mut schedule = Schedule::new("h", timings, 2, Duration::ZERO);
        let now = SECOND * 20;
        let mut order: Vec<usize> = (0..5).collect();
        order.sort_by_key(|index| schedule.entries[*index].due);
        let first = schedule.step(now);
        assert_eq!((first.checks.as_slice(), first.late), (&order[..2], 2));
        assert_eq!((schedule.step(now).checks.len(), schedule.next_wake()), (0, None));
        schedule.ended(order[0], true, now);
        assert_eq!(schedule.step(now).checks, [order[2]]);
        // What takes up something else, or nothing, waits for none of them.
        let of = |name, pool| Timing { pool, ..timing(name, 10) };
        let timings = [of("a", Pool::Programs), of("b", Pool::Programs), of("c", Pool::Network), of("d", Pool::Free)];
        let mut schedule = Schedule::new("h", timings, 1, Duration::ZERO);
        let mut started = schedule.step(now).checks;
        started.sort_unstable();
        assert!(started == [0, 2, 3] || started == [1, 2, 3], "{started:?}");
        assert_eq!(schedule.next_wake(), None);
        schedule.ended(3, true, now);
        assert!(schedule.next_wake().is_some());
    }
}
