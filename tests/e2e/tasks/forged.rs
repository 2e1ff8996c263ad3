//! Whoever sits in the collector's place and has stolen an approver's key on top of it: what was never in the catalogue, what is no value of it
//! and what was here before is refused by its name all the same. `agent/task/tests/attacker.rs` has all other forgeries.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use muster_common::host::HostId;
use muster_common::identity::random;
use muster_common::task::{Order, SigningKey};
use muster_common::wire::frame::{Frame, FrameReader, encode};
use muster_common::wire::message::{Message, Throttle, Welcome};
use muster_common::wire::tasks::{Task, TaskApproval, TaskCall, TaskRefusal, TaskState, TaskWord};

use super::{HOST, LIMIT, Scripts, one_host};

/// At the socket of `muster-task`, as the agent is.
struct Forger {
    stream: UnixStream,
    reader: FrameReader,
    host: HostId,
    key: SigningKey,
}

impl Forger {
    fn say(&mut self, message: Message) {
        self.stream.write_all(&encode(&Frame::control(message)).unwrap()).unwrap();
    }

    fn welcome(&mut self) {
        let host_id = self.host.0;
        self.say(Message::Welcome(Welcome {
            host_id,
            host_name: HOST.into(),
            store_id: [2; 16],
            incarnation: 0,
            clock_ms: 0,
            marks: Vec::new(),
            position_pages: 0,
            lanes: 0,
            throttle: Throttle::default(),
            extensions: Vec::new(),
        }));
    }

    /// Sends this order with a signature of the stolen key; what the host says of it.
    fn send(&mut self, order: &Order) -> TaskState {
        let text = order.text().unwrap();
        let signature = self.key.sign(&Order::signed_bytes(&text)).0;
        let call = TaskCall { order: order.id, step: 0 };
        self.say(Message::Task(Task {
            call,
            host: self.host.0,
            order: text,
            proof: Vec::new(),
            approvals: vec![TaskApproval { approver: "bob".into(), signature }],
            extensions: Vec::new(),
        }));
        let mut buffer = [0; 16 << 10];
        loop {
            while let Some(frame) = self.reader.next().unwrap() {
                match frame.message {
                    Message::TaskState(state) if state.call == call => return state,
                    _ => {}
                }
            }
            let read = self.stream.read(&mut buffer).unwrap();
            assert!(read > 0, "muster-task goes on");
            self.reader.push(&buffer[..read]);
        }
    }
}

#[test]
fn what_was_never_signed_and_what_was_here_before_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let more = "[tasks.say.parameters.word]\nkind = \"text\"\npattern = \".*\"";
    let scripts = Scripts::new(folder.path()).with("say", "echo x >> $1/runs; echo \"$2\"", &["{word}"], more);
    let (team, mut host) = one_host(folder.path(), &scripts);
    let (order, standing) = team.run(HOST, "say", &["word=well"]).unwrap();
    assert_eq!(standing["state"], "ok", "{standing}");
    let answer = team.order(order).unwrap();
    let real = Order::parse(answer["order"]["text"].as_str().unwrap()).unwrap();
    let id = HostId::parse(answer["hosts"][0]["id"].as_str().unwrap()).unwrap();

    host.kill_agent().unwrap();
    let stream = UnixStream::connect(host.folder.join("sock")).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut forger = Forger { stream, reader: FrameReader::new(), host: id, key: team.stolen_key().unwrap() };
    forger.welcome();
    let again = forger.send(&real);
    assert_eq!(again.word, TaskWord::Ended { code: 0 }, "told once more, not run once more");
    let mut refused = Vec::new();
    let mut try_it = |change: &dyn Fn(&mut Order)| {
        let mut order = real.clone();
        (order.id, order.nonce) = (random().unwrap(), random().unwrap());
        change(&mut order);
        match forger.send(&order).word {
            TaskWord::Refused { why } => refused.push(why),
            other => panic!("{other:?}"),
        }
    };
    try_it(&|order| order.nonce = real.nonce);
    try_it(&|order| (order.id, order.nonce) = (real.id, random().unwrap()));
    try_it(&|order| order.steps[0].task = "invented".into());
    try_it(&|order| drop(order.steps[0].parameters.insert("word".into(), "--help".into())));
    try_it(&|order| drop(order.steps[0].parameters.insert("other".into(), "x".into())));
    try_it(&|order| order.requester = "user:bob".into());
    let expected = [
        TaskRefusal::Replayed,
        TaskRefusal::Replayed,
        TaskRefusal::TaskUnknown,
        TaskRefusal::Parameters,
        TaskRefusal::Parameters,
        TaskRefusal::OwnApproval,
    ];
    assert_eq!(refused, expected);
    let entries = host.audit().unwrap();
    let told: Vec<&str> = entries
        .iter()
        .filter(|entry| entry["event"] == "refused")
        .map(|entry| entry["detail"].as_str().unwrap().split(':').next().unwrap())
        .collect();
    assert_eq!(told, expected.map(|why| format!("{why:?}")));
    assert_eq!(scripts.read("runs"), "x\n", "once");

    // The host's own agent has its place again, and what is in order runs.
    drop(forger);
    host.start_agent().unwrap();
    assert_eq!(team.run(HOST, "say", &["word=again"]).unwrap().1["state"], "ok");
}
