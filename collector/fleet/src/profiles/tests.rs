//! Documents and composition, without a fleet; `fleet` has tests over one, `roll` those of roll-outs with restarts.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::inventory::{Rows, TABLES, named};
use muster_common::wire::message::{Configuration, HostFacts};

use super::compose::{Piece, compose};
use super::document::read_file;
use super::selector::{Host, Judged};
use super::set::{Set, check, read_source, sorted};
use super::*;
use crate::inventory::InventorySnapshot;

mod agents;
mod documents;
mod fleet;
mod roll;

const HOST: HostId = HostId([7; 16]);

/// A set of these documents, all of the API.
fn set(text: &str) -> Set {
    let mut mistakes = ProfileMistakes::default();
    let read = read_source(&[("x.yml".to_owned(), text.to_owned())], ProfileSource::Api, &mut mistakes);
    assert_eq!(mistakes.to_string(), "");
    let profiles = sorted(read.into_iter().map(|(text, _)| text).collect());
    Set::of(ProfileSet { version: 1, profiles, ..ProfileSet::default() })
}

/// An inventory with one table of one host.
fn inventory(table: &str, rows: Vec<Vec<muster_common::inventory::Value>>) -> InventorySnapshot {
    let table = named(table).unwrap();
    InventorySnapshot::of([(HOST, vec![Rows::of(table, rows).unwrap()])], 1)
}

fn composed(
    set: &Set,
    labels: &[(&str, &str)],
    inventory: &InventorySnapshot,
    assigned: &[&str],
    pieces: &[Piece],
) -> Composed {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let facts = HostFacts { os: "Debian GNU/Linux 13".into(), processors: 4, ..HostFacts::default() };
    let host = Host { id: HOST, name: "web1", labels: &labels, facts: &facts, inventory };
    let assigned: Vec<String> = assigned.iter().map(|name| (*name).to_owned()).collect();
    compose(set, &host, &assigned, pieces, &mut Judged::default())
}

fn plain(set: &Set, labels: &[(&str, &str)]) -> Composed {
    composed(set, labels, &InventorySnapshot::default(), &[], &[])
}

const WEB: &str = "profile: base\nlogs:\n  - paths: [/var/log/app/*.log]\n    labels: {app: shop}\n    multiline: java\nchecks:\n  - {name: load, kind: load, warn: 2, per_core: true}\n---\nprofile: web\nselector:\n  labels: '{role=\"web\"}'\ninclude: [base]\nchecks:\n  - {name: site, kind: http, url: http://127.0.0.1/, status: [200, \"301\"], interval: 30s, labels: {team: shop}}\n  - {name: queue, use: check-queue, max_check_attempts: 5, volatile: true, parents: [db1]}\n";

#[test]
fn a_document_has_what_fits_and_what_it_includes_and_agents_can_read_it() {
    let set = set(WEB);
    let none = plain(&set, &[("role", "db")]);
    assert_eq!((none.document.as_str(), none.profiles.len(), none.digest), ("", 0, [0; 16]));
    let web = plain(&set, &[("role", "web")]);
    assert_eq!((web.profiles, web.problems.len()), (vec!["base".to_owned(), "web".to_owned()], 0));
    assert_eq!(
        web.document,
        "# Composed by the collector of the profiles base, web\n\n# profile base\n[[logs]]\npaths = [\"/var/log/app/*.log\"]\n\
         labels = { app = \"shop\" }\nmultiline = \"java\"\n[[checks]]\nname = \"load\"\nkind = \"load\"\nper_core = true\nwarn = \"2\"\n\n\
         # profile web\n[[checks]]\nname = \"site\"\nkind = \"http\"\ninterval = \"30s\"\nlabels = { team = \"shop\" }\n\
         status = [\"200\", \"301\"]\nurl = \"http://127.0.0.1/\"\n[[checks]]\nname = \"queue\"\nuse = \"check-queue\"\n\
         max_check_attempts = 5\nparents = [\"db1\"]\nvolatile = true\n"
    );
    assert_eq!(web.digest, Configuration::digest_of(&web.document));
    let origins = [("load", "profile base"), ("queue", "profile web"), ("site", "profile web")];
    assert_eq!(web.checks, origins.map(|(check, origin)| (check.to_owned(), origin.to_owned())));
    let read: toml::Table = toml::from_str(&web.document).unwrap();
    assert_eq!((read["checks"].as_array().unwrap().len(), read["logs"].as_array().unwrap().len()), (3, 1));
    // The order in which documents were given is of no matter.
    let (base, rest) = WEB.split_once("---\n").unwrap();
    assert_eq!(plain(&self::set(&format!("{rest}---\n{base}")), &[("role", "web")]).document, web.document);
}

#[test]
fn conditions_are_over_labels_facts_and_rows_and_all_kinds_must_hold() {
    let units = inventory("units", vec![vec!["nginx.service".into()], vec!["ssh.service".into()]]);
    let ports = inventory("listening_ports", vec![vec!["tcp".into(), "0.0.0.0".into(), 80.into(), "nginx".into()]]);
    let none = InventorySnapshot::default();
    for (selector, snapshot, fits) in [
        ("labels: 'role=\"web\"'", &none, true),
        ("labels: 'host=~\"web.*\",role!=\"db\"'", &none, true),
        ("labels: 'role=\"db\"'", &none, false),
        ("facts: {os: \"Debian.*\"}", &none, true),
        ("facts: {os: Debian}", &none, false),
        ("facts: {os: \"Debian.*\", processors: 8}", &none, false),
        ("facts: {processors: 4}", &none, true),
        ("inventory: [{table: units, where: {name: \"nginx\\\\.service\"}}]", &units, true),
        ("inventory: [{table: units, where: {name: \"nginx\"}}]", &units, false),
        ("inventory: [{table: units, where: {name: \"nginx\\\\.service\"}}]", &none, false),
        ("inventory: [{table: units, where: {name: \"(nginx|ssh).*\", path: \".*\"}}]", &units, false),
        ("inventory: [{table: units, where: {name: \"no\"}}, {table: units, where: {name: \"ssh.*\"}}]", &units, true),
        ("inventory: [{table: listening_ports, where: {port: 80, process: nginx}}]", &ports, true),
        ("inventory: [{table: listening_ports, where: {port: 81, process: nginx}}]", &ports, false),
        ("{labels: 'role=\"web\"', inventory: [{table: units, where: {name: \"no\"}}]}", &units, false),
    ] {
        let set = set(&format!(
            "profile: x\nselector: {}\nchecks: [{{name: a, kind: raid}}]\n",
            if selector.starts_with('{') { selector.to_owned() } else { format!("{{{selector}}}") }
        ));
        let found = composed(&set, &[("role", "web")], snapshot, &[], &[]);
        assert_eq!(!found.document.is_empty(), fits, "{selector}");
    }
}

#[test]
fn what_is_proposed_is_in_force_where_it_is_assigned() {
    let set = set(
        "profile: a\naccept: propose\nselector: {labels: 'role=\"web\"'}\nchecks: [{name: a, kind: raid}]\n---\nprofile: b\nchecks: [{name: b, kind: memory}]\n",
    );
    let web = plain(&set, &[("role", "web")]);
    assert_eq!((web.document.as_str(), web.proposed()), ("", vec!["a".to_owned()]));
    let assigned = composed(&set, &[], &InventorySnapshot::default(), &["a", "b", "gone"], &[]);
    assert_eq!((&assigned.profiles, assigned.proposed().len()), (&vec!["a".to_owned(), "b".to_owned()], 0));
    assert_eq!(assigned.problems, ["profile `gone` is assigned, and there is none of this name: unassign it"]);
}

#[test]
fn the_first_check_of_a_name_wins_and_the_other_is_told() {
    let set = set(
        "profile: a\nselector: {labels: 'host=\"web1\"'}\nchecks: [{name: x, kind: raid}, {name: same, kind: memory}]\nlogs: [{paths: [/a]}]\n---\nprofile: b\nselector: {labels: 'host=\"web1\"'}\nchecks: [{name: x, kind: memory}, {name: same, kind: memory}, {name: y, kind: swap}]\nlogs: [{paths: [/a]}]\n",
    );
    let piece = |origin: &str, name: &str| Piece {
        origin: origin.to_owned(),
        logs: vec![],
        checks: vec![
            serde_json::json!({"name": name, "kind": "port", "port": 80}),
            serde_json::json!({"kind": "raid"}),
        ],
    };
    let pieces = [piece("port 80\n[[checks]]\u{7f}", "z"), piece("a find", "x")];
    let found = composed(&set, &[], &InventorySnapshot::default(), &[], &pieces);
    let names: Vec<&str> = found.checks.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["same", "x", "y", "z"]);
    assert_eq!(
        found.problems,
        [
            "check `x` of profile b is left out: profile a has another of this name; give one of the two another name",
            "check `x` of a find is left out: profile a has another of this name; give one of the two another name",
            "a find: a check without a name is left out",
            "port 80\\n[[checks]]\\u{7f}: a check without a name is left out",
        ]
    );
    let read: toml::Table = toml::from_str(&found.document).unwrap();
    assert_eq!((read["checks"].as_array().unwrap().len(), read["logs"].as_array().unwrap().len()), (4, 1));
    let mut turned = pieces;
    turned.reverse();
    assert_eq!(composed(&set, &[], &InventorySnapshot::default(), &[], &turned), found, "whatever order they come in");
}

#[test]
fn too_much_is_left_out_by_whole_profiles() {
    let profile = |name: &str, checks: usize, remedy: usize| {
        let check = |at: usize| format!("  - {{name: {name}{at}, kind: raid, remedy: {}}}\n", "r".repeat(remedy));
        format!(
            "profile: {name}\nselector: {{labels: 'host=\"web1\"'}}\nchecks:\n{}---\n",
            (0..checks).map(check).collect::<String>()
        )
    };
    let many: String = (0..6).map(|at| profile(&format!("p{at}"), 90, 5)).collect();
    let found = plain(&set(&many), &[]);
    assert_eq!(found.checks.len(), 450);
    assert_eq!(
        found.problems,
        ["profile p5 is left out: with it there would be more than 500 checks; let fewer profiles fit this host"]
    );
    let large: String = (0..8).map(|at| profile(&format!("p{at}"), 15, 3_000)).collect();
    let found = plain(&set(&(large + &profile("small", 1, 5))), &[]);
    assert!(
        found.document.len() < CONFIGURATION_BYTES_MAX && found.document.len() > 150_000,
        "{}",
        found.document.len()
    );
    assert!(found.problems.len() == 3 && found.problems[0].contains("more than 262144 bytes"), "{:?}", found.problems);
    assert!(found.checks.iter().any(|(name, _)| name == "small0"), "what fits still comes in");
    let groups = |name: &str| {
        let group = |at: usize| format!("  - paths: [/var/log/{name}/{at}]\n");
        format!(
            "profile: {name}\nselector: {{labels: 'host=\"web1\"'}}\nlogs:\n{}---\n",
            (0..50).map(group).collect::<String>()
        )
    };
    let found = plain(&set(&["a", "b", "c", "d", "e"].map(groups).concat()), &[]);
    assert_eq!(
        found.problems,
        [
            "profile e is left out: with it there would be more than 200 groups of log files; let fewer profiles fit this host"
        ]
    );
}

#[test]
fn built_in_profiles_are_sound_and_only_proposed() {
    let own: Vec<(String, String)> =
        built_in_profiles().into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let mut mistakes = ProfileMistakes::default();
    let read = read_source(&own, ProfileSource::BuiltIn, &mut mistakes);
    let names: Vec<&str> = read.iter().map(|(text, _)| text.name.as_str()).collect();
    assert_eq!(
        names,
        ["apache", "bind", "docker", "haproxy", "mysql", "nginx", "postfix", "postgresql", "redis", "sshd"]
    );
    assert!(own.iter().zip(&names).all(|((file, _), name)| file == name));
    let set = Set::of(ProfileSet { profiles: super::built_in::built_in().collect(), ..ProfileSet::default() });
    check(&set, &BTreeMap::new(), &mut mistakes);
    assert_eq!((mistakes.to_string(), set.broken.len()), (String::new(), 0));
    for (name, (_, profile)) in &set.effective {
        assert!(
            profile.accept == Accept::Propose && profile.selector.is_some() && !profile.checks.is_empty(),
            "{name}"
        );
        let paths = profile.logs.iter().flat_map(|group| group["paths"].as_array().unwrap());
        // Agents read nothing else unless their own file says so.
        assert!(paths.clone().all(|path| path.as_str().unwrap().starts_with("/var/log/")), "{name}");
        for check in &profile.checks {
            assert!(check["name"].as_str().unwrap().starts_with(name) || *name == "docker", "{name}: {check}");
            let target = check.get("host").or(check.get("url")).map(|target| target.as_str().unwrap());
            assert!(target.is_none_or(|target| target.contains("127.0.0.1")), "{name}: {check}");
        }
    }
    let all: Vec<&str> = names.clone();
    let every = composed(&set, &[], &InventorySnapshot::default(), &all, &[]);
    assert_eq!((every.problems.len(), every.profiles.len()), (0, 10), "they go together: {:?}", every.problems);
}

#[test]
fn built_in_profiles_fit_debian_and_red_hat() {
    let set = Set::of(ProfileSet { profiles: super::built_in::built_in().collect(), ..ProfileSet::default() });
    let unit = |name: &str, state: &str| {
        let mut row: Vec<muster_common::inventory::Value> =
            vec![name.into(), "".into(), "loaded".into(), "active".into(), "running".into()];
        row.push(state.into());
        inventory("units", vec![row])
    };
    for (unit_name, profile) in [
        ("ssh.service", "sshd"),
        ("ssh.socket", "sshd"),
        ("sshd.service", "sshd"),
        ("nginx.service", "nginx"),
        ("apache2.service", "apache"),
        ("httpd.service", "apache"),
        ("postgresql.service", "postgresql"),
        ("postgresql@17-main.service", "postgresql"),
        ("postgresql-16.service", "postgresql"),
        ("mysql.service", "mysql"),
        ("mysqld.service", "mysql"),
        ("mariadb.service", "mysql"),
        ("redis-server.service", "redis"),
        ("redis.service", "redis"),
        ("docker.service", "docker"),
        ("postfix.service", "postfix"),
        ("named.service", "bind"),
        ("haproxy.service", "haproxy"),
    ] {
        let found = composed(&set, &[], &unit(unit_name, "enabled"), &[], &[]);
        assert_eq!((found.proposed(), found.document.as_str()), (vec![profile.to_owned()], ""), "{unit_name}");
        assert_eq!(composed(&set, &[], &unit(unit_name, "disabled"), &[], &[]).proposed().len(), 0, "{unit_name}");
    }
    for (process, port, profile) in [
        ("sshd", 22, "sshd"),
        ("mariadbd", 3306, "mysql"),
        ("named", 53, "bind"),
        ("master", 25, "postfix"),
        ("postgres", 5433, "postgresql"),
    ] {
        let row = vec!["tcp".into(), "0.0.0.0".into(), port.into(), process.into()];
        let found = composed(&set, &[], &inventory("listening_ports", vec![row]), &[], &[]);
        assert_eq!(found.proposed(), [profile], "{process}");
    }
}

#[test]
fn a_row_that_thousands_of_hosts_have_is_judged_once() {
    let set = Set::of(ProfileSet { profiles: super::built_in::built_in().collect(), ..ProfileSet::default() });
    let units = named("units").unwrap();
    let rows = |first: u64| {
        let unit = |at: u64| vec![format!("unit{}.service", (first + at) % 300).as_str().into()];
        Rows::of(units, (0..200).map(unit)).unwrap()
    };
    let id = |number: u64| HostId(u128::from(number + 1).to_be_bytes());
    let inventory = InventorySnapshot::of((0..1_000).map(|number| (id(number), vec![rows(number % 50)])), 1);
    let (labels, facts, mut judged) = (BTreeMap::new(), HostFacts::default(), Judged::default());
    for number in 0..1_000 {
        let host = Host { id: id(number), name: "x", labels: &labels, facts: &facts, inventory: &inventory };
        assert_eq!(compose(&set, &host, &[], &[], &mut judged).fits.len(), 0);
    }
    // 249 different units, and one condition on units in each profile.
    assert_eq!(judged.len(), 249 * set.effective.len());
}
