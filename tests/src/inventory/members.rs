//! A real fleet in a folder, with enrolled hosts that tell looks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use muster_common::disk::real::RealDisk;
use muster_common::host::HostId;
use muster_common::identity::{TokenWord, certificate};
use muster_common::time::Timestamp;
use muster_common::wire::inventory::{InventoryReport, TableReport};
use muster_common::wire::message::{Enrol, HostFacts, PROTOCOL, Report};
use muster_common::wire::record::encode_report;
use muster_fleet::{Binding, EnrolOutcome, Fleet, TokenSpec};
use muster_store::{Position, ReplayEntry, ReportRecord, StateRecord};

use crate::load::workload::host_name;

const START_MS: i64 = 1_767_225_600_000;

/// 2026-01-01 00:00 UTC and so many seconds.
pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(START_MS).plus(Duration::from_secs(seconds))
}

/// The fleet that lies in this folder, or a new one.
///
/// # Errors
/// Of the disk or the file.
pub(super) fn open(folder: &Path) -> Result<Fleet> {
    Ok(muster_fleet::open(Arc::new(RealDisk), folder, at(0))?)
}

/// Enrols so many hosts at second 0, each with the label `role="web"`.
///
/// # Errors
/// When one is refused.
pub(super) fn enrol(fleet: &Fleet, count: usize) -> Result<Vec<HostId>> {
    let spec = TokenSpec {
        binding: Binding::Pattern("node-*".to_owned()),
        labels: BTreeMap::from([("role".to_owned(), "web".to_owned())]),
        uses: u32::try_from(count)?,
        ttl: Duration::from_secs(86_400),
        ..TokenSpec::default()
    };
    let word = TokenWord::parse(&fleet.new_token(spec, at(0))?)?;
    let mut hosts = Vec::with_capacity(count);
    for number in 0..count {
        let name = host_name(number);
        let csr_der = certificate::new_request(&certificate::new_key()?)?;
        let facts =
            HostFacts { host_name: name.clone(), machine_id: format!("machine-of-{name}"), ..HostFacts::default() };
        let enrol = Enrol { protocol: PROTOCOL, token: word.token.to_string(), csr_der, name, facts };
        match fleet.enrol(&enrol, "192.0.2.1:4000", at(0))? {
            EnrolOutcome::Issued(issued) => hosts.push(HostId(issued.host_id)),
            EnrolOutcome::Refused(refused) => bail!("host {number} is refused: {}", refused.message),
        }
    }
    Ok(hosts)
}

/// A look at this second, which arrived a second later, as the inbox has it under this number.
///
/// # Errors
/// When it breaks a rule of the wire.
pub(super) fn entry(number: u64, host: HostId, second: u64, tables: Vec<TableReport>) -> Result<ReplayEntry> {
    let look = InventoryReport { at_ms: at(second).millis(), since_ms: 0, tables, extensions: Vec::new() };
    let report = encode_report(&Report::Inventory(look))?.into();
    Ok(ReplayEntry {
        position: Position { generation: 1, entry: number },
        arrived: at(second + 1),
        live: true,
        records: vec![StateRecord::Report(ReportRecord { host, report })],
    })
}
