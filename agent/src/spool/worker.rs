//! The spool's thread: one request at a time, answers through a bounded channel. A disk that hangs holds up this thread alone: sampling and
//! sending from memory go on.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::{Spool, SpoolAnswer, SpoolRequest};

/// Requests that may wait in the channel; what does not fit waits at the sender, where the session bounds it.
const REQUESTS_MAX: usize = 64;

/// The sending end. Dropping it ends the thread after what was asked is done.
pub struct SpoolWorker {
    requests: SyncSender<SpoolRequest>,
    waiting: std::collections::VecDeque<SpoolRequest>,
}

impl SpoolWorker {
    /// Starts the thread; `answer` is called on it for each answer, in the order of the requests.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(spool: Spool, answer: impl FnMut(SpoolAnswer) + Send + 'static) -> io::Result<Self> {
        let (requests, inbox) = sync_channel(REQUESTS_MAX);
        let body = move || serve(spool, &inbox, answer);
        // Frames are on the heap; the calls are shallow.
        std::thread::Builder::new().name("muster-spool".to_owned()).stack_size(256 << 10).spawn(body)?;
        Ok(Self { requests, waiting: std::collections::VecDeque::new() })
    }

    /// Hands a request over, in order.
    pub fn ask(&mut self, request: SpoolRequest) {
        self.waiting.push_back(request);
        self.flush();
    }

    /// Hands over what did not fit before; call it when an answer has come.
    pub fn flush(&mut self) {
        while let Some(request) = self.waiting.pop_front() {
            match self.requests.try_send(request) {
                Ok(()) => {}
                Err(TrySendError::Full(request)) => {
                    self.waiting.push_front(request);
                    return;
                }
                // The thread has ended, which only a panic does: nothing can be spooled any more.
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }
}

fn serve(mut spool: Spool, inbox: &Receiver<SpoolRequest>, mut answer: impl FnMut(SpoolAnswer)) {
    while let Ok(request) = inbox.recv() {
        if let Some(one) = spool.serve(request) {
            answer(one);
        }
    }
}
