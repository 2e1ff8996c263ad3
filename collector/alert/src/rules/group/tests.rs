use muster_common::sample::is_stale;
use muster_query::{Control, Engine};

use super::*;
use crate::rules::{MemoryAsk, RuleDefaults, RuleFile, Ruler, load_rules};

fn files(text: &str) -> Vec<RuleFile> {
    load_rules(&[("f.yml".to_owned(), text.to_owned())], RuleDefaults::default())
        .unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

const RULES: &str = "groups:
- name: g
  interval: 30s
  rules:
  - record: m:double
    expr: m * 2
    labels: {kind: d}
  - alert: High
    expr: m:double > 10
    for: 1m
    annotations: {summary: '{{ with query \"m\" }}{{ . | first | value }}{{ end }}'}
";

/// A ruler over series in memory.
struct World {
    ruler: Ruler,
    memory: MemorySeries,
    rows: std::collections::BTreeMap<Vec<u8>, Vec<u8>>,
    now_ms: i64,
}

impl World {
    fn new(text: &str) -> Self {
        let mut ruler = Ruler::new([1; 16], 3);
        ruler.reload(&files(text), 0);
        Self { ruler, memory: MemorySeries::default(), rows: Default::default(), now_ms: 0 }
    }

    fn put(&mut self, at_ms: i64, host: &str, value: f64) {
        let labels = Arc::new(LabelSet::new([("__name__", "m"), ("host", host)]).unwrap());
        self.memory.append(&labels, at_ms, value);
    }

    fn take(&mut self, rows: &[SmallRow]) {
        for row in rows {
            match &row.value {
                Some(value) => drop(self.rows.insert(row.key.clone(), value.clone())),
                None => drop(self.rows.remove(&row.key)),
            }
        }
    }

    /// The round of the next tick of the first group; what it writes goes into memory.
    fn round(&mut self) -> Round {
        self.now_ms = self.ruler.next_ms().unwrap();
        let group = &mut self.ruler.groups_mut()[0];
        let due = group.due(self.now_ms).unwrap();
        let (engine, none) = (Engine::default(), LabelSet::default());
        let control = Control::new(Duration::from_secs(60));
        let ask = MemoryAsk { engine: &engine, memory: &self.memory, control: &control };
        let context =
            RuleContext { external_labels: &none, external_url: "", ready_ms: -1_000_000, is_away: &|_| false };
        let round = group.evaluate(due, &ask, &context);
        for (labels, at_ms, value) in &round.batch.samples {
            self.memory.append(labels, *at_ms, *value);
        }
        self.take(&round.rows);
        round
    }
}

fn shown(round: &Round) -> Vec<String> {
    let show = |value: f64| if is_stale(value) { "stale".to_owned() } else { value.to_string() };
    round.batch.samples.iter().map(|(labels, _, value)| format!("{labels} {}", show(*value))).collect()
}

fn told(changes: &[AlertChange]) -> String {
    let word = |change: &AlertChange| match change {
        AlertChange::Firing(alert) => format!("+{}", alert.labels.get("host").unwrap_or("")),
        AlertChange::Ended { why, .. } => format!("-{why}"),
    };
    changes.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn ticks_lie_on_the_groups_own_grid_and_missed_ones_are_counted() {
    let spec = Arc::clone(&files(RULES)[0].groups[0]);
    let mut group = RunningGroup::new(Arc::clone(&spec), [1; 16], 3, 10_000_000);
    assert_eq!(group.due(10_000_000), None);
    let next = group.next_ms();
    assert!(next > 10_000_000 && next <= 10_030_000, "{next}");
    assert_eq!(group.due(next - 1), None);
    let due = group.due(next).unwrap();
    assert_eq!((due.at_ms, due.missed), (next, 0));
    group.last_tick = Some(due.tick);
    assert_eq!(group.due(next + 29_999), None);
    let late = group.due(next + 95_000).unwrap();
    assert_eq!((late.tick, late.at_ms, late.missed), (due.tick + 3, next + 90_000, 2));
    // A clock that is set back a little is waited for, one that is set back far is followed.
    assert_eq!((group.due(next), group.due(next - 1)), (None, None));
    let back = group.due(next - 3_600_000).unwrap();
    assert_eq!((back.tick, back.missed), (due.tick - 120, 0));
    // The same tick of the same data folder is the same batch; another store, group or grid is another run.
    let run = |spec: &Arc<RuleGroup>, store| RunningGroup::new(Arc::clone(spec), store, 3, 0).run();
    let other = Arc::new(RuleGroup { interval_ms: 15_000, ..(*spec).clone() });
    assert_eq!(run(&spec, [1; 16]), group.run());
    assert!(run(&spec, [2; 16]) != group.run() && run(&other, [1; 16]) != group.run());
}

#[test]
fn a_round_writes_recordings_alerts_and_ends_what_is_gone() {
    let mut world = World::new(RULES);
    for tick in 0..20 {
        world.put(tick * 30_000, "a", 7.0);
        world.put(tick * 30_000, "b", 1.0);
    }
    let first = world.round();
    assert_eq!(
        shown(&first),
        [
            "m:double{host=\"a\", kind=\"d\"} 14",
            "m:double{host=\"b\", kind=\"d\"} 2",
            "ALERTS{alertname=\"High\", alertstate=\"pending\", host=\"a\", kind=\"d\"} 1",
            &format!("ALERTS_FOR_STATE{{alertname=\"High\", host=\"a\", kind=\"d\"}} {}", world.now_ms / 1000),
        ]
    );
    assert!(first.batch.samples.iter().all(|(_, at_ms, _)| *at_ms == world.now_ms - 5_000));
    let began = world.now_ms;
    assert_eq!(told(&world.round().changes), "");
    let third = world.round();
    assert_eq!(told(&third.changes), "+a");
    let AlertChange::Firing(alert) = &third.changes[0] else { panic!("it fires") };
    assert_eq!((alert.active_ms, alert.starts_ms, &*alert.annotations["summary"]), (began, began + 60_000, "7"));
    let lines = shown(&third);
    assert!(lines.contains(&"ALERTS{alertname=\"High\", alertstate=\"firing\", host=\"a\", kind=\"d\"} 1".to_owned()));
    assert!(
        lines.contains(&"ALERTS{alertname=\"High\", alertstate=\"pending\", host=\"a\", kind=\"d\"} stale".to_owned())
    );
    assert_eq!(third.batch.tick, first.batch.tick + 2);
    // The series ends: so do what was recorded of it, and its alert.
    let at_ms = world.now_ms - 4_000;
    world.put(at_ms, "a", stale());
    (1..40).for_each(|later| world.put(at_ms + later * 10_000, "a", stale()));
    let last = world.round();
    assert_eq!(told(&last.changes), "-no data");
    let ends: Vec<String> = shown(&last).into_iter().filter(|line| line.ends_with("stale")).collect();
    assert_eq!(ends.len(), 3, "{ends:?}");
    assert!(world.rows.is_empty());
    assert!(!shown(&world.round()).iter().any(|line| line.ends_with("stale")));
}

#[test]
fn a_rule_that_fails_keeps_what_it_had() {
    let mut world = World::new(
        "groups:\n- name: g\n  rules:\n  - record: r\n    expr: m\n    labels: {host: x}\n  - alert: A\n    expr: m\n",
    );
    world.put(0, "a", 1.0);
    let now = world.ruler.next_ms().unwrap();
    world.put(now - 6_000, "a", 1.0);
    assert_eq!(shown(&world.round())[0], "r{host=\"x\"} 1");
    let now = world.ruler.next_ms().unwrap();
    world.put(now - 6_000, "a", 1.0);
    world.put(now - 6_000, "b", 1.0);
    let round = world.round();
    assert!(!shown(&round).iter().any(|line| line.starts_with("r{")), "{:?}", shown(&round));
    let group = &world.ruler.groups()[0];
    let (_, health, _) = group.rules().next().unwrap();
    assert!(health.error.as_deref().is_some_and(|error| error.contains("after applying rule labels")), "{health:?}");
    assert_eq!((group.counts().failures, group.counts().evaluations, health.failures), (1, 4, 1));
}

#[test]
fn a_restart_forgets_nothing_and_fires_nothing_twice() {
    let mut world = World::new(RULES);
    for tick in 0..60 {
        world.put(tick * 10_000, "a", 7.0);
    }
    world.round();
    let began = world.now_ms;
    let stored = world.rows.clone();
    let restart = |world: &mut World, rules: &str, rows: &std::collections::BTreeMap<Vec<u8>, Vec<u8>>| {
        world.ruler = Ruler::new([1; 16], 3);
        world.ruler.reload(&files(rules), world.now_ms);
        let stepped = world.ruler.restore(rows.iter().map(|(key, value)| (&**key, &**value)), world.now_ms);
        world.take(&stepped.rows);
        told(&stepped.changes)
    };
    // Pending: goes on from where it was.
    assert_eq!(restart(&mut world, RULES, &stored), "");
    assert_eq!(told(&world.round().changes), "");
    let fired = world.round();
    assert_eq!(told(&fired.changes), "+a");
    let AlertChange::Firing(alert) = &fired.changes[0] else { panic!("it fires") };
    assert_eq!(alert.active_ms, began);
    // Firing: told as it was, and not anew.
    let stored = world.rows.clone();
    assert_eq!(restart(&mut world, RULES, &stored), "+a");
    let after = world.round();
    assert_eq!(told(&after.changes), "");
    assert!(!shown(&after).iter().any(|line| line.contains("alertstate=\"pending\"")));
    // Its rule is gone: it ends, and its rows.
    assert_eq!(restart(&mut world, "groups: []", &stored), "-its rule is no longer there");
    assert!(world.rows.is_empty());
    // A damaged row is no reason to forget the others.
    let mut damaged = stored.clone();
    damaged.values_mut().for_each(|value| value.truncate(5));
    world.rows = damaged.clone();
    assert_eq!(restart(&mut world, RULES, &damaged), "");
    assert!(world.rows.is_empty());
    let faults = world.ruler.stats().into_iter().find(|stat| stat.name.contains("restore_faults")).unwrap();
    assert!((faults.value - 1.0).abs() < f64::EPSILON);
}

#[test]
fn what_is_missed_is_missed_over_a_restart() {
    let rules = "groups:\n- name: g\n  interval: 30s\n  rules:\n  - alert: A\n    expr: m > 100\n    for: 1m\n    no_data: alert\n";
    let mut world = World::new(rules);
    world.put(0, "a", 7.0);
    let at_ms = world.ruler.next_ms().unwrap() - 6_000;
    world.put(at_ms, "a", 7.0);
    assert_eq!(told(&world.round().changes), "");
    world.put(at_ms + 10_000, "a", stale());
    (0..2).for_each(|_| assert_eq!(told(&world.round().changes), ""));
    let stored = world.rows.clone();
    assert_eq!(stored.len(), 1);
    world.ruler = Ruler::new([1; 16], 3);
    world.ruler.reload(&files(rules), world.now_ms);
    let stepped = world.ruler.restore(stored.iter().map(|(key, value)| (&**key, &**value)), world.now_ms);
    assert_eq!(told(&stepped.changes), "");
    assert_eq!(told(&world.round().changes), "+a");
    world.put(world.now_ms, "a", 7.0);
    assert_eq!(told(&world.round().changes), "-the condition no longer holds");
}

#[test]
fn a_reload_keeps_what_means_the_same_and_ends_the_rest() {
    let mut world = World::new(RULES);
    (0..60).for_each(|tick| world.put(tick * 10_000, "a", 7.0));
    (0..3).for_each(|_| drop(world.round()));
    assert_eq!(world.rows.len(), 1);
    // Another `for`, another order and another rule: the alert goes on.
    let changed =
        RULES.replace("for: 1m", "for: 2m").replace("  - record", "  - alert: Other\n    expr: m > 100\n  - record");
    let stepped = world.ruler.reload(&files(&changed), world.now_ms);
    assert_eq!((told(&stepped.changes), stepped.rows.len()), (String::new(), 0));
    assert_eq!(told(&world.round().changes), "");
    // Another expression is another rule.
    let other = RULES.replace("m:double > 10", "m:double > 11");
    let stepped = world.ruler.reload(&files(&other), world.now_ms);
    assert_eq!(told(&stepped.changes), "-its rule is no longer there");
    world.take(&stepped.rows);
    assert!(world.rows.is_empty());
    let ended = shown(&world.round()).into_iter().filter(|line| line.ends_with("stale")).collect::<Vec<_>>();
    assert!(ended.iter().any(|line| line.contains("alertstate=\"firing\"")), "{ended:?}");
}
