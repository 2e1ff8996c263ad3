use super::*;
use crate::status::DowntimeSpec;
use crate::testing::{Bench, OPERATOR, at};

fn ms(seconds: u64) -> i64 {
    at(seconds).millis()
}

fn spec(matchers: &str, from: u64, to: u64) -> AnnouncementSpec {
    let reason = "upgrade".to_owned();
    AnnouncementSpec { hosts: Vec::new(), matchers: matchers.to_owned(), from_ms: ms(from), to_ms: ms(to), reason }
}

#[test]
fn an_announcement_or_a_downtime_announces_what_it_touches_and_survives_a_restart() {
    let bench = Bench::new();
    let (web, db) = (bench.host("web1").id(), bench.host("db1").id());
    let fleet = &bench.fleet;
    let one = fleet.announce(spec("host=web1", 100, 200), OPERATOR, at(150)).unwrap();
    let by_id = AnnouncementSpec { hosts: vec![db.to_string()], ..spec("", 300, 400) };
    let two = fleet.announce(by_id, OPERATOR, at(150)).unwrap();
    assert_eq!((one.id, two.id), (1, 2));
    let downtime = |matchers: &str, starts: u64, ends: u64| {
        let (owner, reason, matchers) = ("bea".to_owned(), "disks".to_owned(), matchers.to_owned());
        let (starts_ms, ends_ms) = (ms(starts), ms(ends));
        let spec = DowntimeSpec { matchers, starts_ms, ends_ms, owner, reason, ..DowntimeSpec::default() };
        fleet.add_downtime(spec, OPERATOR, at(150)).unwrap()
    };
    let down = downtime("host=web1", 150, 600);
    downtime("host=web1, check=disk", 700, 900);
    fleet.end_downtime(down, OPERATOR, at(500)).unwrap();

    let bench = bench.reopen();
    let fleet = &bench.fleet;
    let mut judge = fleet.announcer();
    let mut of = |host, since: u64, until: u64| {
        let found = judge.announced(host, ms(since), ms(until))?;
        Some((found.kind.as_str(), found.id, found.reason, found.by))
    };
    let announced = |id| Some(("announcement", id, "upgrade".to_owned(), OPERATOR.to_string()));
    let by_downtime = Some(("downtime", down, "disks".to_owned(), "bea".to_owned()));
    for (host, since, until, expect) in [
        (web, 10, 99, None),
        (web, 10, 100, announced(1)),
        (web, 199, 300, announced(1)),
        (web, 200, 300, by_downtime.clone()),
        (web, 50, 5_000, announced(1)),
        (web, 500, 600, None),
        (web, 650, 950, None),
        (db, 100, 299, None),
        (db, 100, 300, announced(2)),
        (HostId([9; 16]), 0, 9_000, None),
    ] {
        assert_eq!(of(host, since, until), expect, "{host} {since} to {until}");
    }
    let ended = fleet.end_announcement(1, OPERATOR, at(160)).unwrap();
    assert_eq!((ended.spec.to_ms, fleet.announcements().len()), (ms(160), 2));
    assert!(matches!(fleet.end_announcement(1, OPERATOR, at(161)), Err(FleetError::NoAnnouncement { id: 1 })));
    assert!(matches!(fleet.end_announcement(7, OPERATOR, at(161)), Err(FleetError::NoAnnouncement { id: 7 })));
    // One that has not begun announces nothing, and its number is not given again.
    fleet.end_announcement(2, OPERATOR, at(161)).unwrap();
    let mut judge = fleet.announcer();
    assert_eq!(
        (judge.announced(db, ms(0), ms(900)), judge.announced(web, ms(161), ms(162)).map(|one| one.kind)),
        (None, Some(AnnouncedBy::Downtime))
    );
    assert_eq!(fleet.announce(spec("host=db1", 0, 10), OPERATOR, at(170)).unwrap().id, 3);
    let texts: Vec<String> = bench.events().into_iter().map(|event| event.text).collect();
    assert!(texts.iter().any(|text| text == "announced changes of db1: upgrade"), "{texts:?}");
}

#[test]
fn bad_announcements_are_refused_in_words_and_old_ones_go() {
    let bench = Bench::new();
    let fleet = &bench.fleet;
    let (day, now) = (86_400, 900_000);
    for (bad, told) in [
        (spec("", now, now + 9), "it names no host"),
        (AnnouncementSpec { hosts: vec![String::new(); 1_001], ..spec("", now, now + 9) }, "more than 1000 hosts"),
        (AnnouncementSpec { reason: " ".into(), ..spec("host=a", now, now + 9) }, "it has no reason"),
        (AnnouncementSpec { reason: "x".repeat(1_025), ..spec("host=a", now, now + 9) }, "longer than 1024 bytes"),
        (spec("host=a", now, now), "ends before it begins"),
        (spec("host=a", now, now + 31 * day), "longer than 30 days"),
        (spec("host=a", now - day - 1, now), "more than 24 hours ago"),
        (spec("host", now, now + 9), "host"),
    ] {
        let error = fleet.announce(bad, OPERATOR, at(now)).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    assert!(fleet.announce(spec("host=a", now - day, now), OPERATOR, at(now)).is_ok(), "a day late");
    fleet.announce(spec("host=a", now, now + 9), OPERATOR, at(now)).unwrap();
    let later = now + 401 * day;
    fleet.announce(spec("host=a", later, later + 9), OPERATOR, at(later)).unwrap();
    let left: Vec<u64> = fleet.announcements().iter().map(|one| one.id).collect();
    assert_eq!(left, [2, 3], "the newest stayed for its number");
}
