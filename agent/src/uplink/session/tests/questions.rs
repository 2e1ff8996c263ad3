//! Questions of the collector: which are handed on, and on which connection they are answered.

use muster_common::wire::message::{Answer, AnswerWord, Ask, FrameKind, Message};

use super::rules::welcomed;
use super::world::World;
use crate::uplink::session::Input;

fn ask(id: u64) -> Ask {
    Ask {
        id,
        table: "users".to_owned(),
        columns: Vec::new(),
        filters: Vec::new(),
        rows_max: 10,
        within_ms: 1_000,
        extensions: Vec::new(),
    }
}

fn answer(id: u64) -> Input<'static> {
    Input::Answer(Answer {
        id,
        word: AnswerWord::Rows,
        columns: vec!["name".to_owned()],
        rows: vec![vec!["root".into()]],
        dropped: 0,
        problem: String::new(),
        extensions: Vec::new(),
    })
}

fn answered(world: &World) -> Vec<u64> {
    world.collector.answers.iter().map(|answer| answer.id).collect()
}

#[test]
fn a_question_is_answered_once_and_on_its_own_connection() {
    let mut world = welcomed(91);
    assert!(world.collector.hellos[0].reads(FrameKind::Ask));
    for id in [7, 8, 9] {
        world.step(Input::Message(Message::Ask(ask(id))));
    }
    assert_eq!(world.questions.iter().map(|ask| ask.id).collect::<Vec<_>>(), [7, 8, 9]);
    world.step(answer(8));
    world.step(answer(8));
    world.step(answer(5));
    world.settle(100);
    assert_eq!(answered(&world), [8], "a second answer and one to nothing stay here");
    world.break_connection();
    world.step(answer(7));
    world.pass(61_000);
    world.settle(100);
    world.step(answer(9));
    world.settle(100);
    assert_eq!(answered(&world), [8], "what was asked on the connection before is over");
    assert_eq!(world.own.ask.unsent.value(), 4);
    world.step(Input::Message(Message::Ask(ask(10))));
    world.step(answer(10));
    world.settle(100);
    assert_eq!(answered(&world), [8, 10]);
}

#[test]
fn a_flood_of_questions_is_bounded_and_the_session_goes_on() {
    let mut world = welcomed(92);
    for id in 0..10_000 {
        world.step(Input::Message(Message::Ask(ask(id))));
    }
    let handed = world.questions.len();
    assert_eq!(handed, 64);
    world.step(answer(0));
    world.step(Input::Message(Message::Ask(ask(20_000))));
    assert_eq!(world.questions.last().map(|ask| ask.id), Some(20_000));
    world.row();
    world.settle(3_000);
    assert_eq!((answered(&world), world.session().is_settled()), (vec![0], true));
}
