//! Big worlds, one of each: many hosts to which the same happens at once. Here letters are counted, per recipient; what they say is judged in
//! the small ones.

use std::collections::BTreeMap;

use muster_fleet::{FleetError, Reported, Standing, StandingNote};

use super::Violation;
use super::node::{Node, Running, START_MS, at, host_name, later};
use super::routes::Form;
use super::smtp::Servers;
use super::truth::Result as CheckResult;
use super::world::report;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
/// How often fleet and desk are looked at: less often than the product does it, so that a quarter of an hour does not take as long.
const LOOK_MS: i64 = 5 * SECOND_MS;
/// Looks at the desk within one of these steps.
const LOOKS_MAX: usize = 1_000;

/// When each recipient got a letter.
pub type Letters = BTreeMap<String, Vec<i64>>;

/// Letters to each recipient from then on, for so long.
pub fn most_within(letters: &Letters, from_ms: i64, span_ms: i64) -> usize {
    let count = |times: &Vec<i64>| times.iter().filter(|at_ms| (from_ms..from_ms + span_ms).contains(*at_ms)).count();
    letters.values().map(count).max().unwrap_or(0)
}

/// Hosts, their collector, and who is told.
struct Crowd {
    node: Node,
    now_ms: i64,
    servers: Servers,
    letters: Letters,
}

fn broken(error: &FleetError) -> Violation {
    Violation(format!("a change fails: {error}"))
}

impl Crowd {
    fn new(hosts: usize) -> Result<Self, Violation> {
        let node = Node::new(1, hosts, Vec::new(), None)?;
        let mut crowd = Self { node, now_ms: START_MS, servers: Servers::default(), letters: Letters::new() };
        crowd.node.boot(Form::First, None, START_MS)?;
        Ok(crowd)
    }

    fn running(&self) -> Result<&Running, Violation> {
        self.node.running.as_ref().ok_or_else(|| Violation("no collector runs".to_owned()))
    }

    fn restart(&mut self) -> Result<(), Violation> {
        self.node.stop(true);
        self.node.boot(Form::First, None, self.now_ms)?;
        self.pump()
    }

    /// Results arrive: host, check, state, parent.
    fn report(&mut self, results: &[(usize, &str, u8, Option<&str>)]) -> Result<(), Violation> {
        let now_ms = self.now_ms;
        let reported = results.iter().map(|(host, check, state, parent)| {
            let parent =
                parent.and_then(|parent| parent.split_once('/')).map(|(host, check)| (host.into(), check.into()));
            let result = CheckResult {
                key: (host_name(*host), (*check).to_owned()),
                state: *state,
                at_ms: now_ms,
                arrived_ms: now_ms,
                is_live: true,
                is_volatile: false,
                max_attempts: 1,
                parents: parent.into_iter().collect(),
            };
            Reported { host: self.node.hosts[*host], arrived: at(now_ms), is_live: true, report: report(&result) }
        });
        let reported: Vec<Reported> = reported.collect();
        self.running()?.fleet.apply_reports(&reported).map_err(|error| broken(&error))?;
        self.pump()
    }

    fn stand(&mut self, hosts: std::ops::Range<usize>, standing: Standing) -> Result<(), Violation> {
        let note = |host: usize| {
            let (host, last_heard) = (self.node.hosts[host], Some(at(self.now_ms)));
            StandingNote { host, standing, last_heard, goodbye: "" }
        };
        let notes: Vec<StandingNote> = hosts.map(note).collect();
        self.running()?.fleet.note_standings(&notes, at(self.now_ms)).map_err(|error| broken(&error))?;
        self.pump()
    }

    /// Time passes; `each` is done every minute.
    fn pass(&mut self, span_ms: i64, each: &dyn Fn(&mut Self) -> Result<(), Violation>) -> Result<(), Violation> {
        let end_ms = self.now_ms + span_ms;
        while self.now_ms < end_ms {
            if (self.now_ms - START_MS) % MINUTE_MS == 0 {
                each(self)?;
            }
            self.now_ms += LOOK_MS;
            let (running, now_ms) = (self.running()?, self.now_ms);
            running.fleet.tick_status(at(now_ms)).map_err(|error| broken(&error))?;
            running.tick(now_ms).map_err(|error| broken(&error))?;
            self.pump()?;
        }
        Ok(())
    }

    fn pump(&mut self) -> Result<(), Violation> {
        for _ in 0..LOOKS_MAX {
            let running = self.node.running.as_ref().ok_or_else(|| Violation("no collector runs".to_owned()))?;
            running.hand_over(self.now_ms, &mut Vec::new()).map_err(|error| broken(&error))?;
            let sessions = running.sessions();
            if sessions.is_empty() {
                return Ok(());
            }
            for done in sessions.iter().map(|session| self.servers.send(session, self.now_ms)) {
                for one in done? {
                    self.letters.entry(one.recipient).or_default().push(self.now_ms);
                    let (key, outcome, now_ms) = (one.key, one.outcome, self.now_ms);
                    running
                        .change(now_ms, |desk| desk.outcome(now_ms, key, outcome))
                        .map_err(|error| broken(&error))?;
                }
            }
        }
        Err(Violation(format!("after {LOOKS_MAX} sessions there are more")))
    }

    /// Nothing is left of what was told; `each` as ever.
    fn close(mut self, each: &dyn Fn(&mut Self) -> Result<(), Violation>) -> Result<Letters, Violation> {
        self.pass(15 * MINUTE_MS, each)?;
        match self.running()?.left() {
            (groups, alerts) if groups.is_empty() && alerts.is_empty() => Ok(self.letters),
            left => Err(Violation(format!("at the end {left:?} are left"))),
        }
    }
}

/// All agents are upgraded at once and are back within two minutes; meanwhile the collector is started anew. The letters of that.
///
/// # Errors
/// What goes wrong on the way.
pub fn upgrade(hosts: usize) -> Result<Letters, Violation> {
    let mut crowd = Crowd::new(hosts)?;
    let well = |crowd: &mut Crowd, which: std::ops::Range<usize>| {
        crowd.report(&which.map(|host| (host, "c0", 0, None)).collect::<Vec<_>>())
    };
    crowd.pass(3 * MINUTE_MS, &|crowd| well(crowd, 0..hosts))?;
    let until = later(crowd.now_ms, 120_000);
    crowd.node.hosts.iter().try_for_each(|host| {
        crowd.running()?.fleet.expect_absence(*host, until);
        Ok(())
    })?;
    for part in 0..10 {
        crowd.pass(10 * SECOND_MS, &|_| Ok(()))?;
        if part == 5 {
            crowd.restart()?;
        }
        let back = hosts * part / 10..hosts * (part + 1) / 10;
        for host in back.clone() {
            crowd.running()?.fleet.expect_no_absence(crowd.node.hosts[host]);
        }
        well(&mut crowd, back)?;
    }
    crowd.pass(20 * SECOND_MS, &|_| Ok(()))?;
    crowd.pass(10 * MINUTE_MS, &|crowd| well(crowd, 0..hosts))?;
    Ok(crowd.letters)
}

/// What many checks depend on is bad and well again: a check of the first host, or that host. Each check turns bad after it, and is well after
/// it. The letters of that.
///
/// # Errors
/// What goes wrong on the way.
pub fn parent(children: usize, is_host: bool) -> Result<Letters, Violation> {
    let mut crowd = Crowd::new(children + 1)?;
    let parent = format!("{}/{}", host_name(0), if is_host { "" } else { "c0" });
    let set = |crowd: &mut Crowd, state: u8| {
        let all: Vec<_> = (1..=children).map(|host| (host, "c1", state, Some(parent.as_str()))).collect();
        crowd.report(&all)
    };
    let lead = |crowd: &mut Crowd, state: u8| match (is_host, state) {
        (false, _) => crowd.report(&[(0, "c0", state, None)]),
        (true, 0) => crowd.stand(0..1, Standing::Present),
        (true, _) => crowd.stand(0..1, Standing::Silent),
    };
    if !is_host {
        lead(&mut crowd, 0)?;
    }
    set(&mut crowd, 0)?;
    crowd.pass(MINUTE_MS, &|_| Ok(()))?;
    lead(&mut crowd, 2)?;
    let again = |crowd: &mut Crowd, state: u8| if is_host { Ok(()) } else { lead(crowd, state) };
    crowd.pass(10 * MINUTE_MS, &|crowd| {
        again(crowd, 2)?;
        set(crowd, 2)
    })?;
    lead(&mut crowd, 0)?;
    // What still comes of before is no news of the checks.
    crowd.pass(45 * SECOND_MS, &|_| Ok(()))?;
    set(&mut crowd, 0)?;
    crowd.close(&|crowd| {
        again(crowd, 0)?;
        set(crowd, 0)
    })
}

/// Hosts are silent within five seconds, and within five seconds back after half an hour; `more` stay. The letters, and when they are back.
///
/// # Errors
/// What goes wrong on the way.
pub fn silence(hosts: usize, more: usize) -> Result<(Letters, i64), Violation> {
    let mut crowd = Crowd::new(hosts + more)?;
    crowd.pass(MINUTE_MS, &|_| Ok(()))?;
    for part in 0..5 {
        crowd.stand(hosts * part / 5..hosts * (part + 1) / 5, Standing::Silent)?;
        crowd.now_ms += SECOND_MS;
    }
    crowd.pass(30 * MINUTE_MS, &|_| Ok(()))?;
    let back_ms = crowd.now_ms;
    for part in 0..5 {
        crowd.stand(hosts * part / 5..hosts * (part + 1) / 5, Standing::Present)?;
        crowd.now_ms += SECOND_MS;
    }
    Ok((crowd.close(&|_| Ok(()))?, back_ms))
}

/// When every world begins.
pub const BEGIN_MS: i64 = START_MS;
