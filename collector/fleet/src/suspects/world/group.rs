//! Groups of hosts that are alike but for chance, and for what is planted.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::inventory::{Row, Rows, Value};

use super::super::{Separator, Trait, contrast};
use super::{Dice, HOSTS, host, table};
use crate::inventory::InventorySnapshot;

/// Packages of a host, most of which all have alike.
const PACKAGES: usize = 100;

/// A group with a problem on some of its hosts.
pub struct Group {
    pub affected: Vec<HostId>,
    pub unaffected: Vec<HostId>,
    pub snapshot: InventorySnapshot,
    pub traits: BTreeMap<HostId, Vec<Trait>>,
    /// The fact that separates them, if one was planted.
    pub planted: Option<String>,
}

impl Group {
    pub fn separator(&self) -> Option<Separator> {
        contrast(&self.affected, &self.unaffected, &self.snapshot, &self.traits)
    }
}

/// The group of a seed. From 4 to 12 of its 40 hosts have the problem. Packages are of three images, and one in four of them is in one of several
/// versions by chance; kernel parameters and labels differ by chance too; some rows each host has alone. What is planted is on all hosts with the
/// problem and in every third group on one other too.
pub fn group(seed: u64, is_planted: bool) -> Group {
    let mut dice = Dice::new(seed ^ 0x5eed);
    let mut order: Vec<usize> = (0..HOSTS).collect();
    for at in (1..HOSTS).rev() {
        order.swap(at, dice.below(at + 1));
    }
    let with = 4 + dice.below(9);
    let stray = dice.chance(1.0 / 3.0).then(|| order[with]);
    let has_it = |number: usize| is_planted && (order[..with].contains(&number) || stray == Some(number));
    let kind = dice.below(3);
    let (mut all, mut traits) = (Vec::new(), BTreeMap::new());
    for number in 0..HOSTS {
        let image = dice.below(3);
        let mut packages: Vec<Row> = (0..PACKAGES).map(|package| a_package(&mut dice, package, image)).collect();
        let (mut value, mut ring) = (dice.below(3).to_string(), ["one", "two", "three"][dice.below(3)]);
        if has_it(number) {
            match kind {
                0 => packages[0] = package("libfoo", "3.0.2"),
                1 => value = "17".to_owned(),
                _ => ring = "canary",
            }
        }
        let sysctl: Vec<Row> = vec![
            vec!["vm.swappiness".into(), Value::Text(value)],
            vec!["kernel.hostname".into(), Value::Text(format!("host{number}"))],
            vec![Value::Text(format!("net.ipv4.conf.eth{}.mtu", dice.below(4))), "1500".into()],
        ];
        let tables = [("packages", packages), ("sysctl", sysctl)];
        let rows = tables.into_iter().filter_map(|(name, rows)| Rows::of(table(name), rows).ok());
        all.push((host(number), rows.collect()));
        let label = |name: &str, value: &str| Trait { name: format!("label {name}"), value: value.to_owned() };
        let rack = format!("r{}", dice.below(6));
        traits.insert(host(number), vec![label("env", "prod"), label("ring", ring), label("rack", &rack)]);
    }
    let planted = match kind {
        0 => "package libfoo 3.0.2",
        1 => "kernel parameter vm.swappiness 17",
        _ => "label ring = canary",
    };
    Group {
        affected: order[..with].iter().copied().map(host).collect(),
        unaffected: order[with..].iter().copied().map(host).collect(),
        snapshot: InventorySnapshot::of(all, 1),
        traits,
        planted: is_planted.then(|| planted.to_owned()),
    }
}

fn package(name: &str, version: &str) -> Row {
    vec!["dpkg".into(), name.into(), "amd64".into(), version.into(), name.into(), "installed".into()]
}

fn a_package(dice: &mut Dice, number: usize, image: usize) -> Row {
    let version = match number {
        0 => "3.0.1".to_owned(),
        _ if number.is_multiple_of(4) => format!("1.{}", dice.below(1 + number % 5)),
        _ if number.is_multiple_of(3) => format!("2.{image}"),
        _ => "1.0".to_owned(),
    };
    package(&format!("lib{}", if number == 0 { "foo".to_owned() } else { format!("p{number}") }), &version)
}
