//! Whoever has a collector with all its keys: it sends what it likes. Every forgery is refused by its name, and nothing runs.

use muster_common::host::HostId;
use muster_common::task::{Catalogue, Order, Targets};
use muster_common::time;
use muster_common::wire::frame::{Frame, encode};
use muster_common::wire::message::{Ack, Epoch, Lane, Message};
use muster_common::wire::tasks::{Task, TaskApproval, TaskCall, TaskCatalogue, TaskRefusal, TaskWord};

use super::host::{Agent, Given, HOST, Host, key};

fn victim() -> Host {
    let unlisted = "[tasks.unlisted]\nabout = \"x\"\nargv = [\"/bin/true\"]\naccount = \"root\"\n";
    let mut host = Host::new(&[Given::new("touch", "touch $1/ran")], "");
    host.document.push_str(unlisted);
    host
}

fn catalogue_refusal(agent: &mut Agent, offer: TaskCatalogue) -> TaskRefusal {
    agent.say(Message::TaskCatalogue(offer));
    match agent.state(TaskCall::CATALOGUE, |_| true).word {
        TaskWord::Refused { why } => why,
        other => panic!("{other:?}"),
    }
}

type Change<'a> = &'a dyn Fn(&Host, &mut Order);
type Tamper<'a> = &'a dyn Fn(&Host, &mut Task);

const AS_IS: Change<'static> = &|_, _| {};
const SAME: Tamper<'static> = &|_, _| {};

/// Everything that was tried, and how it was refused.
struct Attempts {
    host: Host,
    agent: Agent,
    refused: Vec<TaskRefusal>,
}

impl Attempts {
    fn new() -> Self {
        let host = victim();
        let agent = host.connect();
        Self { host, agent, refused: Vec::new() }
    }

    /// An order with this change, approved, and then tampered with.
    fn refused(&mut self, wanted: TaskRefusal, change: Change<'_>, tamper: Tamper<'_>) {
        let mut order = self.host.order("touch", "x");
        change(&self.host, &mut order);
        let mut task = self.host.approved(&order);
        tamper(&self.host, &mut task);
        assert_eq!(self.agent.refused(&task), wanted);
        self.refused.push(wanted);
    }

    /// Nothing ran, the audit says why, and what is in order runs all the same.
    fn end(mut self) {
        assert!(!self.host.path("ran").exists(), "nothing ran");
        let audit = self.host.audit();
        for why in self.refused {
            let is_told =
                |(event, detail): &(String, String)| event == "refused" && detail.starts_with(&format!("{why:?}: "));
            assert!(audit.iter().any(is_told), "{why:?}");
        }
        let task = self.host.task("touch");
        let (state, _) = self.agent.run(&task);
        assert!(state.word == TaskWord::Ended { code: 0 } && self.host.path("ran").exists());
    }
}

#[test]
fn orders_without_a_right_approval_are_refused_by_name_and_nothing_runs() {
    let mut attempts = Attempts::new();
    attempts.refused(TaskRefusal::Unapproved, AS_IS, &|_, task| task.approvals.clear());
    attempts.refused(TaskRefusal::OwnApproval, &|_, order| order.requester = "user:anna".into(), SAME);
    // By a key that only the collector has, under a name that the host knows.
    attempts.refused(TaskRefusal::ApprovalInvalid, AS_IS, &|_, task| {
        task.approvals[0].signature = key().sign(&Order::signed_bytes(&task.order)).0;
    });
    attempts.refused(TaskRefusal::ApprovalInvalid, AS_IS, &|_, task| {
        let signature = key().sign(&Order::signed_bytes(&task.order)).0;
        task.approvals = vec![TaskApproval { approver: "mallory".into(), signature }];
    });
    // The signer of catalogues approves nothing.
    attempts.refused(TaskRefusal::ApprovalInvalid, AS_IS, &|host, task| {
        task.approvals[0].signature = host.signer.sign(&Order::signed_bytes(&task.order)).0;
    });
    // What was approved, with another parameter, requester or count, or one more step.
    for (from, to) in [("word=x", "word=y"), ("requester user:bob", "requester user:eve"), ("targets 1 ", "targets 2 ")]
    {
        attempts.refused(TaskRefusal::ApprovalInvalid, AS_IS, &|_, task| task.order = task.order.replace(from, to));
    }
    attempts.refused(TaskRefusal::ApprovalInvalid, AS_IS, &|_, task| task.order.push_str("step touch\n word=y\n"));
    attempts.end();
}

#[test]
fn orders_that_are_not_for_this_host_now_are_refused_by_name_and_nothing_runs() {
    let now_ms = time::now().millis();
    let others = Targets::new([HostId([1; 16]), HostId([2; 16])]).unwrap();
    let mut attempts = Attempts::new();
    attempts.refused(TaskRefusal::OrderMalformed, AS_IS, &|_, task| task.order.push_str("step touch\n word=y"));
    attempts.refused(TaskRefusal::OrderMalformed, AS_IS, &|_, task| task.call.order = [0xdd; 16]);
    attempts.refused(TaskRefusal::StepUnknown, AS_IS, &|_, task| task.call.step = 4);
    attempts.refused(TaskRefusal::Expired, &|_, order| order.expires_ms = now_ms - 60_000, SAME);
    attempts.refused(TaskRefusal::TooLong, &|_, order| order.expires_ms = now_ms + 30 * 86_400_000, SAME);
    attempts.refused(TaskRefusal::OtherHost, &|_, order| order.targets = others.root(), SAME);
    attempts.refused(TaskRefusal::OtherHost, AS_IS, &|_, task| task.host = [1; 16]);
    attempts.end();
}

#[test]
fn orders_of_what_is_not_listed_are_refused_by_name_and_nothing_runs() {
    let mut attempts = Attempts::new();
    attempts.refused(TaskRefusal::TaskUnknown, &|_, order| order.steps[0].task = "invented".into(), SAME);
    let unlisted: Change<'_> = &|_, order| {
        order.steps[0].task = "unlisted".into();
        order.steps[0].parameters.clear();
    };
    attempts.refused(TaskRefusal::NotAllowed, unlisted, SAME);
    for value in ["$(reboot)", "-x", "x; id"] {
        let change: Change<'_> = &|_, order| drop(order.steps[0].parameters.insert("word".into(), value.into()));
        attempts.refused(TaskRefusal::Parameters, change, SAME);
    }
    let other: Change<'_> = &|_, order| order.catalogue = Catalogue::digest_of("version = 9");
    attempts.refused(TaskRefusal::OtherCatalogue, other, SAME);
    attempts.end();
}

#[test]
fn a_replayed_nonce_and_a_second_order_under_a_known_id_run_nothing() {
    let mut host = victim();
    let mut agent = host.connect();
    let first = host.order("touch", "x");
    assert_eq!(agent.run(&host.approved(&first)).0.word, TaskWord::Ended { code: 0 });
    std::fs::remove_file(host.path("ran")).unwrap();
    let mut second = host.order("touch", "y");
    second.nonce = first.nonce;
    assert_eq!(agent.refused(&host.approved(&second)), TaskRefusal::Replayed);
    let mut same_id = host.order("touch", "y");
    same_id.id = first.id;
    assert_eq!(agent.refused(&host.approved(&same_id)), TaskRefusal::Replayed);
    assert_eq!(agent.run(&host.approved(&first)).0.word, TaskWord::Ended { code: 0 }, "told again");
    host.kill();
    host.start();
    let mut agent = host.connect();
    assert_eq!(agent.refused(&host.approved(&second)), TaskRefusal::Replayed, "remembered over a restart");
    assert!(!host.path("ran").exists(), "nothing ran");
}

#[test]
fn forged_catalogues_are_refused_by_name_and_change_nothing() {
    let mut host = victim();
    let mut agent = host.connect();
    let evil = host.document.replace("version = 3", "version = 4");
    let mut unsigned = host.offer(&evil);
    unsigned.signature = [0; 64];
    assert_eq!(catalogue_refusal(&mut agent, unsigned), TaskRefusal::CatalogueUnsigned);
    let mut other = host.offer(&evil);
    other.signature = key().sign(&Catalogue::signed_bytes(&evil)).0;
    assert_eq!(catalogue_refusal(&mut agent, other), TaskRefusal::CatalogueUnsigned);
    let mut altered = host.offer(&host.document);
    altered.document = evil.clone();
    assert_eq!(catalogue_refusal(&mut agent, altered), TaskRefusal::CatalogueUnsigned);
    let offer = host.offer(&host.document.replace("version = 3", "version = 2"));
    assert_eq!(catalogue_refusal(&mut agent, offer), TaskRefusal::CatalogueOlder);
    let offer = host.offer(&host.document.replace("about = \"x\"", "about = \"y\""));
    assert_eq!(catalogue_refusal(&mut agent, offer), TaskRefusal::CatalogueOlder, "another one of this version");
    let offer = host.offer(&evil.replace("2099", "2001"));
    assert_eq!(catalogue_refusal(&mut agent, offer), TaskRefusal::CatalogueExpired);
    let offer = host.offer("version = 9\n");
    assert_eq!(catalogue_refusal(&mut agent, offer), TaskRefusal::CatalogueMalformed);
    let task = host.task("touch");
    assert_eq!(agent.run(&task).0.word, TaskWord::Ended { code: 0 }, "the one before is in force");
    host.kill();
    host.start();
    let mut agent = Agent::connect(&host.path("sock"));
    let offer = host.offer(&host.document.replace("version = 3", "version = 2"));
    assert_eq!(catalogue_refusal(&mut agent, offer), TaskRefusal::CatalogueOlder, "after a restart, too");
}

#[test]
fn a_host_stays_who_it_was_at_first() {
    let mut host = victim();
    drop(host.connect());
    assert_eq!(std::fs::read_to_string(host.path("state/host")).unwrap(), HOST.to_string());
    // A collector that now gives this host the name of another one, for which an order was approved.
    let order = Order { targets: Targets::new([HostId([1; 16])]).unwrap().root(), ..host.order("touch", "x") };
    let mut task = host.approved(&order);
    task.host = [1; 16];
    let mut agent = host.connect();
    assert_eq!(agent.refused(&task), TaskRefusal::OtherHost);
    assert!(!host.path("ran").exists());
}

#[test]
fn what_is_no_frame_of_tasks_ends_the_connection_and_the_program_goes_on() {
    let mut host = victim();
    let mut agent = host.connect();
    agent.say(Message::Ack(Ack { epoch: Epoch::NONE, lane: Lane::P0, seq: 1 }));
    assert_eq!(agent.hear(), None);
    let mut bytes = encode(&Frame::control(Message::TaskCatalogue(host.offer(&host.document)))).unwrap();
    let at = bytes.len() - 5;
    bytes[at] ^= 1;
    let mut agent = host.connect();
    agent.say_bytes(&bytes);
    assert_eq!(agent.hear(), None);
    let mut agent = host.connect();
    let task = host.task("touch");
    assert_eq!(agent.run(&task).0.word, TaskWord::Ended { code: 0 });
}

#[test]
fn only_the_agents_user_and_root_are_heard() {
    super::host::must_be_root("only root becomes another user");
    let host = victim();
    drop(host.connect());
    let socket = host.path("sock");
    // A thread of its own, whose user changes and nobody else's.
    let other = std::thread::spawn(move || {
        let nobody = rustix::process::Uid::from_raw(65_534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        std::io::Read::read(&mut stream, &mut [0; 1]).map_or(0, |read| read)
    });
    assert_eq!(other.join().unwrap(), 0, "closed at once");
    assert!(host.log().contains("a connection of another user than the agent's is refused"));
}
