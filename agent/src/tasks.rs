//! Frames of tasks, between the collector and `muster-task`: carried both ways as they are. The agent judges nothing of them and runs nothing.
//!
//! Off unless the socket of `muster-task` is there, which hello says. While a session is open the side holds a connection to it, whose first frame is
//! the welcome. `muster-task` may end and begin anew: what has no answer yet is told to the next one, as the collector would after a reconnect.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muster_common::time::monotonic;
use muster_common::wire::frame::{Frame, FrameReader, encode};
use muster_common::wire::message::{Message, Task, TaskCall, TaskCancel, TaskCatalogue, Welcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::own::Own;

/// Where `muster-task.socket` listens.
pub const SOCKET: &str = "/run/muster-task.sock";
/// Frames that wait for `muster-task`: it takes few calls at once and refuses the others.
const WAITING_MAX: usize = 64;
/// States and chunks that wait for the session, of which the other side sends no more without an acknowledgement.
const ANSWERS_MAX: usize = 32;
/// Calls without an answer that are told again: more than `muster-task` takes in.
const PENDING_MAX: usize = 32;
/// Between attempts to connect: the first, and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A program that takes nothing for so long hangs.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// What the session has for `muster-task`.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOrder {
    /// A session with a collector that takes states of tasks is open.
    Open(Box<Welcome>),
    /// A frame of tasks, for the session that is open.
    Pass(Box<Message>),
    /// The session is over.
    Close,
}

/// What has no answer yet. Pure.
#[derive(Debug, Default)]
struct Book {
    welcome: Option<Message>,
    catalogue: Option<TaskCatalogue>,
    calls: BTreeMap<TaskCall, Task>,
    cancels: BTreeMap<TaskCall, TaskCancel>,
}

impl Book {
    /// Notes what is on its way; `false`: there is no room for it.
    fn note(&mut self, message: &Message) -> bool {
        match message {
            Message::TaskCatalogue(catalogue) => self.catalogue = Some(catalogue.clone()),
            Message::Task(task) => {
                if self.calls.len() >= PENDING_MAX && !self.calls.contains_key(&task.call) {
                    return false;
                }
                self.calls.insert(task.call, task.clone());
            }
            Message::TaskCancel(cancel) => {
                if self.cancels.len() >= PENDING_MAX && !self.cancels.contains_key(&cancel.call) {
                    return false;
                }
                self.cancels.insert(cancel.call, cancel.clone());
            }
            _ => {}
        }
        true
    }

    /// An answer has come: what it answers is not told again.
    fn answered(&mut self, message: &Message) {
        if let Message::TaskState(state) = message {
            self.calls.remove(&state.call);
            // A call that runs on has not been ended yet.
            if state.word.is_last() {
                self.cancels.remove(&state.call);
            }
        }
    }

    /// What a new connection is told, in order.
    fn again(&self) -> Vec<Message> {
        let mut messages: Vec<Message> = self.welcome.iter().cloned().collect();
        messages.extend(self.catalogue.clone().map(Message::TaskCatalogue));
        // A cancel before its call: what never came is remembered as cancelled.
        messages.extend(self.cancels.values().cloned().map(Message::TaskCancel));
        messages.extend(self.calls.values().cloned().map(Message::Task));
        messages
    }
}

/// The agent's end.
pub(crate) struct TaskSide {
    socket: PathBuf,
    own: Arc<Own>,
    /// Gone with the session.
    orders: Option<mpsc::Sender<Message>>,
    answers: mpsc::Sender<(u64, Message)>,
    /// Counts sessions: what comes for an earlier one is let be.
    session: u64,
}

impl TaskSide {
    /// The receiver gives what is for the collector; [`TaskSide::hear`] says whether it still is.
    pub(crate) fn new(socket: &Path, own: &Arc<Own>) -> (Self, mpsc::Receiver<(u64, Message)>) {
        let (answers, heard) = mpsc::channel(ANSWERS_MAX);
        let (socket, own) = (socket.to_owned(), Arc::clone(own));
        (Self { socket, own, orders: None, answers, session: 0 }, heard)
    }

    /// Whether the next hello may say that tasks are taken.
    pub(crate) fn is_there(&self) -> bool {
        use std::os::unix::fs::FileTypeExt;
        std::fs::metadata(&self.socket).is_ok_and(|metadata| metadata.file_type().is_socket())
    }

    pub(crate) fn obey(&mut self, order: TaskOrder) {
        match order {
            TaskOrder::Open(welcome) => {
                self.session += 1;
                let (orders, queue) = mpsc::channel(WAITING_MAX);
                self.orders = Some(orders);
                let book = Book { welcome: Some(Message::Welcome(*welcome)), ..Book::default() };
                let carrier = Carrier { socket: self.socket.clone(), book, queue };
                tokio::spawn(carrier.run(self.session, self.answers.clone()));
            }
            TaskOrder::Pass(message) => {
                let is_passed = self.orders.as_ref().is_some_and(|orders| orders.try_send(*message).is_ok());
                if !is_passed {
                    self.own.task_frames_dropped.add(1);
                }
            }
            TaskOrder::Close => self.orders = None,
        }
    }

    /// What came, if it is of the session that is open.
    pub(crate) fn hear(&self, (session, message): (u64, Message)) -> Option<Message> {
        (session == self.session && self.orders.is_some()).then_some(message)
    }
}

/// One session's connection, made again where it is lost. Ends with the session.
struct Carrier {
    socket: PathBuf,
    book: Book,
    queue: mpsc::Receiver<Message>,
}

impl Carrier {
    async fn run(mut self, session: u64, answers: mpsc::Sender<(u64, Message)>) {
        let mut delay = AGAIN.0;
        loop {
            let since = monotonic();
            match UnixStream::connect(&self.socket).await {
                Ok(stream) => match self.carry(stream, session, &answers).await {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(%error, "the connection to muster-task is lost"),
                },
                Err(error) => {
                    tracing::warn!(%error, socket = %self.socket.display(), "muster-task takes no connection");
                }
            }
            // One that has worked for a while is not one that fails again and again.
            if monotonic().saturating_sub(since) >= AGAIN.1 {
                delay = AGAIN.0;
            }
            let mut waiting = std::pin::pin!(sleep(delay));
            delay = (2 * delay).min(AGAIN.1);
            // Meanwhile what comes is noted, so that the queue does not fill.
            loop {
                tokio::select! {
                    () = &mut waiting => break,
                    message = self.queue.recv() => match message {
                        Some(message) => {
                            // What is beyond its room was never taken; the collector tells it again after its next welcome.
                            let _ = self.book.note(&message);
                        }
                        None => return,
                    },
                }
            }
        }
    }

    /// Until the session is over.
    async fn carry(
        &mut self,
        stream: UnixStream,
        session: u64,
        answers: &mpsc::Sender<(u64, Message)>,
    ) -> std::io::Result<()> {
        let (mut from, mut to) = stream.into_split();
        for message in self.book.again() {
            write(&mut to, message).await?;
        }
        let (mut reader, mut buffer) = (FrameReader::new(), vec![0; 16 << 10]);
        loop {
            tokio::select! {
                message = self.queue.recv() => {
                    let Some(message) = message else { return Ok(()) };
                    // What is beyond the book goes all the same, once.
                    let _ = self.book.note(&message);
                    write(&mut to, message).await?;
                }
                read = from.read(&mut buffer) => {
                    let read = read?;
                    if read == 0 {
                        return Err(std::io::ErrorKind::UnexpectedEof.into());
                    }
                    reader.push(&buffer[..read]);
                    while let Some(frame) = reader.next().map_err(std::io::Error::other)? {
                        let message = frame.message;
                        if !matches!(message, Message::TaskState(_) | Message::TaskOutput(_)) {
                            return Err(std::io::Error::other("a frame that is none of tasks"));
                        }
                        self.book.answered(&message);
                        if answers.send((session, message)).await.is_err() {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }
}

async fn write(to: &mut tokio::net::unix::OwnedWriteHalf, message: Message) -> std::io::Result<()> {
    let bytes = encode(&Frame::control(message)).map_err(std::io::Error::other)?;
    timeout(WRITE_MAX, to.write_all(&bytes)).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
}

#[cfg(test)]
mod tests;
