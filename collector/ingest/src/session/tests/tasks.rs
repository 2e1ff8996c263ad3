//! What a session gives of tasks, and what it takes.

use muster_common::wire::message::{TaskAck, TaskCall, TaskCancel, TaskOutput, TaskState, TaskWord};
use muster_fleet::TaskDue;

use super::*;

#[test]
fn only_an_agent_with_a_program_for_it_is_given_tasks_and_what_it_says_is_handed_on() {
    let call = TaskCall { order: [7; 16], step: 0 };
    let due = || {
        Input::Tasks(vec![
            TaskDue::Cancel(TaskCancel { call, reason: String::new(), extensions: Vec::new() }),
            TaskDue::Ack(TaskAck { call, state: 2, chunks: 1, extensions: Vec::new() }),
        ])
    };
    for takes in [true, false] {
        let mut bench = Bench::host();
        let mut hello = hello(&[]);
        hello.extensions = vec![Hello::frames_known()];
        hello.extensions.extend(takes.then(Hello::tasks_taken));
        bench.step(Input::Frame(Frame::control(Message::Hello(hello))));
        bench.step(Input::Seen(Ok(())));
        assert_eq!(bench.step(due()), [""; 0], "before the welcome");
        bench.step(Input::Drained);
        let (store_id, marks, positions, inventory) = ([1; 16], Vec::new(), Vec::new(), Vec::new());
        let mut effects = Vec::new();
        let greeting = Greeting { store_id, incarnation: 7, marks, positions, inventory };
        bench.session.step(bench.now, Input::Marks(Ok(greeting)), &mut effects);
        let Some(Effect::Send(Message::Welcome(welcome))) = effects.first() else { panic!("{effects:?}") };
        assert!(welcome.takes_task_states());
        assert_eq!(bench.session.takes_tasks(), takes);
        let sent = bench.step(due());
        assert_eq!(sent, if takes { vec!["send task_cancel", "send task_ack"] } else { vec![] });
        let state = TaskState {
            call,
            number: 2,
            at_ms: 0,
            word: TaskWord::Running,
            problem: String::new(),
            chunks: 1,
            output_bytes: 0,
            dropped_bytes: 0,
            extensions: Vec::new(),
        };
        assert_eq!(bench.frame(Frame::control(Message::TaskState(state))), ["task state 2 Running"]);
        let output = TaskOutput { call, chunk: 4, text: "done".to_owned(), extensions: Vec::new() };
        assert_eq!(bench.frame(Frame::control(Message::TaskOutput(output))), ["task output 4"]);
        assert_eq!(bench.counters.value(Count::TaskStates), 1);
        assert_eq!(bench.counters.value(Count::TaskOutputs), 1);
    }
}
