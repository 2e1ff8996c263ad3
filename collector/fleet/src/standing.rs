//! Which hosts are silent or were stopped, as far as it was told: so that each change is one event, over restarts of the collector too.
//!
//! Ingest decides from what arrives; here is only what was decided last, in the transaction of its event.

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::checks::host_now;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::outbox::{Event, EventKind};
use crate::rows::Registration;
use crate::status::Expected;

/// How an active host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Present,
    /// Its agent said that it stops and will not come back by itself.
    Stopped,
    Silent,
}

/// That a host is not there, as its row keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Absence {
    /// Since when that was told, milliseconds.
    pub since_ms: i64,
    /// Its agent said so.
    pub stopped: bool,
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
            for note in notes {
                let row = memory.host(note.host).filter(|row| row.state == HostState::Active);
                let Some(row) = row.filter(|row| standing(row) != note.standing) else { continue };
                let since_ms = now.millis();
                let absence = match note.standing {
                    Standing::Present => None,
                    Standing::Stopped => Some(Absence { since_ms, stopped: true }),
                    Standing::Silent => Some(Absence { since_ms, stopped: false }),
                };
                draft.events.push(event(row, note, now));
                draft.hosts.push(Registration { absence, ..Registration::clone(row) });
            }
        }
        {
            let mut book = self.book.lock();
            for row in &draft.hosts {
                book.take_host(host_now(row), now.millis());
            }
        }
        self.commit_status(&mut state, draft, now)
    }
}

fn standing(row: &Registration) -> Standing {
    match row.absence {
        None => Standing::Present,
        Some(Absence { stopped: true, .. }) => Standing::Stopped,
        Some(Absence { stopped: false, .. }) => Standing::Silent,
    }
}

fn event(row: &Registration, note: &StandingNote, now: Timestamp) -> Event {
    let name = &row.name;
    let (kind, text) = match (note.standing, note.last_heard) {
        (Standing::Present, _) => {
            let away = row.absence.map_or(0, |absence| now.millis().saturating_sub(absence.since_ms) / 1_000);
            (EventKind::HostReturned, format!("host `{name}` is heard again, {away} s after it was told to be away"))
        }
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
    let mut event = Event::new(kind, "muster", now, text).of(row.id, name);
    if let Some(last) = note.last_heard {
        event = event.with("last_heard_ms", last.millis().to_string());
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
    fn a_retired_host_has_no_standing_any_more() {
        let bench = Bench::new();
        let host = bench.host("web1").id();
        bench.fleet.note_standings(&[note(host, Standing::Silent)], at(70)).unwrap();
        bench.fleet.retire(host, "scrapped", "operator", at(80)).unwrap();
        assert!(bench.fleet.standings().is_empty());
        let before = bench.events().len();
        bench.fleet.note_standings(&[note(host, Standing::Present)], at(90)).unwrap();
        assert_eq!(bench.events().len(), before);
    }
}
