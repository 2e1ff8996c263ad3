//! The desk against what may come in: again, late, in another order, after a restart.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::task::{Catalogue, Order, SigningKey, Step, Targets};
use muster_common::wire::tasks::{
    Task, TaskAck, TaskApproval, TaskCall, TaskCancel, TaskCatalogue, TaskRefusal, TaskState, TaskWord,
};

use super::{Desk, Effect, End, Kept, Moment, RECORDS_MAX, UNTOLD_MAX, WAITING_MAX};
use crate::record::Record;
use crate::settings::{Settings, parse};

const NOW_MS: i64 = 1_795_000_000_000;
const HOST: HostId = HostId([0x0a; 16]);
const DOCUMENT: &str = "version = 3\nexpires = 2027-06-01T00:00:00Z\n[tasks.say]\nabout = \"Says\"\nargv = [\"/bin/echo\"]\naccount = \"root\"\n";

/// A desk, and what it wanted done.
struct World {
    desk: Desk,
    settings: Settings,
    signer: SigningKey,
    anna: SigningKey,
    moment: Moment,
    started: Vec<TaskCall>,
    stopped: Vec<TaskCall>,
    told: Vec<TaskState>,
    chunks: Vec<u32>,
    /// What is on disk.
    kept: BTreeMap<TaskCall, Record>,
    audit: Vec<String>,
}

impl World {
    fn new() -> Self {
        let key = || SigningKey::from_pem(&SigningKey::generate_pem().unwrap()).unwrap();
        let (signer, anna) = (key(), key());
        let text = format!(
            "enabled = true\ncalls_per_minute = 20\nsigners = [\"{}\"]\n[approvers]\nanna = \"{}\"\n[tasks.say]\naccount = \"root\"\n",
            signer.public(),
            anna.public()
        );
        let settings = parse("task.toml", &text).unwrap();
        let (desk, effects) = Desk::new(settings.clone(), false, Kept::default(), NOW_MS);
        assert_eq!(effects, []);
        let moment = Moment { now_ms: NOW_MS, is_stopped: false };
        let (started, stopped, told, chunks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (kept, audit) = (BTreeMap::new(), Vec::new());
        let mut world = Self { desk, settings, signer, anna, moment, started, stopped, told, chunks, kept, audit };
        let effects = world.desk.welcome(HOST);
        world.perform(effects);
        let effects = world.desk.catalogue(world.offer(DOCUMENT), moment);
        world.perform(effects);
        assert_eq!(world.told.pop().unwrap().word, TaskWord::Accepted);
        world
    }

    fn offer(&self, document: &str) -> TaskCatalogue {
        let signature = self.signer.sign(&Catalogue::signed_bytes(document)).0;
        TaskCatalogue { document: document.into(), signature, extensions: Vec::new() }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Keep(record) => drop(self.kept.insert(record.call, record)),
                Effect::Forget(call) => drop(self.kept.remove(&call)),
                Effect::Start(approved) => {
                    assert_eq!(self.kept[&approved.call].word, TaskWord::Running, "kept before it is begun");
                    self.started.push(approved.call);
                }
                Effect::Stop(call) => self.stopped.push(call),
                Effect::Tell(state) => {
                    if let Some(record) = self.kept.get(&state.call) {
                        assert!(state.number <= record.number || matches!(state.word, TaskWord::Refused { .. }));
                    }
                    self.told.push(state);
                }
                Effect::TellChunk { chunk, .. } => self.chunks.push(chunk),
                Effect::Audit(entry) => self.audit.push(entry.event),
                Effect::DropOutput(_) | Effect::KeepCatalogue(..) | Effect::KeepHost(_) => {}
            }
        }
    }

    fn task(&self, order: u16, life_ms: i64) -> Task {
        let mut id = [0xcc; 16];
        id[..2].copy_from_slice(&order.to_be_bytes());
        let targets = Targets::new([HOST]).unwrap();
        let order = Order {
            id,
            catalogue: Catalogue::digest_of(DOCUMENT),
            hosts: 1,
            targets: targets.root(),
            requester: "user:bob".into(),
            expires_ms: NOW_MS + life_ms,
            nonce: id,
            steps: vec![Step { task: "say".into(), parameters: BTreeMap::new() }],
        };
        let text = order.text().unwrap();
        let signature = self.anna.sign(&Order::signed_bytes(&text)).0;
        Task {
            call: TaskCall { order: id, step: 0 },
            host: HOST.0,
            order: text,
            proof: targets.proof(HOST).unwrap(),
            approvals: vec![TaskApproval { approver: "anna".into(), signature }],
            extensions: Vec::new(),
        }
    }

    fn send(&mut self, task: &Task) -> TaskWord {
        let effects = self.desk.task(task, self.moment);
        self.perform(effects);
        self.word(task.call)
    }

    /// What was told last of this call.
    fn word(&self, call: TaskCall) -> TaskWord {
        self.told.iter().rfind(|state| state.call == call).expect("it was told").word
    }

    fn end(&mut self, call: TaskCall, word: TaskWord) {
        let end = End { word, problem: String::new(), output_bytes: 0, dropped_bytes: 0 };
        let effects = self.desk.ended(call, &end, self.moment);
        self.perform(effects);
    }

    fn ack(&mut self, call: TaskCall, state: u32, chunks: u32) {
        let effects = self.desk.ack(&TaskAck { call, state, chunks, extensions: Vec::new() });
        self.perform(effects);
    }

    fn cancel(&mut self, call: TaskCall) {
        let cancel = TaskCancel { call, reason: "user:bob stopped it".into(), extensions: Vec::new() };
        let effects = self.desk.cancel(&cancel, self.moment);
        self.perform(effects);
    }

    fn tick(&mut self) {
        let effects = self.desk.tick(self.moment);
        self.perform(effects);
    }

    /// The process ends without a word, and the next begins with what is on disk.
    fn restart(&mut self) {
        let kept = Kept {
            host: Some(HOST),
            catalogue: Some(Catalogue::parse(DOCUMENT).unwrap()),
            records: self.kept.values().cloned().collect(),
            ..Kept::default()
        };
        let (desk, effects) = Desk::new(self.settings.clone(), false, kept, self.moment.now_ms);
        self.desk = desk;
        self.perform(effects);
        let effects = self.desk.welcome(HOST);
        self.perform(effects);
    }
}

const OK: TaskWord = TaskWord::Ended { code: 0 };

fn refused(why: TaskRefusal) -> TaskWord {
    TaskWord::Refused { why }
}

#[test]
fn a_call_runs_once_however_often_it_is_told() {
    let mut world = World::new();
    let task = world.task(1, 60_000);
    for _ in 0..3 {
        assert_eq!(world.send(&task), TaskWord::Running);
    }
    world.end(task.call, OK);
    assert_eq!((world.send(&task), world.started.len()), (OK, 1));
    world.restart();
    assert_eq!((world.send(&task), world.started.len()), (OK, 1), "after a restart too");
    world.ack(task.call, 3, 0);
    world.moment.now_ms += 90_001;
    world.tick();
    assert!(world.kept.is_empty(), "its order has expired");
    assert_eq!((world.send(&task), world.started.len()), (refused(TaskRefusal::Expired), 1));
    world.moment.now_ms = NOW_MS;
    assert_eq!(world.send(&task), refused(TaskRefusal::Expired), "a clock that is set back changes nothing");
}

#[test]
fn one_runs_at_a_time_and_the_others_wait_their_turn() {
    let mut world = World::new();
    let tasks: Vec<Task> = (0..3).map(|number| world.task(number, 60_000)).collect();
    let words: Vec<TaskWord> = tasks.iter().map(|task| world.send(task)).collect();
    assert_eq!(words, [TaskWord::Running, TaskWord::Accepted, TaskWord::Accepted]);
    world.moment.now_ms += 10_000;
    world.end(tasks[0].call, OK);
    assert_eq!(world.started, [tasks[0].call, tasks[1].call]);
    world.moment.now_ms += 90_000;
    world.end(tasks[1].call, OK);
    assert_eq!(
        (world.word(tasks[2].call), world.started.len()),
        (refused(TaskRefusal::Expired), 2),
        "it waited too long"
    );
}

#[test]
fn a_file_that_stops_all_stops_what_waits() {
    let mut world = World::new();
    let (first, second) = (world.task(1, 60_000), world.task(2, 60_000));
    world.send(&first);
    world.send(&second);
    world.moment.is_stopped = true;
    world.end(first.call, OK);
    assert_eq!((world.word(second.call), world.started.len()), (refused(TaskRefusal::Disabled), 1));
    let third = world.task(3, 60_000);
    assert_eq!(world.send(&third), refused(TaskRefusal::Disabled));
}

#[test]
fn too_many_are_refused_as_busy_and_may_come_again() {
    let mut world = World::new();
    let first = world.task(0, 3_600_000);
    world.send(&first);
    for number in 1..=WAITING_MAX as u16 {
        let task = world.task(number, 3_600_000);
        assert_eq!(world.send(&task), TaskWord::Accepted);
    }
    let late = world.task(100, 3_600_000);
    assert_eq!(world.send(&late), refused(TaskRefusal::Busy), "the queue is full");
    world.end(first.call, OK);
    assert_eq!(world.send(&late), TaskWord::Accepted);
    for number in 1..20 {
        world.end(world.started[world.started.len() - 1], OK);
        let task = world.task(200 + number, 3_600_000);
        world.send(&task);
    }
    let last = world.task(300, 3_600_000);
    assert_eq!(world.send(&last), refused(TaskRefusal::Busy), "twenty came within a minute");
    world.moment.now_ms += 60_000;
    assert_ne!(world.send(&last), refused(TaskRefusal::Busy));
}

#[test]
fn results_that_nobody_takes_and_memory_that_is_full_hold_back() {
    let mut world = World::new();
    for number in 0..UNTOLD_MAX as u16 {
        world.moment.now_ms += 10_000;
        let task = world.task(number, 3_600_000);
        world.send(&task);
        world.end(task.call, OK);
    }
    world.moment.now_ms += 60_000;
    let task = world.task(1_000, 3_600_000);
    assert_eq!(world.send(&task), refused(TaskRefusal::Busy));
    let untold: Vec<TaskCall> = world.kept.keys().copied().collect();
    untold.into_iter().for_each(|call| world.ack(call, 3, 0));
    assert_eq!(world.send(&task), TaskWord::Running);
    for number in 0..RECORDS_MAX as u32 {
        let order = [&number.to_be_bytes()[..], &[1; 12]].concat().try_into().unwrap();
        world.cancel(TaskCall { order, step: 0 });
    }
    assert_eq!(world.kept.len(), RECORDS_MAX, "and no more");
}

#[test]
fn a_cancel_takes_back_what_waits_ends_what_runs_and_is_remembered_of_what_never_came() {
    let mut world = World::new();
    let (running, waiting, later) = (world.task(1, 60_000), world.task(2, 60_000), world.task(3, 60_000));
    world.send(&running);
    world.send(&waiting);
    world.cancel(waiting.call);
    world.cancel(later.call);
    assert_eq!((world.word(waiting.call), world.word(later.call)), (TaskWord::Cancelled, TaskWord::Cancelled));
    assert_eq!(world.send(&later), TaskWord::Cancelled, "it does not run when it comes");
    world.cancel(running.call);
    world.cancel(running.call);
    assert_eq!((world.stopped.as_slice(), world.word(running.call)), (&[running.call][..], TaskWord::Running));
    world.end(running.call, TaskWord::Cancelled);
    assert_eq!((world.word(running.call), world.started.len()), (TaskWord::Cancelled, 1));
    world.cancel(running.call);
    assert_eq!(world.stopped.len(), 1, "what has ended is not ended again");
    world.restart();
    assert_eq!((world.send(&later), world.started.len()), (TaskWord::Cancelled, 1));
}

#[test]
fn what_ends_by_itself_while_it_is_stopped_says_how() {
    let mut world = World::new();
    let task = world.task(1, 60_000);
    world.send(&task);
    world.cancel(task.call);
    world.end(task.call, TaskWord::Ended { code: 7 });
    assert_eq!(world.word(task.call), TaskWord::Ended { code: 7 });
}

#[test]
fn a_restart_in_the_middle_is_told_as_lost_and_nothing_is_begun_again() {
    let mut world = World::new();
    let (running, waiting) = (world.task(1, 60_000), world.task(2, 60_000));
    world.send(&running);
    world.send(&waiting);
    world.restart();
    assert_eq!(world.word(running.call), TaskWord::Lost);
    assert_eq!(world.word(waiting.call), refused(TaskRefusal::Failed));
    assert_eq!((world.send(&running), world.send(&waiting)), (TaskWord::Lost, refused(TaskRefusal::Failed)));
    assert_eq!(world.started, [running.call]);
    world.told.clear();
    world.restart();
    assert_eq!(world.told.len(), 2, "told until it is acknowledged");
    world.ack(running.call, u32::MAX, u32::MAX);
    world.ack(waiting.call, 9, 0);
    world.told.clear();
    world.restart();
    assert_eq!(world.told, []);
}

#[test]
fn nothing_begins_while_the_program_ends() {
    let mut world = World::new();
    let (running, waiting) = (world.task(1, 60_000), world.task(2, 60_000));
    world.send(&running);
    world.send(&waiting);
    world.desk.close();
    world.end(running.call, TaskWord::Cancelled);
    assert_eq!((world.started.len(), world.word(waiting.call)), (1, TaskWord::Accepted));
    world.restart();
    assert_eq!((world.started.len(), world.word(waiting.call)), (1, refused(TaskRefusal::Failed)));
}

#[test]
fn output_goes_on_where_the_connection_was_lost() {
    let mut world = World::new();
    let task = world.task(1, 60_000);
    world.send(&task);
    for _ in 0..20 {
        let effects = world.desk.chunk(task.call);
        world.perform(effects);
    }
    assert_eq!(world.chunks, [0, 1, 2, 3, 4, 5, 6, 7], "no more without an acknowledgement");
    world.ack(task.call, 2, 3);
    assert_eq!(world.chunks[8..], [8, 9, 10]);
    world.desk.gone();
    world.chunks.clear();
    world.ack(task.call, 2, 4);
    assert_eq!(world.chunks, [] as [u32; 0], "to nobody");
    let effects = world.desk.welcome(HOST);
    world.perform(effects);
    assert_eq!(world.chunks, (4..12).collect::<Vec<_>>());
    world.ack(task.call, 2, 1_000);
    world.end(task.call, OK);
    assert_eq!(world.told.last().unwrap().chunks, 20);
    world.ack(task.call, 3, 20);
    assert!(world.kept[&task.call].is_told());
}

#[test]
fn another_order_under_a_known_id_is_a_replay_and_changes_nothing_of_the_first() {
    let mut world = World::new();
    let task = world.task(1, 60_000);
    world.send(&task);
    let other = world.task(1, 61_000);
    assert_eq!(world.send(&other), refused(TaskRefusal::Replayed));
    world.end(task.call, OK);
    assert_eq!((world.send(&task), world.started.len()), (OK, 1));
}

#[test]
fn what_cannot_be_written_down_is_not_begun() {
    let mut world = World::new();
    let task = world.task(1, 60_000);
    let effects = world.desk.task(&task, world.moment);
    assert!(matches!(&effects[0], Effect::Keep(_)));
    let effects = world.desk.not_kept(task.call, "no room on the disk", world.moment);
    world.perform(effects);
    assert_eq!(world.word(task.call), refused(TaskRefusal::Failed));
    let next = world.task(2, 60_000);
    assert_eq!(world.send(&next), TaskWord::Running, "the place is free again");
}

#[test]
fn a_catalogue_is_kept_once_and_older_ones_are_refused_whatever_ran() {
    let mut world = World::new();
    let newer = DOCUMENT.replace("version = 3", "version = 4");
    let take = |world: &mut World, document: &str| {
        let effects = world.desk.catalogue(world.offer(document), world.moment);
        let is_kept = effects.iter().any(|effect| matches!(effect, Effect::KeepCatalogue(..)));
        world.perform(effects);
        (world.word(TaskCall::CATALOGUE), is_kept)
    };
    assert_eq!(take(&mut world, DOCUMENT), (TaskWord::Accepted, false), "the same again");
    assert_eq!(take(&mut world, &newer), (TaskWord::Accepted, true));
    assert_eq!(take(&mut world, DOCUMENT), (refused(TaskRefusal::CatalogueOlder), false));
    let task = world.task(1, 60_000);
    assert_eq!(world.send(&task), refused(TaskRefusal::OtherCatalogue), "an order of the older one");
    assert!(world.told.windows(2).all(|two| two[0].call != two[1].call || two[0].number < two[1].number));
}

#[test]
fn every_decision_is_in_the_audit() {
    let mut world = World::new();
    world.audit.clear();
    let (task, other) = (world.task(1, 60_000), world.task(2, -60_000));
    world.send(&task);
    world.send(&other);
    world.cancel(task.call);
    world.end(task.call, TaskWord::Killed { signal: 9 });
    assert_eq!(world.audit, ["accepted", "running", "refused", "cancel", "cancelled"]);
}
