use super::*;
use crate::testing::{Bench, at};
use crate::{ErrorKind, UserChange};

const ADMIN: &By = &By::Itself("operator");
const HOUR: u64 = 3_600;

fn password() -> PasswordHash {
    PasswordHash::of_nobody()
}

fn bench() -> Bench {
    let bench = Bench::new();
    for name in ["ann", "bea"] {
        bench.fleet.add_user(name, Role::Operator, password(), ADMIN, at(0)).unwrap();
    }
    bench
}

fn open(bench: &Bench, user: &str, now: u64) -> String {
    bench.fleet.open_session(user, &password(), "192.0.2.7", at(now)).unwrap()
}

#[test]
fn a_session_is_known_by_its_word_alone_and_kept_as_a_hash() {
    let bench = bench();
    let word = open(&bench, "ann", 1);
    assert_eq!(word.len(), 64);
    let session = bench.fleet.check_session(&word, at(2)).unwrap();
    assert_eq!((session.user.as_str(), session.role), ("ann", Role::Operator));
    for wrong in ["", "zz", &word[..62], &"0".repeat(64), &session.id] {
        assert_eq!(bench.fleet.check_session(wrong, at(2)), None, "{wrong}");
    }
    assert_eq!(bench.fleet.user("ann").unwrap().last_login_ms, Some(at(1).millis()));
    let bytes = std::fs::read(bench.folder.join(crate::FILE_NAME)).unwrap();
    assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "the word is in the file");
    let bench = bench.reopen();
    assert_eq!(bench.fleet.check_session(&word, at(3)), Some(session), "it outlives a restart");
}

#[test]
fn it_ends_after_two_idle_hours_and_after_twelve_in_any_case() {
    let bench = bench();
    let idle = open(&bench, "ann", 0);
    assert!(bench.fleet.check_session(&idle, at(2 * HOUR - 1)).is_some());
    assert!(bench.fleet.check_session(&idle, at(4 * HOUR - 2)).is_some(), "use keeps it");
    assert_eq!(bench.fleet.check_session(&idle, at(6 * HOUR - 2)), None);
    assert_eq!(bench.fleet.check_session(&idle, at(6 * HOUR - 1)), None, "asking does not bring it back");
    let busy = open(&bench, "ann", 0);
    for hour in 1..12 {
        assert!(bench.fleet.check_session(&busy, at(hour * HOUR)).is_some(), "{hour}");
    }
    assert!(bench.fleet.check_session(&busy, at(12 * HOUR - 1)).is_some());
    assert_eq!(bench.fleet.check_session(&busy, at(12 * HOUR)), None);
    bench.fleet.maintain(at(12 * HOUR)).unwrap();
    assert!(bench.fleet.sessions(None, at(12 * HOUR)).is_empty() && bench.fleet.memory.read().sessions.is_empty());
}

#[test]
fn when_it_was_used_is_written_by_the_minute_and_outlives_a_restart() {
    let bench = bench();
    let word = open(&bench, "ann", 0);
    bench.fleet.check_session(&word, at(HOUR)).unwrap();
    bench.fleet.maintain(at(HOUR)).unwrap();
    let bench = bench.reopen();
    assert!(bench.fleet.check_session(&word, at(3 * HOUR - 1)).is_some());
}

#[test]
fn a_user_has_ten_at_most_and_the_oldest_goes() {
    let bench = bench();
    let first = open(&bench, "ann", 1);
    let others = open(&bench, "bea", 0);
    let words: Vec<String> = (0..10).map(|number| open(&bench, "ann", 2 + number)).collect();
    assert_eq!(bench.fleet.check_session(&first, at(20)), None);
    assert!(words.iter().chain([&others]).all(|word| bench.fleet.check_session(word, at(20)).is_some()));
    let views = bench.fleet.sessions(Some("ann"), at(20));
    assert_eq!((views.len(), views[0].made_ms, views[9].made_ms), (10, at(11).millis(), at(2).millis()));
}

#[test]
fn one_ends_ones_own_and_an_administrator_ends_any() {
    let bench = bench();
    let (anns, beas) = (open(&bench, "ann", 1), open(&bench, "bea", 1));
    let id = |word: &str| bench.fleet.check_session(word, at(2)).unwrap().id;
    let (ann, bea) = (id(&anns), id(&beas));
    let by = By::user("ann", "192.0.2.7");
    let error = bench.fleet.end_session(&bea, Some("ann"), &by, at(3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    bench.fleet.end_session(&ann, Some("ann"), &by, at(3)).unwrap();
    bench.fleet.end_session(&bea, None, &by, at(3)).unwrap();
    assert!(bench.fleet.check_session(&anns, at(4)).is_none() && bench.fleet.check_session(&beas, at(4)).is_none());
}

#[test]
fn none_begins_with_a_password_that_was_changed_meanwhile_or_for_a_disabled_user() {
    let bench = bench();
    let change = UserChange { password: Some(PasswordHash::new("correct horse").unwrap()), ..UserChange::default() };
    bench.fleet.change_user("ann", change, ADMIN, at(1)).unwrap();
    assert!(bench.fleet.open_session("ann", &password(), "x", at(2)).is_err());
    let change = UserChange { disabled: Some(true), ..UserChange::default() };
    bench.fleet.change_user("bea", change, ADMIN, at(1)).unwrap();
    assert!(bench.fleet.open_session("bea", &password(), "x", at(2)).is_err());
}
