//! Hosts of the workload that run tasks as the trial tells them: they judge a call as a real host does, and do it once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use muster_common::host::HostId;
use muster_common::identity::SERVER_NAME;
use muster_common::identity::tls::Trust;
use muster_common::task::{Order, PublicKey, Signature, is_target};
use muster_common::time;
use muster_common::wire::frame::{Frame, encode};
use muster_common::wire::message::{Epoch, HeldEpoch, Hello, Message, Task, TaskCall, TaskState, TaskWord};
use parking_lot::Mutex;
use quinn::Endpoint;

use super::wire::{Host, Session, hello, quic_config};

/// How long a task takes.
const WORK: Duration = Duration::from_millis(200);

/// What all hosts of a trial have done.
#[derive(Debug, Default)]
pub struct Done {
    /// How often each step of an order was begun, by host.
    pub begun: BTreeMap<(usize, u32), u32>,
    now: usize,
    /// Hosts that ran something at the same time, at the most.
    pub most_at_once: usize,
    /// Sessions that hosts lost on purpose.
    pub breaks: u32,
}

/// A host that takes tasks.
pub struct Called {
    pub host: Host,
    pub target: SocketAddr,
    pub approver: PublicKey,
    /// The exit code of the first step.
    pub code: i32,
    /// It loses its session once, after it has accepted a call.
    pub breaks: bool,
    pub done: Arc<Mutex<Done>>,
}

impl Called {
    /// Takes calls until the trial drops it.
    ///
    /// # Errors
    /// A refusal by the collector, a call that a real host would refuse, or a connection that breaks by itself.
    pub async fn run(self, endpoint: Endpoint) -> Result<()> {
        let mut words: BTreeMap<TaskCall, (u32, TaskWord)> = BTreeMap::new();
        let mut is_broken = false;
        loop {
            let (mut session, id) = self.open(&endpoint).await?;
            // What was not acknowledged is told again.
            for (call, (number, word)) in &words {
                tell(&mut session, *call, *number, *word).await?;
            }
            loop {
                match session.control.next().await? {
                    Message::Task(task) => {
                        self.judge(&task, id)?;
                        if let Some((number, word)) = words.get(&task.call) {
                            tell(&mut session, task.call, *number, *word).await?;
                            continue;
                        }
                        tell(&mut session, task.call, 1, TaskWord::Accepted).await?;
                        self.begin(task.call);
                        tokio::time::sleep(WORK).await;
                        self.done.lock().now -= 1;
                        let code = if task.call.step == 0 { self.code } else { 0 };
                        words.insert(task.call, (2, TaskWord::Ended { code }));
                        if self.breaks && !is_broken {
                            is_broken = true;
                            self.done.lock().breaks += 1;
                            break;
                        }
                        tell(&mut session, task.call, 2, TaskWord::Ended { code }).await?;
                    }
                    Message::TaskAck(ack) => {
                        words.get(&ack.call).with_context(|| format!("an acknowledgement of nothing: {ack:?}"))?;
                    }
                    _ => {}
                }
            }
            session.connection.close(0u32.into(), b"lost");
        }
    }

    async fn open(&self, endpoint: &Endpoint) -> Result<(Session, HostId)> {
        let identity = &self.host.identity;
        let config = quic_config(&Trust::Roots(identity.chain_der[1..].to_vec()), Some(identity))?;
        let held = HeldEpoch { epoch: Epoch([0; 16]), last_seq: [0; 3] };
        let hello = Hello {
            epochs: Vec::new(),
            extensions: vec![Hello::frames_known(), Hello::tasks_taken()],
            ..hello(self.host.number, time::now().millis(), held)
        };
        let (session, welcome) = Session::open(endpoint.connect_with(config, self.target, SERVER_NAME)?, hello).await?;
        Ok((session, HostId(welcome.host_id)))
    }

    /// What a real host looks at first: the approval, and whether it is meant.
    fn judge(&self, task: &Task, id: HostId) -> Result<()> {
        let order = Order::parse(&task.order)?;
        ensure!(task.host == id.0 && is_target(&order.targets, id, &task.proof), "a call for another host");
        let signed = Order::signed_bytes(&task.order);
        let is_approved = |signature: [u8; 64]| self.approver.signed(&signed, &Signature(signature));
        ensure!(task.approvals.iter().any(|one| is_approved(one.signature)), "a call that nobody approved");
        ensure!(time::now().millis() < order.expires_ms, "a call after its time");
        Ok(())
    }

    fn begin(&self, call: TaskCall) {
        let mut done = self.done.lock();
        *done.begun.entry((self.host.number, call.step)).or_default() += 1;
        done.now += 1;
        done.most_at_once = done.most_at_once.max(done.now);
    }
}

async fn tell(session: &mut Session, call: TaskCall, number: u32, word: TaskWord) -> Result<()> {
    let state = TaskState {
        call,
        number,
        at_ms: time::now().millis(),
        word,
        problem: String::new(),
        chunks: 0,
        output_bytes: 0,
        dropped_bytes: 0,
        extensions: Vec::new(),
    };
    Ok(session.control_send.write_all(&encode(&Frame::control(Message::TaskState(state)))?).await?)
}
