//! Files with certificates of daemons. The agent has no check that reads one, and none of a file outside of the folders that a host lets the
//! collector name; so when the accepted ones end is a series, which rules can alert on.

use std::collections::BTreeSet;

use super::{Cells, Found, ItemKind, Looked, Offer, clean, with_details};

pub(super) const PATH: &str = "path";
const SUBJECT: &str = "subject";
const NAMES: &str = "names";
const ISSUER: &str = "issuer";
/// Seconds since 1970.
const NOT_BEFORE: &str = "not_before";
pub(super) const NOT_AFTER: &str = "not_after";
/// Made by a package for trying out, and used by nobody who cares.
const SAMPLES: [&str; 2] = ["/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/pki/tls/certs/localhost.crt"];

pub(super) const KIND: ItemKind = ItemKind {
    name: "certificate",
    many: "certificates",
    fields: &[PATH, SUBJECT, NAMES, ISSUER, NOT_BEFORE, NOT_AFTER],
    tables: &["certificates"],
    find,
    checks: |_| Vec::new(),
    words: |what| {
        let path = format!("certificate {}", clean(what.value(PATH)));
        with_details(path, &[("of ", what.value(SUBJECT)), ("names ", what.value(NAMES))])
    },
};

fn find(looked: &Looked<'_>) -> Vec<Found> {
    // Rows are by path.
    let mut files: Vec<(&str, Vec<Cells<'_>>)> = Vec::new();
    for row in looked.rows("certificates") {
        let Some(path) = row.text("path") else { continue };
        match files.last_mut() {
            Some((last, rows)) if *last == path => rows.push(row),
            _ => files.push((path, vec![row])),
        }
    }
    let sums: Vec<BTreeSet<&str>> =
        files.iter().map(|(_, rows)| rows.iter().filter_map(|row| row.text("sha256")).collect()).collect();
    // A chain beside its parts: whatever file has all of another's certificates, and more of them or the earlier path, stands for it.
    let is_within = |one: usize, other: usize| {
        one != other && sums[one].is_subset(&sums[other]) && (sums[one].len() < sums[other].len() || other < one)
    };
    let found = files.iter().enumerate().filter_map(|(at, (path, rows))| {
        let row = rows.iter().min_by_key(|row| (row.number("not_after").unwrap_or(i64::MAX), row.text("serial")))?;
        let text = |column| row.text(column).unwrap_or_default().to_owned();
        let time = |column| row.number(column).map_or_else(String::new, |at| at.to_string());
        let values = vec![
            (*path).to_owned(),
            text("subject"),
            text("names"),
            text("issuer"),
            time("not_before"),
            time("not_after"),
        ];
        let is_covered = !sums[at].is_empty() && (0..files.len()).any(|other| is_within(at, other));
        let is_plain = path.starts_with('/') && !path.chars().any(char::is_control) && !SAMPLES.contains(path);
        let offer = if is_covered { Offer::Covered } else { Offer::when(is_plain) };
        Some(Found { what: row.what(format!("certificate:{path}"), values), offer })
    });
    found.collect()
}
