//! Frames of tasks: carried only where both ends say that they take them, and only while their session lasts.

use muster_common::wire::message::{Message, TaskAck, TaskCall, TaskCancel, TaskState, TaskWord};

use super::rules::welcomed;
use super::world::World;
use crate::tasks::TaskOrder;
use crate::uplink::session::Input;

const CALL: TaskCall = TaskCall { order: [5; 16], step: 0 };

fn cancel() -> Message {
    Message::TaskCancel(TaskCancel { call: CALL, reason: "user:bob".to_owned(), extensions: Vec::new() })
}

fn state() -> Message {
    Message::TaskState(TaskState {
        call: CALL,
        number: 1,
        at_ms: 0,
        word: TaskWord::Cancelled,
        problem: String::new(),
        chunks: 0,
        output_bytes: 0,
        dropped_bytes: 0,
        extensions: Vec::new(),
    })
}

/// After a session whose ends are as told.
fn world(has_tasks: bool, takes_tasks: bool) -> World {
    let mut world = welcomed(101);
    (world.has_tasks, world.collector.takes_tasks) = (has_tasks, takes_tasks);
    // The next one says so.
    world.break_connection();
    world.pass(61_000);
    world.settle(100);
    world
}

fn opened(world: &World) -> usize {
    world.task_orders.iter().filter(|order| matches!(order, TaskOrder::Open(_))).count()
}

#[test]
fn frames_of_tasks_go_both_ways_while_the_session_lasts() {
    let mut world = world(true, true);
    assert!(world.collector.hellos.last().unwrap().takes_tasks());
    let Some(TaskOrder::Open(welcome)) = world.task_orders.first() else { panic!("{:?}", world.task_orders) };
    assert_eq!((welcome.host_id, welcome.marks.len()), ([1; 16], 0));
    world.task_orders.clear();
    let ack = Message::TaskAck(TaskAck { call: CALL, state: 1, chunks: 0, extensions: Vec::new() });
    for message in [cancel(), ack.clone()] {
        world.step(Input::Message(message));
    }
    assert_eq!(world.task_orders, [TaskOrder::Pass(Box::new(cancel())), TaskOrder::Pass(Box::new(ack))]);
    world.step(Input::Task(state()));
    world.settle(100);
    assert_eq!(world.collector.tasks, [state()]);
    world.step(Input::Task(cancel()));
    world.settle(100);
    assert_eq!(world.collector.tasks.len(), 1, "what only a collector says is not carried up");
    world.task_orders.clear();
    world.break_connection();
    assert_eq!(world.task_orders, [TaskOrder::Close]);
    world.step(Input::Task(state()));
    assert_eq!(world.own.task_frames_dropped.value(), 2);
    world.pass(61_000);
    world.settle(100);
    assert_eq!((opened(&world), world.collector.tasks.len()), (1, 1));
}

#[test]
fn where_one_end_takes_none_nothing_is_carried() {
    for (has_tasks, takes_tasks) in [(true, false), (false, true), (false, false)] {
        let mut world = world(has_tasks, takes_tasks);
        assert_eq!(world.collector.hellos.last().unwrap().takes_tasks(), has_tasks);
        world.step(Input::Message(cancel()));
        world.step(Input::Task(state()));
        world.settle(100);
        assert_eq!((world.task_orders.len(), world.collector.tasks.len()), (0, 0), "{has_tasks} {takes_tasks}");
    }
}
