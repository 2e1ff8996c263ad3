//! Which hosts are silent or were stopped, as far as it was told: so that each change is one event, over restarts of the collector too.
//!
//! Ingest decides from what arrives; here is only what was decided last, in the transaction of its event.

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::by::By;
use crate::checks::host_now;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::outbox::{Event, EventKind};
use crate::rows::Registration;
use crate::status::{Away, Expected, Goodbye};

/// How an active host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Present,
    /// Its agent said that it stops and will not come back by itself.
    Stopped,
    /// Its agent said that the machine boots.
    Rebooting,
    Silent,
}

/// That a host is not there, as its row keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Absence {
    /// Since when that was told, milliseconds.
    pub since_ms: i64,
    /// Its agent said so.
    pub stopped: bool,
    /// Its agent said that the machine boots.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebooting: bool,
    /// What hello told last before that, so that its return tells whether the machine has booted; empty: not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub boot_id: String,
}

impl Absence {
    pub(crate) fn why(&self) -> Away {
        match (self.stopped, self.rebooting) {
            (true, _) => Away::Stopped,
            (false, true) => Away::Rebooting,
            (false, false) => Away::Silent,
        }
    }
}

/// An active host and what was told of it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub host: HostId,
    pub standing: Standing,
    /// When it became active, as far as is known.
    pub since: Timestamp,
    /// What its agent's goodbye said, while nothing has arrived since; it may be over.
    pub expected: Option<Expected>,
}

/// That a host stands otherwise than was told last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingNote {
    pub host: HostId,
    pub standing: Standing,
    /// When anything of it arrived last; `None`: not since the collector started.
    pub last_heard: Option<Timestamp>,
    /// What its agent said when it stopped: `reboot`, ...; empty: nothing.
    pub goodbye: &'static str,
}

impl Fleet {
    /// Every active host and what was told of it last.
    pub fn standings(&self) -> Vec<Told> {
        let memory = self.memory.read();
        let book = self.book.lock();
        let active = memory.hosts().filter(|row| row.state == HostState::Active);
        active
            .map(|row| Told {
                host: row.id,
                standing: standing(row),
                since: Timestamp::from_millis(
                    row.enrolled_ms.unwrap_or(0).max(row.asked_ms).max(row.replaced_ms.unwrap_or(0)),
                ),
                expected: book.expected(row.id),
            })
            .collect()
    }

    /// Writes what changed, an event each, and what status makes of it. What was told before, or is about no active host, changes nothing.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails: then it is told again.
    pub fn note_standings(&self, notes: &[StandingNote], now: Timestamp) -> Result<(), FleetError> {
        let mut state = self.sure_state()?;
        let mut draft = Draft::default();
        {
            let memory = self.memory.read();
            let sightings = self.sightings.lock();
            for note in notes {
                let row = memory.host(note.host).filter(|row| row.state == HostState::Active);
                let Some(row) = row.filter(|row| standing(row) != note.standing) else { continue };
                let boot_id = sightings.last(note.host).map(|seen| seen.boot_id.clone()).unwrap_or_default();
                draft.events.push(event(row, note, &boot_id, now));
                draft
                    .hosts
                    .push(Registration { absence: absence(row, note, boot_id, now), ..Registration::clone(row) });
            }
        }
        {
            let mut book = self.book.lock();
            for row in &draft.hosts {
                let is_rebooting = row.absence.as_ref().is_some_and(|absence| absence.rebooting);
                if is_rebooting && book.expected(row.id).is_none() {
                    let until_ms = now.plus(Goodbye::Reboot.within()).millis();
                    book.expect_absence(row.id, Expected { goodbye: Goodbye::Reboot, until_ms });
                }
                book.take_host(host_now(row), now.millis());
            }
        }
        self.commit_status(&mut state, draft, now)
    }
}

pub(crate) fn standing(row: &Registration) -> Standing {
    match row.absence.as_ref().map(Absence::why) {
        None => Standing::Present,
        Some(Away::Stopped) => Standing::Stopped,
        Some(Away::Rebooting) => Standing::Rebooting,
        Some(Away::Silent) => Standing::Silent,
    }
}

/// What the host's row says of its absence from now on. One that does not come back from a boot has been away since that began.
fn absence(row: &Registration, note: &StandingNote, boot_id: String, now: Timestamp) -> Option<Absence> {
    let booted_since_ms = row.absence.as_ref().filter(|absence| absence.rebooting).map(|absence| absence.since_ms);
    let since_ms = booted_since_ms.filter(|_| note.standing == Standing::Silent).unwrap_or(now.millis());
    match note.standing {
        Standing::Present => None,
        Standing::Stopped => Some(Absence { since_ms, stopped: true, boot_id, ..Absence::default() }),
        Standing::Rebooting => Some(Absence { since_ms, rebooting: true, boot_id, ..Absence::default() }),
        Standing::Silent => Some(Absence { since_ms, boot_id, ..Absence::default() }),
    }
}

/// Whether the machine has booted since it was told to be away; `None`: one of both boots is not known.
fn has_booted(row: &Registration, boot_id: &str) -> Option<bool> {
    let before = row.absence.as_ref().map(|absence| absence.boot_id.as_str()).filter(|before| !before.is_empty())?;
    (!boot_id.is_empty()).then_some(before != boot_id)
}

fn event(row: &Registration, note: &StandingNote, boot_id: &str, now: Timestamp) -> Event {
    let name = &row.name;
    let has_booted = has_booted(row, boot_id).filter(|_| note.standing == Standing::Present);
    let (kind, text) = match (note.standing, note.last_heard) {
        (Standing::Present, _) => {
            let away = row.absence.as_ref().map_or(0, |absence| now.millis().saturating_sub(absence.since_ms) / 1_000);
            let boot = match has_booted {
                Some(true) => "; its machine has booted",
                Some(false) => "; its machine has not booted",
                None => "",
            };
            let text = format!("host `{name}` is heard again, {away} s after it was told to be away{boot}");
            (EventKind::HostReturned, text)
        }
        (Standing::Rebooting, _) => (EventKind::HostRebooting, format!("host `{name}` boots, as its agent said")),
        (Standing::Stopped, _) => {
            (EventKind::AgentStopped, format!("the agent of host `{name}` has stopped: {}", note.goodbye))
        }
        (Standing::Silent, Some(last)) if note.goodbye.is_empty() => {
            let silent = now.since(last).as_secs();
            (EventKind::HostSilent, format!("host `{name}` is silent: nothing has arrived for {silent} s"))
        }
        (Standing::Silent, Some(last)) => {
            let (goodbye, silent) = (note.goodbye, now.since(last).as_secs());
            (EventKind::HostSilent, format!("host `{name}` has not come back {silent} s after its {goodbye}"))
        }
        (Standing::Silent, None) => {
            let after =
                if note.goodbye.is_empty() { String::new() } else { format!(", and before it said {}", note.goodbye) };
            let text = format!("host `{name}` is silent: nothing has arrived since this collector started{after}");
            (EventKind::HostSilent, text)
        }
    };
    let mut event = Event::new(kind, &By::MUSTER, now, text).of(row.id, name);
    if let Some(last) = note.last_heard {
        event = event.with("last_heard_ms", last.millis().to_string());
    }
    if let Some(has_booted) = has_booted {
        event = event.with("booted", has_booted.to_string());
    }
    if note.goodbye.is_empty() { event } else { event.with("goodbye", note.goodbye) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bench, at};

    fn note(host: HostId, standing: Standing) -> StandingNote {
        StandingNote { host, standing, last_heard: Some(at(5)), goodbye: "" }
    }

    #[test]
    fn each_change_is_told_once_over_restarts() {
        let bench = Bench::new();
        let host = bench.host("web1").id();
        let before = bench.events().len();
        bench.fleet.note_standings(&[note(host, Standing::Present)], at(10)).unwrap();
        bench.fleet.note_standings(&[note(host, Standing::Silent)], at(70)).unwrap();
        let bench = bench.reopen();
        assert_eq!(bench.fleet.standings(), [Told { host, standing: Standing::Silent, since: at(0), expected: None }]);
        bench.fleet.note_standings(&[note(host, Standing::Silent)], at(80)).unwrap();
        bench.fleet.note_standings(&[note(host, Standing::Present)], at(100)).unwrap();
        let stop = StandingNote { goodbye: "shutdown", ..note(host, Standing::Stopped) };
        bench.fleet.note_standings(&[stop.clone(), note(HostId([9; 16]), Standing::Silent)], at(110)).unwrap();
        bench.fleet.note_standings(&[stop], at(120)).unwrap();
        let told: Vec<_> = bench.events()[before..].iter().map(|event| (event.kind, event.text.clone())).collect();
        let expect = [
            (EventKind::HostSilent, "host `web1` is silent: nothing has arrived for 65 s"),
            (EventKind::HostReturned, "host `web1` is heard again, 30 s after it was told to be away"),
            (EventKind::AgentStopped, "the agent of host `web1` has stopped: shutdown"),
        ];
        assert_eq!(told, expect.map(|(kind, text)| (kind, text.to_owned())));
    }

    #[test]
    fn a_return_says_whether_the_machine_has_booted() {
        let bench = Bench::new();
        let machine = bench.host("web1");
        let host = machine.id();
        let hello =
            |boot, seconds| drop(bench.fleet.saw(host, &machine.hello(boot, 5, &[]), None, at(seconds)).unwrap());
        let reboots = StandingNote { goodbye: "reboot", ..note(host, Standing::Rebooting) };
        hello(1, 1);
        bench.fleet.said_goodbye(host, Goodbye::Reboot, at(10));
        bench.fleet.note_standings(std::slice::from_ref(&reboots), at(15)).unwrap();
        assert_eq!(bench.fleet.standings()[0].standing, Standing::Rebooting);
        hello(2, 70);
        bench.fleet.note_standings(&[note(host, Standing::Present)], at(100)).unwrap();
        // Not announced, and found out by its hello alone.
        hello(3, 200);
        // What does not come back from its boot has been away since that began.
        bench.fleet.note_standings(&[reboots], at(315)).unwrap();
        bench.fleet.note_standings(&[note(host, Standing::Silent)], at(930)).unwrap();
        let expected_until = |bench: &Bench| bench.fleet.standings()[0].expected.map(|expected| expected.until_ms);
        assert_eq!(expected_until(&bench), Some(at(915).millis()), "a note alone says it as well");
        bench.fleet.note_standings(&[note(host, Standing::Present)], at(1_015)).unwrap();
        assert_eq!(expected_until(&bench), None);
        let told = bench.events().into_iter().filter(|event| event.kind.class() != crate::EventClass::Change);
        let told: Vec<_> = told.map(|event| event.text).collect();
        let expect = [
            "host `web1` boots, as its agent said",
            "host `web1` has booted",
            "host `web1` is heard again, 85 s after it was told to be away; its machine has booted",
            "host `web1` has booted unannounced",
            "host `web1` boots, as its agent said",
            "host `web1` is silent: nothing has arrived for 925 s",
            "host `web1` is heard again, 700 s after it was told to be away; its machine has not booted",
        ];
        assert_eq!(told, expect);
        let rows = bench.reopen();
        assert_eq!(rows.fleet.standings()[0].standing, Standing::Present);
    }

    /// What earlier collectors wrote must read as it did.
    #[test]
    fn absences_of_version_one_read_and_write_as_ever() {
        let old = r#"{"since_ms":5,"stopped":true}"#;
        let read: Absence = serde_json::from_str(old).unwrap();
        assert_eq!((read.why(), serde_json::to_string(&read).unwrap()), (Away::Stopped, old.to_owned()));
        let new = r#"{"since_ms":5,"stopped":false,"rebooting":true,"boot_id":"0a"}"#;
        let read: Absence = serde_json::from_str(new).unwrap();
        assert_eq!((read.why(), serde_json::to_string(&read).unwrap()), (Away::Rebooting, new.to_owned()));
    }

    #[test]
    fn a_retired_host_has_no_standing_any_more() {
        let bench = Bench::new();
        let host = bench.host("web1").id();
        bench.fleet.note_standings(&[note(host, Standing::Silent)], at(70)).unwrap();
        bench.fleet.retire(host, "scrapped", &By::Itself("operator"), at(80)).unwrap();
        assert!(bench.fleet.standings().is_empty());
        let before = bench.events().len();
        bench.fleet.note_standings(&[note(host, Standing::Present)], at(90)).unwrap();
        assert_eq!(bench.events().len(), before);
    }
}
