//! state.redb: opening it, reading it whole, and the one way in which anything of the fleet is written to it.
//!
//! STATE.md describes the tables. The registry lies in [`Memory`]; a [`Draft`] gathers what an operation changes, [`State::commit`]
//! makes it durable in one transaction, and only then is it taken into memory and told to readers. A commit that fails may have
//! happened or not: the file is then closed, and opened and read anew before the next write.

mod books;
mod reading;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::disk::Disk;
use muster_common::host::HostId;
use muster_common::identity::random;
use muster_common::time::Timestamp;
use muster_common::wire::message::Epoch;
use muster_store::Position;
use muster_store::database::{make_durable, open_database, open_unchanged};
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableHandle, WriteTransaction,
};
use serde::de::DeserializeOwned;

use crate::announcements::Announcement;
use crate::audit::{AUDIT_ROWS_MAX, Chain, Link};
use crate::copy::StateCounts;
use crate::deploys::DeployRows;
use crate::discovery::Discovery;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::gate::{DeployVerdict, GateDecision, GateHead};
use crate::http_tokens::HttpTokenRow;
use crate::inventory::{Baseline, InventoryState, write_inventory};
use crate::looks::write_looks;
use crate::memory::Memory;
use crate::outbox::{OUTBOX_ROWS_MAX, OutboxState};
use crate::profiles::ProfileBook;
use crate::projection::{Kept, apart, write_rows};
use crate::restored::Restored;
use crate::rows::{DenyRow, Sha256, Sighting, decode, encode, hex};
use crate::sessions::SessionRow;
use crate::status::StatusBook;
use crate::tables::{
    ALL, ANNOUNCEMENTS, AUDIT, AUTHORITIES, BASELINES, DENIED, DEPLOY_VERDICTS, GAPS, GATE_DECISIONS, HOSTS,
    HTTP_TOKENS, LEAVES, LOG_LOSSES, META, OUTBOX, PROCESS_LOOKS, Put, SESSIONS, SIGHTINGS, TOKENS, Table, USERS, meta,
};
use crate::tasks::TaskBook;
use crate::tokens::TokenRow;
use crate::users::UserRow;

pub(crate) use self::reading::Reading;

/// Format of the whole file. A larger number is refused; a smaller one is migrated at opening.
pub const FORMAT: u32 = 1;
/// Name of the file in the data folder.
pub const FILE_NAME: &str = "state.redb";
/// redb's page cache: the registry is in memory, so this serves writes, the outbox and gaps.
pub(crate) const CACHE_BYTES: usize = 16 << 20;

/// The open file, and what it takes to open it again.
pub(crate) struct State {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// When it was opened first: stamps the tables if they have to be made.
    opened: Timestamp,
    /// `None` after a failed commit.
    database: Option<Database>,
    #[cfg(feature = "planted")]
    pub(crate) planted: Option<crate::planted::Planted>,
}

/// What was read at opening.
pub(crate) struct Loaded {
    pub memory: Memory,
    pub sightings: HashMap<HostId, Sighting>,
    pub book: StatusBook,
    pub inventory: InventoryState,
    pub profiles: ProfileBook,
    pub discovery: Discovery,
    pub tasks: TaskBook,
}

/// What a commit numbered and counted.
pub(crate) struct Committed {
    pub outbox: OutboxState,
    pub audit: Chain,
    pub gaps: Kept,
    pub log_losses: Kept,
    /// Looks at processes that went before their time.
    pub early_looks: u64,
}

impl State {
    /// Opens the file in this folder, or makes it, and reads everything.
    pub(crate) fn open(disk: Arc<dyn Disk>, folder: &Path, now: Timestamp) -> Result<(Self, Loaded), FleetError> {
        disk.create_dir_all(folder)
            .map_err(|source| FleetError::Folder { path: folder.display().to_string(), source })?;
        let mut state = Self {
            disk,
            path: folder.join(FILE_NAME),
            opened: now,
            database: None,
            #[cfg(feature = "planted")]
            planted: None,
        };
        let loaded = state.load()?;
        Ok((state, loaded))
    }

    /// Whether the last commit failed, so that memory may differ from the file.
    pub(crate) const fn is_unsure(&self) -> bool {
        self.database.is_none()
    }

    /// Opens the file (again) and reads everything.
    pub(crate) fn load(&mut self) -> Result<Loaded, FleetError> {
        self.database = None;
        // How its last use ended is not known: what is read from here on is to be durable.
        make_durable(self.disk.as_ref(), &self.path)?;
        let database = open_database(self.disk.as_ref(), &self.path, true, CACHE_BYTES)?;
        match format(&database, &self.path)? {
            None => self.make_tables(&database, self.opened)?,
            Some(FORMAT) => self.make_missing(&database)?,
            // No format below 1 exists, so another number is a newer one.
            Some(found) => return Err(FleetError::Newer { path: self.shown(), found, known: FORMAT }),
        }
        let loaded = self.read(&database)?;
        self.database = Some(database);
        Ok(loaded)
    }

    /// Reads a file whole and does not change it.
    pub(crate) fn examine(disk: Arc<dyn Disk>, folder: &Path) -> Result<StateCounts, FleetError> {
        let path = folder.join(FILE_NAME);
        let mut database = open_unchanged(disk.as_ref(), &path, CACHE_BYTES)?;
        let state = Self {
            disk,
            path,
            opened: Timestamp::from_millis(0),
            database: None,
            #[cfg(feature = "planted")]
            planted: None,
        };
        if !database.check_integrity().is_ok_and(|is_whole| is_whole) {
            let (path, what) = (state.shown(), "its pages fail their checksums".to_owned());
            return Err(FleetError::Damaged { path, table: "all".into(), row: "all".into(), what });
        }
        match format(&database, &state.path)? {
            Some(FORMAT) => {}
            found => return Err(FleetError::Newer { path: state.shown(), found: found.unwrap_or(0), known: FORMAT }),
        }
        let loaded = state.read(&database)?;
        let count = || -> Result<BTreeMap<String, u64>, redb::Error> {
            let read = database.begin_read()?;
            let rows = ALL.map(|table| Ok((table.name().to_owned(), read.open_table(table)?.len()?)));
            rows.into_iter().collect()
        };
        let rows = count().map_err(|error| state.failed("count the rows", error))?;
        Ok(StateCounts { rows, applied: loaded.memory.applied })
    }

    /// The format of the file in this folder; `None`: there is none, or nothing was written to it.
    pub(crate) fn format_of(disk: &dyn Disk, folder: &Path) -> Result<Option<u32>, FleetError> {
        let path = folder.join(FILE_NAME);
        match disk.open(&path, muster_common::disk::Open::Read) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FleetError::Folder { path: path.display().to_string(), source }),
            Ok(_) => {}
        }
        let database = open_unchanged(disk, &path, CACHE_BYTES)?;
        format(&database, &path)
    }

    /// Makes all of the draft durable and numbers its events, or fails and leaves it unknown whether it is durable.
    pub(crate) fn commit(&mut self, draft: &mut Draft, memory: &Memory) -> Result<Committed, FleetError> {
        let database = self.database.as_ref().ok_or_else(|| self.closed())?;
        #[cfg(feature = "planted")]
        if self.planted == Some(crate::planted::Planted::PositionApart)
            && let Err(source) = write_position_apart(database, draft)
        {
            self.database = None;
            return Err(self.failed("commit a change", source));
        }
        match write_draft(database, draft, memory) {
            Ok(committed) => Ok(committed),
            Err(source) => {
                self.database = None;
                Err(self.failed("commit a change", source))
            }
        }
    }

    /// Closes the file, as a failed commit does.
    #[cfg(test)]
    pub(crate) fn close(&mut self) {
        self.database = None;
    }

    /// The certificate that a host got last.
    pub(crate) fn leaf(&self, host: HostId) -> Result<Option<Vec<u8>>, FleetError> {
        let read = |database: &Database| -> Result<Option<Vec<u8>>, redb::Error> {
            let table = database.begin_read()?.open_table(LEAVES)?;
            Ok(table.get(host.0.as_slice())?.map(|der| der.value().to_vec()))
        };
        read(self.database.as_ref().ok_or_else(|| self.closed())?)
            .map_err(|error| self.failed("read a certificate", error))
    }

    /// The tables as they are now, to be read without this state.
    pub(crate) fn reading(&self) -> Result<Reading, FleetError> {
        let database = self.database.as_ref().ok_or_else(|| self.closed())?;
        let transaction = database.begin_read().map_err(|error| self.failed("begin to read", error.into()))?;
        Ok(Reading { transaction, path: self.path.clone() })
    }

    /// Makes all tables, and the rows that a new file has, in one transaction.
    fn make_tables(&self, database: &Database, now: Timestamp) -> Result<(), FleetError> {
        let epoch = Epoch::new(now.millis(), u64::from_le_bytes(random::<8>()?));
        let rows = [
            Put::set(META, meta::FORMAT, FORMAT.to_le_bytes().to_vec()),
            Put::set(META, meta::MADE_MS, now.millis().to_le_bytes().to_vec()),
            Put::set(META, meta::OUTBOX_EPOCH, epoch.0.to_vec()),
            Put::set(META, meta::OUTBOX_NEXT, 1_u64.to_le_bytes().to_vec()),
        ];
        let write = || -> Result<(), redb::Error> {
            let transaction = begin(database)?;
            for table in ALL {
                transaction.open_table(table)?;
            }
            write_puts(&transaction, &rows)?;
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|error| self.failed("make the tables", error))
    }

    /// A file that is older than a table of its format gets it.
    fn make_missing(&self, database: &Database) -> Result<(), FleetError> {
        let make = || -> Result<(), redb::Error> {
            if database.begin_read()?.list_tables()?.count() >= ALL.len() {
                return Ok(());
            }
            let transaction = begin(database)?;
            for table in ALL {
                transaction.open_table(table)?;
            }
            Ok(transaction.commit()?)
        };
        make().map_err(|error| self.failed("make the tables that are missing", error))
    }

    fn read(&self, database: &Database) -> Result<Loaded, FleetError> {
        let transaction = database.begin_read().map_err(|error| self.failed("begin to read", error.into()))?;
        let numbers = read_numbers(&transaction).map_err(|error| self.failed("read how far it is", error))?;
        let missing = |name: &[u8]| self.damaged(&META, name, "the row is missing or has another length".into());
        let epoch = numbers.epoch.ok_or_else(|| missing(meta::OUTBOX_EPOCH))?;
        let next_seq = numbers.next_seq.ok_or_else(|| missing(meta::OUTBOX_NEXT))?;
        let (rows, delivered, dropped) = (numbers.events, numbers.delivered, numbers.dropped);
        let mut memory = Memory::new(OutboxState { epoch, next_seq, rows, delivered, dropped }, numbers.audit);
        memory.incarnation = numbers.incarnation;
        memory.applied = numbers.applied;
        let restored = numbers.restored.map(|bytes| decode::<Restored>(&bytes)).transpose();
        memory.restored = restored.map_err(|what| self.damaged(&META, meta::RESTORED, what))?;
        (memory.gaps, memory.log_losses) = (numbers.gaps, numbers.log_losses);
        for row in self.rows(&transaction, AUTHORITIES)? {
            memory.put_authority(row.1)?;
        }
        for (_, row) in self.rows(&transaction, HOSTS)? {
            memory.put_host(row);
        }
        for (_, row) in self.rows::<TokenRow>(&transaction, TOKENS)? {
            memory.tokens.insert(row.id.clone(), row);
        }
        for (_, row) in self.rows::<HttpTokenRow>(&transaction, HTTP_TOKENS)? {
            memory.http_tokens.insert(row.id.clone(), row);
        }
        for (_, row) in self.rows::<UserRow>(&transaction, USERS)? {
            memory.users.insert(row.name.clone(), row);
        }
        for (key, row) in self.rows::<SessionRow>(&transaction, SESSIONS)? {
            let hash = key.as_slice().try_into().map_err(|_| self.damaged(&SESSIONS, &key, "not 32 bytes".into()))?;
            memory.sessions.insert(Sha256(hash), row);
        }
        for (_, row) in self.rows::<DenyRow>(&transaction, DENIED)? {
            memory.denied.insert(row.serial.clone(), row);
        }
        for (_, row) in self.rows::<Announcement>(&transaction, ANNOUNCEMENTS)? {
            memory.announcements.insert(row.id, row);
        }
        for (_, row) in self.rows::<GateDecision>(&transaction, GATE_DECISIONS)? {
            memory.gate_decisions.insert(row.id, GateHead::of(&row));
        }
        for (key, row) in self.rows::<DeployVerdict>(&transaction, DEPLOY_VERDICTS)? {
            memory.verdicts.insert(key, row.brief());
        }
        for (_, row) in self.rows::<Baseline>(&transaction, BASELINES)? {
            memory.baselines.insert(row.name.clone(), row);
        }
        let deploys = DeployRows::load(|table| self.pairs(&transaction, table))?;
        memory.deploys = deploys.map_err(|(table, key, what)| self.damaged(&table, &key, what))?;
        let mut sightings = HashMap::new();
        for (key, row) in self.rows::<Sighting>(&transaction, SIGHTINGS)? {
            let host = key.as_slice().try_into().map_err(|_| self.damaged(&SIGHTINGS, &key, "not 16 bytes".into()))?;
            sightings.insert(HostId(host), row);
        }
        let book = self.book(&transaction, &memory)?;
        let inventory = self.inventory(&transaction)?;
        let profiles = self.profiles(&transaction, numbers.profiles)?;
        let discovery = self.discovery(&transaction, &inventory)?;
        let tasks = self.tasks(&transaction, numbers.tasks)?;
        Ok(Loaded { memory, sightings, book, inventory, profiles, discovery, tasks })
    }

    /// A whole table.
    fn rows<T: DeserializeOwned>(
        &self,
        transaction: &ReadTransaction,
        table: Table,
    ) -> Result<Vec<(Vec<u8>, T)>, FleetError> {
        let rows = self.pairs(transaction, table)?;
        let decoded = rows.into_iter().map(|(key, value)| match decode(&value) {
            Ok(row) => Ok((key, row)),
            Err(what) => Err(self.damaged(&table, &key, what)),
        });
        decoded.collect()
    }

    /// A whole table as bytes.
    fn pairs(&self, transaction: &ReadTransaction, table: Table) -> Result<Vec<Pair>, FleetError> {
        read_pairs(transaction, table).map_err(|error| self.failed("read a table", error))
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn damaged(&self, table: &Table, key: &[u8], what: String) -> FleetError {
        damaged(self.shown(), table, key, what)
    }

    fn failed(&self, action: &'static str, source: redb::Error) -> FleetError {
        FleetError::Database { action, path: self.shown(), source: Box::new(source) }
    }

    fn closed(&self) -> FleetError {
        self.failed("use what a failed commit left closed", redb::Error::DatabaseClosed)
    }
}

fn format(database: &Database, path: &Path) -> Result<Option<u32>, FleetError> {
    let read = || -> Result<Option<Vec<u8>>, redb::Error> {
        match database.begin_read()?.open_table(META) {
            Ok(table) => Ok(table.get(meta::FORMAT)?.map(|value| value.value().to_vec())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    let shown = || path.display().to_string();
    let read = read().map_err(|source| FleetError::Database {
        action: "read the format",
        path: shown(),
        source: Box::new(source),
    })?;
    match read.map(<[u8; 4]>::try_from) {
        None => Ok(None),
        Some(Ok(bytes)) => Ok(Some(u32::from_le_bytes(bytes))),
        Some(Err(_)) => Err(damaged(shown(), &META, meta::FORMAT, "it is not 4 bytes".into())),
    }
}

type Opened = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;
type Guard<'a> = redb::AccessGuard<'a, &'static [u8]>;

fn damaged(path: String, table: &Table, key: &[u8], what: String) -> FleetError {
    let row = String::from_utf8(key.to_vec()).unwrap_or_else(|_| hex(key));
    FleetError::Damaged { path, table: table.name().to_owned(), row, what }
}

fn read_pairs(transaction: &ReadTransaction, table: Table) -> Result<Vec<Pair>, redb::Error> {
    let opened = transaction.open_table(table)?;
    let mut rows = Vec::new();
    for row in opened.iter()? {
        let (key, value) = row?;
        rows.push((key.value().to_vec(), value.value().to_vec()));
    }
    Ok(rows)
}

/// Key and value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// A durable transaction after which the file opens without a repair.
pub(crate) fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

fn write_puts(transaction: &WriteTransaction, puts: &[Put]) -> Result<(), redb::Error> {
    for put in puts {
        let mut table = transaction.open_table(put.table)?;
        match &put.value {
            Some(value) => table.insert(put.key.as_slice(), value.as_slice())?,
            None => table.remove(put.key.as_slice())?,
        };
    }
    Ok(())
}

/// The planted bug: a crash between the two transactions takes the rows for applied.
#[cfg(feature = "planted")]
fn write_position_apart(database: &Database, draft: &Draft) -> Result<(), redb::Error> {
    let Some(projected) = &draft.projected else { return Ok(()) };
    let transaction = begin(database)?;
    write_puts(&transaction, &[Put::set(META, meta::APPLIED, position_bytes(projected.reached))])?;
    transaction.commit()?;
    Ok(())
}

fn write_draft(database: &Database, draft: &mut Draft, memory: &Memory) -> Result<Committed, redb::Error> {
    let transaction = begin(database)?;
    let mut puts = draft.puts();
    let (mut gaps, mut log_losses) = (memory.gaps, memory.log_losses);
    let mut restored: Vec<_> = draft.restored.iter().map(|restored| apart(&restored.gap())).collect();
    let mut told = Vec::new();
    let mut early_looks = 0;
    if let Some(projected) = &mut draft.projected {
        if !projected.gaps.is_empty() {
            gaps = write_rows(&mut transaction.open_table(GAPS)?, &mut projected.gaps, gaps, &mut told)?;
        }
        if !projected.losses.is_empty() {
            let mut table = transaction.open_table(LOG_LOSSES)?;
            log_losses = write_rows(&mut table, &mut projected.losses, log_losses, &mut told)?;
        }
        if !projected.looks.is_empty() {
            early_looks = write_looks(&mut transaction.open_table(PROCESS_LOOKS)?, &projected.looks)?;
        }
        if let Some(step) = &mut projected.inventory {
            write_inventory(&transaction, step)?;
        }
        puts.push(Put::set(META, meta::APPLIED, position_bytes(projected.reached)));
    }
    if !restored.is_empty() {
        gaps = write_rows(&mut transaction.open_table(GAPS)?, &mut restored, gaps, &mut told)?;
    }
    if gaps != memory.gaps {
        puts.push(Put::set(META, meta::GAPS_DROPPED, gaps.dropped.to_le_bytes().to_vec()));
    }
    if log_losses != memory.log_losses {
        puts.push(Put::set(META, meta::LOG_LOSSES_DROPPED, log_losses.dropped.to_le_bytes().to_vec()));
    }
    told.sort_by_key(|(position, _)| *position);
    draft.events.extend(told.into_iter().map(|(_, event)| event));
    let mut outbox = memory.outbox;
    let epoch = draft.incarnation.map_or(outbox.epoch, |(_, epoch)| Epoch(epoch));
    let delivered = draft.delivered.unwrap_or(outbox.delivered);
    if !draft.events.is_empty() {
        let mut table = transaction.open_table(OUTBOX)?;
        for event in &mut draft.events {
            (event.epoch, event.seq) = (epoch, outbox.next_seq);
            outbox.next_seq += 1;
            table.insert(event.seq.to_be_bytes().as_slice(), encode(event).as_slice())?;
            outbox.rows += 1;
        }
        while outbox.rows > OUTBOX_ROWS_MAX
            && let Some((seq, _)) = table.pop_first()?
        {
            let seq = seq.value().try_into().map_or(u64::MAX, u64::from_be_bytes);
            outbox.rows -= 1;
            outbox.dropped += u64::from(seq > delivered);
        }
        puts.push(Put::set(META, meta::OUTBOX_NEXT, outbox.next_seq.to_le_bytes().to_vec()));
        puts.push(Put::set(META, meta::OUTBOX_DROPPED, outbox.dropped.to_le_bytes().to_vec()));
    }
    let mut audit = memory.audit;
    if draft.events.iter().any(|event| event.noted.is_some()) {
        puts.extend(audit.write(&mut transaction.open_table(AUDIT)?, draft.events.iter(), AUDIT_ROWS_MAX)?);
    }
    write_puts(&transaction, &puts)?;
    transaction.commit()?;
    Ok(Committed { outbox, audit, gaps, log_losses, early_looks })
}

/// The rows of `meta`, and how many events, gaps and losses there are.
struct Numbers {
    epoch: Option<Epoch>,
    next_seq: Option<u64>,
    events: u64,
    dropped: u64,
    delivered: u64,
    audit: Chain,
    incarnation: Option<u64>,
    restored: Option<Vec<u8>>,
    profiles: Option<Vec<u8>>,
    tasks: Option<Vec<u8>>,
    applied: Option<Position>,
    gaps: Kept,
    log_losses: Kept,
}

fn read_numbers(transaction: &ReadTransaction) -> Result<Numbers, redb::Error> {
    let meta_table = transaction.open_table(META)?;
    let bytes = |name: &[u8]| -> Result<Option<Vec<u8>>, redb::Error> {
        Ok(meta_table.get(name)?.map(|value| value.value().to_vec()))
    };
    let number = |name: &[u8]| -> Result<Option<u64>, redb::Error> {
        Ok(bytes(name)?.and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes))
    };
    Ok(Numbers {
        epoch: bytes(meta::OUTBOX_EPOCH)?.and_then(|bytes| bytes.try_into().ok()).map(Epoch),
        next_seq: number(meta::OUTBOX_NEXT)?,
        events: transaction.open_table(OUTBOX)?.len()?,
        dropped: number(meta::OUTBOX_DROPPED)?.unwrap_or(0),
        delivered: number(meta::OUTBOX_DELIVERED)?.unwrap_or(0),
        audit: Chain {
            head: bytes(meta::AUDIT_HEAD)?.and_then(|bytes| Link::of_bytes(&bytes)).unwrap_or(Link::START),
            anchor: bytes(meta::AUDIT_ANCHOR)?.and_then(|bytes| Link::of_bytes(&bytes)).unwrap_or(Link::START),
            rows: transaction.open_table(AUDIT)?.len()?,
        },
        incarnation: number(meta::INCARNATION)?,
        restored: bytes(meta::RESTORED)?,
        profiles: bytes(meta::PROFILES)?,
        tasks: bytes(meta::TASKS)?,
        applied: bytes(meta::APPLIED)?.and_then(|bytes| position(&bytes)),
        gaps: Kept { rows: transaction.open_table(GAPS)?.len()?, dropped: number(meta::GAPS_DROPPED)?.unwrap_or(0) },
        log_losses: Kept {
            rows: transaction.open_table(LOG_LOSSES)?.len()?,
            dropped: number(meta::LOG_LOSSES_DROPPED)?.unwrap_or(0),
        },
    })
}

fn position_bytes(position: Position) -> Vec<u8> {
    [position.generation.to_le_bytes(), position.entry.to_le_bytes()].concat()
}

fn position(bytes: &[u8]) -> Option<Position> {
    let (generation, entry) = bytes.split_first_chunk::<8>()?;
    Some(Position { generation: u64::from_le_bytes(*generation), entry: u64::from_le_bytes(entry.try_into().ok()?) })
}
