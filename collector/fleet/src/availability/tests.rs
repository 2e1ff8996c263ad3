//! Timelines made by hand, whose percent is known, and a count of every millisecond beside the computation.

use super::{PlannedAs, Samples, Share, Span, Timeline, Times, UnknownAs, month_before, month_span, union};
use crate::By;
use crate::status::DowntimeSpec;
use crate::testing::{Bench, at};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const UNKNOWN: [UnknownAs; 2] = [UnknownAs::Excluded, UnknownAs::Down];

fn timeline(spans: &[(i64, i64, bool)]) -> Timeline {
    let mut timeline = Timeline::default();
    spans.iter().for_each(|(from, to, is_up)| timeline.push((*from, *to), *is_up));
    timeline
}

fn percents(times: &Times, unknown: UnknownAs) -> [String; 3] {
    [PlannedAs::Counted, PlannedAs::Excluded, PlannedAs::Ignored].map(|planned| times.share(planned, unknown).text())
}

fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

#[test]
fn a_known_month_gives_its_exact_percent() {
    // November: 720 h. Down for 4 h, of which 3 h were planned; 6 h planned in all; 10 h of which nothing is known, one of them planned.
    let (from, to) = month_span("2026-11", "UTC").unwrap();
    let known = timeline(&[
        (from - DAY, from + 100 * HOUR, true),
        (from + 100 * HOUR, from + 104 * HOUR, false),
        (from + 104 * HOUR, from + 300 * HOUR, true),
        (from + 310 * HOUR, to + DAY, true),
    ]);
    let planned = union(vec![(from + 101 * HOUR, from + 106 * HOUR), (from + 309 * HOUR, from + 310 * HOUR)]);
    let times = Times::measure((from, to), &known, &planned);
    let hours = |count: u64| count * 3_600_000;
    let expect = Times {
        up_ms: hours(704),
        down_ms: hours(1),
        unknown_ms: hours(9),
        planned_up_ms: hours(2),
        planned_down_ms: hours(3),
        planned_unknown_ms: hours(1),
    };
    assert_eq!((times, times.total_ms(), times.planned_ms()), (expect, hours(720), hours(6)));
    // Counted: 706 of 710; excluded: 704 of 705; ignored: 710 of 711.
    assert_eq!(percents(&times, UnknownAs::Excluded), ["99.4366", "99.8581", "99.8593"]);
    // With what is not known as down: 706 of 720, 704 of 714, 710 of 720.
    assert_eq!(percents(&times, UnknownAs::Down), ["98.0555", "98.5994", "98.6111"]);
}

#[test]
fn months_in_which_clocks_are_set_have_an_hour_less_or_more() {
    let hours = |month, zone| month_span(month, zone).map(|(from, to)| (to - from) / HOUR);
    assert_eq!(hours("2026-03", "Europe/Berlin"), Ok(31 * 24 - 1));
    assert_eq!(hours("2026-10", "Europe/Berlin"), Ok(31 * 24 + 1));
    assert_eq!((hours("2026-10", "UTC"), hours("2028-02", "UTC")), (Ok(31 * 24), Ok(29 * 24)));
    let span = month_span("2026-10", "Europe/Berlin").unwrap();
    assert_eq!(span, (ms("2026-09-30T22:00:00Z"), ms("2026-10-31T23:00:00Z")));
    // Down in both of the hours that are called two: 2 of 745.
    let down = (ms("2026-10-25T00:00:00Z"), ms("2026-10-25T02:00:00Z"));
    let known = timeline(&[(span.0, down.0, true), (down.0, down.1, false), (down.1, span.1, true)]);
    let times = Times::measure(span, &known, &[]);
    assert_eq!((times.down_ms, times.up_ms), (2 * 3_600_000, 743 * 3_600_000));
    assert_eq!(percents(&times, UnknownAs::Down), ["99.7315", "99.7315", "99.7315"]);
    for bad in ["2026", "2026-13", "2026-1", "26-01", "2026-11-01", "+026-01", "2026-xx"] {
        assert!(month_span(bad, "UTC").unwrap_err().contains("2026-11"), "{bad}");
    }
    assert!(month_span("2026-11", "Mars/Base").unwrap_err().contains("IANA"));
    // It is still October there.
    assert_eq!(month_before(ms("2026-11-01T03:00:00Z"), "America/New_York").unwrap(), "2026-09");
    assert_eq!(month_before(ms("2026-01-31T23:30:00Z"), "Europe/Berlin").unwrap(), "2026-01");
}

#[test]
fn nothing_down_is_a_hundred_and_a_moment_down_is_less() {
    let whole = Times::measure((0, 1_000_000_000), &timeline(&[(0, 1_000_000_000, true)]), &[]);
    let less =
        Times::measure((0, 1_000_000_000), &timeline(&[(0, 999_999_999, true), (999_999_999, i64::MAX, false)]), &[]);
    let none = Times::measure((0, 1_000), &Timeline::default(), &[(0, 1_000)]);
    for unknown in UNKNOWN {
        assert_eq!(percents(&whole, unknown), ["100.0000"; 3]);
        assert_eq!(percents(&less, unknown), ["99.9999"; 3]);
    }
    assert_eq!(percents(&none, UnknownAs::Excluded), ["", "", "100.0000"], "ignored, the plan is all there is");
    assert_eq!(percents(&none, UnknownAs::Down), ["0.0000", "", "100.0000"]);
    assert_eq!(Share { up_ms: u64::MAX / 2, of_ms: u64::MAX }.parts(), Some(499_999));
    assert_eq!(
        Times::measure((5, 5), &whole_time(), &[]).total_ms() + Times::measure((9, 5), &whole_time(), &[]).total_ms(),
        0
    );
}

fn whole_time() -> Timeline {
    timeline(&[(i64::MIN, i64::MAX, true)])
}

#[test]
fn a_sample_counts_until_the_next_but_not_for_long() {
    let mut samples = Samples::new(30);
    for (at, is_up) in
        [(0, Some(true)), (15, Some(true)), (30, Some(false)), (30, Some(true)), (29, Some(true)), (45, Some(true))]
    {
        samples.push(at, is_up);
    }
    // Nothing for long, then a word that it is not known.
    samples.push(200, Some(false));
    samples.push(210, None);
    samples.push(300, Some(true));
    let expect = timeline(&[(0, 30, true), (30, 45, false), (45, 75, true), (200, 210, false), (300, 330, true)]);
    assert_eq!(samples.finish(), expect);
}

/// `SplitMix64`.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn sums_are_those_of_a_look_at_every_millisecond() {
    let mut seed = 7;
    for round in 0..500 {
        let mut below = |end: i64| i64::try_from(random(&mut seed) % end.unsigned_abs()).unwrap();
        let window = (below(50), 50 + below(50));
        let (mut known, mut from) = (Timeline::default(), 0);
        while from < 110 {
            let to = from + 1 + below(20);
            if below(4) > 0 {
                known.push((from, to), below(2) == 0);
            }
            from = to;
        }
        let spans: Vec<Span> = (0..below(6)).map(|_| (below(100), below(110))).collect();
        let planned = union(spans.clone());
        assert!(planned.windows(2).all(|two| two[0].1 < two[1].0), "apart: {planned:?}");
        let mut expect = Times::default();
        for at in window.0..window.1 {
            let state =
                known.spans().iter().find(|((from, to), _)| (*from..*to).contains(&at)).map(|(_, is_up)| *is_up);
            let is_planned = spans.iter().any(|(from, to)| (*from..*to).contains(&at));
            *match (state, is_planned) {
                (Some(true), false) => &mut expect.up_ms,
                (Some(false), false) => &mut expect.down_ms,
                (None, false) => &mut expect.unknown_ms,
                (Some(true), true) => &mut expect.planned_up_ms,
                (Some(false), true) => &mut expect.planned_down_ms,
                (None, true) => &mut expect.planned_unknown_ms,
            } += 1;
        }
        assert_eq!(Times::measure(window, &known, &planned), expect, "round {round}");
        let mut twice = expect;
        twice.add(&expect);
        assert_eq!(twice.total_ms(), 2 * expect.total_ms());
    }
}

#[test]
fn what_was_planned_of_a_host_is_known_when_it_is_over() {
    let bench = Bench::new();
    let host = bench.host("web1").id();
    let by = &By::Itself("ann");
    let row = bench.fleet.host(host).unwrap();
    let second = |seconds: u64| at(seconds).millis();
    let spec = |matchers: &str, from: u64, to: u64| DowntimeSpec {
        matchers: matchers.to_owned(),
        starts_ms: second(from),
        ends_ms: second(to),
        ..DowntimeSpec::default()
    };
    bench.fleet.add_downtime(spec("host=web1", 100, 200), by, at(50)).unwrap();
    bench.fleet.add_downtime(spec("host=web1, check=disk", 150, 300), by, at(50)).unwrap();
    bench.fleet.add_downtime(spec("host=web2", 0, 900), by, at(50)).unwrap();
    bench.fleet.tick_status(at(250)).unwrap();
    let bench = bench.reopen();
    let planner = bench.fleet.planner((second(120), second(1_000)));
    let planned = |check| planner.planned(host, &row.name, &row.labels, check);
    assert_eq!(planned(None), [(second(120), second(200))]);
    assert_eq!(planned(Some("disk")), [(second(120), second(300))]);
    assert!(
        bench.fleet.planner((second(300), second(900))).planned(host, "web1", &row.labels, Some("disk")).is_empty()
    );
}
