//! The side against a `muster-task` that is played over a real socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::wire::frame::{Frame, FrameReader, encode};
use muster_common::wire::message::{
    Message, Task, TaskCall, TaskCancel, TaskCatalogue, TaskState, TaskWord, Throttle, Welcome,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Book, PENDING_MAX, TaskOrder, TaskSide, WAITING_MAX};
use crate::own::Own;

fn call(number: u8) -> TaskCall {
    TaskCall { order: [number; 16], step: 0 }
}

fn task(number: u8) -> Message {
    let call = call(number);
    let (order, proof, approvals, extensions) = (String::new(), Vec::new(), Vec::new(), Vec::new());
    Message::Task(Task { call, host: [1; 16], order, proof, approvals, extensions })
}

fn cancel(number: u8) -> Message {
    Message::TaskCancel(TaskCancel { call: call(number), reason: String::new(), extensions: Vec::new() })
}

fn catalogue() -> Message {
    Message::TaskCatalogue(TaskCatalogue { document: "x".into(), signature: [0; 64], extensions: Vec::new() })
}

fn state(number: u8, word: TaskWord) -> Message {
    Message::TaskState(TaskState {
        call: call(number),
        number: 1,
        at_ms: 0,
        word,
        problem: String::new(),
        chunks: 0,
        output_bytes: 0,
        dropped_bytes: 0,
        extensions: Vec::new(),
    })
}

fn welcome() -> Welcome {
    Welcome {
        host_id: [1; 16],
        host_name: "web1".into(),
        store_id: [2; 16],
        incarnation: 0,
        clock_ms: 0,
        marks: Vec::new(),
        position_pages: 0,
        lanes: 0,
        throttle: Throttle::default(),
        extensions: Vec::new(),
    }
}

#[test]
fn what_has_no_answer_is_told_again_and_is_bounded() {
    let mut book = Book { welcome: Some(Message::Welcome(welcome())), ..Book::default() };
    for message in [catalogue(), task(1), task(2), cancel(2), cancel(3)] {
        assert!(book.note(&message));
    }
    let again = [Message::Welcome(welcome()), catalogue(), cancel(2), cancel(3), task(1), task(2)];
    assert_eq!(book.again(), again);
    book.answered(&state(1, TaskWord::Accepted));
    book.answered(&state(2, TaskWord::Running));
    book.answered(&state(3, TaskWord::Cancelled));
    assert_eq!(book.again(), [Message::Welcome(welcome()), catalogue(), cancel(2)], "it runs, and is to be ended");
    for number in 0..PENDING_MAX as u8 {
        assert!(book.note(&task(number + 10)));
    }
    assert!(!book.note(&task(99)) && book.note(&task(10)), "the same again takes no room");
}

struct Other {
    stream: UnixStream,
    reader: FrameReader,
}

impl Other {
    async fn accept(listener: &UnixListener) -> Self {
        let (stream, _) = timeout(Duration::from_secs(10), listener.accept()).await.unwrap().unwrap();
        Self { stream, reader: FrameReader::new() }
    }

    async fn hear(&mut self) -> Message {
        let mut buffer = [0; 4096];
        loop {
            if let Some(frame) = self.reader.next().unwrap() {
                return frame.message;
            }
            let read = timeout(Duration::from_secs(10), self.stream.read(&mut buffer)).await.unwrap().unwrap();
            assert!(read > 0, "closed");
            self.reader.push(&buffer[..read]);
        }
    }

    async fn say(&mut self, message: Message) {
        self.stream.write_all(&encode(&Frame::control(message)).unwrap()).await.unwrap();
    }
}

fn side(folder: &Path) -> (TaskSide, mpsc::Receiver<(u64, Message)>, Arc<Own>) {
    let own = Arc::new(Own::default());
    let (side, heard) = TaskSide::new(&folder.join("task.sock"), &own);
    (side, heard, own)
}

#[tokio::test]
async fn frames_are_carried_both_ways_and_told_again_to_who_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (mut side, mut heard, _) = side(folder.path());
    assert!(!side.is_there());
    let listener = UnixListener::bind(folder.path().join("task.sock")).unwrap();
    assert!(side.is_there());
    side.obey(TaskOrder::Open(Box::new(welcome())));
    for message in [catalogue(), task(1), task(2)] {
        side.obey(TaskOrder::Pass(Box::new(message)));
    }
    let mut other = Other::accept(&listener).await;
    for expected in [Message::Welcome(welcome()), catalogue(), task(1), task(2)] {
        assert_eq!(other.hear().await, expected);
    }
    other.say(state(1, TaskWord::Accepted)).await;
    let told = heard.recv().await.unwrap();
    assert_eq!(side.hear(told.clone()), Some(state(1, TaskWord::Accepted)));
    drop(other);
    let mut other = Other::accept(&listener).await;
    for expected in [Message::Welcome(welcome()), catalogue(), task(2)] {
        assert_eq!(other.hear().await, expected, "what has no answer");
    }
    side.obey(TaskOrder::Close);
    assert_eq!(side.hear(told), None, "its session is over");
    let mut rest = Vec::new();
    let end = timeout(Duration::from_secs(10), other.stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(end.unwrap(), 0, "the connection ends with the session");
}

#[tokio::test]
async fn a_side_that_takes_nothing_costs_a_bounded_queue() {
    let folder = tempfile::tempdir().unwrap();
    let (mut side, _heard, own) = side(folder.path());
    side.obey(TaskOrder::Pass(Box::new(task(1))));
    assert_eq!(own.task_frames_dropped.value(), 1, "without a session");
    side.obey(TaskOrder::Open(Box::new(welcome())));
    // Nobody has run the carrier yet.
    for _ in 0..WAITING_MAX + 5 {
        side.obey(TaskOrder::Pass(Box::new(task(1))));
    }
    assert_eq!(own.task_frames_dropped.value(), 6);
}

#[tokio::test]
async fn what_is_no_frame_of_tasks_ends_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (mut side, mut heard, _) = side(folder.path());
    let listener = UnixListener::bind(folder.path().join("task.sock")).unwrap();
    side.obey(TaskOrder::Open(Box::new(welcome())));
    let mut other = Other::accept(&listener).await;
    other.hear().await;
    other.say(Message::Welcome(welcome())).await;
    let mut rest = Vec::new();
    timeout(Duration::from_secs(10), other.stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    let mut other = Other::accept(&listener).await;
    other.hear().await;
    other.say(state(1, TaskWord::Running)).await;
    let told = timeout(Duration::from_secs(10), heard.recv()).await.unwrap().unwrap();
    assert_eq!(told.1, state(1, TaskWord::Running), "the next one is heard");
}
