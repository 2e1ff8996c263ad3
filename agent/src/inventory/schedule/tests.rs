use super::*;

const INTERVAL: Duration = Duration::from_secs(900);

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn place(name: &str) -> usize {
    SOURCES.iter().position(|source| source.table.name == name).unwrap()
}

/// A schedule that has looked at all once, at second 100.
fn begun() -> Schedule {
    let mut schedule = Schedule::new(INTERVAL, seconds(100));
    assert_eq!((schedule.next(), schedule.take(seconds(100)).len()), (seconds(100), SOURCES.len()));
    schedule
}

/// When this table is looked at, until `end`, with what is heard of it at these times.
fn looks(schedule: &mut Schedule, table: &str, heard: &[u64], end: u64) -> Vec<u64> {
    let (wanted, mut heard, mut at) = (place(table), heard.iter().copied().peekable(), Vec::new());
    loop {
        let next = schedule.next();
        if let Some(time) = heard.next_if(|time| seconds(*time) <= next) {
            schedule.hear(wanted, seconds(time));
            continue;
        }
        if next > seconds(end) {
            return at;
        }
        if schedule.take(next).contains(&wanted) {
            at.push(next.as_secs());
        }
    }
}

#[test]
fn every_table_has_its_turn_and_no_moment_has_many() {
    let mut schedule = begun();
    let mut counts = vec![0; SOURCES.len()];
    let (mut most, mut moments) = (0, 0);
    while schedule.next() <= seconds(100) + INTERVAL * 4 {
        let next = schedule.next();
        let due = schedule.take(next);
        most = most.max(due.len());
        moments += 1;
        due.iter().for_each(|place| counts[*place] += 1);
    }
    assert!(most <= 6, "{most} at once");
    // Two each 50 s, and one for each table in the interval, of four intervals.
    assert!(moments <= 4 * (2 * 18 + 14) + 4, "{moments} moments");
    for (source, count) in SOURCES.iter().zip(counts) {
        let expect = if source.pace == Pace::Interval { 4..=5 } else { 71..=73 };
        assert!(expect.contains(&count), "{} {count} times", source.table.name);
    }
}

#[test]
fn what_is_heard_is_gathered_and_looked_at_within_ten_seconds() {
    assert_eq!(looks(&mut begun(), "os", &[300], 400), [302]);
    assert_eq!(looks(&mut begun(), "os", &[300, 301, 302], 400), [304]);
    let always: Vec<u64> = (300..400).collect();
    let all = looks(&mut begun(), "os", &always, 460);
    assert_eq!(all[0], 308, "{all:?}");
    assert!(all.windows(2).all(|pair| (10..=60).contains(&(pair[1] - pair[0]))), "{all:?}");
    assert!(*all.last().unwrap() >= 400, "the last change is seen: {all:?}");
}

#[test]
fn a_host_that_always_changes_is_looked_at_each_minute_and_rests_when_it_is_quiet() {
    let always: Vec<u64> = (1_000..4_600).collect();
    let all = looks(&mut begun(), "packages", &always, 4_600);
    assert!((80..=120).contains(&all.len()), "{} looks an hour", all.len());
    let mut schedule = begun();
    looks(&mut schedule, "packages", &(300..400).collect::<Vec<_>>(), 1_500);
    let alone = looks(&mut schedule, "packages", &[1_600], 1_650);
    assert!(alone.contains(&1_602), "{alone:?}");
}

#[test]
fn a_machine_that_slept_makes_up_for_nothing_and_what_is_wanted_comes_at_once() {
    let mut schedule = begun();
    let night = seconds(100_000);
    assert_eq!(schedule.take(night).len(), SOURCES.len());
    assert!(schedule.next() > night);
    schedule.want(place("users"), night);
    assert_eq!((schedule.next(), schedule.take(night)), (night, vec![place("users")]));
    schedule.hear(usize::MAX, night);
    schedule.want(usize::MAX, night);
    assert!(schedule.next() > night);
}
