//! The machine by script and by chance, and the handles around it.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::inventory::{Row, Value};
use muster_common::wire::message::AnswerWord;

use super::machine::{Asking, Effect, Event};
use super::*;
use crate::testing::Bench;

fn host(number: u8) -> HostId {
    HostId([number; 16])
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn question(columns: &[&str]) -> Question {
    let names: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    Question {
        sieve: Sieve::of("users", &names, &[]).unwrap(),
        filters: Vec::new(),
        is_whole: columns.is_empty(),
        rows_max: 1_000,
        within: WITHIN_DEFAULT,
    }
}

fn answer(id: u64, columns: &[&str], rows: Vec<Row>) -> Answer {
    Answer {
        id,
        word: AnswerWord::Rows,
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        rows,
        dropped: 0,
        problem: String::new(),
        extensions: Vec::new(),
    }
}

fn names(id: u64, names: &[&str]) -> Answer {
    answer(id, &["name"], names.iter().map(|name| vec![Value::from(*name)]).collect())
}

fn wordless(id: u64, word: AnswerWord, problem: &str) -> Answer {
    Answer { word, columns: Vec::new(), problem: problem.to_owned(), ..names(id, &[]) }
}

/// A question to the hosts of these numbers; its id.
fn begin(asking: &mut Asking, now: Duration, question: Question, hosts: &[u8]) -> u64 {
    let hosts = hosts.iter().copied().map(host).collect();
    match &asking.step(now, Event::Ask { question, hosts })[..] {
        [Effect::Send(due)] => due.ask.id,
        other => panic!("{other:?}"),
    }
}

fn outcome(effects: Vec<Effect>) -> AskOutcome {
    match effects.into_iter().next() {
        Some(Effect::Done { outcome, .. }) => outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_question_ends_with_the_last_word_and_equal_rows_are_one() {
    let mut asking = Asking::new(40);
    let hosts = [host(1), host(2), host(3), host(2)].to_vec();
    let effects = asking.step(at(0), Event::Ask { question: question(&["name"]), hosts });
    let [Effect::Send(due)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((due.hosts.len(), due.ask.id, due.ask.columns.clone()), (3, 40, vec!["name".to_owned()]));
    assert_eq!((due.ask.within_ms, due.ask.rows_max), (3_750, 1_000));
    assert_eq!(asking.step(at(1), Event::Answer { host: host(1), answer: names(40, &["ann", "bob", "ann"]) }), []);
    assert_eq!(asking.step(at(2), Event::Unasked { host: host(3), id: 40, why: MissingWhy::TooOld }), []);
    let done = outcome(asking.step(at(3), Event::Answer { host: host(2), answer: names(40, &["bob"]) }));
    let rows: Vec<(&Value, u64, u64, usize)> =
        done.rows.iter().map(|row| (&row.values[0], row.count, row.on_hosts, row.hosts.len())).collect();
    assert_eq!(rows, [(&"bob".into(), 2, 2, 2), (&"ann".into(), 2, 1, 1)]);
    let missing = Missing { host: host(3), why: MissingWhy::TooOld, problem: String::new() };
    assert_eq!((done.asked, done.answered, done.missing, done.took), (3, 2, vec![missing], at(3)));
    assert_eq!((asking.under_way(), asking.counts().answers, asking.counts().missing), (0, 2, 1));
}

#[test]
fn who_has_said_nothing_by_the_end_is_late_and_every_word_has_its_reason() {
    let mut asking = Asking::new(1);
    let id = begin(&mut asking, at(0), question(&["name"]), &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let words = [AnswerWord::Busy, AnswerWord::Refused, AnswerWord::Unknown, AnswerWord::Failed, AnswerWord::Late];
    for (number, word) in (1..).zip(words) {
        assert_eq!(asking.step(at(1), Event::Answer { host: host(number), answer: wordless(id, word, "why") }), []);
    }
    asking.step(at(1), Event::Unasked { host: host(6), id, why: MissingWhy::Silent });
    asking.step(at(1), Event::Unasked { host: host(7), id, why: MissingWhy::Gone });
    asking.step(at(1), Event::Answer { host: host(8), answer: names(id, &[]) });
    let done = outcome(asking.step(at(5_000), Event::End { id }));
    let words: Vec<(&str, &str)> = done.missing.iter().map(|one| (one.why.as_str(), one.problem.as_str())).collect();
    let expect = [
        ("busy", "why"),
        ("refused", "why"),
        ("unknown", "why"),
        ("failed", "why"),
        ("late", "why"),
        ("silent", ""),
        ("gone", ""),
        ("late", ""),
    ];
    assert_eq!((words, done.answered, done.rows), (expect.to_vec(), 1, vec![]));
    assert_eq!(asking.step(at(5_001), Event::End { id }), [], "it is over");
}

#[test]
fn stray_answers_change_nothing() {
    let mut asking = Asking::new(1);
    let first = begin(&mut asking, at(0), question(&["name"]), &[1, 2]);
    let second = begin(&mut asking, at(0), question(&["name"]), &[3]);
    asking.step(at(1), Event::Answer { host: host(1), answer: names(first, &["ann"]) });
    // A second one, one of a host that was not asked, one to the question of another, one to none.
    for (number, id) in [(1, first), (9, first), (1, second), (2, second), (1, 77)] {
        assert_eq!(asking.step(at(2), Event::Answer { host: host(number), answer: names(id, &["evil"]) }), []);
        assert_eq!(asking.step(at(2), Event::Unasked { host: host(number), id, why: MissingWhy::Gone }), []);
    }
    // Host 2 was settled by nothing of that.
    let done = outcome(asking.step(at(3), Event::Answer { host: host(2), answer: names(first, &["bob"]) }));
    let told: Vec<&Value> = done.rows.iter().map(|row| &row.values[0]).collect();
    assert_eq!((told, done.missing.len()), (vec![&"ann".into(), &"bob".into()], 0));
    assert_eq!(asking.counts().stray, 5);
    assert_eq!(asking.step(at(3), Event::Answer { host: host(2), answer: names(first, &["x"]) }), []);
    assert_eq!((asking.counts().stray, asking.under_way()), (6, 1));
}

#[test]
fn an_answer_is_read_by_its_columns_and_one_that_contradicts_itself_is_none() {
    let mut asking = Asking::new(1);
    let id = begin(&mut asking, at(0), question(&["name", "uid", "shell"]), &[1, 2, 3]);
    // Of another version: other order, a column fewer, one more.
    let other = answer(id, &["uid", "colour", "name"], vec![vec![5.into(), "red".into(), "ann".into()]]);
    asking.step(at(1), Event::Answer { host: host(1), answer: other });
    let broken = answer(id, &["name"], vec![vec!["a".into()], vec!["b".into(), "c".into()]]);
    asking.step(at(1), Event::Answer { host: host(2), answer: broken });
    let endless = Answer { dropped: u64::MAX, ..answer(id, &["name"], vec![]) };
    let done = outcome(asking.step(at(2), Event::Answer { host: host(3), answer: endless }));
    assert_eq!(done.rows[0].values, ["ann".into(), 5.into(), Value::Null]);
    assert_eq!((done.rows.len(), done.dropped), (1, u64::MAX));
    assert_eq!((done.missing[0].host, done.missing[0].why), (host(2), MissingWhy::Failed));
    assert!(done.missing[0].problem.contains("does not keep to its own columns"));
}

#[test]
fn questions_rows_and_memory_are_bounded_and_what_is_beyond_is_counted() {
    let mut asking = Asking::new(1);
    for _ in 0..QUESTIONS_MAX {
        begin(&mut asking, at(0), question(&["name"]), &[1]);
    }
    assert_eq!(asking.step(at(0), Event::Ask { question: question(&[]), hosts: vec![host(1)] }), []);
    asking.step(at(0), Event::Cancel { id: 1 });
    let hosts: Vec<u8> = (0..200).collect();
    let id = begin(&mut asking, at(0), question(&["name"]), &hosts);
    // 1,000 rows of 1 KiB of control characters from each of 200 hosts, all of them different: more than all may keep.
    for number in 0..199 {
        let row = |at: usize| vec![Value::Text(format!("{number} {at} {}", "\u{1}".repeat(1_000)))];
        let told = answer(id, &["name"], (0..1_000).map(row).collect());
        asking.step(at(1), Event::Answer { host: host(number), answer: told });
    }
    let last = outcome(asking.step(at(1), Event::Answer { host: host(199), answer: names(id, &["x"]) }));
    let bytes: usize =
        last.rows.iter().map(|row| if let Value::Text(text) = &row.values[0] { text.len() } else { 0 }).sum();
    assert!((40 << 20..64 << 20).contains(&bytes), "{bytes}");
    assert_eq!(last.rows.len() as u64 + last.dropped, 199_001);
    assert_eq!((last.answered, last.missing.len()), (200, 0));
    // Short rows, but too many different ones.
    let id = begin(&mut asking, at(0), question(&["uid"]), &hosts);
    for number in 0..200_i64 {
        let row = |at: i64| vec![Value::Integer(number * 1_000 + at)];
        let told = answer(id, &["uid"], (0..1_000).map(row).collect());
        if let [Effect::Done { outcome, .. }] =
            &asking.step(at(1), Event::Answer { host: host(number as u8), answer: told })[..]
        {
            assert_eq!((outcome.rows.len(), outcome.dropped), (ASKED_ROWS_MAX, 150_000));
            return;
        }
    }
    panic!("the last answer ends the question");
}

#[test]
fn hosts_of_a_row_are_named_up_to_a_bound_and_all_counted() {
    let mut asking = Asking::new(1);
    let hosts: Vec<u8> = (0..150).collect();
    let id = begin(&mut asking, at(0), question(&["name"]), &hosts);
    let mut last = Vec::new();
    for number in 0..150 {
        last = asking.step(at(1), Event::Answer { host: host(number), answer: names(id, &["root"]) });
    }
    let done = outcome(last);
    assert_eq!((done.rows[0].on_hosts, done.rows[0].count, done.rows[0].hosts.len()), (150, 150, HOSTS_NAMED_MAX));
}

/// A question as the model knows it.
#[derive(Default)]
struct Model {
    asked: usize,
    /// Hosts that still owe a word.
    owing: BTreeSet<u8>,
    /// Hosts by row.
    rows: BTreeMap<String, BTreeSet<u8>>,
    missing: usize,
}

impl Model {
    fn answer(&mut self, number: u8, told: &[String]) {
        if self.owing.remove(&number) {
            for row in told {
                self.rows.entry(row.clone()).or_default().insert(number);
            }
        }
    }

    fn judge(self, outcome: &AskOutcome) {
        let text = |row: &AskedRow| if let Value::Text(text) = &row.values[0] { text.clone() } else { String::new() };
        let told: BTreeMap<String, u64> = outcome.rows.iter().map(|row| (text(row), row.on_hosts)).collect();
        let expect: BTreeMap<String, u64> = self.rows.into_iter().map(|(row, on)| (row, on.len() as u64)).collect();
        assert_eq!(told, expect);
        assert_eq!(outcome.missing.len(), self.owing.len() + self.missing);
        assert_eq!((outcome.asked, outcome.answered), (self.asked, self.asked - outcome.missing.len()));
    }
}

/// One step by chance of the machine and of the model; whether a question ended.
fn step_by_chance(
    random: &mut fastrand::Rng,
    now: Duration,
    asking: &mut Asking,
    open: &mut BTreeMap<u64, Model>,
) -> bool {
    let id = random.choice(open.keys().copied().collect::<Vec<_>>()).unwrap_or(0);
    let number = random.u8(0..12);
    let effects = match random.u8(0..10) {
        0 | 1 => {
            let owing: BTreeSet<u8> = (0..random.u8(1..8)).map(|_| random.u8(0..12)).collect();
            let hosts = owing.iter().copied().map(host).collect();
            let effects = asking.step(now, Event::Ask { question: question(&["name"]), hosts });
            assert_eq!(effects.is_empty(), open.len() == QUESTIONS_MAX);
            if let [Effect::Send(due)] = &effects[..] {
                open.insert(due.ask.id, Model { asked: owing.len(), owing, ..Model::default() });
            }
            return false;
        }
        2 => {
            open.remove(&id);
            asking.step(now, Event::Cancel { id })
        }
        3 => asking.step(now, Event::End { id }),
        4 => {
            if let Some(model) = open.get_mut(&id) {
                model.missing += usize::from(model.owing.remove(&number));
            }
            asking.step(now, Event::Unasked { host: host(number), id, why: MissingWhy::Gone })
        }
        _ => {
            let told: Vec<String> = (0..random.u8(0..4)).map(|_| format!("r{}", random.u8(0..5))).collect();
            if let Some(model) = open.get_mut(&id) {
                model.answer(number, &told);
            }
            let told: Vec<&str> = told.iter().map(String::as_str).collect();
            asking.step(now, Event::Answer { host: host(number), answer: names(id, &told) })
        }
    };
    match effects.into_iter().next() {
        Some(Effect::Done { id: done, outcome }) => {
            assert_eq!(done, id);
            open.remove(&id).expect("a question under way").judge(&outcome);
            true
        }
        Some(other) => panic!("{other:?}"),
        None => {
            assert!(open.get(&id).is_none_or(|model| !model.owing.is_empty()), "it should have ended");
            false
        }
    }
}

/// Against a model that keeps every row: whatever comes in whatever order, each host has one word and the counts add up.
#[test]
fn by_chance_every_question_ends_as_the_model_says() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut asking = Asking::new(random.u64(..));
        let (mut open, mut ended) = (BTreeMap::new(), 0);
        for step in 0..400 {
            ended += u32::from(step_by_chance(&mut random, at(step), &mut asking, &mut open));
            assert_eq!(asking.under_way(), open.len(), "seed {seed}");
        }
        assert!(ended > 0, "seed {seed}");
    }
}

#[tokio::test]
async fn an_asker_waits_ends_or_goes() {
    let bench = Bench::new();
    let fleet = &bench.fleet;
    let due = fleet.subscribe_questions();
    assert_eq!(fleet.ask(question(&[]), Vec::new(), at(0)).err(), Some(QuestionError::NoHosts));
    let mut all = fleet.ask(question(&[]), vec![host(1)], at(1_000)).unwrap();
    assert_eq!((all.until(), due.has_changed().unwrap()), (at(5_000), true));
    let taken = fleet.take_questions();
    assert_eq!((taken.len(), taken[0].ask.columns.len(), fleet.take_questions().len()), (1, 0, 0));
    fleet.answered(host(1), answer(taken[0].ask.id, &["name"], vec![vec!["ann".into()]]), at(1_100));
    let told = all.all().await;
    assert_eq!((told.answered, told.rows[0].values.len(), told.took), (1, 6, at(100)));

    let ended = fleet.ask(question(&["name"]), vec![host(1), host(2)], at(0)).unwrap();
    let id = fleet.take_questions()[0].ask.id;
    fleet.answered(host(1), names(id, &["ann"]), at(10));
    let told = ended.end(at(5_000));
    assert_eq!((told.answered, told.missing[0].why, told.missing[0].host), (1, MissingWhy::Late, host(2)));

    let gone = fleet.ask(question(&["name"]), vec![host(1)], at(0)).unwrap();
    drop(gone);
    assert_eq!(fleet.take_questions(), [], "nobody waits for it");
    let stats = bench.fleet.stats();
    let stat = |name: &str| stats.iter().find(|stat| stat.name == name).map(|stat| stat.value);
    assert_eq!(stat("muster_collector_questions"), Some(0.0));
    assert_eq!(stat("muster_collector_questions_total"), Some(3.0));
    let full: Vec<Waiting> =
        (0..QUESTIONS_MAX).map(|_| fleet.ask(question(&[]), vec![host(1)], at(0)).unwrap()).collect();
    assert_eq!(fleet.ask(question(&[]), vec![host(1)], at(0)).err(), Some(QuestionError::Busy));
    drop(full);
    assert!(fleet.ask(question(&[]), vec![host(1)], at(0)).is_ok());
}
