use std::cell::Cell;

use super::naive::{State, states};
use super::*;
use crate::alert::HeldReason;
use crate::rules::{RuleDefaults, RuleGroup, load_rules};

/// One rule with these keys besides its name and expression.
fn group(keys: &str) -> Arc<RuleGroup> {
    let text = format!("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: m > 0\n{keys}");
    let files = load_rules(&[("f.yml".to_owned(), text)], RuleDefaults::default());
    Arc::clone(&files.unwrap_or_else(|mistakes| panic!("{mistakes:?}"))[0].groups[0])
}

fn series(host: &str) -> Arc<LabelSet> {
    Arc::new(LabelSet::new([("__name__", "m"), ("host", host)]).unwrap())
}

/// What happened in a step: `+host` fires or is told anew, `-host` ended; then the states.
struct Run {
    group: Arc<RuleGroup>,
    state: AlertingState,
    away: Vec<String>,
    present: Option<Vec<String>>,
    asked: Cell<usize>,
    ready_ms: i64,
    rows: std::collections::BTreeMap<Vec<u8>, Vec<u8>>,
    last: Stepped,
}

impl Run {
    fn new(keys: &str) -> Self {
        let group = group(keys);
        Self {
            group,
            state: AlertingState::new([7; 16]),
            away: Vec::new(),
            present: None,
            asked: Cell::new(0),
            ready_ms: -SETTLING_MS,
            rows: Default::default(),
            last: Stepped::default(),
        }
    }

    fn step(&mut self, now_ms: i64, result: Result<Vector, String>) -> Result<(), String> {
        let none = LabelSet::default();
        let is_away = |host: &str| self.away.iter().any(|own| own == host);
        let compared = || {
            self.asked.set(self.asked.get() + 1);
            Ok(self.present.as_ref().map(|hosts| hosts.iter().map(|host| (series(host), 0.0)).collect()))
        };
        let ask = |_: &str| -> Asked { Err("no data".into()) };
        let context = StepContext {
            file: "f.yml",
            group: "g",
            external_labels: &none,
            external_url: "",
            limit: self.group.limit,
            ready_ms: self.ready_ms,
            is_away: &is_away,
            compared: &compared,
            ask: &ask,
        };
        let rule = &self.group.rules[0];
        let stepped = self.state.step(rule, rule.alert().unwrap(), now_ms, result, &context)?;
        for row in &stepped.rows {
            match &row.value {
                Some(value) => drop(self.rows.insert(row.key.clone(), value.clone())),
                None => assert!(self.rows.remove(&row.key).is_some(), "a row is removed once"),
            }
        }
        assert_eq!(self.rows.len(), self.state.active.len());
        self.last = stepped;
        Ok(())
    }

    /// Steps at so many seconds with `host=value` rows; `!` is an error. Answers changes and states.
    fn at(&mut self, seconds: i64, rows: &str) -> String {
        let row = |word: &str| {
            let (host, value) = word.split_once('=').unwrap_or((word, "1"));
            (series(host), value.parse().unwrap())
        };
        let result = if rows == "!" { Err("broken".into()) } else { Ok(rows.split_whitespace().map(row).collect()) };
        if self.step(seconds * 1000, result).is_err() {
            self.last = Stepped::default();
        }
        let told = self.last.changes.iter().map(|change| match change {
            AlertChange::Firing(alert) => {
                let held = alert.holds.iter().any(|held| held.why == HeldReason::NoData);
                format!("+{}{}", alert.labels.get("host").unwrap_or("-"), if held { "(held)" } else { "" })
            }
            AlertChange::Ended { .. } => "-".to_owned(),
        });
        let mut told: Vec<String> = told.collect();
        told.sort();
        let mut states: Vec<String> = self
            .state
            .active
            .values()
            .map(|active| format!("{}:{}", active.labels.get("host").unwrap_or("-"), active.state()))
            .collect();
        states.sort();
        told.extend(states);
        told.join(" ")
    }
}

fn check(keys: &str, steps: &[(i64, &str, &str)]) {
    let mut run = Run::new(keys);
    for (seconds, rows, expected) in steps {
        assert_eq!(run.at(*seconds, rows), *expected, "{keys} at {seconds}");
    }
}

#[test]
fn an_alert_is_pending_then_fires_then_ends() {
    check(
        "    for: 2m\n",
        &[
            (0, "a", "a:pending"),
            (60, "a b", "a:pending b:pending"),
            (119, "a b", "a:pending b:pending"),
            (120, "a", "+a a:firing"),
            (180, "a", "a:firing"),
            (240, "", "-"),
            (300, "a", "a:pending"),
            (310, "", ""),
        ],
    );
    check("", &[(0, "a", "+a a:firing"), (10, "", "-"), (20, "a", "+a a:firing")]);
}

#[test]
fn what_is_kept_firing_does_not_flap() {
    check(
        "    keep_firing_for: 1m\n",
        &[
            (0, "a", "+a a:firing"),
            (10, "", "a:firing"),
            (60, "", "a:firing"),
            (65, "a", "a:firing"),
            (70, "", "a:firing"),
            (129, "", "a:firing"),
            (130, "", "-"),
        ],
    );
}

#[test]
fn an_error_leaves_everything_as_it_is() {
    check(
        "    for: 1m\n",
        &[
            (0, "a", "a:pending"),
            (30, "!", "a:pending"),
            (60, "a", "+a a:firing"),
            (90, "!", "a:firing"),
            (99, "", "-"),
        ],
    );
}

#[test]
fn labels_are_those_of_series_and_rule() {
    let mut run = Run::new(
        "    labels:\n      severity: '{{ if gt $value 5.0 }}critical{{ else }}warning{{ end }}'\n      host: 'x-{{ $labels.host }}'\n      gone: ''\n    \
         annotations:\n      summary: '{{ $labels.host }} {{ $value }}'\n      bad: '{{ $value.x }}'\n",
    );
    assert_eq!(run.at(0, "a=3"), "+x-a x-a:firing");
    let AlertChange::Firing(alert) = &run.last.changes[0] else { panic!("it fires") };
    assert_eq!(alert.labels.to_string(), "{alertname=\"A\", host=\"x-a\", severity=\"warning\"}");
    assert_eq!(alert.annotations["summary"], "a 3");
    assert!(alert.annotations["bad"].starts_with("<error expanding template: 1:4:"), "{:?}", alert.annotations);
    assert_eq!((run.last.template_faults, alert.value, &*alert.expression), (1, Some(3.0), "m > 0"));
    // Another severity is another alert, as in Prometheus.
    assert_eq!(run.at(10, "a=7"), "+x-a - x-a:firing");
    let wide = Run::new("    labels:\n      long: '{{ range 10 }}{{ printf \"%999d\" 1 }}{{ end }}'\n").at(0, "a");
    assert_eq!(wide, "+a a:firing");
}

#[test]
fn two_series_of_one_label_set_are_an_error_and_a_limit_is_one() {
    let mut run = Run::new("    labels:\n      host: same\n");
    let error = run.step(0, Ok(vec![(series("a"), 1.0), (series("b"), 1.0)])).unwrap_err();
    assert!(error.contains("same labelset after applying alert labels"), "{error}");
    assert!(run.state.active.is_empty());
    let mut run = Run::new("");
    run.group = Arc::new(RuleGroup { limit: 1, ..(*run.group).clone() });
    let error = run.step(0, Ok(vec![(series("a"), 1.0), (series("b"), 1.0)])).unwrap_err();
    assert_eq!(error, "exceeded limit of 1 with 2 alerts");
}

#[test]
fn missing_data_of_a_host_that_is_away_end_nothing() {
    let mut run = Run::new("    for: 1m\n");
    assert_eq!(run.at(0, "a b"), "a:pending b:pending");
    assert_eq!(run.at(60, "a"), "+a a:firing");
    run.away = vec!["a".into()];
    assert_eq!(run.at(120, ""), "+a(held) a:firing");
    assert_eq!(run.at(180, ""), "a:firing");
    // Back: told again without the hold.
    assert_eq!(run.at(240, "a"), "+a a:firing");
    assert_eq!(run.at(300, ""), "+a(held) a:firing");
    // It has data, which do not fit: that is an end, away or not.
    run.present = Some(vec!["a".into()]);
    assert_eq!(run.at(360, ""), "-");
    // A pending one does not fire without data, and goes on from where it was.
    run.present = None;
    assert_eq!(run.at(400, "a"), "a:pending");
    assert_eq!(run.at(500, ""), "a:pending");
    assert_eq!(run.at(510, "a"), "+a a:firing");
    run.away.clear();
    assert_eq!(run.at(520, ""), "-");
}

#[test]
fn what_is_kept_firing_is_no_longer_held_once_there_are_data() {
    let mut run = Run::new("    keep_firing_for: 5m\n");
    assert_eq!(run.at(0, "a"), "+a a:firing");
    run.away = vec!["a".into()];
    assert_eq!(run.at(60, ""), "+a(held) a:firing");
    run.present = Some(vec!["a".into()]);
    assert_eq!(run.at(120, ""), "+a a:firing");
    assert_eq!((run.at(180, ""), run.at(420, "")), ("a:firing".to_owned(), "-".to_owned()));
}

#[test]
fn a_collector_that_has_just_started_ends_nothing() {
    let mut run = Run::new("");
    assert_eq!(run.at(0, "a"), "+a a:firing");
    run.ready_ms = 5_000;
    assert_eq!(run.at(10, ""), "+a(held) a:firing");
    assert_eq!(run.at(124, ""), "a:firing");
    assert_eq!(run.at(125, ""), "-");
    let mut ok = Run::new("    no_data: ok\n");
    ok.ready_ms = 5_000;
    assert_eq!(ok.at(0, "a"), "+a a:firing");
    assert_eq!(ok.at(10, ""), "-");
    assert_eq!(ok.asked.get(), 0);
}

#[test]
fn missing_data_can_be_what_is_told() {
    let mut run = Run::new("    for: 1m\n    no_data: alert\n    annotations: {summary: 'x'}\n");
    run.present = Some(vec!["a".into(), "b".into()]);
    assert_eq!(run.at(0, ""), "");
    run.present = Some(vec!["b".into()]);
    assert_eq!(run.at(30, ""), "a:pending");
    assert_eq!(run.at(90, ""), "+a a:firing");
    let AlertChange::Firing(alert) = &run.last.changes[0] else { panic!("it fires") };
    assert!(alert.annotations["no_data"].contains("no data") && alert.value.is_none());
    run.away = vec!["b".into()];
    run.present = Some(vec![]);
    assert_eq!(run.at(100, ""), "a:firing");
    run.present = Some(vec!["a".into()]);
    assert_eq!(run.at(120, ""), "-");
    // What stays away for a day was taken away.
    run.present = Some(vec![]);
    assert_eq!(run.at(200, ""), "a:pending");
    assert_eq!(run.at(260, ""), "+a a:firing");
    run.away.clear();
    assert_eq!(run.at(86_400 + 300, ""), "-");
}

#[test]
fn other_words_are_told_at_most_once_a_minute() {
    check(
        "    annotations:\n      summary: '{{ $value }}'\n",
        &[
            (0, "a=1", "+a a:firing"),
            (10, "a=2", "a:firing"),
            (20, "a=2", "a:firing"),
            (60, "a=2", "+a a:firing"),
            (120, "a=2", "a:firing"),
            (180, "a=3", "+a a:firing"),
        ],
    );
}

/// 400 seeded histories with gaps, errors and absences against the other opinion.
#[test]
fn it_agrees_with_the_naive_evaluator() {
    for seed in 0..400u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let (for_s, keep_s) = ([0, 30, 60, 90][next(4) as usize], [0, 20, 60][next(3) as usize]);
        let mut run = Run::new(&format!("    for: {for_s}s\n    keep_firing_for: {keep_s}s\n"));
        let (mut seen, mut now, mut held) = (Vec::new(), 0i64, true);
        let (mut begun, mut ended) = (0, 0);
        for _ in 0..60 {
            now += 5 + next(20) as i64;
            held = if next(4) == 0 { !held } else { held };
            run.away = if next(6) == 0 { vec!["a".into()] } else { Vec::new() };
            let error = next(10) == 0;
            let was_firing = run.state.active.values().any(Active::is_firing);
            run.at(
                now,
                if error {
                    "!"
                } else if held {
                    "a"
                } else {
                    ""
                },
            );
            // What says nothing: an error, and no data of a host that is away.
            if !error && (held || run.away.is_empty()) {
                seen.push((now * 1000, held));
            }
            let own = run.state.active.values().next();
            let own = own.map_or(State::Inactive, |one| if one.is_firing() { State::Firing } else { State::Pending });
            let expected = states(&seen, for_s * 1000, keep_s * 1000).last().copied().unwrap_or(State::Inactive);
            assert_eq!(own, expected, "seed {seed} at {now}");
            begun += usize::from(!was_firing && own == State::Firing);
            ended += run.last.changes.iter().filter(|one| matches!(one, AlertChange::Ended { .. })).count();
        }
        let now_firing = run.state.active.values().filter(|one| one.is_firing()).count();
        assert_eq!(begun, ended + now_firing, "seed {seed}: every alert that fired ends once");
    }
}
