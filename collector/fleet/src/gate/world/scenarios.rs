//! Questions, how things stand, and what the gate must say, by its codes.

use crate::gate::{
    Asked, Before, Code, Comparison, Count, Ended, Facts, Freeze, HostFact, HowEnded, Override, PatternCells, Place,
    Problem, Rate, SeenThere, Verdict,
};

const NOW_MS: i64 = 1_796_000_000_000;
const MIN_MS: i64 = 60_000;

pub(in crate::gate) fn host(name: &str) -> HostFact {
    HostFact { name: name.to_owned(), state: "up".to_owned(), heard_ms: Some(NOW_MS - 10_000) }
}

fn place(env: &str, hosts: &[&str]) -> Place {
    Place { env: env.to_owned(), hosts: hosts.iter().map(|name| host(name)).collect(), ..Place::default() }
}

pub(in crate::gate) fn problem(host: &str, severity: &str, held: &str) -> Problem {
    Problem {
        name: "DiskFull".to_owned(),
        host: host.to_owned(),
        severity: severity.to_owned(),
        since_ms: NOW_MS - 5 * MIN_MS,
        held: held.to_owned(),
        evidence: "/alerts/7".to_owned(),
    }
}

pub(in crate::gate) fn ended(how: HowEnded) -> Option<Ended> {
    Some(Ended { deploy: 4, at_ms: NOW_MS - 60 * MIN_MS, how })
}

/// Thirty minutes on either side, so many bad ones of 100 in each.
fn numbers(canary: u64, baseline: u64) -> Comparison {
    let slots = |bad| (0..30).map(|_| Count(bad, 100)).collect();
    let rate = Rate {
        name: "errors in the log".to_owned(),
        canary: slots(canary),
        baseline: slots(baseline),
        evidence: "/logs?q=x".to_owned(),
        ..Rate::default()
    };
    Comparison { canary: "web1".to_owned(), baseline: "web2".to_owned(), rates: vec![rate], ..Comparison::default() }
}

fn few() -> Comparison {
    let mut few = numbers(1, 1);
    few.rates[0].canary.truncate(3);
    few
}

fn new_lines() -> Comparison {
    let pattern = PatternCells { pattern: "error: <q> is lost".to_owned(), canary: 20, ..PatternCells::default() };
    Comparison { cells: Some([60, 60]), patterns: vec![pattern], ..numbers(2, 2) }
}

/// Version 8.1 of `shop` to production, after an hour in staging of which half was wanted: nothing speaks against it.
pub(in crate::gate) fn good() -> Facts {
    let staging = Before {
        place: Place { ended: ended(HowEnded::Ok), ..place("staging", &["st1", "st2"]) },
        soak_ms: 30 * MIN_MS,
        seen: Some(SeenThere { hosts: 2, of_hosts: 2, was_whole: true, soaked_ms: 60 * MIN_MS }),
        since: Some(numbers(2, 2)),
    };
    Facts {
        asked: Asked {
            service: "shop".to_owned(),
            version: "8.1".to_owned(),
            to: "production".to_owned(),
            at_ms: NOW_MS,
            ..Asked::default()
        },
        is_declared: true,
        rules_ms: Some(NOW_MS - 5_000),
        to: place("production", &["web1", "web2", "web3"]),
        before: vec![staging],
        ..Facts::default()
    }
}

fn freeze(lifted: bool) -> Freeze {
    let over = Override { by: "user:eve".to_owned(), reason: "hot fix".to_owned(), codes: Vec::new() };
    Freeze {
        id: "3".to_owned(),
        reason: "end of the year".to_owned(),
        by: "user:ann".to_owned(),
        until_ms: Some(NOW_MS + 60 * MIN_MS),
        lifted: lifted.then_some(over),
    }
}

pub(in crate::gate) fn override_it(facts: &mut Facts, codes: &[Code]) {
    let over = Override { by: "user:ann".to_owned(), reason: "known".to_owned(), codes: codes.to_vec() };
    facts.asked.over = Some(over);
}

type Change = fn(&mut Facts);

/// What differs from [`good`], the verdict, and the codes that count for it.
const SCENARIOS: [(&str, Change, Verdict, &str); 28] = [
    ("all is well", |_| (), Verdict::Go, ""),
    ("nobody declared the service", |f| f.is_declared = false, Verdict::Unknown, "unknown_service"),
    ("no host there", |f| f.to.hosts.clear(), Verdict::Unknown, "no_hosts"),
    ("no host in staging", |f| f.before[0].place.hosts.clear(), Verdict::Unknown, "no_hosts"),
    ("an open alert there", |f| f.to.problems.push(problem("web1", "critical", "")), Verdict::NoGo, "problem"),
    (
        "an acknowledged one in staging",
        |f| f.before[0].place.problems.push(problem("st1", "warning", "acknowledged")),
        Verdict::NoGo,
        "problem",
    ),
    ("a silenced one", |f| f.to.problems.push(problem("web1", "warning", "silenced")), Verdict::NoGo, "problem"),
    ("one that is only worth knowing", |f| f.to.problems.push(problem("web1", "info", "")), Verdict::Go, ""),
    ("stale data", |f| f.to.hosts[1].heard_ms = Some(NOW_MS - 10 * MIN_MS), Verdict::Unknown, "stale"),
    ("an agent that just stopped", |f| f.to.hosts[1].state = "agent_stopped".to_owned(), Verdict::Unknown, "stale"),
    ("a host never heard", |f| f.before[0].place.hosts[0].heard_ms = None, Verdict::Unknown, "stale"),
    ("rules not looked at", |f| f.rules_ms = None, Verdict::Unknown, "stale"),
    ("never in staging", |f| f.before[0].seen = None, Verdict::Unknown, "never_seen"),
    ("on one host of staging", |f| set_seen(f, 1, None), Verdict::Unknown, "in_part"),
    ("soak too short", |f| set_seen(f, 2, Some(20)), Verdict::Unknown, "soak_short"),
    ("soaked, and staging has gone on", |f| set_seen(f, 0, Some(40)), Verdict::Go, ""),
    ("replaced before it had soaked", |f| set_seen(f, 1, Some(10)), Verdict::Unknown, "soak_short"),
    (
        "failed in staging, overridden",
        |f| {
            f.before[0].place.ended = ended(HowEnded::Failed);
            override_it(f, &[])
        },
        Verdict::NoGo,
        "failed_there",
    ),
    ("twice the errors in staging", |f| f.before[0].since = Some(numbers(8, 4)), Verdict::NoGo, "error_rate"),
    ("new lines in staging", |f| f.before[0].since = Some(new_lines()), Verdict::NoGo, "new_pattern"),
    ("too little to compare before and after", |f| f.before[0].since = Some(few()), Verdict::Go, ""),
    ("the canary is worse", |f| f.canary = Some(numbers(8, 4)), Verdict::NoGo, "canary_worse"),
    ("the canary has not seen enough", |f| f.canary = Some(few()), Verdict::Unknown, "canary_not_enough"),
    ("a freeze", |f| f.freezes.push(freeze(false)), Verdict::NoGo, "freeze"),
    ("a freeze that somebody lifted", |f| f.freezes.push(freeze(true)), Verdict::Go, ""),
    (
        "a freeze and a problem, overridden",
        |f| {
            f.freezes.push(freeze(false));
            f.to.problems.push(problem("web1", "critical", ""));
            override_it(f, &[])
        },
        Verdict::Go,
        "",
    ),
    (
        "of both one is overridden",
        |f| {
            f.freezes.push(freeze(false));
            f.to.problems.push(problem("web1", "critical", ""));
            override_it(f, &[Code::Freeze])
        },
        Verdict::NoGo,
        "problem",
    ),
    (
        "a problem and stale data, overridden",
        |f| {
            f.to.problems.push(problem("web1", "critical", ""));
            f.to.hosts[0].heard_ms = None;
            override_it(f, &[])
        },
        Verdict::Unknown,
        "stale",
    ),
];

/// Hosts that have it now, and for how many minutes all had it.
fn set_seen(facts: &mut Facts, hosts: u64, soaked_min: Option<i64>) {
    let soaked_ms = soaked_min.unwrap_or(0) * MIN_MS;
    facts.before[0].seen = Some(SeenThere { hosts, of_hosts: 2, was_whole: soaked_min.is_some(), soaked_ms });
}

/// Going back to 8.0 when all is bad.
const ROLLBACKS: [(&str, Change, Verdict, &str); 5] = [
    ("it worked there", |_| (), Verdict::Go, ""),
    ("it was never there", |f| f.to.ended = None, Verdict::Unknown, "never_ended_ok"),
    (
        "it was rolled back itself, overridden",
        |f| {
            f.to.ended = ended(HowEnded::RolledBack);
            override_it(f, &[])
        },
        Verdict::NoGo,
        "failed_there",
    ),
    ("a freeze", |f| f.freezes.push(freeze(false)), Verdict::NoGo, "freeze"),
    ("no host", |f| f.to.hosts.clear(), Verdict::Unknown, "no_hosts"),
];

/// One of them.
pub struct Scenario {
    pub name: &'static str,
    pub facts: Facts,
    pub verdict: Verdict,
    /// The codes that count for it, with a space between.
    pub codes: &'static str,
}

/// All there are: of going on, and of going back while all is bad.
pub fn scenarios() -> Vec<Scenario> {
    let on_bad_hosts = |facts: &mut Facts| {
        facts.asked.rollback = true;
        facts.to.ended = ended(HowEnded::Ok);
        facts.to.problems.push(problem("web1", "critical", ""));
        facts.to.hosts[0].heard_ms = None;
        facts.before[0].seen = None;
    };
    let made = |is_rollback: bool, (name, change, verdict, codes): &(&'static str, Change, Verdict, &'static str)| {
        let mut facts = good();
        if is_rollback {
            on_bad_hosts(&mut facts);
        }
        change(&mut facts);
        Scenario { name, facts, verdict: *verdict, codes }
    };
    let on = SCENARIOS.iter().map(|one| made(false, one));
    on.chain(ROLLBACKS.iter().map(|one| made(true, one))).collect()
}
