//! What inventories of many hosts take: bytes on the wire of a refresh, of state.redb, and in memory.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use muster_common::inventory::{Row, Rows, TABLES, Table, Value, named};
use muster_common::time;
use muster_common::wire::frame::{Frame, encode};
use muster_common::wire::inventory::{InventoryReport, InventoryWord, TableReport};
use muster_common::wire::message::{Epoch, Lane, Message, Report, ReportBatch};
use muster_fleet::FILE_NAME;

use super::members::{at, enrol, entry, open};

const PACKAGES: u64 = 600;
/// Images that have no row in common: 3,000 different packages.
const IMAGES: u64 = 5;
/// Hosts whose reports are one transaction, as a busy collector gathers them.
const TOGETHER: usize = 200;

/// Fills a fleet with so many hosts and opens it in a process of its own: `key=value` words.
///
/// # Errors
/// When the fleet or the process fails, or rows are missing.
pub(super) fn trial(hosts: usize) -> Result<String> {
    let folder = tempfile::Builder::new().prefix("muster-size-").tempdir()?;
    let images: Vec<Rows> = (0..IMAGES).map(packages).collect::<Result<_>>()?;
    let first = images.first().context("there are images")?;
    let (refresh_bytes, table_bytes) = (refresh_bytes()?, frame_bytes(vec![whole(first)])?);
    let bytes = || Ok::<_, anyhow::Error>(std::fs::metadata(folder.path().join(FILE_NAME))?.len());
    let fleet = open(folder.path())?;
    let ids = enrol(&fleet, hosts)?;
    drop(fleet);
    let bare = bytes()?;
    let fleet = open(folder.path())?;
    let before = time::thread_cpu();
    for (round, some) in ids.chunks(TOGETHER).enumerate() {
        let first = round * TOGETHER;
        let told = |(place, host): (usize, &_)| {
            let image = &images[(first + place) % images.len()];
            entry((first + place) as u64 + 1, *host, round as u64 + 1, vec![whole(image)])
        };
        fleet.apply(&some.iter().enumerate().map(told).collect::<Result<Vec<_>>>()?)?;
    }
    let cpu_s = (time::thread_cpu() - before).as_secs_f64();
    drop(fleet);
    let disk = bytes()?;
    let output = Command::new(std::env::current_exe()?)
        .args(["inventory", "opened", "--folder"])
        .arg(folder.path())
        .output()
        .context("the process that opens the fleet")?;
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "the fleet is not opened: {error}");
    Ok(format!(
        "refresh_bytes={refresh_bytes} table_bytes={table_bytes} disk_bytes={disk} bare_disk_bytes={bare} apply_cpu_s={cpu_s:.1} {}",
        text.trim()
    ))
}

/// Opens the fleet of a folder in this process, which holds nothing else: `key=value` words.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn opened(folder: &Path) -> Result<String> {
    let table = named("packages").context("there is no table of packages")?;
    let (before, begun) = (resident_bytes()?, time::monotonic());
    let fleet = open(folder)?;
    let opened = time::monotonic() - begun;
    let snapshot = fleet.inventory_of_all();
    let rows: u64 = snapshot.hosts().map(|(host, _)| snapshot.rows(host, table).count() as u64).sum();
    let hosts = snapshot.hosts().count();
    ensure!(rows == hosts as u64 * PACKAGES, "{hosts} hosts have {rows} packages");
    let memory = resident_bytes()?.saturating_sub(before);
    Ok(format!("hosts={hosts} rows={rows} memory_bytes={memory} open_ms={}", opened.as_millis()))
}

/// The packages of an image, with names and versions of usual lengths.
fn packages(image: u64) -> Result<Rows> {
    let mut random = fastrand::Rng::with_seed(7);
    let stems = ["lib", "python3-", "linux-", "gir1.2-", "perl-", "fonts-", "", "node-", "golang-", "systemd-"];
    let row = |number: u64| -> Row {
        let name: String = (0..random.usize(4..12)).map(|_| random.lowercase()).collect();
        let (major, minor, patch) = (random.u8(0..12), random.u8(0..40), random.u8(0..20));
        let version = format!("{image}:{major}.{minor}.{patch}+dfsg-{}+deb12u{}", number % 5, random.u8(1..4));
        let source = if random.bool() { Value::Null } else { Value::Text(name.clone()) };
        // The number keeps apart what chance makes alike.
        let name = format!("{}{name}{number}", stems[random.usize(..stems.len())]);
        vec!["dpkg".into(), name.into(), "amd64".into(), version.into(), source, "installed".into()]
    };
    let table = named("packages").context("there is no table of packages")?;
    Ok(Rows::of(table, (0..PACKAGES).map(row))?)
}

fn whole(rows: &Rows) -> TableReport {
    let word = InventoryWord::Whole { part: 0, parts: 1, rows: rows.iter().cloned().collect() };
    TableReport { table: rows.table().number, digest: rows.digest().0, dropped: 0, word }
}

/// The frame with which a host says that all its tables are as they were.
fn refresh_bytes() -> Result<usize> {
    let mut random = fastrand::Rng::with_seed(1);
    let unchanged = |table: &Table| {
        let word = InventoryWord::Unchanged;
        TableReport { table: table.number, digest: random.u64(..), dropped: 0, word }
    };
    frame_bytes(TABLES.iter().map(unchanged).collect())
}

fn frame_bytes(tables: Vec<TableReport>) -> Result<usize> {
    let (at_ms, since_ms) = (at(900).millis(), at(0).millis());
    let look = InventoryReport { at_ms, since_ms, tables, extensions: Vec::new() };
    let batch = ReportBatch { reports: vec![Report::Inventory(look)], extensions: Vec::new() };
    Ok(encode(&Frame::batch(Lane::P0, Epoch([7; 16]), 100_000, Message::Reports(batch)))?.len())
}

/// What this process has in memory.
fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map(|kib: u64| kib * 1_024).context("/proc/self/status has no VmRSS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_without_news_is_small_and_a_whole_table_is_not() {
        let (refresh, table) = (refresh_bytes().unwrap(), frame_bytes(vec![whole(&packages(0).unwrap())]).unwrap());
        assert!(refresh > TABLES.len() * 8 && refresh <= 1_000, "{refresh} B");
        assert!(table > 5_000, "{table} B");
    }

    #[test]
    fn a_fleet_that_is_opened_again_has_all_rows_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let fleet = open(folder.path()).unwrap();
        for (number, host) in enrol(&fleet, 2).unwrap().into_iter().enumerate() {
            let report = whole(&packages(number as u64).unwrap());
            fleet.apply(&[entry(number as u64 + 1, host, 1, vec![report]).unwrap()]).unwrap();
        }
        drop(fleet);
        let words = opened(folder.path()).unwrap();
        assert!(words.starts_with("hosts=2 rows=1200 memory_bytes="), "{words}");
    }
}
