//! Opens a store: catalog, segments, inbox, in this order (rule 23).

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use muster_common::disk::Disk;
use muster_common::time::Timestamp;

use crate::admin::Admin;
use crate::bytes::Squeezer;
use crate::catalog::{Catalog, CatalogState, SegmentRow, generations_of};
use crate::config::Config;
use crate::database::{make_durable, open_database};
use crate::engine::{Engine, publish};
use crate::error::{FileError, OpenError};
use crate::head::Head;
use crate::head::index::SeriesIndex;
use crate::inbox::blob::BlobEncoder;
use crate::inbox::positions::Positions;
use crate::inbox::replay::Replayer;
use crate::inbox::{Active, Inbox, SealedFile, file};
use crate::logs::maintain;
use crate::logs::record::LogClass;
use crate::past::{Past, Reborn, last_arrival};
use crate::planted::{Planted, is_planted};
use crate::reader::Reader;
use crate::replay::{Replay, scan_sealed};
use crate::segment::Segment;
use crate::shared::{Shared, add};
use crate::writer::Writer;

/// The handles of one open store.
pub struct Parts {
    pub writer: Writer,
    pub reader: Reader,
    pub admin: Admin,
    pub replay: Replay,
    /// For the event that names what a restore may have lost.
    pub past: Past,
}

/// Opens the store in `config.folder`, or makes it. Heads are rebuilt from the inbox files that are not flushed; `random` makes
/// the ids of a new or restored store.
///
/// # Errors
/// [`OpenError`] names the file and the remedy.
pub fn open(
    disk: Arc<dyn Disk>,
    config: Config,
    now: Timestamp,
    random: &mut dyn FnMut() -> u64,
) -> Result<Parts, OpenError> {
    let shared = Arc::new(Shared::new(disk, config));
    let aside = segment_folders(&shared).map(|folder| folder.join(ASIDE));
    for folder in std::iter::once(&shared.inbox_folder).chain(&aside) {
        shared.disk.create_dir_all(folder).map_err(FileError::disk("make folder", folder))?;
    }
    let mut catalog =
        Catalog::new(shared.disk.clone(), shared.config.folder.join("catalog.redb"), shared.config.catalog_cache_bytes);
    let mut generations = inbox_files(&shared)?;
    if catalog.ready()?.incarnation == 0 && generations.is_empty() {
        // Before the store has an identity, so that one that has it and no inbox file has lost its inbox.
        file::create(&shared, FIRST, None, now)?;
        generations.push(FIRST);
    }
    let (state, reborn) = identify(&shared, &mut catalog, &generations, random)?;
    clear_all(&shared, &state)?;
    publish(&shared, &state)?;
    let positions = Positions::new(catalog.positions()?);
    let inbox = open_inbox(&shared, &state, generations, positions, now)?;
    let past = Past { reborn, last_arrival: last_arrival(&inbox, &state, now)? };
    let engine = Arc::new(Engine::new(shared.clone(), inbox, catalog));
    Ok(Parts {
        writer: Writer { engine: engine.clone() },
        reader: Reader { shared },
        admin: Admin { engine: engine.clone() },
        replay: Replay { engine },
        past,
    })
}

/// The first generation of a store.
const FIRST: u64 = 1;

/// Folder beside the segments for files that the catalog does not name.
const ASIDE: &str = "aside";

/// The generations that have a file; what a crash left of one being made is removed.
fn inbox_files(shared: &Shared) -> Result<Vec<u64>, FileError> {
    let folder = &shared.inbox_folder;
    for name in shared.disk.list(folder).map_err(FileError::disk("list", folder))? {
        if name.ends_with(".new") {
            let path = folder.join(&name);
            shared.disk.unlink(&path).map_err(FileError::disk("unlink", &path))?;
        }
    }
    if !is_planted(&shared.config, Planted::NoSyncDir) {
        // A file may have been renamed into place just before a crash of the process: nothing is committed to it before its
        // name is durable.
        shared.disk.sync_dir(folder).map_err(FileError::disk("sync folder", folder))?;
    }
    file::generations(shared)
}

/// Takes an identity where there is none, and a new incarnation where marks cannot be trusted.
fn identify(
    shared: &Shared,
    catalog: &mut Catalog,
    generations: &[u64],
    random: &mut dyn FnMut() -> u64,
) -> Result<(CatalogState, Option<Reborn>), FileError> {
    let before = catalog.ready()?.clone();
    let mut next = before.clone();
    let marks_lost =
        before.incarnation > 0 && generations.last().is_none_or(|&newest| newest <= before.flushed_through);
    let reborn = match (marks_lost, shared.config.restored && before.incarnation > 0) {
        (true, _) => Some(Reborn::MarksLost),
        (false, true) => Some(Reborn::Restored),
        (false, false) => None,
    };
    if before.incarnation == 0 {
        next.store_id[..8].copy_from_slice(&random().to_le_bytes());
        next.store_id[8..].copy_from_slice(&random().to_le_bytes());
        next.incarnation = 1;
    } else if reborn.is_some() {
        // Random: two restores of one snapshot must not share an incarnation.
        next.incarnation = loop {
            let incarnation = random();
            if incarnation > 1 && incarnation != before.incarnation {
                break incarnation;
            }
        };
    }
    readmit(shared, &mut next);
    maintain::readmit(shared, &mut next.logs);
    let mut health = shared.health.lock();
    health.marks_lost = marks_lost;
    let quarantined = next.quarantined.iter();
    health.quarantined = quarantined.map(|(number, (row, why))| (row.file_name(*number), why.clone())).collect();
    health.quarantined.extend(maintain::quarantined(&next.logs));
    drop(health);
    if next != before {
        catalog.commit(next.clone())?;
    }
    Ok((next, reborn))
}

/// Segments set aside whose files are whole again, put back by somebody, are read again.
fn readmit(shared: &Shared, next: &mut CatalogState) {
    let is_whole = |number: u64, row: &SegmentRow| {
        let path = shared.segment_folder.join(row.file_name(number));
        Segment::open(&shared.disk, number, path).and_then(|segment| segment.verify()).is_ok()
    };
    let whole = next.quarantined.extract_if(.., |number, (row, _)| is_whole(*number, row));
    let whole: Vec<_> = whole.map(|(number, (row, _))| (number, row)).collect();
    next.segments.extend(whole);
}

/// The folders of metrics, logs and events.
fn segment_folders(shared: &Shared) -> [&Path; 3] {
    let [logs, events] = &shared.log_folders;
    [&shared.segment_folder, logs, events]
}

/// [`clear_segments`] in all folders.
fn clear_all(shared: &Shared, state: &CatalogState) -> Result<(), FileError> {
    let classes = LogClass::ALL.map(|class| CatalogState {
        flushed_through: state.flushed_through,
        dropped: state.logs.class(class).dropped.clone(),
        ..state.logs.class(class).as_metrics()
    });
    let mut set_aside = Vec::new();
    for (folder, state) in segment_folders(shared).into_iter().zip(std::iter::once(state).chain(&classes)) {
        set_aside.extend(clear_segments(shared, folder, state)?);
    }
    shared.health.lock().set_aside = set_aside;
    Ok(())
}

/// Unlinks dropped files, and those that the catalog does not name: what a crash left of a flush or merge. Only where a segment
/// of the same generations is missing or damaged they are set aside, since they may hold what it held.
fn clear_segments(shared: &Shared, folder: &Path, state: &CatalogState) -> Result<Vec<String>, FileError> {
    let aside = folder.join(ASIDE);
    let there = shared.disk.list(folder).map_err(FileError::disk("list", folder))?;
    let named = state.segments.iter().map(|(number, row)| (row.file_name(*number), row));
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    for (name, row) in named {
        if !there.contains(&name) {
            lost.push((row.lo, row.hi));
        }
        kept.push(name);
    }
    for (number, (row, _)) in &state.quarantined {
        kept.push(row.file_name(*number));
        lost.push((row.lo, row.hi));
    }
    let mut moved = false;
    for name in &there {
        let Some((lo, hi)) = generations_of(name).filter(|_| !kept.contains(name)) else { continue };
        let path = folder.join(name);
        let may_be_needed = hi <= state.flushed_through
            && !state.dropped.contains(name)
            && lost.iter().any(|&(lost_lo, lost_hi)| lost_lo <= hi && lo <= lost_hi);
        if may_be_needed {
            shared.disk.rename(&path, &aside.join(name)).map_err(FileError::disk("set aside", &path))?;
            moved = true;
        } else {
            shared.disk.unlink(&path).map_err(FileError::disk("unlink", &path))?;
        }
    }
    if moved {
        for folder in [aside.as_path(), folder] {
            shared.disk.sync_dir(folder).map_err(FileError::disk("sync folder", folder))?;
        }
    }
    shared.disk.list(&aside).map_err(FileError::disk("list", &aside))
}

fn open_inbox(
    shared: &Arc<Shared>,
    state: &CatalogState,
    mut generations: Vec<u64>,
    positions: Positions,
    now: Timestamp,
) -> Result<Inbox, FileError> {
    let newest = match generations.pop() {
        Some(newest) if newest > state.flushed_through => newest,
        lost => {
            generations.extend(lost);
            let first = state.flushed_through + 1;
            file::create(shared, first, None, now)?;
            first
        }
    };
    let index = Arc::new(SeriesIndex::new());
    let squeeze = FileError::disk("compress for", &shared.inbox_folder);
    let coders = BlobEncoder::new().and_then(|encoder| Ok((encoder, Squeezer::new()?)));
    let (encoder, squeezer) = coders.map_err(squeeze)?;
    let mut inbox = Inbox {
        shared: shared.clone(),
        active: Active::new(shared, newest, index.clone()),
        sealed: BTreeMap::new(),
        state_reached: None,
        positions,
        entries: Vec::new(),
        encoder,
        squeezer,
    };
    // First: its slots keep the numbers that the file gave them.
    inbox.active.take_up_again(shared, &mut inbox.entries)?;
    let all = is_planted(&shared.config, Planted::FlushedReplayedIntoHead);
    for generation in generations {
        let flushed = generation <= state.flushed_through;
        let last_state = if flushed && !all {
            scan_sealed(shared, generation)?.last_state
        } else {
            rebuild(shared, generation, &index)?
        };
        if !flushed {
            inbox.positions.load_sealed(shared, generation)?;
        }
        inbox.sealed.insert(generation, SealedFile { last_state, flushed });
    }
    // What is replayed goes to state.redb through `Replay`, which knows how far it is.
    inbox.entries.clear();
    shared.published.add_head(inbox.active.head.clone());
    if inbox.active.is_damaged {
        inbox.leave_damaged(now)?;
    }
    inbox.unlink_passed();
    add(&shared.counters.inbox_bytes, inbox.active.bytes);
    Ok(inbox)
}

/// The head of a sealed generation; answers its last entry with records of small state.
fn rebuild(shared: &Arc<Shared>, generation: u64, index: &Arc<SeriesIndex>) -> Result<Option<u64>, FileError> {
    let path = file::path(&shared.inbox_folder, generation);
    make_durable(&*shared.disk, &path).map_err(FileError::Open)?;
    let database = open_database(&*shared.disk, &path, false, shared.config.inbox_cache_bytes)?;
    let read = file::begin_read(&database, &path)?;
    file::check_version(&read, &path)?;
    let mut slots = HashMap::new();
    let (_, damaged) = file::read_series(&read, 0, &path, &mut |slot, series| {
        slots.insert(slot, index.assign(std::slice::from_ref(&series), &mut |_| {})[0]);
    })?;
    let head = Arc::new(Head::new(generation, index.clone()));
    let mut replayer = Replayer::new(&head, Some(&slots));
    let blobs = file::read_blobs(&read, 0, &path, &mut |blob| replayer.blob(blob))?;
    let replayed = replayer.finish();
    let mut health = shared.health.lock();
    health.damaged_entries += blobs.damaged + damaged;
    health.lost_samples += replayed.lost;
    drop(health);
    shared.published.add_head(head);
    Ok(replayed.last_state)
}
