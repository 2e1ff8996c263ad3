//! Single rules of the queue, where a world would not show them for certain.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Change, DeadReason, DigestLetter, Event, Key, Limits, NewRow, News, Outcome, Payload, Queue, State, Target,
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn queue(limits: Limits, table: &BTreeMap<Vec<u8>, Vec<u8>>) -> Queue {
    let compose =
        Arc::new(|letter: &DigestLetter| letter.entries.iter().map(|entry| format!("{}\n", entry.summary)).collect());
    Queue::load(limits, compose, table.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))).unwrap()
}

fn write(table: &mut BTreeMap<Vec<u8>, Vec<u8>>, change: &Change) {
    for row in &change.rows {
        match &row.value {
            Some(value) => drop(table.insert(row.key.clone(), value.clone())),
            None => drop(table.remove(&row.key)),
        }
    }
}

fn new(notice: u64, incident: u64) -> NewRow {
    NewRow {
        key: Key { notice, recipient: 0 },
        incident,
        receiver: "ops".to_owned(),
        target: Target { server: "mx".to_owned(), recipient: "anna@example.org".to_owned() },
        second: None,
        domain: "example.org".to_owned(),
        subject: "db1: disk".to_owned(),
        summary: format!("notice {notice}"),
        is_end: false,
        payload: Payload::Mail(format!("Subject: db1: disk\r\n\r\n{notice}")),
    }
}

fn outcome(notice: u64, outcome: Outcome) -> Event {
    Event::Outcome { key: Key { notice, recipient: 0 }, outcome }
}

fn away() -> Outcome {
    Outcome::Away { text: "connection refused".to_owned() }
}

/// Steps at every deadline until `until`, each attempt ending in `with`; what there was to tell.
fn pass(
    queue: &mut Queue,
    table: &mut BTreeMap<Vec<u8>, Vec<u8>>,
    until: i64,
    first: Change,
    with: &dyn Fn() -> Outcome,
) -> Vec<(i64, News)> {
    let (mut news, mut now, mut change) = (Vec::new(), 0, first);
    for _ in 0..100_000 {
        write(table, &change);
        news.extend(change.news.iter().map(|news| (now, news.clone())));
        let parcels: Vec<_> = change.sessions.into_iter().flat_map(|session| session.parcels).collect();
        if let Some(parcel) = parcels.first() {
            assert_eq!(parcels.len(), 1, "this test has one row");
            change = queue.step(now, Event::Outcome { key: parcel.key, outcome: with() });
            continue;
        }
        match queue.deadline_ms() {
            Some(at) if at <= until => now = at.max(now),
            _ => return news,
        }
        change = queue.step(now, Event::Due);
    }
    panic!("it never rests");
}

#[test]
fn rows_are_stored_as_the_page_says() {
    let (mut table, mut change) = (BTreeMap::new(), Change::default());
    let mut queue = queue(Limits::default(), &table);
    change.rows.extend(queue.step(0, Event::Enqueue(vec![new(0x0102, 5)])).rows);
    write(&mut table, &change);
    let key = |part: u8| [b"r\0\0\0\0\0\0\x01\x02\0\0\0\0".as_slice(), &[part]].concat();
    assert_eq!(
        String::from_utf8(table[&key(b'h')].clone()).unwrap(),
        "{\"v\":1,\"row\":{\"incident\":5,\"receiver\":\"ops\",\"target\":{\"server\":\"mx\",\"recipient\":\"anna@example.org\"},\"second\":null,\
         \"uses_second\":false,\"message_id\":\"<i5.n258.HASH@example.org>\",\"references\":[\"<i5.n5.HASH@example.org>\"],\
         \"subject\":\"db1: disk\",\"summary\":\"notice 258\",\"is_end\":false,\"queued_ms\":0,\"started_ms\":0,\"attempts\":1,\
         \"may_have_arrived\":false,\"is_webhook\":false,\"size_bytes\":25,\"state\":{\"leased\":{\"until_ms\":900000}}}}"
            .replace("HASH", &super::recipient_hash("ops", "anna@example.org"))
    );
    assert_eq!(table[&key(b'b')], b"{\"v\":1,\"row\":{\"mail\":\"Subject: db1: disk\\r\\n\\r\\n258\"}}");
    table.insert(key(b'h'), b"{\"v\":2,\"row\":{}}".to_vec());
    let rows = table.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    let error =
        Queue::load(Limits::default(), Arc::new(|_: &DigestLetter| String::new()), rows).err().unwrap().to_string();
    assert!(error.contains("has version 2") && error.contains("720000"), "{error}");
}

#[test]
fn a_server_that_is_away_is_told_after_5_minutes_and_what_is_older_than_48_hours_is_given_up() {
    let mut table = BTreeMap::new();
    let mut queue = queue(Limits::default(), &table);
    let first = queue.step(0, Event::Enqueue(vec![new(1, 1)]));
    let news = pass(&mut queue, &mut table, 60 * HOUR, first, &away);
    assert!(
        matches!(&news[0], (at, News::Trouble { since_ms: 0, waiting_count: 1, .. }) if *at == 5 * MINUTE),
        "{news:?}"
    );
    assert!(
        matches!(&news[1], (at, News::Dead { reason: DeadReason::TooOld, .. }) if (48 * HOUR..49 * HOUR).contains(at)),
        "{news:?}"
    );
    assert_eq!(news.len(), 2);
    let attempts = queue.rows().next().unwrap().1.attempts;
    assert!((48 * 12 - 5..=48 * 12 + 5).contains(&attempts), "{attempts}");
    assert!(!table.keys().any(|key| key.ends_with(b"b")), "the body goes");
}

#[test]
fn temporary_refusals_are_tried_ever_more_seldom_for_48_hours() {
    let mut table = BTreeMap::new();
    let mut queue = queue(Limits::default(), &table);
    let first = queue.step(0, Event::Enqueue(vec![new(1, 1)]));
    let news =
        pass(&mut queue, &mut table, 60 * HOUR, first, &|| Outcome::Temporary { code: 450, text: "later".to_owned() });
    assert!(
        matches!(&news[..], [(_, News::Dead { reason: DeadReason::TooOld, text, .. })] if text == "450 later"),
        "{news:?}"
    );
    assert!((50..60).contains(&queue.rows().next().unwrap().1.attempts));
}

#[test]
fn a_full_queue_forgets_what_is_finished_then_says_what_it_does_not_take() {
    let table = BTreeMap::new();
    let mut queue = queue(Limits { rows: 2, body_bytes: 60, ..Limits::default() }, &table);
    queue.step(0, Event::Enqueue(vec![new(1, 1), new(2, 2)]));
    queue.step(1, outcome(1, Outcome::Accepted));
    let change = queue.step(2, Event::Enqueue(vec![new(3, 3)]));
    assert!(change.news.is_empty(), "{:?}", change.news);
    assert_eq!((queue.counts().forgotten, queue.rows().count()), (1, 2));
    let change = queue.step(3, Event::Enqueue(vec![new(4, 4)]));
    assert!(matches!(&change.news[..], [News::Dead { key: Key { notice: 4, .. }, reason: DeadReason::QueueFull, .. }]));
    let mut large = new(5, 5);
    large.payload = Payload::Mail("x".repeat(61));
    queue.step(4, outcome(2, Outcome::Accepted));
    let change = queue.step(5, Event::Enqueue(vec![large]));
    assert!(matches!(&change.news[..], [News::Dead { reason: DeadReason::QueueFull, .. }]));
    assert_eq!(queue.counts().dead_queue_full, 2);
}

#[test]
fn what_is_finished_goes_after_a_week() {
    let mut table = BTreeMap::new();
    let mut queue = queue(Limits::default(), &table);
    let first = queue.step(0, Event::Enqueue(vec![new(1, 1)]));
    pass(&mut queue, &mut table, 7 * 24 * HOUR - 1, first, &|| Outcome::Accepted);
    assert_eq!(queue.deadline_ms(), Some(7 * 24 * HOUR));
    assert_eq!(queue.rows().count(), 1);
    let change = queue.step(7 * 24 * HOUR, Event::Due);
    write(&mut table, &change);
    assert!(table.is_empty() && queue.rows().next().is_none());
}

#[test]
fn an_end_takes_the_place_of_what_surely_was_not_sent() {
    let table = BTreeMap::new();
    let end = || NewRow { is_end: true, ..new(3, 1) };
    for (first_outcome, is_merged) in [
        (away(), true),
        (Outcome::Temporary { code: 450, text: String::new() }, true),
        (Outcome::Unknown { text: String::new() }, false),
        (Outcome::Accepted, false),
    ] {
        let mut queue = queue(Limits::default(), &table);
        queue.step(0, Event::Enqueue(vec![new(1, 1)]));
        queue.step(1, outcome(1, first_outcome.clone()));
        queue.step(2, Event::Enqueue(vec![new(2, 1)]));
        assert_eq!(queue.place(1, "ops", "anna@example.org").is_only, is_merged, "{first_outcome:?}");
        queue.step(3, Event::Enqueue(vec![end()]));
        let rows: Vec<_> = queue.rows().map(|(_, row)| row.clone()).collect();
        if is_merged {
            assert!(
                rows[..2].iter().all(|row| matches!(row.state, State::Within { row: Key { notice: 3, .. }, .. })),
                "{rows:?}"
            );
            assert_eq!((&rows[2].message_id, rows[2].references.len()), (&rows[0].message_id, 0));
        } else {
            assert_eq!(rows[2].references, [rows[0].message_id.clone(), rows[1].message_id.clone()]);
        }
    }
}

#[test]
fn beyond_the_cap_one_digest_an_hour_has_the_rest() {
    let mut table = BTreeMap::new();
    let mut queue = queue(Limits { mails_per_hour: 2, ..Limits::default() }, &table);
    let mut mails: Vec<(i64, String)> = Vec::new();
    let mut now = 0;
    let mut change = queue.step(0, Event::Enqueue((1..=1205).map(|notice| new(notice, notice)).collect()));
    while now < 30 * MINUTE {
        write(&mut table, &change);
        let parcels: Vec<_> = change.sessions.into_iter().flat_map(|session| session.parcels).collect();
        change = Change::default();
        for parcel in parcels {
            if let Payload::Mail(text) = &parcel.payload {
                mails.push((now, text.clone()));
            }
            let next = queue.step(now, Event::Outcome { key: parcel.key, outcome: Outcome::Accepted });
            write(&mut table, &next);
            change.sessions.extend(next.sessions);
        }
        if change.sessions.is_empty() {
            let Some(at) = queue.deadline_ms() else { break };
            now = at;
            change = queue.step(now, Event::Due);
        }
    }
    // 1203 are beyond the cap: three mails of at most 500 entries.
    assert_eq!(mails.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 0, 5 * MINUTE, 5 * MINUTE, 5 * MINUTE]);
    let entries: Vec<_> = mails[2..].iter().flat_map(|(_, text)| text.lines()).collect();
    assert_eq!(entries, (3..=1205).map(|notice| format!("notice {notice}")).collect::<Vec<_>>());
    assert_eq!(queue.waiting(), (0, 0));
}

#[test]
fn a_mail_that_was_deferred_counts_for_the_hour_in_which_it_arrived() {
    let table = BTreeMap::new();
    let mut queue = queue(Limits { mails_per_hour: 1, ..Limits::default() }, &table);
    queue.step(0, Event::Enqueue(vec![new(1, 1)]));
    queue.step(0, outcome(1, Outcome::Temporary { code: 450, text: String::new() }));
    let arrived = queue.deadline_ms().unwrap();
    assert_eq!((arrived, queue.step(arrived, Event::Due).sessions.len()), (30_000, 1));
    queue.step(arrived, outcome(1, Outcome::Accepted));
    assert!(queue.step(58 * MINUTE, Event::Enqueue(vec![new(2, 2)])).sessions.is_empty());
    assert!(queue.step(HOUR, Event::Due).sessions.is_empty());
    assert_eq!(queue.deadline_ms(), Some(HOUR + arrived));
    assert_eq!(queue.step(HOUR + arrived, Event::Due).sessions.len(), 1);
}
