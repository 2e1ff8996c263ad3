//! What the tests of this crate share: a fleet on a real disk, and machines that ask it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::cut::CutDisk;
use muster_common::disk::real::RealDisk;
use muster_common::host::HostId;
use muster_common::identity::{Identity, TokenWord, certificate};
use muster_common::time::Timestamp;
use muster_common::wire::message::{Enrol, Enrolled, Epoch, HeldEpoch, Hello, HostFacts, PROTOCOL, Refused};
use muster_store::ReplayEntry;

use crate::{Binding, By, EnrolOutcome, Event, EventKind, Fleet, HostRow, HostState, TokenSpec, open};

pub(crate) const OPERATOR: &By = &By::Itself("operator");
pub(crate) const PEER: &str = "192.0.2.1:4000";
const DAY: u64 = 86_400;

/// 2026-01-01 and this many seconds.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000).plus(Duration::from_secs(seconds))
}

/// 2026-01-01 and this many days.
pub(crate) fn day(days: u64) -> Timestamp {
    at(days * DAY)
}

/// A fleet in a folder of its own.
pub(crate) struct Bench {
    pub fleet: Fleet,
    pub disk: Arc<dyn Disk>,
    pub folder: PathBuf,
    _kept: Option<tempfile::TempDir>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let folder = kept.path().to_owned();
        Self { _kept: Some(kept), ..Self::on(Arc::new(RealDisk), &folder) }
    }

    pub(crate) fn on(disk: Arc<dyn Disk>, folder: &Path) -> Self {
        let fleet = open(Arc::clone(&disk), folder, at(0)).unwrap();
        Self { fleet, disk, folder: folder.to_owned(), _kept: None }
    }

    /// Closes the file and opens it again, as a restart does.
    pub(crate) fn reopen(self) -> Self {
        self.reopen_after(|| ())
    }

    /// As [`Bench::reopen`], with something done while the file is closed.
    pub(crate) fn reopen_after(self, between: impl FnOnce()) -> Self {
        let Self { fleet, disk, folder, _kept } = self;
        drop(fleet);
        between();
        Self { fleet: open(Arc::clone(&disk), &folder, at(0)).unwrap(), disk, folder, _kept }
    }

    /// Id and secret of a new token, made at 0 s.
    pub(crate) fn token(&self, spec: TokenSpec) -> String {
        let word = self.fleet.new_token(spec, at(0)).unwrap();
        TokenWord::parse(&word).unwrap().token.to_string()
    }

    /// A host enrolled by a token of its own at 0 s.
    pub(crate) fn host(&self, name: &str) -> Machine {
        let token = self.token(TokenSpec { binding: Binding::Name(name.into()), ..TokenSpec::default() });
        let mut machine = Machine::new(name);
        machine.enrol(&self.fleet, &token, at(0)).unwrap();
        machine
    }

    pub(crate) fn row(&self, host: HostId) -> HostRow {
        self.fleet.host(host).unwrap()
    }

    pub(crate) fn in_state(&self, state: HostState) -> Vec<HostRow> {
        self.fleet.hosts().into_iter().filter(|row| row.state == state).collect()
    }

    /// Kinds of all events, oldest first.
    pub(crate) fn kinds(&self) -> Vec<EventKind> {
        self.events().into_iter().map(|event| event.kind).collect()
    }

    /// All events, oldest first.
    pub(crate) fn events(&self) -> Vec<Event> {
        let mut events = self.fleet.events(usize::MAX).unwrap();
        events.reverse();
        events
    }
}

/// A machine with an agent: its key, its words, and what it was issued.
pub(crate) struct Machine {
    pub name: String,
    pub facts: HostFacts,
    pub key: Vec<u8>,
    pub csr: Vec<u8>,
    pub enrolled: Option<Enrolled>,
}

impl Machine {
    pub(crate) fn new(name: &str) -> Self {
        let key = certificate::new_key().unwrap();
        let csr = certificate::new_request(&key).unwrap();
        let facts =
            HostFacts { host_name: name.into(), machine_id: format!("machine-of-{name}"), ..HostFacts::default() };
        Self { name: name.into(), facts, key, csr, enrolled: None }
    }

    /// Another machine with its own key and machine id.
    pub(crate) fn other(&self) -> Self {
        let mut other = Self::new(&self.name);
        other.facts.machine_id = format!("other-{}", self.facts.machine_id);
        other
    }

    pub(crate) fn request(&self, token: &str) -> Enrol {
        Enrol {
            protocol: PROTOCOL,
            token: token.into(),
            csr_der: self.csr.clone(),
            name: self.name.clone(),
            facts: self.facts.clone(),
        }
    }

    pub(crate) fn enrol(&mut self, fleet: &Fleet, token: &str, now: Timestamp) -> Result<HostId, Refused> {
        match fleet.enrol(&self.request(token), PEER, now).unwrap() {
            EnrolOutcome::Issued(enrolled) => {
                let host = HostId(enrolled.host_id);
                self.enrolled = Some(enrolled);
                Ok(host)
            }
            EnrolOutcome::Refused(refused) => Err(refused),
        }
    }

    /// The host it became, if the fleet could answer at all.
    pub(crate) fn enrol_if_possible(&mut self, fleet: &Fleet, token: &str, now: Timestamp) -> Option<HostId> {
        match fleet.enrol(&self.request(token), PEER, now) {
            Ok(EnrolOutcome::Issued(enrolled)) => {
                let host = HostId(enrolled.host_id);
                self.enrolled = Some(enrolled);
                Some(host)
            }
            Ok(EnrolOutcome::Refused(refused)) => panic!("{}", refused.message),
            Err(_) => None,
        }
    }

    pub(crate) fn id(&self) -> HostId {
        HostId(self.enrolled.as_ref().unwrap().host_id)
    }

    pub(crate) fn leaf(&self) -> &[u8] {
        &self.enrolled.as_ref().unwrap().chain_der[0]
    }

    pub(crate) fn serial(&self) -> String {
        certificate::read(self.leaf()).unwrap().serial.to_string()
    }

    /// Its chain and key, as TLS wants them.
    pub(crate) fn identity(&self) -> Identity {
        Identity { chain_der: self.enrolled.as_ref().unwrap().chain_der.clone(), key_der: self.key.clone() }
    }

    /// The hello of a process begun at `started_ms` after a boot, holding these epochs.
    pub(crate) fn hello(&self, boot: u8, started_ms: i64, epochs: &[u64]) -> Hello {
        Hello {
            protocol: PROTOCOL,
            agent_version: "0.1.0".into(),
            boot_id: [boot; 16],
            clock_ms: 0,
            started_ms,
            facts: self.facts.clone(),
            epochs: epochs.iter().map(|e| HeldEpoch { epoch: Epoch::new(1, *e), last_seq: [0; 3] }).collect(),
            extensions: Vec::new(),
        }
    }
}

/// A pattern with many uses, for a day.
pub(crate) fn pattern(pattern: &str) -> TokenSpec {
    TokenSpec {
        binding: Binding::Pattern(pattern.into()),
        uses: 100,
        ttl: Duration::from_secs(DAY),
        ..TokenSpec::default()
    }
}

/// Cuts the power at each operation in turn while the second of two entries is applied. `judge` sees what opens then, and what stands once both
/// were applied again, each time with the number of entries that the file says to hold, and the operation.
pub(crate) fn after_each_cut(entries: impl Fn(&Bench) -> [ReplayEntry; 2], judge: impl Fn(&Bench, u64, u64)) {
    for operation in 0.. {
        let disk = CutDisk::new(operation);
        let bench = Bench::on(Arc::new(disk.clone()), Path::new("/data"));
        let entries = entries(&bench);
        bench.fleet.apply(&entries[..1]).unwrap();
        disk.power_off_at(disk.operations() + operation);
        let is_applied = bench.fleet.apply(&entries).is_ok();
        let is_finished = !disk.is_off();
        disk.cut();
        let bench = bench.reopen();
        let reached = bench.fleet.applied().unwrap().entry;
        assert!(reached == 2 || !is_applied && reached == 1, "operation {operation}: {reached}");
        judge(&bench, reached, operation);
        bench.fleet.apply(&entries).unwrap();
        judge(&bench, 2, operation);
        if is_finished {
            assert!(operation > 2, "only {operation} operations were cut");
            return;
        }
    }
}
