//! The table of epochs: which runs of batches exist, so that no seq is ever given out twice with other content.
//!
//! File `epochs`: two slots of 4 KiB, written in turn, each with a generation and a checksum; the valid slot of the higher generation
//! counts. A torn write damages only the slot that was not in force, and a full disk cannot refuse an overwrite in place.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::disk::{Disk, DiskFile, Open};
use muster_common::host::HostId;
use muster_common::wire::message::Epoch;

const FILE: &str = "epochs";
const SLOT_BYTES: usize = 4096;
const MAGIC: [u8; 8] = *b"MSTREPO\0";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 64;
const ROW_BYTES: usize = 104;
/// Rows of one slot. A hello lists at most 32; the rest is room for epochs whose end is not yet told.
pub const EPOCHS_MAX: usize = 36;

const _: () = assert!(HEAD_BYTES + EPOCHS_MAX * ROW_BYTES + 4 <= SLOT_BYTES);

/// What a row's `last_seq` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochState {
    /// Written to until the process ended without a word: `last_seq` is a bound that no seq given out passes.
    Open,
    /// Ended in order: `last_seq` is exact.
    Ended,
}

/// One epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochRow {
    pub epoch: Epoch,
    /// By lane number; see [`EpochState`].
    pub last_seq: [u64; 3],
    /// By lane number: given out at least up to here when the row was written. After a crash it tells of batches of which nothing is left.
    pub known_seq: [u64; 3],
    /// By lane number: committed at least up to here when the row was written.
    pub acked: [u64; 3],
    pub state: EpochState,
    /// When the first lost batch of an older epoch was made that this one's gap stands for too; 0: none.
    pub joined_from_ms: i64,
}

impl EpochRow {
    /// Of an epoch of which nothing is known but that it was.
    pub fn unbounded(epoch: Epoch) -> Self {
        let (last_seq, state) = ([u64::MAX; 3], EpochState::Open);
        Self { epoch, last_seq, known_seq: [0; 3], acked: [0; 3], state, joined_from_ms: 0 }
    }
}

/// The store that answered last: another one, or another incarnation, may lack what it once acked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSeen {
    pub store_id: [u8; 16],
    pub incarnation: u64,
}

/// All of it, oldest epoch first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochTable {
    pub store: Option<StoreSeen>,
    pub rows: Vec<EpochRow>,
}

/// The file. One owner.
pub struct EpochFile {
    file: Box<dyn DiskFile>,
    host: HostId,
    generation: u64,
}

impl EpochFile {
    /// Opens or makes the file in `folder`. The table is `None` when there was none, when both slots are damaged, or when it is another host's.
    ///
    /// # Errors
    /// As the disk.
    pub fn open(disk: &Arc<dyn Disk>, folder: &Path, host: HostId) -> io::Result<(Self, Option<EpochTable>)> {
        let path: PathBuf = folder.join(FILE);
        let file = match disk.open(&path, Open::Write) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = disk.open(&path, Open::Create)?;
                // Both slots exist from the start, so that no later write needs room.
                file.pwrite(&[0; 2 * SLOT_BYTES], 0)?;
                file.sync()?;
                disk.sync_dir(folder)?;
                file
            }
            Err(error) => return Err(error),
        };
        let mut best: Option<(u64, EpochTable)> = None;
        let mut generation = 0;
        for slot in 0..2u64 {
            let mut bytes = [0; SLOT_BYTES];
            match file.pread(&mut bytes, slot * SLOT_BYTES as u64) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                Err(error) => return Err(error),
            }
            let Some((number, owner, table)) = decode(&bytes) else { continue };
            generation = generation.max(number);
            if owner == host && best.as_ref().is_none_or(|(known, _)| number > *known) {
                best = Some((number, table));
            }
        }
        Ok((Self { file, host, generation }, best.map(|(_, table)| table)))
    }

    /// Makes `table` the one in force, durably. After an error either the old or the new one is.
    ///
    /// # Errors
    /// As the disk; `InvalidInput` with more rows than a slot has room for.
    pub fn keep(&mut self, table: &EpochTable) -> io::Result<()> {
        if table.rows.len() > EPOCHS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "more epochs than the table has room for"));
        }
        // Counted on even when the write fails: what is on the disk then is unknown, and the other slot is still good.
        let next = self.generation + 1;
        let bytes = encode(next, self.host, table);
        self.file.pwrite(&bytes, (next % 2) * SLOT_BYTES as u64)?;
        self.file.sync()?;
        self.generation = next;
        Ok(())
    }
}

fn encode(generation: u64, host: HostId, table: &EpochTable) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    // keep() has bounded the rows.
    bytes.extend_from_slice(&u16::try_from(table.rows.len()).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(&u32::from(table.store.is_some()).to_le_bytes());
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&host.0);
    let store = table.store.unwrap_or(StoreSeen { store_id: [0; 16], incarnation: 0 });
    bytes.extend_from_slice(&store.store_id);
    bytes.extend_from_slice(&store.incarnation.to_le_bytes());
    for row in &table.rows {
        bytes.extend_from_slice(&row.epoch.0);
        for seq in row.last_seq.into_iter().chain(row.known_seq).chain(row.acked) {
            bytes.extend_from_slice(&seq.to_le_bytes());
        }
        bytes.extend_from_slice(&row.joined_from_ms.to_le_bytes());
        let state: u64 = match row.state {
            EpochState::Open => 0,
            EpochState::Ended => 1,
        };
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.resize(SLOT_BYTES - 4, 0);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// Generation, owner and table of a slot; `None` for anything that [`encode`] did not write.
fn decode(bytes: &[u8; SLOT_BYTES]) -> Option<(u64, HostId, EpochTable)> {
    let (body, crc) = bytes.split_at(SLOT_BYTES - 4);
    let u64_at = |at: usize| body.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let id_at = |at: usize| -> Option<[u8; 16]> { body.get(at..at + 16)?.try_into().ok() };
    if crc != crc32c::crc32c(body).to_le_bytes() || body[..8] != MAGIC || body[8..10] != VERSION.to_le_bytes() {
        return None;
    }
    let count = usize::from(u16::from_le_bytes([body[10], body[11]]));
    if count > EPOCHS_MAX {
        return None;
    }
    let store = StoreSeen { store_id: id_at(40)?, incarnation: u64_at(56)? };
    let mut rows = Vec::with_capacity(count);
    for at in (0..count).map(|row| HEAD_BYTES + row * ROW_BYTES) {
        rows.push(EpochRow {
            epoch: Epoch(id_at(at)?),
            last_seq: [u64_at(at + 16)?, u64_at(at + 24)?, u64_at(at + 32)?],
            known_seq: [u64_at(at + 40)?, u64_at(at + 48)?, u64_at(at + 56)?],
            acked: [u64_at(at + 64)?, u64_at(at + 72)?, u64_at(at + 80)?],
            joined_from_ms: u64_at(at + 88)?.cast_signed(),
            state: match u64_at(at + 96)? {
                0 => EpochState::Open,
                1 => EpochState::Ended,
                _ => return None,
            },
        });
    }
    Some((u64_at(16)?, HostId(id_at(24)?), EpochTable { store: (body[12] == 1).then_some(store), rows }))
}
