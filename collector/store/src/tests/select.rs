//! Matchers, limits, names and values; the same over heads, segments and both.

use std::sync::atomic::AtomicBool;

use muster_common::label::LabelSet;
use muster_common::matcher::{LabelRegex, Matcher, Test};
use muster_common::sample::{MetricKind, STALE_BITS, stale};

use super::world::{BEGIN_MS, Folder, World, batch, epoch, open_real, scrape, table};
use crate::{Point, Record, SampleBlock, Select, SelectError, SelectLimits, SeriesTable};

fn matcher(name: &str, operator: &str, value: &str) -> Matcher {
    let regex = || LabelRegex::new(value).unwrap();
    let test = match operator {
        "=" => Test::Equal(value.into()),
        "!=" => Test::NotEqual(value.into()),
        "=~" => Test::Regex(regex()),
        _ => Test::NotRegex(regex()),
    };
    Matcher { name: name.into(), test }
}

/// 4 modes x 3 cpus of `cpu`, 3 of `load` without a mode, by points at two times.
fn fill(world: &mut World) {
    let mut series = Vec::new();
    for mode in ["idle", "user", "system", "iowait"] {
        for cpu in ["0", "1", "2"] {
            let labels = LabelSet::new([("__name__", "cpu"), ("cpu", cpu), ("mode", mode)]).unwrap();
            series.push((labels, MetricKind::Counter));
        }
    }
    for host in ["a", "b", "c"] {
        series.push((LabelSet::new([("__name__", "load"), ("host", host)]).unwrap(), MetricKind::Gauge));
    }
    let table = std::sync::Arc::new(SeriesTable::new(series));
    let points = |at_ms: i64| {
        let count = table.len() as u32;
        let points = (0..count).rev().map(|series| Point { series, at_ms, value: f64::from(series) }).collect();
        vec![Record::Samples(SampleBlock::Points { table: table.clone(), points })]
    };
    world.commit(&[batch(epoch(1), 1, points(BEGIN_MS + 10)), batch(epoch(1), 2, points(BEGIN_MS))]);
}

/// Runs `check` with the samples in the head, then in a segment, then in both.
fn everywhere(mut check: impl FnMut(&World, &str)) {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    fill(&mut world);
    check(&world, "head");
    world.parts.admin.flush(false, world.now).unwrap();
    check(&world, "segment");
    let again = table("later", "z", 1);
    world.commit(&[batch(epoch(1), 3, vec![scrape(&again, BEGIN_MS + 1_000_000, 0.0)])]);
    let folder = Folder::new();
    let mut world = open_real(&folder);
    fill(&mut world);
    world.parts.admin.flush(true, world.now).unwrap();
    check(&world, "merged");
}

#[test]
fn matchers_select_as_a_scan_of_all_labels_would() {
    let selections: [&[(&str, &str, &str)]; 14] = [
        &[],
        &[("__name__", "=", "cpu")],
        &[("__name__", "=", "cpu"), ("mode", "!=", "idle")],
        &[("__name__", "=", "load"), ("mode", "=", "")],
        &[("mode", "!=", "")],
        &[("mode", "=~", "idle|user")],
        &[("mode", "=~", "idle|")],
        &[("mode", "=~", "i.*")],
        &[("mode", "!~", "i.*")],
        &[("mode", "!~", "i.*|")],
        &[("host", "=~", ".+"), ("__name__", "!=", "cpu")],
        &[("absent", "=", "")],
        &[("absent", "=", "x")],
        &[("cpu", "=~", "0|2"), ("mode", "!~", "user|system"), ("absent", "!=", "x")],
    ];
    everywhere(|world, place| {
        let view = world.parts.reader.view();
        let all = view.series(&Select::all_times(&[])).unwrap();
        assert_eq!(all.len(), 15, "{place}");
        assert!(all.is_sorted(), "{place}");
        for selection in selections {
            let matchers: Vec<Matcher> = selection.iter().map(|(n, o, v)| matcher(n, o, v)).collect();
            let passes =
                |labels: &LabelSet| matchers.iter().all(|one| one.is_match(labels.get(&one.name).unwrap_or("")));
            let expected: Vec<_> = all.iter().filter(|labels| passes(labels)).cloned().collect();
            assert_eq!(view.series(&Select::all_times(&matchers)).unwrap(), expected, "{place}: {selection:?}");
            let found = view.select(&Select::all_times(&matchers)).unwrap();
            assert_eq!(found.iter().map(|one| one.labels.clone()).collect::<Vec<_>>(), expected, "{place}");
            assert!(found.iter().all(|one| one.millis == [BEGIN_MS, BEGIN_MS + 10]), "{place}");
        }
    });
}

#[test]
fn times_are_both_included_and_series_without_samples_there_are_left_out() {
    everywhere(|world, place| {
        let view = world.parts.reader.view();
        let within = |from: i64, to: i64| {
            let request = Select { from_ms: BEGIN_MS + from, to_ms: BEGIN_MS + to, ..Select::all_times(&[]) };
            let samples: usize = view.select(&request).unwrap().iter().map(|one| one.millis.len()).sum();
            assert_eq!(view.raw_count(&request).unwrap(), samples as u64, "{place}");
            let (series, names) = (view.series(&request).unwrap().len(), view.label_names(&request).unwrap().len());
            (samples, series, names, view.label_values("mode", &request).unwrap().len())
        };
        assert_eq!(within(0, 10), (30, 15, 4, 4), "{place}");
        assert_eq!(within(0, 9), (15, 15, 4, 4), "{place}");
        assert_eq!(within(10, 10), (15, 15, 4, 4), "{place}");
        assert_eq!(within(1, 9), (0, 0, 0, 0), "{place}");
        assert_eq!(within(11, 9_999), (0, 0, 0, 0), "{place}");
    });
}

#[test]
fn names_values_and_kinds_are_told() {
    everywhere(|world, place| {
        let view = world.parts.reader.view();
        let all = Select::all_times(&[]);
        assert_eq!(view.label_names(&all).unwrap(), ["__name__", "cpu", "host", "mode"], "{place}");
        assert_eq!(view.label_values("host", &all).unwrap(), ["a", "b", "c"], "{place}");
        assert_eq!(view.label_values("x", &all).unwrap(), [""; 0], "{place}");
        let load = [matcher("__name__", "=", "load")];
        assert_eq!(view.label_names(&Select::all_times(&load)).unwrap(), ["__name__", "host"], "{place}");
        assert_eq!(view.label_values("__name__", &Select::all_times(&load)).unwrap(), ["load"], "{place}");
        let kinds = [("cpu".to_owned(), MetricKind::Counter), ("load".to_owned(), MetricKind::Gauge)];
        assert_eq!(view.metadata(), kinds, "{place}");
        assert_eq!(view.select(&Select::all_times(&load)).unwrap()[0].kind, MetricKind::Gauge, "{place}");
    });
}

#[test]
fn limits_and_cancellation_end_a_selection() {
    everywhere(|world, place| {
        let view = world.parts.reader.view();
        let limited = |series_max, samples_max| {
            let limits = SelectLimits { series_max, samples_max };
            view.select(&Select { limits, ..Select::all_times(&[]) })
        };
        assert_eq!(limited(15, 30).unwrap().len(), 15, "{place}");
        assert!(matches!(limited(14, 30), Err(SelectError::TooManySeries { max: 14 })), "{place}");
        assert!(matches!(limited(15, 29), Err(SelectError::TooManySamples { max: 29 })), "{place}");
        let cancelled = AtomicBool::new(true);
        let request = Select { cancelled: Some(&cancelled), ..Select::all_times(&[]) };
        assert!(matches!(view.select(&request), Err(SelectError::Cancelled)), "{place}");
    });
}

#[test]
fn a_view_does_not_change_while_commits_and_flushes_go_on() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let up = table("up", "a", 2);
    world.commit(&[batch(epoch(1), 1, vec![scrape(&up, BEGIN_MS, 1.0)])]);
    let view = world.parts.reader.view();
    let before = view.select(&Select::all_times(&[])).unwrap();
    for seq in 2..=80 {
        let (at_ms, other) = (BEGIN_MS + seq as i64, table("up", &format!("h{seq}"), 1));
        world.commit(&[batch(epoch(1), seq, vec![scrape(&up, at_ms, 2.0), scrape(&other, at_ms, 0.0)])]);
        world.commit(&[batch(epoch(2), seq - 1, vec![scrape(&up, BEGIN_MS, 7.0)])]);
        if seq % 40 == 0 {
            world.parts.admin.flush(seq == 80, world.now).unwrap();
        }
        assert_eq!(view.select(&Select::all_times(&[])).unwrap(), before, "seq {seq}");
    }
    assert_eq!(world.dump().len(), 2 + 79);
}

#[test]
fn stale_markers_and_special_values_keep_their_bits() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let up = table("up", "a", 1);
    let specials = [stale(), f64::NAN, f64::INFINITY, -0.0, f64::MIN_POSITIVE, 0.1 + 0.2];
    let rows = specials.iter().enumerate().map(|(i, &value)| scrape(&up, BEGIN_MS + i as i64, value)).collect();
    world.commit(&[batch(epoch(1), 1, rows)]);
    let bits = |world: &World| {
        let found = world.parts.reader.view().select(&Select::all_times(&[])).unwrap();
        found[0].values.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
    };
    // Series 0 gets `base + 0`, and a NaN plus nothing is the same NaN.
    let expected: Vec<u64> = specials.iter().map(|value| (value + 0.0).to_bits()).collect();
    assert_eq!(bits(&world), expected);
    world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!((bits(&world), expected.len()), (expected.clone(), 6));
    let point = vec![Point { series: 0, at_ms: BEGIN_MS + 100, value: stale() }];
    let block = Record::Samples(SampleBlock::Points { table: up, points: point });
    world.commit(&[batch(epoch(1), 2, vec![block])]);
    drop(world);
    assert_eq!(bits(&open_real(&folder)).last(), Some(&STALE_BITS));
}
