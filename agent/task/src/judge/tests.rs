//! One test a refusal: everything but one thing is in order, and that one is told by its name.

use std::collections::BTreeMap;

use muster_common::digest::Sum;
use muster_common::host::HostId;
use muster_common::task::{Catalogue, Order, SigningKey, Step, Targets};
use muster_common::wire::tasks::{ProofStep, Task, TaskApproval, TaskCall, TaskCatalogue, TaskRefusal};

use super::{Approved, Host, ORDER_LIFE_MS_MAX, Seen, judge, judge_catalogue, order_sum};
use crate::record::Record;
use crate::settings::Settings;

const NOW_MS: i64 = 1_795_000_000_000;
const HOST: HostId = HostId([0x0a; 16]);
const DOCUMENT: &str = r#"
version = 3
expires = 2027-06-01T00:00:00Z
[tasks.say]
about = "Says something"
argv = ["/bin/echo", "--", "{word}"]
account = "root"
timeout = "10s"
parameters = { word = { kind = "text", pattern = "[a-z ]+" } }
[tasks.unlisted]
about = "Is on no list"
argv = ["/bin/true"]
account = "root"
"#;

fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate_pem().unwrap()).unwrap()
}

/// A host, its keys, and an order that it would run.
struct World {
    settings: Settings,
    signer: SigningKey,
    anna: SigningKey,
    document: String,
    order: Order,
    approvals: Vec<&'static str>,
    records: BTreeMap<TaskCall, Record>,
    now_ms: i64,
    forgotten_ms: i64,
    is_stopped: bool,
    host: Option<HostId>,
    proof: Vec<ProofStep>,
    step: u32,
}

impl World {
    fn new() -> Self {
        let (signer, anna) = (key(), key());
        let text = format!(
            "enabled = true\nsigners = [\"{}\"]\n[approvers]\nanna = \"{}\"\nbob = \"{}\"\n[tasks.say]\naccount = \"root\"\ntimeout = \"5s\"\n",
            signer.public(),
            anna.public(),
            key().public()
        );
        let targets = Targets::new([HOST, HostId([1; 16]), HostId([2; 16])]).unwrap();
        let order = Order {
            id: [0xee; 16],
            catalogue: Catalogue::digest_of(DOCUMENT),
            hosts: 3,
            targets: targets.root(),
            requester: "user:bob".into(),
            expires_ms: NOW_MS + 60_000,
            nonce: [9; 16],
            steps: vec![Step { task: "say".into(), parameters: BTreeMap::from([("word".into(), "hello you".into())]) }],
        };
        Self {
            settings: crate::settings::parse("task.toml", &text).unwrap(),
            signer,
            anna,
            document: DOCUMENT.into(),
            order,
            approvals: vec!["anna"],
            records: BTreeMap::new(),
            now_ms: NOW_MS,
            forgotten_ms: 0,
            is_stopped: false,
            host: Some(HOST),
            proof: targets.proof(HOST).unwrap(),
            step: 0,
        }
    }

    fn task(&self) -> Task {
        let order = self.order.text().unwrap();
        let signature = self.anna.sign(&Order::signed_bytes(&order)).0;
        let approval = |name: &&str| TaskApproval { approver: (*name).to_owned(), signature };
        Task {
            call: TaskCall { order: self.order.id, step: self.step },
            host: HOST.0,
            order,
            proof: self.proof.clone(),
            approvals: self.approvals.iter().map(approval).collect(),
            extensions: Vec::new(),
        }
    }

    fn judged(&self, task: &Task) -> Result<Approved, TaskRefusal> {
        let catalogue = Catalogue::parse(&self.document).unwrap();
        let host = Host {
            settings: &self.settings,
            id: self.host,
            catalogue: Some(&catalogue),
            is_stopped: self.is_stopped,
            has_cgroup: false,
            forgotten_ms: self.forgotten_ms,
            now_ms: self.now_ms,
        };
        judge(task, &host, &self.records).map_err(|refusal| {
            assert!(refusal.problem.len() > 20 && refusal.problem.len() < 1024, "{refusal:?}");
            refusal.why
        })
    }

    /// Why it is refused after this change of a world that is in order.
    fn after(change: impl FnOnce(&mut Self)) -> TaskRefusal {
        let mut world = Self::new();
        change(&mut world);
        world.judged(&world.task()).expect_err("it is not in order")
    }

    /// The same of a change that a collector makes to what is in order.
    fn tampered(change: impl FnOnce(&mut Task)) -> TaskRefusal {
        let world = Self::new();
        let mut task = world.task();
        change(&mut task);
        world.judged(&task).expect_err("it is not in order")
    }

    fn offer(&self) -> TaskCatalogue {
        let signature = self.signer.sign(&Catalogue::signed_bytes(&self.document)).0;
        TaskCatalogue { document: self.document.clone(), signature, extensions: Vec::new() }
    }

    fn taken(&self, offer: &TaskCatalogue, seen: Seen) -> Result<u64, TaskRefusal> {
        let judged = judge_catalogue(offer, seen, &self.settings, self.now_ms);
        judged.map(|catalogue| catalogue.version).map_err(|refusal| refusal.why)
    }
}

#[test]
fn what_is_signed_approved_and_listed_runs_within_both_limits() {
    let world = World::new();
    let approved = world.judged(&world.task()).unwrap();
    assert_eq!(approved.command, ["/bin/echo", "--", "hello you"]);
    assert_eq!((approved.account.as_str(), approved.approvers.as_slice()), ("root", &["anna".to_owned()][..]));
    assert_eq!(approved.limits.timeout.as_secs(), 5, "the host's own, since it is the smaller");
}

#[test]
fn disabled() {
    assert_eq!(World::after(|world| world.settings.enabled = false), TaskRefusal::Disabled);
    assert_eq!(World::after(|world| world.is_stopped = true), TaskRefusal::Disabled);
}

#[test]
fn order_malformed() {
    assert_eq!(World::tampered(|task| task.order.push(' ')), TaskRefusal::OrderMalformed);
    assert_eq!(World::tampered(|task| task.call.order = [1; 16]), TaskRefusal::OrderMalformed, "another call's");
}

#[test]
fn step_unknown() {
    assert_eq!(World::after(|world| world.step = 1), TaskRefusal::StepUnknown);
}

#[test]
fn other_host() {
    assert_eq!(World::tampered(|task| task.host = [1; 16]), TaskRefusal::OtherHost);
    assert_eq!(World::after(|world| world.host = Some(HostId([1; 16]))), TaskRefusal::OtherHost);
    assert_eq!(World::after(|world| world.host = None), TaskRefusal::OtherHost, "before it knows who it is");
    assert_eq!(World::after(|world| world.proof[0].hash = [0; 32]), TaskRefusal::OtherHost, "not among the targets");
    assert_eq!(World::after(|world| world.proof.clear()), TaskRefusal::OtherHost);
}

#[test]
fn expired() {
    assert_eq!(World::after(|world| world.now_ms = world.order.expires_ms + 30_001), TaskRefusal::Expired);
    let mut world = World::new();
    world.now_ms = world.order.expires_ms + 30_000;
    assert!(world.judged(&world.task()).is_ok(), "clocks differ a little");
    let forgotten = World::after(|world| world.forgotten_ms = world.order.expires_ms);
    assert_eq!(forgotten, TaskRefusal::Expired, "it may have run, whatever the clock says now");
}

#[test]
fn too_long() {
    let end = NOW_MS + ORDER_LIFE_MS_MAX + 30_001;
    assert_eq!(World::after(|world| world.order.expires_ms = end), TaskRefusal::TooLong);
    assert_eq!(World::after(|world| world.order.expires_ms = i64::MAX), TaskRefusal::TooLong);
}

#[test]
fn replayed() {
    let remember = |world: &mut World, order: [u8; 16], nonce: [u8; 16], step: u32| {
        let call = TaskCall { order, step };
        let mut record = Record::cancelled(call, "", NOW_MS);
        (record.order, record.nonce) = (Some(Sum([1; 32])), nonce);
        world.records.insert(call, record);
    };
    assert_eq!(World::after(|world| remember(world, [1; 16], [9; 16], 0)), TaskRefusal::Replayed, "its nonce");
    assert_eq!(World::after(|world| remember(world, [0xee; 16], [1; 16], 5)), TaskRefusal::Replayed, "its id");
    let mut world = World::new();
    remember(&mut world, [0xee; 16], [9; 16], 5);
    let sum = order_sum(&world.task().order);
    world.records.values_mut().for_each(|record| record.order = Some(sum));
    assert!(world.judged(&world.task()).is_ok(), "another step of the same order");
}

#[test]
fn unapproved() {
    assert_eq!(World::after(|world| world.approvals.clear()), TaskRefusal::Unapproved);
    let mut world = World::new();
    world.approvals.clear();
    world.settings.require_approval = false;
    assert!(world.judged(&world.task()).unwrap().approvers.is_empty(), "where the host demands none");
}

#[test]
fn approval_invalid() {
    assert_eq!(
        World::after(|world| world.approvals = vec!["eve"]),
        TaskRefusal::ApprovalInvalid,
        "whom it does not know"
    );
    assert_eq!(World::after(|world| world.approvals = vec!["bob"]), TaskRefusal::ApprovalInvalid, "by another's key");
    assert_eq!(World::tampered(|task| task.approvals[0].signature[5] ^= 1), TaskRefusal::ApprovalInvalid);
    let altered = World::tampered(|task| task.order = task.order.replace("hello you", "hello all"));
    assert_eq!(altered, TaskRefusal::ApprovalInvalid, "parameters that were not approved");
    let longer =
        World::tampered(|task| task.order = task.order.replace("expires 1795000060000", "expires 1795000960000"));
    assert_eq!(longer, TaskRefusal::ApprovalInvalid, "an end that was not approved");
    let other = World::tampered(|task| task.order = task.order.replace("user:bob", "user:eve"));
    assert_eq!(other, TaskRefusal::ApprovalInvalid, "a requester who was not approved");
    let world = World::after(|world| {
        world.settings.require_approval = false;
        world.approvals = vec!["eve"];
    });
    assert_eq!(world, TaskRefusal::ApprovalInvalid, "also where none is demanded");
}

#[test]
fn own_approval() {
    for requester in ["user:anna", "anna", "user:Anna", "unix:anna"] {
        assert_eq!(
            World::after(|world| world.order.requester = requester.into()),
            TaskRefusal::OwnApproval,
            "{requester}"
        );
    }
}

#[test]
fn other_catalogue() {
    assert_eq!(World::after(|world| world.order.catalogue = Sum([0; 32])), TaskRefusal::OtherCatalogue);
    assert_eq!(World::after(|world| world.document.push('\n')), TaskRefusal::OtherCatalogue);
}

#[test]
fn task_unknown() {
    assert_eq!(World::after(|world| world.order.steps[0].task = "shout".into()), TaskRefusal::TaskUnknown);
}

#[test]
fn not_allowed() {
    let refused = World::after(|world| {
        world.order.steps[0] = Step { task: "unlisted".into(), parameters: BTreeMap::new() };
    });
    assert_eq!(refused, TaskRefusal::NotAllowed);
}

#[test]
fn account() {
    let change = |world: &mut World| world.settings.tasks.get_mut("say").unwrap().account = "nobody".into();
    assert_eq!(World::after(change), TaskRefusal::Account);
}

#[test]
fn parameters() {
    for (name, value) in [("word", "$(id)"), ("word", "-n"), ("word", ""), ("other", "x")] {
        let change = |world: &mut World| drop(world.order.steps[0].parameters.insert(name.into(), value.into()));
        assert_eq!(World::after(change), TaskRefusal::Parameters, "{name}={value}");
    }
    assert_eq!(World::after(|world| world.order.steps[0].parameters.clear()), TaskRefusal::Parameters);
}

#[test]
fn unsupported() {
    assert_eq!(World::after(|world| world.settings.require_cgroup = true), TaskRefusal::Unsupported);
}

#[test]
fn catalogue_unsigned() {
    let world = World::new();
    assert_eq!(world.taken(&world.offer(), Seen::default()), Ok(3));
    let mut offer = world.offer();
    offer.document.push('\n');
    assert_eq!(world.taken(&offer, Seen::default()), Err(TaskRefusal::CatalogueUnsigned));
    let mut offer = world.offer();
    offer.signature = [0; 64];
    assert_eq!(world.taken(&offer, Seen::default()), Err(TaskRefusal::CatalogueUnsigned));
    offer.signature = world.anna.sign(&Catalogue::signed_bytes(DOCUMENT)).0;
    assert_eq!(world.taken(&offer, Seen::default()), Err(TaskRefusal::CatalogueUnsigned), "an approver is no signer");
    offer.signature = world.signer.sign(&Order::signed_bytes(DOCUMENT)).0;
    assert_eq!(world.taken(&offer, Seen::default()), Err(TaskRefusal::CatalogueUnsigned), "signed as an order");
}

#[test]
fn catalogue_malformed() {
    let mut world = World::new();
    world.document = "version = 4\n".into();
    assert_eq!(world.taken(&world.offer(), Seen::default()), Err(TaskRefusal::CatalogueMalformed));
}

#[test]
fn catalogue_older() {
    let world = World::new();
    let own = Some(Catalogue::digest_of(DOCUMENT));
    let seen = |version, digest| world.taken(&world.offer(), Seen { version, digest });
    assert_eq!(seen(4, own), Err(TaskRefusal::CatalogueOlder));
    assert_eq!(seen(3, Some(Sum([0; 32]))), Err(TaskRefusal::CatalogueOlder), "another one of this version");
    assert_eq!((seen(3, own), seen(2, Some(Sum([0; 32])))), (Ok(3), Ok(3)));
}

#[test]
fn catalogue_expired() {
    let after_ms = 1_811_808_000_000 + 30_001;
    let mut world = World::new();
    world.now_ms = after_ms;
    assert_eq!(world.taken(&world.offer(), Seen::default()), Err(TaskRefusal::CatalogueExpired));
    let refused = World::after(|world| {
        world.now_ms = after_ms;
        world.order.expires_ms = after_ms + 1_000;
    });
    assert_eq!(refused, TaskRefusal::CatalogueExpired);
}

#[test]
fn a_host_that_runs_no_tasks_takes_no_catalogue() {
    let mut world = World::new();
    world.settings.enabled = false;
    assert_eq!(world.taken(&world.offer(), Seen::default()), Err(TaskRefusal::Disabled));
}
