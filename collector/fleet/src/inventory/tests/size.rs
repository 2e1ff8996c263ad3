//! What inventories cost: bytes of 600 packages, and memory, time and file of 10,000 hosts.

use super::super::packed::{pack, unpack};
use super::*;

/// Packages as a Debian host has them: names and versions of some hundred families, in the order of names.
fn installed(count: usize) -> Rows {
    let mut random = fastrand::Rng::with_seed(7);
    let stems = ["lib", "python3-", "linux-", "gir1.2-", "perl-", "fonts-", "", "node-", "golang-", "systemd-"];
    let mut rows = Rows::new(packages());
    for number in 0..count as u64 {
        let stem = stems[random.usize(..stems.len())];
        let name: String = (0..random.usize(4..12)).map(|_| random.lowercase()).collect();
        let (major, minor, patch) = (random.u8(0..12), random.u8(0..40), random.u8(0..20));
        let revision = number % 5;
        let version = format!("{major}.{minor}.{patch}+dfsg-{revision}+deb12u{}", random.u8(1..4));
        let source = if random.bool() { Value::Null } else { Value::Text(name.clone()) };
        let name = format!("{stem}{name}{}", number % 3);
        rows.put(vec!["dpkg".into(), name.into(), "amd64".into(), version.into(), source, "installed".into()]).unwrap();
    }
    rows
}

#[test]
fn six_hundred_packages_are_within_twelve_kilobytes() {
    let rows = installed(600);
    let bytes = pack(rows.digest(), rows.iter()).unwrap();
    assert!(bytes.len() <= 12_000, "{} B", bytes.len());
    assert_eq!(unpack(&bytes).unwrap().rows, 600);
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// 10,000 hosts of 600 packages, 3,000 different rows: `cargo test -p muster-fleet --release --lib -- --ignored --nocapture ten_thousand`.
#[test]
#[ignore = "a measurement of some minutes"]
fn ten_thousand_hosts_of_six_hundred_packages() {
    const HOSTS: u64 = 10_000;
    let baseline = resident_kb();
    let bench = Bench::new();
    // Five images of 600 packages, which have nothing in common.
    let images: Vec<Rows> = (0..5)
        .map(|image| {
            let all = installed(600);
            let row = |row: &Row| {
                let mut row = row.clone();
                row[3] = Value::Text(format!("{image}:{:?}", row[3]));
                row
            };
            Rows::of(packages(), all.iter().map(row).collect::<Vec<_>>()).unwrap()
        })
        .collect();
    let hosts: Vec<HostId> = (0..HOSTS)
        .map(|number| {
            let mut id = [7; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            HostId(id)
        })
        .collect();
    let name = |host: HostId| Some(host.to_string());
    for (some, round) in hosts.chunks(500).zip(1..) {
        let reports: Vec<crate::checks::Reported> = some
            .iter()
            .zip(0_usize..)
            .map(|(host, number)| crate::checks::Reported {
                host: *host,
                arrived: at(round),
                is_live: true,
                report: Report::Inventory(InventoryReport {
                    at_ms: ms(round),
                    tables: vec![whole(&images[number % 5])],
                    ..InventoryReport::default()
                }),
            })
            .collect();
        let step = bench.fleet.inventory.read().plan(&reports, name);
        let mut projected =
            crate::projection::Projected::new(&[entry(round, HostId([1; 16]), round, vec![])], None).unwrap();
        projected.reports.clear();
        projected.inventory = step;
        let draft = crate::draft::Draft { projected: Some(projected), ..crate::draft::Draft::default() };
        let mut state = bench.fleet.sure_state().unwrap();
        bench.fleet.commit(&mut state, draft).unwrap();
    }
    let file = std::fs::metadata(bench.folder.join(crate::FILE_NAME)).unwrap().len();
    let different = bench.fleet.inventory.read().different(packages());
    let begin = muster_common::time::monotonic();
    let bench = bench.reopen();
    let opened = muster_common::time::monotonic() - begin;
    let after = resident_kb();
    let snapshot = bench.fleet.inventory_of_all();
    let begin = muster_common::time::monotonic();
    let wanted: Vec<bool> = (0..snapshot.book(packages()).end() as u32)
        .map(|number| matches!(snapshot.book(packages()).row(number).get(1), Some(Value::Text(name)) if name.starts_with("lib")))
        .collect();
    let found: usize = snapshot
        .hosts()
        .filter_map(|(_, host)| host.table(packages()))
        .map(|table| table.numbers().iter().filter(|number| wanted[**number as usize]).count())
        .sum();
    let walked = muster_common::time::monotonic() - begin;
    println!("{different} different rows, state.redb {} MB, open {opened:?}", file / 1_000_000);
    println!("resident before {baseline} kB, after opening again {after} kB; {found} rows of 6 M found in {walked:?}");
    assert_eq!((snapshot.hosts().count(), different), (10_000, 3_000));
}
