//! What inventories cost: bytes of 600 packages, and memory, time and file of 10,000 hosts.

use super::super::packed::{pack, unpack};
use super::*;
use crate::checks::Reported;
use crate::draft::Draft;
use crate::projection::Projected;

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

/// So many hosts of 600 packages each, from five images that have nothing in common: 3,000 different rows. None of them is
/// registered, so the plan is made and committed as [`crate::Fleet::apply`] does it for registered ones.
pub(super) fn filled(hosts: u64) -> Bench {
    let bench = Bench::new();
    let images: Vec<Rows> = (0..5)
        .map(|image| {
            let all = installed(600);
            let of_image = all.iter().map(|row| {
                let Value::Text(version) = &row[3] else { panic!("a version") };
                let mut row = row.clone();
                row[3] = Value::Text(format!("{image}:{version}"));
                row
            });
            Rows::of(packages(), of_image.collect::<Vec<_>>()).unwrap()
        })
        .collect();
    let numbers: Vec<u64> = (0..hosts).collect();
    for (some, round) in numbers.chunks(500).zip(1..) {
        let reports = some.iter().map(|number| {
            let tables = vec![whole(&images[*number as usize % images.len()])];
            let look = InventoryReport { at_ms: ms(round), tables, ..InventoryReport::default() };
            let host = HostId([number.to_be_bytes(), [7; 8]].concat().try_into().unwrap());
            Reported { host, arrived: at(round), is_live: true, report: Report::Inventory(look) }
        });
        let inventory = bench.fleet.inventory.read().plan(&reports.collect::<Vec<_>>(), |_| Some("web".to_owned()));
        let mut projected = Projected::new(&[entry(round, HostId([1; 16]), round, vec![])], None).unwrap();
        projected.inventory = inventory;
        let mut state = bench.fleet.sure_state().unwrap();
        bench.fleet.commit(&mut state, Draft { projected: Some(projected), ..Draft::default() }).unwrap();
    }
    bench
}

/// With 10,000 hosts the figures of `INVENTORY.md`.
#[test]
fn equal_rows_of_many_hosts_are_one_and_are_so_again_after_a_restart() {
    const HOSTS: u64 = 100;
    let bench = filled(HOSTS);
    let file = |bench: &Bench| std::fs::metadata(bench.folder.join(crate::FILE_NAME)).unwrap().len();
    let rows = |bench: &Bench| bench.fleet.inventory.read().different(packages());
    assert_eq!(rows(&bench), 3_000);
    assert!(file(&bench) < HOSTS * 40_000 + (2 << 20), "{} B", file(&bench));
    let before = bench.fleet.inventory_of_all();
    let bench = bench.reopen();
    let after = bench.fleet.inventory_of_all();
    assert_eq!((rows(&bench), after.hosts().count() as u64), (3_000, HOSTS));
    assert!(after.book(packages()).end() == 3_000, "no number is left out");
    for (host, inventory) in after.hosts() {
        let table = inventory.table(packages()).unwrap();
        assert_eq!(std::mem::size_of_val(table.numbers()), 2_400, "four bytes a row");
        assert!(before.rows(host, packages()).eq(after.rows(host, packages())), "{host}");
    }
}
