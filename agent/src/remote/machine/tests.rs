use muster_common::time::Timestamp;

use super::*;

/// The machine with a side that does what it is told, a disk, and a clock.
struct World {
    machine: Machine,
    kept: Kept,
    /// What runs: `None`: the host's own file alone.
    runs: Option<String>,
    /// What is gone back to, as the program has it in memory.
    good: Option<String>,
    /// Effects that wait for their answers.
    effects: Vec<Effect>,
    notes: Vec<Note>,
    told: Vec<ConfigurationState>,
    now_ms: u64,
    /// Documents with this word in them cannot be run by, or not be started.
    refuses: &'static str,
    fails: &'static str,
    disk_is_full: bool,
}

fn problem(message: &str) -> Problem {
    Problem { place: "p".into(), message: message.into(), remedy: "r".into() }
}

impl World {
    fn new(kept: Kept, refuses: &'static str) -> Self {
        let (mut effects, now_ms) = (Vec::new(), 1_000_000);
        let verdict = |text: &String| {
            let is_bad = !refuses.is_empty() && text.contains(refuses);
            if is_bad { Err(vec![problem("does not fit")]) } else { Ok(Vec::new()) }
        };
        let good = kept.good.as_ref().map(verdict);
        let runs = kept.good.clone().filter(|_| good.as_ref().is_some_and(Result::is_ok));
        let found = Found { kept: kept.clone(), good };
        let machine = Machine::start(found, true, Times::default(), moment(now_ms), &mut effects);
        let mut world = Self {
            machine,
            kept,
            good: runs.clone(),
            runs,
            effects,
            notes: Vec::new(),
            told: Vec::new(),
            now_ms,
            refuses,
            fails: "fails",
            disk_is_full: false,
        };
        world.settle();
        world
    }

    fn fresh() -> Self {
        Self::new(Kept::default(), "wrong")
    }

    /// A new process with what the disk has.
    fn restart(&mut self, refuses: &'static str) {
        let now_ms = self.now_ms;
        // What is not reachable by the record is not found.
        let digest = |text: &Option<String>| text.as_deref().map(Configuration::digest_of);
        if digest(&self.kept.trial) != self.kept.record.trial.as_ref().map(|mark| mark.digest) {
            self.kept.trial = None;
        }
        let (kept, notes) = (self.kept.clone(), std::mem::take(&mut self.notes));
        *self = Self::new(kept, refuses);
        self.now_ms = now_ms;
        self.notes.splice(0..0, notes);
    }

    fn step(&mut self, input: Input) {
        self.machine.step(moment(self.now_ms), input, &mut self.effects);
        self.settle();
    }

    /// Does one thing that is to be done, as the program does it. `false`: there is none.
    fn act(&mut self) -> bool {
        if self.effects.is_empty() {
            return false;
        }
        let answer = match self.effects.remove(0) {
            Effect::Judge(offer) => {
                let is_bad = !self.refuses.is_empty() && offer.document.contains(self.refuses);
                Some(Input::Judged(if is_bad { Err(vec![problem("wrong")]) } else { Ok(vec![problem("warning")]) }))
            }
            Effect::Try(offer, record) => {
                (self.kept.trial, self.kept.record) = (Some(offer.document.clone()), record);
                let is_bad = offer.document.contains(self.fails);
                self.runs = Some(offer.document);
                Some(Input::Switched(if is_bad { Err(problem("no thread")) } else { Ok(()) }))
            }
            Effect::Confirm(_) if self.disk_is_full => Some(Input::Written(Err(problem("full")))),
            Effect::Confirm(record) => {
                (self.kept.good, self.kept.record) = (self.kept.trial.take(), record);
                self.good.clone_from(&self.kept.good);
                Some(Input::Written(Ok(())))
            }
            Effect::GoBack(record) => {
                self.kept.trial = None;
                if record.good.is_none() {
                    (self.kept.good, self.good) = (None, None);
                }
                (self.runs, self.kept.record) = (self.good.clone(), record);
                Some(Input::Switched(Ok(())))
            }
            Effect::Keep(record) => {
                self.kept.trial.take_if(|_| record.trial.is_none());
                self.kept.record = record;
                Some(Input::Written(Ok(())))
            }
            Effect::Tell => {
                self.told.push(self.machine.state());
                None
            }
            Effect::Note(note) => {
                self.notes.push(note);
                None
            }
        };
        if let Some(input) = answer {
            self.machine.step(moment(self.now_ms), input, &mut self.effects);
        }
        true
    }

    fn settle(&mut self) {
        while self.act() {}
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now_ms += 1_000;
            if self.machine.deadline().is_some_and(|at| at <= moment(self.now_ms).steady) {
                self.step(Input::Tick);
            }
        }
    }

    fn offer(&mut self, number: u64, document: &str) {
        let configuration = Configuration::new(number, document.to_owned());
        self.step(Input::Offered(configuration.into()));
    }

    fn word(&self) -> (ConfigurationWord, u64) {
        let state = self.machine.state();
        (state.word, state.number)
    }

    fn is_in_force(&self, document: &str) -> bool {
        let digest = Configuration::digest_of(document);
        let runs = self.runs.clone().unwrap_or_default();
        self.machine.state().in_force == digest
            && self.kept.good.clone().unwrap_or_default() == document
            && runs == document
    }
}

fn moment(now_ms: u64) -> Moment {
    let wall = Timestamp::from_millis(1_800_000_000_000 + i64::try_from(now_ms).unwrap());
    Moment { wall, steady: Duration::from_millis(now_ms) }
}

use ConfigurationWord::{Disabled, InForce, Refused, Reverted, Trial as OnTrial};

#[test]
fn a_document_is_tried_and_confirmed_after_half_a_minute_of_sessions() {
    let mut world = World::fresh();
    world.step(Input::Stands(true));
    world.offer(1, "# one");
    assert_eq!((world.word(), world.runs.as_deref()), ((OnTrial, 1), Some("# one")));
    assert_eq!(world.machine.state().problems[0].message, "warning");
    assert_eq!(world.machine.state().in_force, [0; 16], "not what the next process starts with");
    // The session goes and comes: what counts is how long it stood in all.
    world.wait(20);
    world.step(Input::Stands(false));
    world.wait(300);
    assert_eq!(world.word(), (OnTrial, 1));
    world.step(Input::Stands(true));
    world.wait(9);
    assert_eq!(world.word(), (OnTrial, 1));
    world.wait(1);
    assert_eq!(world.word(), (InForce, 1));
    assert!(world.is_in_force("# one") && world.machine.number_in_force() == 1);
    let words: Vec<ConfigurationWord> = world.told.iter().map(|state| state.word).collect();
    assert_eq!(words, [OnTrial, InForce]);
    // The same under another number needs no trial, nor does its repetition.
    world.offer(2, "# one");
    world.offer(2, "# one");
    assert_eq!((world.word(), world.machine.number_in_force()), ((InForce, 2), 2));
    // And a restart changes nothing, with the collector away.
    world.restart("wrong");
    assert!(world.is_in_force("# one") && world.word() == (InForce, 2));
}

#[test]
fn what_is_refused_changes_nothing_and_is_tried_again_under_a_higher_number_alone() {
    let mut world = World::fresh();
    world.step(Input::Stands(true));
    world.offer(1, "# one");
    world.wait(31);
    world.offer(2, "# wrong");
    assert_eq!(world.word(), (Refused, 2));
    assert!(world.is_in_force("# one"));
    assert_eq!(world.notes.iter().filter(|note| matches!(note, Note::Refused { .. })).count(), 1);
    world.refuses = "";
    world.offer(2, "# wrong");
    assert_eq!((world.word(), world.machine.state().problems[0].message.as_str()), ((Refused, 2), "wrong"));
    world.restart("wrong");
    assert_eq!(world.word(), (Refused, 2), "a restart does not forget it");
    world.step(Input::Stands(true));
    world.refuses = "";
    world.offer(3, "# wrong");
    world.wait(31);
    assert!(world.is_in_force("# wrong") && world.word() == (InForce, 3));
}

#[test]
fn a_trial_without_sessions_or_without_a_part_goes_back_and_the_next_one_is_another() {
    let mut world = World::fresh();
    world.step(Input::Stands(true));
    world.offer(1, "# one");
    world.wait(31);
    world.offer(2, "# two");
    world.step(Input::Stands(false));
    // One stood for a moment after the switch: the way out is not broken, and the collector may be away for long.
    world.wait(1_000);
    assert_eq!(world.word(), (OnTrial, 2));
    world.step(Input::Stands(true));
    world.wait(31);
    assert!(world.is_in_force("# two"));
    // The next one breaks the connection with its switch, which makes it anew.
    let offer = Configuration::new(3, "# three".to_owned());
    world.machine.step(moment(world.now_ms), Input::Offered(offer.into()), &mut world.effects);
    world.step(Input::Stands(false));
    world.wait(119);
    assert_eq!(world.word(), (OnTrial, 3));
    world.wait(1);
    assert_eq!(world.word(), (Reverted, 3));
    assert!(world.is_in_force("# two") && world.machine.state().problems[0].message.contains("within 120 s"));
    world.step(Input::Stands(true));
    world.offer(3, "# three");
    assert_eq!(world.word(), (Reverted, 3));
    world.offer(4, "# fails");
    assert_eq!((world.word(), world.machine.state().problems[0].message.as_str()), ((Reverted, 4), "no thread"));
    assert!(world.is_in_force("# two"));
    assert_eq!(world.notes.iter().filter(|note| matches!(note, Note::Reverted { .. })).count(), 2);
}

#[test]
fn a_process_that_dies_on_trial_is_found_by_the_next_and_one_that_ends_in_order_tries_again() {
    let mut world = World::fresh();
    world.step(Input::Stands(true));
    world.offer(1, "# one");
    world.wait(31);
    world.offer(2, "# two");
    world.wait(10);
    world.restart("wrong");
    assert_eq!(world.word(), (Reverted, 2));
    assert!(world.is_in_force("# one") && world.kept.record.trial.is_none());
    assert!(world.machine.state().problems[0].message.contains("ended, or was killed"));
    world.step(Input::Stands(true));
    world.offer(3, "# two");
    world.step(Input::Stop);
    world.restart("wrong");
    assert_eq!((world.word(), world.runs.as_deref()), ((OnTrial, 3), Some("# two")), "nothing is held against it");
    // No session stood in this process before: the collector may be away for other reasons.
    world.wait(1_000);
    assert_eq!(world.word(), (OnTrial, 3));
    world.step(Input::Stands(true));
    world.wait(31);
    assert!(world.is_in_force("# two"));
}

#[test]
fn a_good_document_that_does_not_fit_the_hosts_file_any_more_is_kept_and_does_not_run() {
    let mut world = World::fresh();
    world.step(Input::Stands(true));
    world.offer(1, "# one");
    world.wait(31);
    world.restart("one");
    assert_eq!((world.word(), world.runs.as_deref()), ((Refused, 1), None));
    assert_eq!((world.machine.state().in_force, world.kept.good.as_deref()), ([0; 16], Some("# one")));
    world.offer(1, "# one");
    assert_eq!(world.word(), (Refused, 1), "not before a higher number comes, or the file is mended");
    // A trial that fails goes back to what ran before it: the host's own file alone.
    world.step(Input::Stands(true));
    world.offer(1, "# fails");
    assert_eq!((world.word(), world.runs.as_deref(), world.machine.state().in_force), ((Reverted, 1), None, [0; 16]));
    world.restart("one");
    world.restart("wrong");
    assert_eq!((world.word(), world.runs.as_deref()), ((InForce, 1), Some("# one")), "the file is mended");
    world.step(Input::Stands(true));
    world.offer(2, "# one");
    assert_eq!(world.word(), (InForce, 2));
}

#[test]
fn an_empty_document_needs_no_trial_and_a_disabled_host_takes_none() {
    let mut world = World::fresh();
    world.offer(1, "");
    assert_eq!((world.word(), world.machine.state().in_force), ((InForce, 1), [0; 16]));
    world.step(Input::Stands(true));
    world.offer(2, "# one");
    world.wait(31);
    world.offer(3, "");
    assert_eq!(world.word(), (InForce, 3));
    assert!(world.is_in_force("") && world.kept.good.is_none());
    world.restart("");
    assert_eq!(world.word(), (InForce, 3));
    let (mut effects, now) = (Vec::new(), moment(1));
    let good = Some(Ok(Vec::new()));
    let mut machine = Machine::start(Found { kept: world.kept, good }, false, Times::default(), now, &mut effects);
    machine.step(now, Input::Offered(Configuration::new(4, "# four".to_owned()).into()), &mut effects);
    assert_eq!((effects, machine.state().word, machine.number_in_force()), (vec![Effect::Tell], Disabled, 0));
    assert_eq!(machine.state().offered, Configuration::digest_of("# four"));
}

#[test]
fn a_disk_that_does_not_take_the_confirmation_is_asked_again_and_nothing_is_set_back() {
    let mut world = World::fresh();
    world.step(Input::Stands(true));
    world.disk_is_full = true;
    world.offer(1, "# one");
    world.wait(31);
    assert_eq!((world.word(), world.machine.state().problems[0].message.as_str()), ((OnTrial, 1), "full"));
    world.disk_is_full = false;
    // It stood for long enough: no session is needed for that.
    world.step(Input::Stands(false));
    world.wait(60);
    assert!(world.is_in_force("# one"));
}

/// Whatever comes in whatever order, with restarts in between: what runs is what was said to run, and what the next process starts with
/// was confirmed by sessions.
#[test]
fn random_worlds_keep_their_promises() {
    let documents = ["", "# one", "# two", "# wrong", "# fails"];
    for seed in 0..2_000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut world, mut number) = (World::fresh(), 0);
        let mut confirmed: Vec<String> = vec![String::new()];
        let mut stands = false;
        for _ in 0..60 {
            match rng.u32(0..12) {
                0..=3 => {
                    number += u64::from(rng.bool());
                    world.offer(number, documents[rng.usize(0..documents.len())]);
                }
                4..=6 => {
                    stands = rng.bool();
                    world.step(Input::Stands(stands));
                }
                7 if rng.bool() => {
                    if rng.bool() {
                        world.step(Input::Stop);
                    }
                    world.restart("wrong");
                    stands = false;
                }
                _ => world.wait(rng.u64(1..60)),
            }
            let state = world.machine.state();
            let good = world.kept.good.clone().unwrap_or_default();
            if world.notes.iter().any(|note| matches!(note, Note::InForce { .. })) {
                confirmed.push(good.clone());
                world.notes.clear();
            }
            assert!(confirmed.contains(&good), "seed {seed}: {good} was never confirmed");
            assert_eq!(state.in_force, Configuration::digest_of(&good), "seed {seed}");
            let runs = world.runs.clone().unwrap_or_default();
            assert!(!runs.contains("wrong") && !runs.contains("fails"), "seed {seed}: {runs} runs");
            let on_trial = state.word == OnTrial;
            assert_eq!(
                on_trial,
                world.kept.trial.is_some(),
                "seed {seed}: a trial is on the disk as long as it goes on"
            );
            assert!(on_trial || runs == good, "seed {seed}: {runs} runs, {good} is good, {state:?}");
            assert!(world.effects.is_empty() && (stands || world.machine.next.is_none() || on_trial), "seed {seed}");
        }
    }
}
