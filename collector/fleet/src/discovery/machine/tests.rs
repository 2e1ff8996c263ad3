//! Scripted histories of one thing: what happens at which hour, and what it is then.

use super::*;

const HOUR_MS: i64 = 3_600_000;

/// Plays a history of lines `hour what -> state there told`, where `what` is seen, off (there, of no use), covered, went, expected (it went and that was announced), pass,
/// late (an announcement came), accept, ignore, archive, retire.
fn play(history: &str) {
    let mut fate: Option<Fate> = None;
    for line in history.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (happens, expect) = line.split_once(" -> ").unwrap();
        let (hour, what) = happens.split_once(' ').unwrap();
        let now_ms = hour.parse::<i64>().unwrap() * HOUR_MS;
        let announced = || Some(("upgrade".to_owned(), "user:ann".to_owned()));
        let between = Between { after_ms: now_ms - HOUR_MS, until_ms: now_ms };
        let told = match (&mut fate, what) {
            (None, "seen") => {
                fate = Some(Fate::new(now_ms));
                Some(Told::Found)
            }
            (Some(fate), "seen") => fate.look(Sight::There(Offer::Yes), now_ms),
            (Some(fate), "off") => fate.look(Sight::There(Offer::No), now_ms),
            (Some(fate), "covered") => fate.look(Sight::There(Offer::Covered), now_ms),
            (Some(fate), "went") => fate.look(Sight::Went { between, announced: None }, now_ms),
            (Some(fate), "expected") => fate.look(Sight::Went { between, announced: announced() }, now_ms),
            (Some(fate), "pass") => fate.pass(GONE_DAYS, None, now_ms),
            (Some(fate), "late") => fate.pass(GONE_DAYS, announced(), now_ms),
            (Some(fate), verdict) => {
                let verdict = match verdict {
                    "accept" => Verdict::Accept,
                    "ignore" => Verdict::Ignore,
                    "archive" => Verdict::Archive,
                    "retire" => {
                        let kept = fate.retire(now_ms);
                        assert_eq!(format!("{} {kept}", fate.state.as_str()), expect, "{line}");
                        continue;
                    }
                    other => panic!("{other}"),
                };
                match fate.decide(verdict, "user:bea", "as agreed", now_ms) {
                    Ok(_) => None,
                    Err((what, remedy)) => {
                        assert_eq!(format!("refused: {what}: {remedy}"), expect, "{line}");
                        continue;
                    }
                }
            }
            (None, _) => panic!("{line}"),
        };
        let fate = fate.as_ref().unwrap();
        let there = if fate.is_there { "there" } else { "away" };
        let told = told.map_or("-".to_owned(), |told| format!("{told:?}"));
        let because = if fate.reason.is_empty() { String::new() } else { format!(": {}", fate.reason) };
        assert_eq!(format!("{} {there} {told}{because}", fate.state.as_str()), expect, "{line}");
    }
}

#[test]
fn what_was_accepted_is_gone_when_it_went_and_archived_a_week_later() {
    play(
        "1 seen -> proposed there Found
         2 seen -> proposed there -
         3 accept -> accepted there -: as agreed
         4 off -> accepted there -: as agreed
         5 went -> gone away Gone
         6 went -> gone away -
         7 pass -> gone away -
         172 pass -> gone away -
         173 pass -> archived away Archived: gone for 7 days
         174 pass -> archived away -: gone for 7 days
         175 off -> archived away -: gone for 7 days
         176 seen -> proposed there Found
         177 seen -> proposed there -",
    );
}

#[test]
fn what_comes_back_in_time_is_accepted_again() {
    play(
        "1 seen -> proposed there Found
         2 accept -> accepted there -: as agreed
         3 went -> gone away Gone
         4 seen -> accepted there Back: it is back
         170 pass -> accepted there -: it is back
         180 went -> gone away Gone
         185 accept -> accepted away -: as agreed
         186 went -> accepted away -: as agreed
         999 pass -> accepted away -: as agreed
         1000 seen -> accepted there Back: as agreed",
    );
}

#[test]
fn what_was_announced_is_archived_at_once_and_also_when_that_comes_late() {
    play(
        "1 seen -> proposed there Found
         2 accept -> accepted there -: as agreed
         3 expected -> archived away Archived: upgrade
         4 seen -> proposed there Found
         5 accept -> accepted there -: as agreed
         6 went -> gone away Gone
         7 late -> archived away Archived: upgrade",
    );
}

#[test]
fn proposals_vanish_without_a_word_and_what_is_ignored_stays_so() {
    play(
        "1 seen -> proposed there Found
         2 went -> dropped away -
         3 accept -> refused: is not there any more: it is proposed when it is back
         4 seen -> proposed there Found
         5 covered -> dropped away -
         6 covered -> dropped away -
         7 seen -> proposed there Found
         8 archive -> refused: was not accepted, so there is nothing to archive: ignore it
         9 ignore -> ignored there -: as agreed
         10 archive -> refused: was not accepted, so there is nothing to archive: ignore it
         11 went -> ignored away -: as agreed
         12 seen -> ignored there -: as agreed
         13 accept -> accepted there -: as agreed
         14 accept -> accepted there -: as agreed
         15 covered -> accepted there -: as agreed",
    );
}

#[test]
fn what_is_archived_while_it_is_there_is_proposed_only_when_it_comes_again() {
    play(
        "1 seen -> proposed there Found
         2 accept -> accepted there -: as agreed
         3 archive -> archived there -: as agreed
         4 seen -> archived there -: as agreed
         5 went -> archived away -: as agreed
         6 seen -> proposed there Found",
    );
}

#[test]
fn what_flaps_is_told_once_a_day() {
    let (mut fate, mut told) = (Fate::new(0), Vec::new());
    assert!(fate.decide(Verdict::Accept, "user:bea", "", 0).unwrap());
    let minute = 60_000;
    for round in 0..400_i64 {
        let at_ms = round * 10 * minute;
        let between = Between { after_ms: at_ms, until_ms: at_ms };
        told.extend(fate.look(Sight::Went { between, announced: None }, at_ms));
        told.extend(fate.look(Sight::There(Offer::Yes), at_ms + minute));
        assert!(fate.went_ms.len() <= WENT_KEPT);
    }
    let flaps = told.iter().filter(|told| **told == Told::Flaps).count();
    // 4,000 minutes are two days and 18 hours; the first five times it is told each time.
    assert_eq!((told.len() - flaps, flaps), (2 * WENTS_A_DAY, 3), "{told:?}");
    assert!(fate.is_flapping(400 * 10 * minute) && !fate.is_flapping(403 * 10 * minute + DAY_MS));
    let quiet = 500 * 10 * minute + DAY_MS;
    let between = Between { after_ms: quiet, until_ms: quiet };
    assert_eq!(fate.look(Sight::Went { between, announced: None }, quiet), Some(Told::Gone));
}

#[test]
fn a_proposal_that_flaps_is_known_by_it_though_it_is_dropped_each_time() {
    let (mut fate, mut told) = (Fate::new(0), 0);
    for round in 1..=20_i64 {
        let at_ms = round * 600_000;
        let between = Between { after_ms: at_ms, until_ms: at_ms };
        assert_eq!(fate.look(Sight::Went { between, announced: None }, at_ms), None);
        told += usize::from(fate.look(Sight::There(Offer::Yes), at_ms + 1).is_some());
    }
    assert_eq!((told, fate.state), (WENTS_A_DAY + 1, ItemState::Proposed));
}

#[test]
fn what_is_not_there_is_forgotten_after_its_time() {
    let at = |days: i64| days * DAY_MS;
    let went = |fate: &mut Fate, ms| {
        let between = Between { after_ms: ms, until_ms: ms };
        fate.look(Sight::Went { between, announced: None }, ms);
    };
    let mut dropped = Fate::new(0);
    went(&mut dropped, 5);
    assert_eq!((dropped.is_forgotten(false, at(1)), dropped.is_forgotten(false, at(1) + 5)), (false, true));
    let mut ignored = Fate::new(0);
    ignored.decide(Verdict::Ignore, "user:ann", "", 0).unwrap();
    assert!(!ignored.is_forgotten(false, at(1_000)), "it is there");
    went(&mut ignored, at(100));
    let forgotten = [189, 190].map(|days| ignored.is_forgotten(false, at(days)));
    assert_eq!((forgotten, ignored.is_forgotten(true, at(107))), ([false, true], true), "from when it went");
}

#[test]
fn a_retired_host_leaves_what_it_had_archived() {
    play("1 seen -> proposed there Found\n 2 retire -> proposed false");
    play("1 seen -> proposed there Found\n 2 ignore -> ignored there -: as agreed\n 3 retire -> ignored false");
    play("1 seen -> proposed there Found\n 2 accept -> accepted there -: as agreed\n 3 retire -> archived true");
    play(
        "1 seen -> proposed there Found\n 2 accept -> accepted there -: as agreed\n 3 went -> gone away Gone\n 4 retire -> archived true",
    );
}
