//! A scripted random history of hosts in a real fleet against a model that keeps every look: tables as of random moments, one host's and all
//! hosts' at once, and the log of changes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use muster_common::host::HostId;
use muster_common::inventory::{Difference, Row, Rows, Table, Value, key_of, named};
use muster_common::wire::inventory::{InventoryWord, TableReport};
use muster_fleet::{ChangeQuery, Fleet};

use super::members::{at, enrol, entry, open};

const TABLES: [&str; 3] = ["packages", "users", "sysctl"];
/// Between two looks of the script.
const STEP_S: u64 = 10;
/// Moments that are asked about, spread by chance over the script and beyond both ends.
const MOMENTS: usize = 100;
/// The collector is closed and opened again so often.
const RESTARTS: usize = 10;

/// A table of a host as it is, and what the agent believes the collector to have.
struct Held {
    now: Rows,
    believed: Option<Rows>,
}

/// A look that the collector has: its second, and the rows.
type Looks = BTreeMap<(HostId, u8), Vec<(u64, Rows)>>;

/// Seconds after and until, host, table, and the row before and after.
type Change = (u64, u64, HostId, u8, Option<Row>, Option<Row>);

/// What was compared.
#[derive(Default)]
struct Compared {
    taken: usize,
    lost: usize,
    restarts: usize,
    changes: usize,
    answers: usize,
    differing: usize,
}

/// Runs the trial: `key=value` words.
///
/// # Errors
/// When the fleet fails; answers that differ are counted.
pub(super) fn trial(hosts: usize, looks: usize, seed: u64) -> Result<String> {
    let Compared { taken, lost, restarts, changes, answers, differing } = run(hosts, looks, seed)?;
    Ok(format!(
        "hosts={hosts} looks={taken} lost={lost} restarts={restarts} changes={changes} moments={MOMENTS} compared={answers} differing={differing}"
    ))
}

fn run(hosts: usize, looks: usize, seed: u64) -> Result<Compared> {
    ensure!(hosts > 0, "a history needs a host");
    let folder = tempfile::Builder::new().prefix("muster-history-").tempdir()?;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut fleet = open(folder.path())?;
    let hosts = enrol(&fleet, hosts)?;
    let tables = TABLES.iter().map(|name| named(name).with_context(|| format!("there is no table {name}")));
    let tables: Vec<&'static Table> = tables.collect::<Result<_>>()?;
    let mut held: BTreeMap<(HostId, u8), Held> = BTreeMap::new();
    for (host, table) in hosts.iter().flat_map(|host| tables.iter().map(move |table| (*host, *table))) {
        held.insert((host, table.number), Held { now: Rows::new(table), believed: None });
    }
    let (mut known, mut compared, mut number) = (Looks::new(), Compared::default(), 0);
    for step in 1..=looks as u64 {
        let place = (hosts[random.usize(..hosts.len())], tables[random.usize(..tables.len())].number);
        let one = held.get_mut(&place).context("every host has every table")?;
        mutate(&mut one.now, &mut random)?;
        let report = told(one);
        one.believed = Some(one.now.clone());
        // Lost on the way: the next difference begins from rows that the collector never saw.
        if random.u8(0..12) == 0 {
            compared.lost += 1;
            continue;
        }
        number += 1;
        let all = known.entry(place).or_default();
        if follows(all.last().map(|(_, rows)| rows), &report) {
            all.push((step * STEP_S, one.now.clone()));
            compared.taken += 1;
        }
        let told = [entry(number, place.0, step * STEP_S, vec![report])?];
        fleet.apply(&told)?;
        if (step as usize).is_multiple_of((looks / RESTARTS).max(1)) {
            compared.restarts += 1;
            fleet = restart(fleet, folder.path())?;
            // What was applied last comes again, as after a crash.
            fleet.apply(&told)?;
        }
        for (host, wanted) in fleet.take_inventory_wanted() {
            for table in wanted {
                if let Some(one) = held.get_mut(&(host, table)) {
                    one.believed = None;
                }
            }
        }
    }
    let end = (looks as u64 + 2) * STEP_S;
    let moments: Vec<u64> = (0..MOMENTS).map(|_| random.u64(0..=end)).collect();
    compare(&fleet, &known, (&hosts, &tables, &moments), &mut compared)?;
    Ok(compared)
}

fn restart(fleet: Fleet, folder: &Path) -> Result<Fleet> {
    drop(fleet);
    open(folder)
}

fn random_row(table: &Table, random: &mut fastrand::Rng) -> Row {
    match table.name {
        "packages" => {
            let (name, version) = (format!("package-{}", random.u8(0..30)), format!("1.{}", random.u8(0..5)));
            vec!["dpkg".into(), name.into(), "amd64".into(), version.into(), Value::Null, "installed".into()]
        }
        "users" => vec![format!("user-{}", random.u8(0..8)).into(), i64::from(random.u8(0..3)).into()],
        _ => vec![format!("vm.number-{}", random.u8(0..8)).into(), format!("{}", random.u8(0..3)).into()],
    }
}

/// Up to five rows come, change or go.
fn mutate(rows: &mut Rows, random: &mut fastrand::Rng) -> Result<()> {
    for _ in 0..random.usize(0..=5) {
        let row = random_row(rows.table(), random);
        if random.u8(0..3) == 0 {
            rows.remove(&key_of(rows.table(), &row));
        } else {
            rows.put(row)?;
        }
    }
    Ok(())
}

/// What the agent says of the table, given what it believes.
fn told(held: &Held) -> TableReport {
    let word = match &held.believed {
        Some(before) if *before == held.now => InventoryWord::Unchanged,
        Some(before) => {
            let Difference { gone, now } = Difference::between(before, &held.now);
            InventoryWord::Changed { from: before.digest().0, gone, now }
        }
        None => InventoryWord::Whole { part: 0, parts: 1, rows: held.now.iter().cloned().collect() },
    };
    TableReport { table: held.now.table().number, digest: held.now.digest().0, dropped: 0, word }
}

/// Whether a collector with these rows can follow.
fn follows(known: Option<&Rows>, report: &TableReport) -> bool {
    let digest = known.map(|rows| rows.digest().0);
    match &report.word {
        InventoryWord::Changed { from, .. } => digest == Some(*from) || digest == Some(report.digest),
        InventoryWord::Unchanged => digest == Some(report.digest),
        _ => true,
    }
}

fn rows_at(known: &Looks, place: (HostId, u8), second: u64) -> Option<&Rows> {
    let looks = known.get(&place)?;
    looks.iter().rev().find(|(at, _)| *at <= second).map(|(_, rows)| rows)
}

/// The log as the looks of the model tell it.
fn log_of(known: &Looks) -> Vec<Change> {
    let mut log = Vec::new();
    for ((host, number), looks) in known {
        for pair in looks.windows(2) {
            let [(since, before), (at, after)] = pair else { continue };
            let Difference { gone, now } = Difference::between(before, after);
            let key = |row: &Row| key_of(after.table(), row);
            log.extend(gone.iter().map(|key| (*since, *at, *host, *number, before.get(key).cloned(), None)));
            log.extend(
                now.into_iter().map(|row| (*since, *at, *host, *number, before.get(&key(&row)).cloned(), Some(row))),
            );
        }
    }
    log.sort();
    log
}

fn compare(
    fleet: &Fleet,
    known: &Looks,
    (hosts, tables, moments): (&[HostId], &[&'static Table], &[u64]),
    compared: &mut Compared,
) -> Result<()> {
    for moment in moments {
        let snapshot = fleet.inventory_of_all_at(at(*moment))?;
        for (host, table) in hosts.iter().flat_map(|host| tables.iter().map(move |table| (*host, *table))) {
            let expect = rows_at(known, (host, table.number), *moment);
            let alone = fleet.inventory_rows(host, table, Some(at(*moment)))?;
            let of_all = snapshot.rows(host, table);
            let expected = expect.into_iter().flat_map(Rows::iter).map(Vec::as_slice);
            compared.answers += 2;
            compared.differing += usize::from(alone.as_ref() != expect) + usize::from(!of_all.eq(expected));
        }
    }
    let page = fleet.inventory_changes(&ChangeQuery { limit: usize::MAX, ..ChangeQuery::default() })?;
    let second = |ms: i64| ((ms - at(0).millis()) / 1_000) as u64;
    let log = page.changes.into_iter();
    let mut log: Vec<Change> = log
        .map(|one| (second(one.since_ms), second(one.at_ms), one.host, one.table.number, one.before, one.after))
        .collect();
    log.sort();
    let expect = log_of(known);
    let others = log.iter().zip(&expect).filter(|(one, other)| one != other).count();
    compared.changes = expect.len();
    compared.answers += expect.len();
    compared.differing += others + log.len().abs_diff(expect.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_history_has_changes_losses_and_no_difference() {
        let compared = run(3, 120, 7).unwrap();
        assert_eq!(compared.differing, 0);
        assert!(compared.taken > 60 && compared.lost > 0 && compared.changes > 60, "{} looks", compared.taken);
        assert_eq!(compared.answers, MOMENTS * 3 * TABLES.len() * 2 + compared.changes);
    }

    #[test]
    fn a_model_that_saw_another_row_differs() {
        let folder = tempfile::tempdir().unwrap();
        let fleet = open(folder.path()).unwrap();
        let (host, table) = (enrol(&fleet, 1).unwrap()[0], named("users").unwrap());
        let rows = |id: i64| Rows::of(table, [vec!["ann".into(), id.into()]]).unwrap();
        let report = told(&Held { now: rows(1), believed: None });
        fleet.apply(&[entry(1, host, 10, vec![report]).unwrap()]).unwrap();
        for (id, differing) in [(1, 0), (2, 2)] {
            let known = Looks::from([((host, table.number), vec![(10, rows(id))])]);
            let mut compared = Compared::default();
            compare(&fleet, &known, (&[host], &[table], &[10]), &mut compared).unwrap();
            assert_eq!((compared.answers, compared.differing), (2, differing));
        }
    }
}
