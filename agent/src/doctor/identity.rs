//! Who this host is: whether it is enrolled, whose the files are, how long the certificate lasts.

use std::time::Duration;

use muster_common::finding::Finding;
use muster_common::identity::Pin;
use muster_common::time::{Span, Timestamp};

use super::account::{Account, Names};
use super::look::{Look, RealLook};
use super::rights::Node;
use super::scene::Scene;
use crate::identity_files::{Enrolled, IdentityError};

/// The key's file, and what enrolment said.
const FILES: [&str; 2] = ["identity.pem", "enrolment.json"];
/// Renewal begins at two thirds of a certificate's life and is tried each 10 min: a day later something hinders it.
const OVERDUE_AFTER: Duration = Duration::from_secs(86_400);
const ENROL: &str = "muster token new   # at the collector: it prints the word\nmuster-agent enrol --collector HOST:9471 --token-file -";

pub(super) fn examine(scene: &Scene) -> Vec<Finding> {
    let folder = scene.state_dir.display().to_string();
    let enrolled = match &scene.enrolled {
        Ok(Some(enrolled)) => enrolled,
        Ok(None) => return vec![Finding::problem("this host is not enrolled", folder, ENROL)],
        Err(IdentityError::Io { path, source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => {
            let what = format!("the identity cannot be looked at: {source}");
            return vec![Finding::warning(what, path.clone(), "run the doctor as root, or as the agent's user")];
        }
        Err(error) => return vec![split(&error.to_string(), &folder)],
    };
    let mut findings = Vec::new();
    for name in std::iter::once("").chain(FILES) {
        let path = scene.state_dir.join(name);
        let shown = path.display().to_string();
        if let Ok(node) = RealLook.node(&path) {
            findings.extend(owned(&shown, &node, name == FILES[0], &scene.account, &scene.names));
        }
    }
    findings.extend(certificate(enrolled.facts.not_before, enrolled.facts.not_after, scene.now, &folder));
    if findings.is_empty() {
        findings.push(Finding::ok(well(enrolled, scene.now), folder));
    }
    findings
}

fn well(enrolled: &Enrolled, now: Timestamp) -> String {
    let left = enrolled.facts.not_after.since(now).as_secs() / 86_400;
    let pins: Vec<String> = enrolled
        .roots_der()
        .iter()
        .filter_map(|der| Pin::of_certificate(der).ok())
        .map(|pin| pin.to_string())
        .collect();
    format!(
        "enrolled as {} ({}); the certificate has {left} days and renews itself; the collector's key is {}",
        enrolled.enrolment.name,
        enrolled.host,
        pins.join(", ")
    )
}

/// What an error says, cut where its remedy begins.
fn split(text: &str, place: &str) -> Finding {
    match text.split_once("; ") {
        Some((what, remedy)) => Finding::problem(what, place, remedy),
        None => Finding::problem(text, place, "run the doctor as root, and look at the agent's log"),
    }
}

/// Files of the state folder are the agent's alone.
fn owned(path: &str, node: &Node, is_key: bool, account: &Account, names: &Names) -> Vec<Finding> {
    let mut findings = Vec::new();
    if node.owner != account.uid {
        let (owner, user) = (names.user(node.owner), &account.name);
        let what = format!("it belongs to user {owner}, and the agent works as user {user}");
        findings.push(Finding::problem(what, path, format!("chown {user}: {path}")));
    }
    let (wanted, forbidden) =
        if node.is_folder { ("0700", 0o022) } else { ("0600", if is_key { 0o077 } else { 0o022 }) };
    if node.mode & forbidden != 0 {
        let what =
            format!("others may {} it (mode {:04o})", if is_key { "read or write" } else { "write to" }, node.mode);
        findings.push(Finding::problem(what, path, format!("chmod {wanted} {path}")));
    }
    findings
}

fn certificate(not_before: Timestamp, not_after: Timestamp, now: Timestamp, place: &str) -> Vec<Finding> {
    let span = |span: Duration| Span(Duration::from_secs(span.as_secs() / 3_600 * 3_600)).to_string();
    let renewal = not_before.plus(not_after.since(not_before) * 2 / 3);
    if now < not_before {
        let what =
            format!("the certificate is valid only in {}: this host's clock is behind", span(not_before.since(now)));
        return vec![Finding::problem(what, place, "timedatectl set-ntp true")];
    }
    if now > not_after {
        let what = format!("the certificate expired {} ago", span(now.since(not_after)));
        let remedy = "start the agent: up to 90 days after that it renews at its first connection; later enrol again with --replace";
        return vec![Finding::problem(what, place, remedy)];
    }
    if now > renewal.plus(OVERDUE_AFTER) {
        let what = format!(
            "the certificate was to be renewed {} ago and has {} left",
            span(now.since(renewal)),
            span(not_after.since(now))
        );
        return vec![Finding::warning(what, place, "journalctl -u muster-agent   # says why it was not")];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;

    use super::*;

    #[test]
    fn files_are_the_agents_alone() {
        let names = Names::of("root:x:0:0::/:/x\nmuster:x:990:989::/:/x\n", "");
        let account = names.account("muster", &[], 0).unwrap();
        let node = |owner, mode| Node { owner, mode, ..Node::default() };
        assert_eq!(owned("/s/identity.pem", &node(990, 0o600), true, &account, &names), []);
        assert_eq!(owned("/s/enrolment.json", &node(990, 0o644), false, &account, &names), []);
        let found = owned("/s/identity.pem", &node(0, 0o640), true, &account, &names);
        let remedies: Vec<&str> = found.iter().map(|finding| finding.remedy.as_str()).collect();
        assert_eq!(remedies, ["chown muster: /s/identity.pem", "chmod 0600 /s/identity.pem"]);
        assert!(found[0].what.contains("belongs to user root"));
        let folder = Node { is_folder: true, ..node(990, 0o777) };
        assert_eq!(owned("/s", &folder, false, &account, &names)[0].remedy, "chmod 0700 /s");
    }

    #[test]
    fn a_certificate_is_told_when_it_will_not_last() {
        let day = |days: i64| Timestamp::from_millis(days * 86_400_000);
        let told = |now| certificate(day(100), day(130), day(now), "/s");
        assert_eq!(told(119), []);
        assert_eq!(told(121), []);
        for (now, level, word) in [
            (98, Level::Problem, "valid only in 2d"),
            (125, Level::Warning, "renewed 5d ago and has 5d left"),
            (140, Level::Problem, "expired 10d ago"),
        ] {
            let found = told(now);
            assert!(found[0].level == level && found[0].what.contains(word), "{found:?}");
        }
    }

    #[test]
    fn an_error_is_cut_where_its_remedy_begins() {
        let found = split("x is damaged: y; enrol again", "/s");
        assert_eq!((found.what.as_str(), found.remedy.as_str()), ("x is damaged: y", "enrol again"));
        assert!(!split("x", "/s").remedy.is_empty());
    }
}
