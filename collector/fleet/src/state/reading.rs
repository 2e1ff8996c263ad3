//! The file's tables at one moment.

use std::path::PathBuf;

use muster_store::Position;
use redb::{ReadTransaction, ReadableTable};
use serde::de::DeserializeOwned;

use super::{Guard, Opened, Pair, damaged, position, read_numbers, read_pairs};
use crate::audit::{AuditQuery, AuditRow, Link};
use crate::error::FleetError;
use crate::losses::LogLoss;
use crate::outbox::Event;
use crate::projection::{GapRow, key_from};
use crate::rows::decode;
use crate::tables::{AUDIT, GAPS, LOG_LOSSES, META, OUTBOX, PROCESS_LOOKS, Table, meta};

/// The tables at one moment.
pub(crate) struct Reading {
    pub(super) transaction: ReadTransaction,
    pub(super) path: PathBuf,
}

impl Reading {
    /// The newest events, at most `limit`, newest first.
    pub(crate) fn events(&self, limit: usize) -> Result<Vec<Event>, FleetError> {
        self.newest(OUTBOX, "read events", limit)
    }

    /// The events after this seq, at most `limit`, in order.
    pub(crate) fn events_after(&self, seq: u64, limit: usize) -> Result<Vec<Event>, FleetError> {
        const ACTION: &str = "read events";
        let from = seq.saturating_add(1).to_be_bytes();
        let table = self.table(OUTBOX, ACTION)?;
        let rows = table.range(from.as_slice()..).map_err(|error| self.failed(ACTION, error.into()))?;
        rows.take(limit).map(|row| self.decoded(OUTBOX, ACTION, row)).collect()
    }

    /// Rows of the audit that match, newest first.
    pub(crate) fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRow>, FleetError> {
        const ACTION: &str = "read the audit";
        let before = query.before.unwrap_or(u64::MAX).to_be_bytes();
        let table = self.table(AUDIT, ACTION)?;
        let rows = table.range(..before.as_slice()).map_err(|error| self.failed(ACTION, error.into()))?;
        let mut found = Vec::new();
        for row in rows.rev() {
            let row: AuditRow = self.decoded(AUDIT, ACTION, row)?;
            // Clocks may have been set back, so older rows than this one may still match: all are looked at.
            if query.wants(&row) {
                found.push(row);
                if found.len() >= query.limit {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// The audit's anchor and its head.
    pub(crate) fn audit_ends(&self) -> Result<(Link, Link), FleetError> {
        let numbers = read_numbers(&self.transaction).map_err(|error| self.failed("read the audit's ends", error))?;
        Ok((numbers.audit.anchor, numbers.audit.head))
    }

    /// The row of this key; `None`: there is none.
    pub(crate) fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, FleetError> {
        const ACTION: &str = "read a row";
        let opened = self.table(table, ACTION)?;
        let row = opened.get(key).map_err(|error| self.failed(ACTION, error.into()))?;
        Ok(row.map(|value| value.value().to_vec()))
    }

    /// Hands every row of a table on, in order.
    pub(crate) fn each(
        &self,
        table: Table,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), FleetError>,
    ) -> Result<(), FleetError> {
        const ACTION: &str = "read a table";
        let opened = self.table(table, ACTION)?;
        for row in opened.iter().map_err(|error| self.failed(ACTION, error.into()))? {
            let (key, value) = row.map_err(|error| self.failed(ACTION, error.into()))?;
            each(key.value(), value.value())?;
        }
        Ok(())
    }

    /// How far the inbox is applied.
    pub(crate) fn applied(&self) -> Result<Option<Position>, FleetError> {
        let read = || -> Result<Option<Position>, redb::Error> {
            let table = self.transaction.open_table(META)?;
            Ok(table.get(meta::APPLIED)?.and_then(|bytes| position(bytes.value())))
        };
        read().map_err(|error| self.failed("read how far it is", error))
    }

    /// A row of looks at processes, read by `read`.
    pub(crate) fn process_look<T>(
        &self,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, FleetError> {
        const ACTION: &str = "read a look at processes";
        let table = self.table(PROCESS_LOOKS, ACTION)?;
        let Some(row) = table.get(key).map_err(|error| self.failed(ACTION, error.into()))? else { return Ok(None) };
        let looked = read(row.value());
        looked.map(Some).map_err(|what| damaged(self.path.display().to_string(), &PROCESS_LOOKS, key, what))
    }

    /// One value.
    pub(crate) fn value(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, FleetError> {
        const ACTION: &str = "read a row";
        let value = self.table(table, ACTION)?.get(key).map_err(|error| self.failed(ACTION, error.into()))?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    /// Hands on the rows from one key to before another, the last first, for as long as `each` wants more.
    pub(crate) fn newest_first(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<bool, FleetError>,
    ) -> Result<(), FleetError> {
        const ACTION: &str = "read changes of inventories";
        if from >= to {
            return Ok(());
        }
        let opened = self.table(table, ACTION)?;
        let rows = opened.range(from..to).map_err(|error| self.failed(ACTION, error.into()))?;
        for row in rows.rev() {
            let (key, value) = row.map_err(|error| self.failed(ACTION, error.into()))?;
            if !each(key.value(), value.value())? {
                break;
            }
        }
        Ok(())
    }

    /// A row that cannot be what it should.
    pub(crate) fn damage(&self, table: Table, key: &[u8], what: String) -> FleetError {
        damaged(self.path.display().to_string(), &table, key, what)
    }

    /// A whole table as bytes.
    pub(crate) fn pairs(&self, table: Table) -> Result<Vec<Pair>, FleetError> {
        read_pairs(&self.transaction, table).map_err(|error| self.failed("read a table", error))
    }

    /// The gaps whose missing time ended last, at most `limit`, newest first.
    pub(crate) fn newest_gaps(&self, limit: usize) -> Result<Vec<GapRow>, FleetError> {
        self.newest(GAPS, "read gaps", limit)
    }

    /// Gaps whose missing time ends at or after this, by that end.
    pub(crate) fn gaps_ending_from(&self, from_ms: i64) -> Result<Vec<GapRow>, FleetError> {
        self.ending_from(GAPS, "read gaps", from_ms)
    }

    /// Losses of log lines whose missing time ends at or after this, by that end.
    pub(crate) fn log_losses_ending_from(&self, from_ms: i64) -> Result<Vec<LogLoss>, FleetError> {
        self.ending_from(LOG_LOSSES, "read losses of log lines", from_ms)
    }

    fn ending_from<T: DeserializeOwned>(
        &self,
        table: Table,
        action: &'static str,
        from_ms: i64,
    ) -> Result<Vec<T>, FleetError> {
        let from = key_from(from_ms);
        let opened = self.table(table, action)?;
        let rows = opened.range(from.as_slice()..).map_err(|error| self.failed(action, error.into()))?;
        rows.map(|row| self.decoded(table, action, row)).collect()
    }

    fn newest<T: DeserializeOwned>(
        &self,
        table: Table,
        action: &'static str,
        limit: usize,
    ) -> Result<Vec<T>, FleetError> {
        let opened = self.table(table, action)?;
        let rows = opened.iter().map_err(|error| self.failed(action, error.into()))?;
        rows.rev().take(limit).map(|row| self.decoded(table, action, row)).collect()
    }

    fn table(&self, table: Table, action: &'static str) -> Result<Opened, FleetError> {
        self.transaction.open_table(table).map_err(|error| self.failed(action, error.into()))
    }

    fn decoded<T: DeserializeOwned>(
        &self,
        table: Table,
        action: &'static str,
        row: Result<(Guard<'_>, Guard<'_>), redb::StorageError>,
    ) -> Result<T, FleetError> {
        let (key, value) = row.map_err(|error| self.failed(action, error.into()))?;
        let path = || self.path.display().to_string();
        decode(value.value()).map_err(|what| damaged(path(), &table, key.value(), what))
    }

    fn failed(&self, action: &'static str, source: redb::Error) -> FleetError {
        FleetError::Database { action, path: self.path.display().to_string(), source: Box::new(source) }
    }
}
