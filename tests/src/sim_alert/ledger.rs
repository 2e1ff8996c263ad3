//! The account of what people were told, judged by the truth of the moment in which each notice was made.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::rules::RULE;
use super::smtp::Letter;
use super::truth::Truth;
use super::{Key, Violation};

/// Within this time all that is free is told: the longest pause of a group (that of a storm), its wait, and some looks.
const TOLD_WITHIN_MS: i64 = 12 * 60_000;
/// As long after a server's fault: the longest pause of a row that could have been deferred meanwhile.
const AFTER_FAULT_MS: i64 = 65 * 60_000;

/// An end is told at its group's next turn, which is five minutes away at most.
const FORGOTTEN_MS: i64 = 6 * 60_000;
const HOUR_MS: i64 = 3_600_000;
/// When what goes on is told again.
const REPEAT_MS: i64 = 4 * HOUR_MS;
/// As ALERTING.md promises it; what is beyond goes in a digest.
const MAILS_PER_HOUR: usize = 60;

/// Receiver and recipient.
type Reader = (String, String);

/// What a letter says to go on, how bad, and when it was made.
type Said = (Vec<(String, Key)>, i64);

#[derive(Default)]
pub(super) struct Ledger {
    /// What was true when a notice was made: its time, what was wrong with telling it, and what could not have ended.
    made: HashMap<u64, Moment>,
    /// What each reader believes to go on: the notices that told it, with their incidents. Threads may overtake each other, so an end takes
    /// only what was told by earlier notices.
    believes: BTreeMap<Reader, BTreeMap<Key, BTreeMap<u64, u64>>>,
    /// Incidents that told a problem of which another one's end has come already.
    closed: HashSet<(Reader, Key, u64)>,
    /// Letters that were taken: message id to its reader and notice.
    taken: HashMap<String, (Reader, u64)>,
    notices: HashMap<(Reader, u64), String>,
    /// Message ids of which it may be unknown that they were taken.
    pub(super) unsure: HashSet<String>,
    /// The first letter of each incident to each reader.
    threads: HashMap<(Reader, u64), String>,
    /// Message ids of digests that were taken.
    digests: HashSet<String>,
    /// When mails went to each recipient within the last hour.
    times: HashMap<String, Vec<i64>>,
    /// When one had as many as are allowed last: what is beyond waits for the digest.
    capped_ms: i64,
    /// Incidents of which a reader got a letter within a digest, which is in no thread.
    apart: HashSet<(Reader, u64)>,
    /// Incidents of which a receiver was refused a letter for good.
    excused: HashSet<(String, u64)>,
    /// Beginnings that a receiver was refused for good.
    refused: HashSet<(String, Key)>,
    /// Hosts that were retired: nobody is told the end of what was wrong with them.
    quiet: BTreeSet<String>,
    /// What each incident's last letter said to each reader, and when.
    said: HashMap<(Reader, u64), Said>,
    /// An older state was put back: ends may be told twice.
    is_restored: bool,
    /// Checks that are told with each bad result.
    pub(super) volatile: BTreeSet<Key>,
    /// When checks were forgotten last.
    forgotten: BTreeMap<Key, i64>,
    /// Since when each is free to be told.
    free: BTreeMap<(Key, &'static str), i64>,
    pub(super) letters: u64,
    pub(super) repeats: u64,
}

struct Moment {
    /// The world then; with a second one where a crash left it open whether the collector knew the newest results.
    truths: Vec<Truth>,
    at_ms: i64,
}

impl Moment {
    /// Why it may not be told to this receiver.
    fn against(&self, receiver: &str, key: &Key) -> Option<String> {
        let against = |truth: &Truth| {
            if !truth.may_fire(key) {
                Some("it is no hard problem".to_owned())
            } else if !truth.receivers(key).contains(&receiver) {
                Some("it is for others".to_owned())
            } else {
                truth.held(key, self.at_ms).map(|why| format!("it is held by {why}"))
            }
        };
        let all: Option<Vec<String>> = self.truths.iter().map(against).collect();
        all.and_then(|mut all| all.pop())
    }
}

impl Ledger {
    /// A notice was made now. After a crash that took it another one may have its number.
    pub(super) fn notice(&mut self, id: u64, truths: Vec<Truth>, at_ms: i64) {
        self.made.insert(id, Moment { truths, at_ms });
    }

    /// A server took a digest; whether it is the first time.
    pub(super) fn digest(&mut self, letter: &Letter, entries: &[Letter]) -> Result<bool, Violation> {
        let id = &letter.message_id;
        if letter.digest != Some(entries.len()) {
            return Err(Violation(format!("digest {id} tells {:?} of {} notices", letter.digest, entries.len())));
        }
        if self.digests.insert(id.clone()) {
            return Ok(true);
        }
        if self.unsure.remove(id) { Ok(false) } else { Err(Violation(format!("digest {id} came twice for no reason"))) }
    }

    /// A mail goes out: not more of them within an hour than people can bear.
    pub(super) fn count(&mut self, recipient: &str, now_ms: i64) -> Result<(), Violation> {
        let times = self.times.entry(recipient.to_owned()).or_default();
        times.retain(|at_ms| now_ms - at_ms < HOUR_MS);
        times.push(now_ms);
        if times.len() > MAILS_PER_HOUR {
            return Err(Violation(format!("{recipient} gets {} mails within an hour", times.len())));
        }
        if times.len() == MAILS_PER_HOUR {
            self.capped_ms = now_ms;
        }
        Ok(())
    }

    /// A host is no more: that its problems are over is not told.
    pub(super) fn retire(&mut self, host: &str) {
        self.quiet.insert(host.to_owned());
        for believed in self.believes.values_mut() {
            believed.retain(|key, _| key.0 != host || key.1.starts_with(RULE));
        }
    }

    /// A check is forgotten: what it may tell next is another problem, also where that is there before the end of the last is told.
    pub(super) fn forget(&mut self, key: &Key, now_ms: i64) {
        self.free.retain(|(own, _), _| own != key);
        self.forgotten.insert(key.clone(), now_ms);
    }

    /// The collector is put back to an older state, with these hosts. What was told since it does not know, and tells again or never to have ended; what waited
    /// then is sent again.
    pub(super) fn restore(&mut self, first_unknown: u64, hosts: &[String]) {
        self.unsure.extend(self.taken.keys().chain(&self.digests).cloned());
        self.times.clear();
        self.said.clear();
        self.free.clear();
        // Those that the copy does not know to be retired are hosts again.
        self.quiet.retain(|host| !hosts.contains(host));
        for ((receiver, _), believed) in &self.believes {
            let told = believed.values().flatten().filter(|(notice, _)| **notice >= first_unknown);
            self.excused.extend(told.map(|(_, incident)| (receiver.clone(), *incident)));
        }
        self.is_restored = true;
    }

    /// A letter that says the same as the one before of its incident says nothing.
    fn repeats(&mut self, reader: &Reader, letter: &Letter, at_ms: i64) -> Option<String> {
        let mut said: Vec<(String, Key)> = letter.states.iter().cloned().zip(letter.firing.iter().cloned()).collect();
        said.sort();
        let is_volatile = letter.firing.iter().any(|key| self.volatile.contains(key));
        let whose = (reader.clone(), letter.incident);
        let is_whole =
            letter.ended.is_empty() && !letter.is_cut && !self.excused.contains(&(reader.0.clone(), letter.incident));
        let (before, before_ms) = self.said.insert(whose, (said.clone(), at_ms))?;
        let is_same = before == said && is_whole && !is_volatile && at_ms - before_ms < REPEAT_MS;
        is_same.then(|| format!("it says again what was said at {before_ms}: {said:?}"))
    }

    /// A server took a letter.
    pub(super) fn hear(&mut self, letter: &Letter) -> Result<(), Violation> {
        let id = &letter.message_id;
        let reader = (letter.receiver.clone(), letter.recipient.clone());
        let broken = |what: String| Err(Violation(format!("{} <{}>, {id}: {what}", reader.0, reader.1)));
        if let Some((before, notice)) = self.taken.get(id) {
            // A copy that was put back may not know that the end took the place of the first mail, and sends that.
            let is_swapped = self.is_restored && *notice != letter.notice;
            if (*notice != letter.notice && !is_swapped) || *before != reader {
                return broken(format!("the Message-ID of notice {notice} has another letter"));
            }
            if !is_swapped {
                self.repeats += 1;
                return if self.unsure.remove(id) { Ok(()) } else { broken("it came twice for no reason".to_owned()) };
            }
        }
        if let Some(other) = self.notices.get(&(reader.clone(), letter.notice)) {
            return broken(format!("notice {} came as {other} already", letter.notice));
        }
        let Some(moment) = self.made.get(&letter.notice) else {
            return broken(format!("notice {} was never made", letter.notice));
        };
        let at_ms = moment.at_ms;
        if let Some(what) = self.repeats(&reader, letter, at_ms).filter(|_| !letter.is_within) {
            return broken(what);
        }
        let Some(moment) = self.made.get(&letter.notice) else { return Ok(()) };
        let believes = self.believes.entry(reader.clone()).or_default();
        for key in &letter.firing {
            if let Some(why) = moment.against(&letter.receiver, key) {
                return broken(format!("{key:?} is told at {}: {why}", moment.at_ms));
            }
            if !self.quiet.contains(&key.0) || key.1.starts_with(RULE) {
                believes.entry(subject(key)).or_default().insert(letter.notice, letter.incident);
            }
        }
        for key in &letter.ended {
            let is_forgotten = self.forgotten.get(key).is_some_and(|at| moment.at_ms - at < FORGOTTEN_MS);
            if !is_forgotten && moment.truths.iter().all(|truth| truth.must_fire(key)) {
                return broken(format!("the end of {key:?} is told at {} while it goes on", moment.at_ms));
            }
            let key = &subject(key);
            let thread = |incident| (reader.clone(), key.clone(), incident);
            let told = forget(believes, key, letter.notice);
            let was_told = !told.is_empty() || self.closed.remove(&thread(letter.incident));
            // What another thread told is over too; its own end may still be on its way.
            self.closed.extend(told.into_iter().filter(|incident| *incident != letter.incident).map(thread));
            let is_excused = letter.is_only
                || letter.is_within
                || self.quiet.contains(&key.0)
                || self.is_restored
                || self.excused.contains(&(letter.receiver.clone(), letter.incident))
                || self.refused.contains(&(letter.receiver.clone(), key.clone()));
            if !was_told && !is_excused {
                return broken(format!("the end of {key:?} is told, its beginning was not"));
            }
        }
        if letter.is_cut {
            // The others that ended are not named in a long mail: what goes on is told again by the next one.
            believes.retain(|key, told| {
                let goes_on = moment.truths.iter().any(|truth| truth.must_fire(key));
                told.retain(|_, incident| *incident != letter.incident || goes_on);
                !told.is_empty()
            });
        }
        self.letters += 1;
        self.taken.insert(id.clone(), (reader.clone(), letter.notice));
        self.notices.insert((reader.clone(), letter.notice), id.clone());
        self.thread(&reader, letter)
    }

    /// A reader was refused a notice for good, which is named: what it would have told to have ended may be believed in, and what it would have told
    /// to fire may end without a beginning, in another incident too where its route has moved since.
    pub(super) fn excuse(&mut self, reader: Reader, incident: u64, notice: u64, [firing, ended]: &[Vec<Key>; 2]) {
        if let Some(believes) = self.believes.get_mut(&reader) {
            ended.iter().for_each(|key| drop(forget(believes, &subject(key), notice)));
        }
        self.refused.extend(firing.iter().map(|key| (reader.0.clone(), subject(key))));
        self.excused.insert((reader.0, incident));
    }

    /// One thread an incident.
    fn thread(&mut self, reader: &Reader, letter: &Letter) -> Result<(), Violation> {
        let whose = (reader.clone(), letter.incident);
        if letter.is_within {
            self.apart.insert(whose);
            return Ok(());
        }
        if self.apart.contains(&whose) || self.excused.contains(&(reader.0.clone(), letter.incident)) {
            return Ok(());
        }
        let first = self.threads.entry((reader.clone(), letter.incident)).or_insert(letter.message_id.clone());
        let leads = *first == letter.message_id || letter.references.first() == Some(first);
        if leads {
            return Ok(());
        }
        Err(Violation(format!(
            "{} refers to {:?}, its thread began with {first}",
            letter.message_id, letter.references
        )))
    }

    /// Looks whether all that is free is told. `calm_ms`: since when no fault keeps it.
    pub(super) fn look(&mut self, truth: &Truth, now_ms: i64, calm_ms: i64, faulty_ms: i64) -> Result<(), Violation> {
        let free = truth.free(now_ms);
        self.free.retain(|one, _| free.contains(one));
        for one in free {
            let since_ms = *self.free.entry(one.clone()).or_insert(now_ms);
            let is_due = now_ms - since_ms.max(calm_ms) > TOLD_WITHIN_MS
                && now_ms - faulty_ms.max(self.capped_ms) > AFTER_FAULT_MS;
            let (key, receiver) = one;
            if is_due && !self.is_told(receiver, &key) {
                return Err(Violation(format!("{receiver} was not told of {key:?}, free since {since_ms}")));
            }
        }
        Ok(())
    }

    fn is_told(&self, receiver: &str, key: &Key) -> bool {
        let readers: Vec<_> = self.believes.iter().filter(|((own, _), _)| own == receiver).collect();
        let wanted = if receiver == "ops" { 2 } else { 1 };
        let is_excused = self.excused.iter().any(|(own, _)| own == receiver);
        readers.iter().filter(|(_, believed)| believed.contains_key(&subject(key))).count() >= wanted || is_excused
    }

    /// After a long calm: nobody believes in what is over.
    pub(super) fn close(&self) -> Result<(), Violation> {
        for (reader, believed) in &self.believes {
            let excused: BTreeSet<u64> =
                self.excused.iter().filter(|(own, _)| *own == reader.0).map(|(_, incident)| *incident).collect();
            if let Some((key, _)) =
                believed.iter().find(|(_, told)| told.values().any(|incident| !excused.contains(incident)))
            {
                return Err(Violation(format!("{} <{}> still believes in {key:?}", reader.0, reader.1)));
            }
        }
        Ok(())
    }
}

/// Takes what was told before this notice; the incidents that told it.
fn forget(believes: &mut BTreeMap<Key, BTreeMap<u64, u64>>, key: &Key, notice: u64) -> BTreeSet<u64> {
    let Some(told) = believes.get_mut(key) else { return BTreeSet::new() };
    let later = told.split_off(&notice);
    let before = std::mem::replace(told, later);
    if told.is_empty() {
        believes.remove(key);
    }
    before.into_values().collect()
}

/// What a problem is about: that a host is silent and that it was stopped is one problem of the host.
fn subject(key: &Key) -> Key {
    match key.1.as_str() {
        "HostSilent" | "HostStopped" => (key.0.clone(), "Host".to_owned()),
        _ => key.clone(),
    }
}
