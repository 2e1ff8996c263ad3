//! What a session asks of its host, and what it makes of answers.

use muster_common::wire::message::{Answer, AnswerWord, Ask};
use muster_fleet::MissingWhy;

use super::*;

pub(super) fn told(effect: &Effect) -> String {
    match effect {
        Effect::Answer(answer) => format!("answer {} of {} rows", answer.id, answer.rows.len()),
        Effect::Unasked { id, why } => format!("unasked {id} {why:?}"),
        other => panic!("{other:?}"),
    }
}

fn ask(id: u64) -> Input {
    Input::Ask(Box::new(Ask {
        id,
        table: "users".to_owned(),
        columns: Vec::new(),
        filters: Vec::new(),
        rows_max: 10,
        within_ms: 1_000,
        extensions: Vec::new(),
    }))
}

fn answer(id: u64) -> Frame {
    Frame::control(Message::Answer(Answer {
        id,
        word: AnswerWord::Rows,
        columns: vec!["name".to_owned()],
        rows: vec![vec!["root".into()]],
        dropped: 0,
        problem: String::new(),
        extensions: Vec::new(),
    }))
}

/// A session whose agent reads questions, or is older, up to its welcome or just before.
fn bench(reads: bool, opens: bool) -> Bench {
    let mut bench = Bench::host();
    let mut hello = hello(&[]);
    hello.extensions = if reads { vec![Hello::frames_known()] } else { Vec::new() };
    bench.step(Input::Frame(Frame::control(Message::Hello(hello))));
    bench.step(Input::Seen(Ok(())));
    bench.step(Input::Drained);
    if opens {
        let (store_id, marks, positions, inventory) = ([1; 16], Vec::new(), Vec::new(), Vec::new());
        bench.step(Input::Marks(Ok(Greeting { store_id, incarnation: 7, marks, positions, inventory })));
    }
    bench
}

#[test]
fn a_question_goes_to_who_reads_it_and_its_answer_counts_once() {
    let mut bench = bench(true, true);
    assert_eq!(bench.step(ask(7)), ["send ask"]);
    assert_eq!(bench.step(ask(8)), ["send ask"]);
    assert_eq!(bench.frame(answer(8)), ["answer 8 of 1 rows"]);
    // A second one, and one to nothing: dropped, and the session goes on.
    assert_eq!((bench.frame(answer(8)), bench.frame(answer(99))), (vec![], vec![]));
    assert_eq!(bench.frame(answer(7)), ["answer 7 of 1 rows"]);
    let count = |count| bench.counters.value(count);
    let counts = [Count::QuestionsSent, Count::AnswersTaken, Count::AnswersStray].map(count);
    assert_eq!((counts, bench.session.is_open()), ([2, 2, 2], true));
}

#[test]
fn who_cannot_be_asked_is_told_and_who_goes_owes_what_was_asked() {
    assert_eq!(bench(false, true).step(ask(7)), ["unasked 7 TooOld"]);
    assert_eq!(bench(true, false).step(ask(7)), [""; 0], "before the welcome");
    let mut gone = bench(true, true);
    gone.step(ask(7));
    gone.step(ask(8));
    gone.frame(answer(7));
    assert_eq!(gone.step(Input::Lost), ["unasked 8 Gone", "end"]);
    assert_eq!(gone.step(ask(9)), [""; 0]);
    let mut fenced = bench(true, true);
    fenced.step(ask(7));
    assert_eq!(fenced.step(Input::Fenced), ["refused Superseded", "unasked 7 Gone", "end"]);
    assert_eq!(fenced.frame(answer(7)), [""; 0]);
}

#[test]
fn what_is_never_answered_is_bounded() {
    let mut bench = bench(true, true);
    for id in 0..1_000 {
        bench.step(ask(id));
    }
    let owed = bench.step(Input::Lost);
    assert_eq!(owed.len(), 2 * muster_fleet::QUESTIONS_MAX + 1);
    assert_eq!(owed[owed.len() - 2], format!("unasked 999 {:?}", MissingWhy::Gone));
}

#[test]
fn an_answer_before_the_welcome_ends_the_session() {
    let mut early = Bench::host();
    assert_eq!(early.frame(answer(1)), ["refused Protocol", "end"]);
}
