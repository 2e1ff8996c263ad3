//! Deploys, freezes and overrides in memory, and what one transaction changes of them.

use std::collections::BTreeMap;

use super::deploy::Deploy;
use super::freeze::{Freeze, FreezeOverride, ReadFreeze};
use crate::error::FleetError;
use crate::rows::{decode, encode};
use crate::state::Pair;
use crate::tables::{DEPLOYS, FREEZE_OVERRIDES, FREEZES, Put, Table};

/// A damaged row: its table, its key, and what is wrong.
type Broken = (Table, Vec<u8>, String);

/// All that are kept, by their numbers.
#[derive(Default)]
pub(crate) struct DeployRows {
    pub(crate) deploys: BTreeMap<u64, Deploy>,
    pub(crate) freezes: BTreeMap<u64, (Freeze, ReadFreeze)>,
    pub(crate) overrides: BTreeMap<u64, FreezeOverride>,
    /// Deploys that went before their time, since the file was read.
    pub(crate) early: u64,
}

/// What one transaction changes; the lists of numbers are of rows that go.
#[derive(Default)]
pub(crate) struct DeployStep {
    pub(crate) deploys: Vec<Deploy>,
    pub(crate) forgotten_deploys: Vec<u64>,
    /// How many of these go before their time, since there are too many.
    pub(crate) early: u64,
    pub(crate) freezes: Vec<Freeze>,
    pub(crate) forgotten_freezes: Vec<u64>,
    pub(crate) overrides: Vec<FreezeOverride>,
    pub(crate) forgotten_overrides: Vec<u64>,
}

impl DeployStep {
    pub(crate) fn is_empty(&self) -> bool {
        self.puts().next().is_none()
    }

    pub(crate) fn puts(&self) -> impl Iterator<Item = Put> {
        let deploys = self.deploys.iter().map(|row| Put::set(DEPLOYS, &row.id.to_be_bytes(), encode(row)));
        let freezes = self.freezes.iter().map(|row| Put::set(FREEZES, &row.id.to_be_bytes(), encode(row)));
        let overrides = self.overrides.iter().map(|row| Put::set(FREEZE_OVERRIDES, &row.id.to_be_bytes(), encode(row)));
        let gone = [
            (DEPLOYS, &self.forgotten_deploys),
            (FREEZES, &self.forgotten_freezes),
            (FREEZE_OVERRIDES, &self.forgotten_overrides),
        ];
        let gone =
            gone.into_iter().flat_map(|(table, ids)| ids.iter().map(move |id| Put::remove(table, &id.to_be_bytes())));
        deploys.chain(freezes).chain(overrides).chain(gone)
    }
}

impl DeployRows {
    /// Reads the tables by `pairs`; the inner error says which row of which is damaged, and how.
    pub(crate) fn load(
        pairs: impl Fn(Table) -> Result<Vec<Pair>, FleetError>,
    ) -> Result<Result<Self, Broken>, FleetError> {
        let (deploys, freezes, overrides) = (pairs(DEPLOYS)?, pairs(FREEZES)?, pairs(FREEZE_OVERRIDES)?);
        let mut rows = Self::default();
        let read = || -> Result<Self, Broken> {
            for (key, value) in deploys {
                let row: Deploy = decode(&value).map_err(|what| (DEPLOYS, key, what))?;
                rows.deploys.insert(row.id, row);
            }
            for (key, value) in freezes {
                let row = decode::<Freeze>(&value).and_then(|row| {
                    let read = ReadFreeze::new(row.spec.clone()).map_err(|(field, why)| format!("{field}: {why}"))?;
                    Ok((row, read))
                });
                let (row, read) = row.map_err(|what| (FREEZES, key, what))?;
                rows.freezes.insert(row.id, (row, read));
            }
            for (key, value) in overrides {
                let row: FreezeOverride = decode(&value).map_err(|what| (FREEZE_OVERRIDES, key, what))?;
                rows.overrides.insert(row.id, row);
            }
            Ok(rows)
        };
        Ok(read())
    }

    /// Takes in what was made durable.
    pub(crate) fn take(&mut self, step: DeployStep) {
        self.deploys.extend(step.deploys.into_iter().map(|row| (row.id, row)));
        self.early += step.early;
        for id in step.forgotten_deploys {
            self.deploys.remove(&id);
        }
        for row in step.freezes {
            // It was read before it was drafted.
            if let Ok(read) = ReadFreeze::new(row.spec.clone()) {
                self.freezes.insert(row.id, (row, read));
            }
        }
        for id in step.forgotten_freezes {
            self.freezes.remove(&id);
        }
        self.overrides.extend(step.overrides.into_iter().map(|row| (row.id, row)));
        for id in step.forgotten_overrides {
            self.overrides.remove(&id);
        }
    }

    /// The number that the next deploy gets.
    pub(crate) fn next_deploy(&self) -> u64 {
        next(&self.deploys)
    }

    pub(crate) fn next_freeze(&self) -> u64 {
        next(&self.freezes)
    }

    pub(crate) fn next_override(&self) -> u64 {
        next(&self.overrides)
    }

    /// The deploys of one service in one environment.
    pub(crate) fn of<'r>(&'r self, service: &'r str, env: &'r str) -> impl Iterator<Item = &'r Deploy> {
        self.deploys.values().filter(move |deploy| deploy.service == service && deploy.env == env)
    }
}

fn next<T>(rows: &BTreeMap<u64, T>) -> u64 {
    rows.last_key_value().map_or(1, |(id, _)| id + 1)
}
