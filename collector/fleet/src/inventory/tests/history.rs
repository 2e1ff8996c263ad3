//! A scripted random history of three hosts against a model that keeps every look: answers as of every instant, and the log, are exact
//! through restarts, replays, lost differences, clocks and whole tables in parts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use muster_common::disk::cut::CutDisk;

use super::*;

const LOOKS: usize = 300;
const STEP_S: u64 = 10;

/// An agent as it should be: what it has, and what it believes the collector to have.
struct Told {
    host: HostId,
    rows: BTreeMap<u8, Rows>,
    believed: BTreeMap<u8, Rows>,
}

/// Every look that was taken: seconds, host, table, rows.
type Looks = Vec<(u64, HostId, u8, Rows)>;

/// Since and at, seconds; host, table, and the row before and after.
type Logged = (u64, u64, HostId, u8, Option<Row>, Option<Row>);

fn random_row(table: &'static Table, random: &mut fastrand::Rng) -> Row {
    match table.name {
        "packages" => package(&format!("p{}", random.u8(0..20)), &random.u8(0..4).to_string()),
        "users" => vec![Value::Text(format!("u{}", random.u8(0..6))), i64::from(random.u8(0..3)).into()],
        _ => vec![Value::Text(format!("{}", random.u8(0..3)))],
    }
}

fn mutate(rows: &mut Rows, random: &mut fastrand::Rng) {
    let table = rows.table();
    for _ in 0..random.usize(0..4) {
        let row = random_row(table, random);
        if random.u8(0..3) == 0 {
            rows.remove(&muster_common::inventory::key_of(table, &row));
        } else {
            rows.put(row).unwrap();
        }
    }
}

/// What the agent tells of a table now; whether it goes lost is not for it to know.
fn tells(now: &Rows, believed: Option<&Rows>, random: &mut fastrand::Rng) -> Vec<TableReport> {
    match believed {
        Some(before) if before == now => vec![unchanged(now)],
        Some(before) if random.u8(0..4) > 0 => vec![changed(before, now)],
        _ => {
            let all: Vec<Row> = now.iter().cloned().collect();
            let size = all.len().div_ceil(random.usize(1..4)).max(1);
            let pieces: Vec<Vec<Row>> =
                if all.is_empty() { vec![all] } else { all.chunks(size).map(<[Row]>::to_vec).collect() };
            let parts = pieces.len() as u16;
            let part = |(rows, part): (Vec<Row>, u16)| word(now, InventoryWord::Whole { part, parts, rows });
            pieces.into_iter().zip(0..).map(part).collect()
        }
    }
}

/// Whether the collector follows: it has the rows that the words begin from, or gets all of them.
fn follows(known: Option<&Rows>, tables: &[TableReport]) -> bool {
    tables.iter().all(|table| match &table.word {
        InventoryWord::Changed { from, .. } => {
            known.is_some_and(|rows| rows.digest().0 == *from || rows.digest().0 == table.digest)
        }
        InventoryWord::Unchanged => known.is_some_and(|rows| rows.digest().0 == table.digest),
        _ => true,
    })
}

fn at_of(looks: &Looks, host: HostId, table: u8, seconds: u64) -> Option<&Rows> {
    let of = looks.iter().rev().find(|(at, of, number, _)| (*of, *number) == (host, table) && *at <= seconds);
    of.map(|(.., rows)| rows)
}

/// The log as the looks tell it: seconds before and at, and the rows.
fn log_of(looks: &Looks) -> Vec<Logged> {
    let mut log = Vec::new();
    for (place, (at, host, number, after)) in looks.iter().enumerate() {
        let before = looks[..place].iter().rev().find(|(_, of, other, _)| (of, other) == (host, number));
        let Some((since, _, _, before)) = before else { continue };
        let Difference { gone, now } = Difference::between(before, after);
        let key = |row: &Row| muster_common::inventory::key_of(after.table(), row);
        log.extend(gone.iter().map(|key| (*since, *at, *host, *number, before.get(key).cloned(), None)));
        log.extend(
            now.into_iter().map(|row| (*since, *at, *host, *number, before.get(&key(&row)).cloned(), Some(row))),
        );
    }
    log
}

fn run(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    // In memory: what is durable is not what is asked here.
    let disk = CutDisk::new(seed);
    let mut bench = Bench::on(Arc::new(disk), Path::new("/data"));
    let numbers = [2, 6, 10];
    let mut agents: Vec<Told> = ["a", "b", "c"]
        .map(|name| {
            let rows = numbers.map(|number| (number, Rows::new(numbered(number).unwrap())));
            Told { host: bench.host(name).id(), rows: rows.into(), believed: BTreeMap::new() }
        })
        .into();
    let (mut looks, mut entries): (Looks, Vec<ReplayEntry>) = (Vec::new(), Vec::new());
    for step in 1..=LOOKS as u64 {
        let agent = random.choice(&mut agents).unwrap();
        let (seconds, number) = (step * STEP_S, *random.choice(&numbers).unwrap());
        if random.u8(0..10) == 0 {
            // A new session: the welcome says what the collector has, and the agent has other rows in memory than those.
            let known: BTreeMap<u8, u64> = bench
                .fleet
                .inventory_digests(agent.host)
                .into_iter()
                .map(|(table, digest)| (table, digest.0))
                .collect();
            agent.believed.retain(|table, rows| known.get(table) == Some(&rows.digest().0));
        }
        let rows = agent.rows.get_mut(&number).unwrap();
        mutate(rows, &mut random);
        let tables = tells(rows, agent.believed.get(&number), &mut random);
        let known = at_of(&looks, agent.host, number, seconds).cloned();
        agent.believed.insert(number, rows.clone());
        if random.u8(0..8) == 0 {
            // Lost on the way: the next difference begins from rows that the collector never saw.
            continue;
        }
        if follows(known.as_ref(), &tables) {
            looks.push((seconds, agent.host, number, rows.clone()));
        }
        let first = entries.len();
        for table in tables {
            entries.push(entry(entries.len() as u64 + 1, agent.host, seconds, vec![table]));
        }
        match random.u8(0..10) {
            0 => {
                bench.fleet.apply(&entries[first..]).unwrap();
                bench = bench.reopen();
                let from = random.usize(..=first);
                bench.fleet.apply(&entries[from..]).unwrap();
            }
            1 => bench.fleet.apply(&entries).unwrap(),
            _ => bench.fleet.apply(&entries[first..]).unwrap(),
        }
        for (host, tables) in bench.fleet.take_inventory_wanted() {
            let agent = agents.iter_mut().find(|agent| agent.host == host).unwrap();
            agent.believed.retain(|table, _| !tables.contains(table));
        }
    }
    judge(&bench, &looks);
    let bench = bench.reopen();
    let past = Past { reborn: Some(Reborn::Restored), last_arrival: None };
    bench.fleet.set_incarnation(1, Past::default(), at(1)).unwrap();
    bench.fleet.set_incarnation(2, past, at(9)).unwrap();
    bench.fleet.apply(&entries).unwrap();
    judge(&bench, &looks);
}

fn judge(bench: &Bench, looks: &Looks) {
    assert!(looks.len() > LOOKS / 3, "{} looks were taken", looks.len());
    let mut log: Vec<_> = bench.fleet.inventory_changes(&all()).unwrap().changes;
    log.reverse();
    let seconds = |ms: i64| ((ms - at(0).millis()) / 1_000) as u64;
    let log: Vec<_> = log
        .into_iter()
        .map(|one| (seconds(one.since_ms), seconds(one.at_ms), one.host, one.table.number, one.before, one.after))
        .collect();
    let expect: Vec<_> = log_of(looks);
    assert_eq!(log, expect);
    let hosts: std::collections::BTreeSet<HostId> = looks.iter().map(|(_, host, ..)| *host).collect();
    for moment in (0..=LOOKS as u64).step_by(7).map(|step| step * STEP_S + 3).chain([u64::from(u32::MAX)]) {
        let snapshot = bench.fleet.inventory_of_all_at(at(moment)).unwrap();
        for host in &hosts {
            for number in [2, 6, 10] {
                let table = numbered(number).unwrap();
                let expect = at_of(looks, *host, number, moment);
                let rows = bench.fleet.inventory_rows(*host, table, Some(at(moment))).unwrap();
                assert_eq!(rows.as_ref(), expect, "at {moment}");
                let of_all: Vec<Row> = snapshot.rows(*host, table).map(<[Value]>::to_vec).collect();
                let expect: Vec<Row> = expect.into_iter().flat_map(|rows| rows.iter().cloned()).collect();
                assert_eq!(of_all, expect, "at {moment}");
            }
        }
    }
}

#[test]
fn answers_as_of_every_instant_and_the_log_are_those_of_a_model_that_keeps_every_look() {
    for seed in 1..=4 {
        run(seed);
    }
}
