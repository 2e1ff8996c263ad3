//! Carries out what the machine says: each thing on a thread of its own, since disks, journalctl and large folders may take their time, and
//! sampling may not.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use muster_common::disk::real::RealDisk;
use muster_common::wire::message::{Configuration, ConfigurationState, ConfigurationWord, Problem, Report};
use tokio::sync::mpsc;

use super::exchange::{Parts, Switched, exchange};
use super::judge::{Judged, judge};
use super::machine::{Effect, Found, Input, Machine, Note, Offer, Times, name_of};
use super::store::{Store, StoreError, hex_of};
use crate::config::Config;
use crate::own::Own;
use crate::status::RemoteStatus;
use crate::uplink::Moment;

/// What the host is, for whoever starts it.
pub(crate) struct Surroundings {
    /// The host's own configuration, with the checks that every host has.
    pub(crate) host: Config,
    pub(crate) own_names: Vec<String>,
    pub(crate) own: Arc<Own>,
    pub(crate) times: Times,
    /// Where results of checks go.
    pub(crate) say: Option<mpsc::Sender<Report>>,
}

/// What the thread has to say; one for each thing it was started for.
pub(crate) enum RemoteNews {
    Judged(Box<Result<Judged, Vec<Problem>>>),
    Written(Result<(), Problem>),
    Switched(Box<Switched>),
}

/// What follows a write.
enum After {
    /// The machine hears of it.
    Answer,
    /// If it came to pass, another configuration runs.
    Switch(Arc<Config>),
    /// Another configuration runs, whatever the disk says.
    SwitchAnyway(Arc<Config>),
}

/// A configuration that is to run in the place of the present one.
pub(crate) struct Wanted {
    to: Arc<Config>,
    pub(crate) exchanges_logs: bool,
    pub(crate) exchanges_checks: bool,
}

/// The machine with its hands.
pub(crate) struct RemoteSide {
    machine: Machine,
    surroundings: Surroundings,
    state_dir: PathBuf,
    say: mpsc::Sender<RemoteNews>,
    thread: Option<JoinHandle<()>>,
    running: Arc<Config>,
    /// What the good document gives, or the host's own file alone.
    good: Arc<Config>,
    /// Of the document that is judged or tried, with its text.
    tried: Option<(Arc<Config>, String)>,
    document: String,
    after: After,
    is_changed: bool,
    stands: bool,
    /// Not worked in yet; the newest counts.
    offered: Option<Configuration>,
}

impl RemoteSide {
    /// Reads what is kept and judges it by the host's present file. Gives the configuration to start with. Blocks, 2 s at most.
    pub(crate) fn start(surroundings: Surroundings, now: Moment) -> (Self, mpsc::Receiver<RemoteNews>, Config) {
        let state_dir = surroundings.host.agent.state_dir.clone();
        let is_enabled = surroundings.host.remote.enabled;
        let kept = if is_enabled { Store::new(RealDisk, &state_dir).load() } else { Default::default() };
        let good = kept.good.as_ref().map(|text| {
            let name = name_of(kept.record.good.as_ref().map_or(0, |mark| mark.number));
            judge(&name, text, &surroundings.host, &surroundings.own_names)
        });
        let config = match &good {
            Some(Ok(judged)) => judged.config.clone(),
            _ => surroundings.host.clone(),
        };
        let mut effects = Vec::new();
        let found = Found { kept, good: good.map(|good| good.map(|judged| judged.warnings)) };
        let machine = Machine::start(found, is_enabled, surroundings.times, now, &mut effects);
        // One thing is under way at a time.
        let (say, news) = mpsc::channel(1);
        let running = Arc::new(config.clone());
        let mut side = Self {
            machine,
            surroundings,
            state_dir,
            say,
            thread: None,
            good: Arc::clone(&running),
            running,
            tried: None,
            document: String::new(),
            after: After::Answer,
            is_changed: true,
            stands: false,
            offered: None,
        };
        side.carry_out(effects);
        (side, news, config)
    }

    /// Where results of checks go from now on.
    pub(crate) fn set_say(&mut self, say: mpsc::Sender<Report>) {
        self.surroundings.say = Some(say);
    }

    /// The collector wants this host to run by it: worked in at the next [`RemoteSide::look`].
    pub(crate) fn offered(&mut self, configuration: Configuration) {
        self.offered = Some(configuration);
    }

    /// What was offered, whether a session stands, and what time makes due.
    pub(crate) fn look(&mut self, stands: bool, now: Moment) {
        if let Some(configuration) = self.offered.take() {
            self.step(Input::Offered(Offer::from(configuration)), now);
        }
        if stands != std::mem::replace(&mut self.stands, stands) {
            self.step(Input::Stands(stands), now);
        }
        if self.machine.deadline().is_some_and(|at| at <= now.steady) {
            self.step(Input::Tick, now);
        }
    }

    pub(crate) fn deadline(&self) -> Option<std::time::Duration> {
        self.machine.deadline()
    }

    /// What the collector is to be told, if it is new.
    pub(crate) fn news(&mut self) -> Option<ConfigurationState> {
        std::mem::take(&mut self.is_changed).then(|| self.machine.state())
    }

    /// For the status file.
    pub(crate) fn status(&self) -> RemoteStatus {
        let state = self.machine.state();
        let hex = |digest: &[u8; 16]| if *digest == [0; 16] { String::new() } else { hex_of(digest) };
        let told = |problem: &Problem| format!("{}: {}: {}", problem.place, problem.message, problem.remedy);
        RemoteStatus {
            number: state.number,
            number_in_force: self.machine.number_in_force(),
            in_force: hex(&state.in_force),
            offered: hex(&state.offered),
            word: word_name(state.word).to_owned(),
            since_ms: self.machine.since_ms(),
            problems: state.problems.iter().map(told).collect(),
        }
    }

    pub(crate) fn judged(&mut self, verdict: Result<Judged, Vec<Problem>>, now: Moment) {
        let document = std::mem::take(&mut self.document);
        let verdict = verdict.map(|judged| {
            self.tried = Some((Arc::new(judged.config), document));
            judged.warnings
        });
        self.step(Input::Judged(verdict), now);
    }

    /// The disk has answered. Gives what is to run now, if that is another configuration: answered by [`RemoteSide::switch`].
    pub(crate) fn written(&mut self, outcome: Result<(), Problem>, now: Moment) -> Option<Wanted> {
        let to = match std::mem::replace(&mut self.after, After::Answer) {
            After::Answer => {
                self.step(Input::Written(outcome), now);
                return None;
            }
            After::Switch(to) => {
                if let Err(problem) = outcome {
                    self.step(Input::Switched(Err(problem)), now);
                    return None;
                }
                to
            }
            After::SwitchAnyway(to) => {
                if let Err(problem) = outcome {
                    note(&Note::Trouble { problem });
                }
                to
            }
        };
        let (exchanges_logs, exchanges_checks) = (to.logs != self.running.logs, to.checks != self.running.checks);
        Some(Wanted { to, exchanges_logs, exchanges_checks })
    }

    /// Stops the parts and starts others in their place.
    pub(crate) fn switch(&mut self, wanted: Wanted, parts: Parts) {
        let (own, say) = (Arc::clone(&self.surroundings.own), self.surroundings.say.clone());
        let (to, state_dir) = (Arc::clone(&wanted.to), self.state_dir.clone());
        self.running = wanted.to;
        self.run(move || RemoteNews::Switched(Box::new(exchange(&to, parts, state_dir, &own, say))));
    }

    pub(crate) fn switched(&mut self, outcome: Switched, now: Moment) {
        self.step(Input::Switched(outcome.outcome), now);
    }

    /// The agent ends in order: waits for what is under way.
    pub(crate) fn stop(&mut self, now: Moment) {
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
        let mut effects = Vec::new();
        self.machine.step(now, Input::Stop, &mut effects);
        for effect in effects {
            if let Effect::Keep(record) = effect
                && let Err(error) = Store::new(RealDisk, &self.state_dir).keep(&record)
            {
                tracing::warn!("{error}");
            }
        }
    }

    fn step(&mut self, input: Input, now: Moment) {
        let mut effects = Vec::new();
        self.machine.step(now, input, &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Judge(offer) => self.judge(offer),
                Effect::Try(_, record) => {
                    let Some((config, text)) = self.tried.clone() else { continue };
                    self.after = After::Switch(config);
                    self.write(move |store| store.begin(&text, &record));
                }
                Effect::Confirm(record) => {
                    let Some((config, text)) = self.tried.clone() else { continue };
                    // What is confirmed is gone back to, whether or not the disk takes it.
                    self.good = config;
                    self.write(move |store| store.confirm(&text, &record));
                }
                Effect::GoBack(record) => {
                    if record.good.is_none() {
                        self.good = Arc::new(self.surroundings.host.clone());
                    }
                    self.tried = None;
                    self.after = After::SwitchAnyway(Arc::clone(&self.good));
                    self.write(move |store| store.go_back(&record));
                }
                Effect::Keep(record) => self.write(move |store| store.keep(&record)),
                Effect::Tell => self.is_changed = true,
                Effect::Note(told) => self.note(&told),
            }
        }
        let number = self.machine.number_in_force();
        self.surroundings.own.configuration_number.set_size(number);
    }

    fn judge(&mut self, offer: Offer) {
        let (host, names) = (self.surroundings.host.clone(), self.surroundings.own_names.clone());
        self.document.clone_from(&offer.document);
        self.run(move || RemoteNews::Judged(Box::new(judge(&name_of(offer.number), &offer.document, &host, &names))));
    }

    fn write(&mut self, write: impl FnOnce(&Store<RealDisk>) -> Result<(), StoreError> + Send + 'static) {
        let store = Store::new(RealDisk, &self.state_dir);
        self.run(move || {
            let place = store.folder().display().to_string();
            let told = |error: StoreError| {
                crate::logs::shortened(place, error.to_string(), "free room on the disk".to_owned())
            };
            RemoteNews::Written(write(&store).map_err(told))
        });
    }

    /// Does it on a thread that ends with it; where the system gives none, at once.
    fn run(&mut self, work: impl FnOnce() -> RemoteNews + Send + 'static) {
        let work = Arc::new(Mutex::new(Some(work)));
        let (say, theirs) = (self.say.clone(), Arc::clone(&work));
        let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let body = move || {
            if let Some(work) = take(&theirs) {
                // The receiver goes only with the program, and has room for the one answer.
                drop(say.blocking_send(work()));
            }
        };
        match std::thread::Builder::new().name("muster-remote".to_owned()).spawn(body) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => {
                tracing::warn!(%error, "no thread for the remote configuration; raise the limit of tasks for this user");
                let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
                work.into_iter().for_each(|work| drop(self.say.try_send(work())));
            }
        }
    }

    fn note(&mut self, told: &Note) {
        let own = &self.surroundings.own;
        match told {
            Note::Refused { .. } => own.configuration_refusals.add(1),
            Note::Reverted { .. } => own.configuration_reverts.add(1),
            // Up to here a confirmation might have had to be written again.
            Note::InForce { .. } => self.tried = None,
            Note::Trial { .. } | Note::Cleared { .. } | Note::Trouble { .. } => {}
        }
        note(told);
    }
}

fn note(told: &Note) {
    let each = |problems: &[Problem]| {
        for problem in problems {
            tracing::warn!("{}: {}; {}", problem.place, problem.message, problem.remedy);
        }
    };
    match told {
        Note::Refused { number, problems } => {
            tracing::warn!(number, "the collector's configuration is refused; nothing has changed");
            each(problems);
        }
        Note::Trial { number } => tracing::info!(number, "the collector's configuration is on trial"),
        Note::InForce { number } => tracing::info!(number, "the collector's configuration is in force"),
        Note::Reverted { number, problems } => {
            tracing::warn!(number, "the collector's configuration did not do; the last good one is in force");
            each(problems);
        }
        Note::Cleared { number } => {
            tracing::info!(number, "the host's own file alone is in force, as the collector wishes")
        }
        Note::Trouble { problem } => each(std::slice::from_ref(problem)),
    }
}

/// The word as status and doctor have it.
pub(crate) fn word_name(word: ConfigurationWord) -> &'static str {
    match word {
        ConfigurationWord::None => "none",
        ConfigurationWord::InForce => "in force",
        ConfigurationWord::Trial => "trial",
        ConfigurationWord::Refused => "refused",
        ConfigurationWord::Reverted => "reverted",
        ConfigurationWord::Disabled => "disabled",
    }
}

#[cfg(test)]
mod tests;
