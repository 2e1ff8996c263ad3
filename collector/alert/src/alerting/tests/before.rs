//! What a mail says of changes before its alert, over a real registry.

use muster_common::inventory::{Difference, Rows, named};
use muster_common::wire::inventory::{InventoryReport, InventoryWord, TableReport};
use muster_common::wire::record::encode_report;
use muster_store::{Position, ReplayEntry, ReportRecord, StateRecord};

use super::*;
use crate::mail::{Before, Suspected};

/// What is mounted on /var with these options.
fn mounted(options: &str) -> Rows {
    let row = vec!["/var".into(), "/dev/sda3".into(), "ext4".into(), options.into()];
    Rows::of(named("mounts").unwrap(), [row]).unwrap()
}

impl World {
    /// A look at the mounts of a host, after one at `since_ms`.
    fn mounts(&self, host: HostId, (since_ms, at_ms): (i64, i64), before: Option<&Rows>, after: &Rows) {
        let word = match before {
            None => InventoryWord::Whole { part: 0, parts: 1, rows: after.iter().cloned().collect() },
            Some(before) => {
                let Difference { gone, now } = Difference::between(before, after);
                InventoryWord::Changed { from: before.digest().0, gone, now }
            }
        };
        let table = TableReport { table: after.table().number, digest: after.digest().0, dropped: 0, word };
        let look = InventoryReport { at_ms, since_ms, tables: vec![table], extensions: Vec::new() };
        let report = Report::Inventory(look);
        let entry = self.fleet.applied().map_or(1, |position| position.entry + 1);
        let position = Position { generation: 1, entry };
        let records = vec![StateRecord::Report(ReportRecord { host, report: encode_report(&report).unwrap().into() })];
        self.fleet.apply(&[ReplayEntry { position, arrived: at(at_ms), live: true, records }]).unwrap();
    }
}

#[test]
fn a_mail_says_what_changed_before_and_what_separates_its_hosts() {
    let begin = ONSET - DAY;
    let world = World::new(1, "ann@example.org", begin);
    let hosts: Vec<HostId> = (0..20).map(|number| world.host(&format!("db{number}"), number, begin)).collect();
    let (usual, other) = (mounted("rw,relatime"), mounted("rw,data=journal"));
    for (number, host) in hosts.iter().enumerate() {
        world.result(*host, CheckState::Ok, 70.0, begin);
        world.mounts(*host, (0, begin), None, &usual);
        if number < 6 {
            world.mounts(*host, (ONSET - 20 * MINUTE, ONSET - 10 * MINUTE), Some(&usual), &other);
        }
    }
    world.notices(begin);
    for host in &hosts[..6] {
        world.result(*host, CheckState::Critical, 92.0, ONSET);
    }
    for host in &hosts[6..] {
        world.result(*host, CheckState::Ok, 70.0, ONSET);
    }
    let now_ms = ONSET + MINUTE;
    let notices = world.notices(now_ms);
    let notice = notices.iter().find(|notice| notice.group_labels.get("host") == Some("db0")).unwrap();
    let evidence = world.evidence.gather(notice, at(now_ms));
    let why = "10 to 20 min before, only on all 6 hosts with the problem, names /var, can explain trouble with disks";
    let change = "mount /var: options rw,relatime -> rw,data=journal";
    let fact = "all 6 hosts with the problem have mount /var /dev/sda3 ext4 rw,data=journal, and none of 14 others do";
    let suspected = Suspected { text: change.to_owned(), why: why.to_owned(), page: String::new() };
    let expect = Before { suspects: vec![suspected], separator: fact.to_owned() };
    assert_eq!(evidence.before, expect);
    let mail = world.mail(notice, &evidence);
    let mail = parse_mail(mail.as_bytes()).unwrap();
    for part in mail.parts().filter(|part| part.ctype.mimetype.starts_with("text/")) {
        let body = part.get_body().unwrap().replace("&#x2f;", "/").replace("&gt;", ">");
        for words in ["What changed before", change, fact] {
            assert!(body.contains(words), "{words}: {body}");
        }
    }
    for host in &hosts[..6] {
        world.result(*host, CheckState::Ok, 70.0, now_ms + 20 * MINUTE);
    }
    let ended = world.notices(now_ms + 30 * MINUTE);
    let gathered = world.evidence.gather(&ended[0], at(now_ms + 30 * MINUTE));
    assert_eq!((ended[0].firing.len(), gathered.before), (0, Before::default()));
}
