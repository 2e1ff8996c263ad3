//! Profiles over a real file: sets and their versions, plans, assignments, and what becomes of hosts that change.

use muster_common::time::Timestamp;

use super::*;
use crate::testing::{Bench, OPERATOR, at};
use crate::{By, ErrorKind, EventKind, FleetError};

pub(super) fn ann() -> By {
    By::user("ann", "192.0.2.9")
}

pub(super) fn give(text: &str) -> ProfileChange {
    ProfileChange { documents: vec![("web.yml".into(), text.into())], remove: Vec::new() }
}

/// A profile for all hosts whose label `role` is `web`, with one check.
pub(super) fn web(check: &str) -> String {
    format!("profile: web\nselector: {{labels: 'role=\"web\"'}}\nchecks:\n  - {{name: {check}, kind: raid}}\n")
}

/// A fleet with the built-in profiles, and hosts that are web servers.
pub(super) fn bench(hosts: usize) -> (Bench, Vec<HostId>) {
    let bench = Bench::new();
    let own = |number: usize| {
        let host = bench.host(&format!("web{number}")).id();
        let labels = BTreeMap::from([("role".to_owned(), "web".to_owned())]);
        bench.fleet.relabel(host, &labels, OPERATOR, at(0)).unwrap();
        host
    };
    let hosts = (0..hosts).map(own).collect();
    assert_eq!(bench.fleet.set_profile_files(&[], &By::MUSTER, at(0)).unwrap().version, 1);
    (bench, hosts)
}

pub(super) fn apply(bench: &Bench, change: &ProfileChange, now: Timestamp) -> Applied {
    let plan = bench.fleet.plan_profiles(change).unwrap();
    bench.fleet.apply_profiles(change, plan.base, &ann(), "for the shop", now).unwrap()
}

fn document(bench: &Bench, host: HostId) -> String {
    bench.fleet.configuration_for(host).map_or_else(String::new, |(_, _, document)| document.to_string())
}

#[test]
fn a_plan_says_what_an_application_does_and_changes_nothing() {
    let (bench, hosts) = bench(3);
    let fleet = &bench.fleet;
    fleet.configuration_connected(hosts[2], false);
    fleet.step_profiles(at(1)).unwrap();
    let rules = "rules:\n  groups:\n    - {name: g, rules: []}\n";
    let change = give(&(web("arrays") + rules + "---\nprofile: nginx\nchecks: [{name: own, kind: load}]\n"));
    let events = bench.events().len();
    let plan = fleet.plan_profiles(&change).unwrap();
    assert_eq!((plan.base, plan.added, plan.changed), (1, vec!["web".to_owned()], vec!["nginx".to_owned()]));
    assert_eq!((plan.hosts, plan.shown.len(), plan.unable), (3, 3, vec!["web2".to_owned()]));
    assert_eq!(plan.rules, ["web"]);
    assert!(
        plan.rule_files.len() == 1 && plan.rule_files[0].1.contains("{name: g, rules: []}"),
        "{:?}",
        plan.rule_files
    );
    assert_eq!(
        plan.shown[0].diff,
        "@@ -0,0 +1,6 @@\n+# Composed by the collector of the profiles web\n+\n+# profile web\n+[[checks]]\n+name = \"arrays\"\n+kind = \"raid\"\n"
    );
    assert_eq!((bench.events().len(), fleet.profile_versions().len(), fleet.rollouts().len()), (events, 1, 0));

    let applied = fleet.apply_profiles(&change, 1, &ann(), " for the shop ", at(2)).unwrap();
    assert_eq!((applied.version, applied.is_changed, applied.rollout.as_ref().unwrap().hosts), (2, true, 2));
    let again = fleet.apply_profiles(&change, 2, &ann(), "again", at(3)).unwrap();
    assert_eq!((again.version, again.is_changed, again.rollout), (2, false, None));
    let stale = fleet.apply_profiles(&give(&web("x")), 1, &ann(), "late", at(3)).unwrap_err();
    assert!(stale.kind() == ErrorKind::Conflict && stale.to_string().contains("version 2 is: plan again"), "{stale}");
    assert!(fleet.apply_profiles(&change, 2, &ann(), " ", at(3)).unwrap_err().to_string().contains("it has no reason"));
    let event = bench
        .events()
        .into_iter()
        .find(|event| event.kind == EventKind::ProfilesApplied && event.by == "user:ann")
        .unwrap();
    assert_eq!(
        (event.text.as_str(), event.fields["version"].as_str()),
        ("version 2 of the profiles: added web; changed nginx", "2")
    );
    let audit = fleet.audit(&crate::AuditQuery { limit: 10, ..Default::default() }).unwrap();
    assert_eq!(
        (audit[0].action, audit[0].by.as_str(), audit[0].object.as_str()),
        (EventKind::ProfilesApplied, "user:ann", "2")
    );
    let head = &fleet.profile_versions()[0];
    assert_eq!(
        (head.version, head.by.as_str(), head.reason.as_str(), head.profiles),
        (2, "user:ann", "for the shop", 12)
    );
}

#[test]
fn sources_hide_each_other_and_the_api_takes_no_name_of_a_file() {
    let (bench, hosts) = bench(1);
    let fleet = &bench.fleet;
    let files = [(
        "rules.d/nginx.yml".to_owned(),
        "profile: nginx\ndescription: ours\nchecks: [{name: own, kind: load}]\n".to_owned(),
    )];
    assert_eq!(fleet.set_profile_files(&files, &By::file(), at(1)).unwrap().version, 2);
    assert!(!fleet.set_profile_files(&files, &By::file(), at(1)).unwrap().is_changed);
    apply(&bench, &give("profile: redis\nchecks: [{name: own, kind: swap}]\n---\nprofile: plain\n"), at(2));
    let views = fleet.profiles();
    let of = |name: &str| views.iter().filter(|view| view.name == name).collect::<Vec<_>>();
    let nginx = of("nginx");
    assert_eq!((nginx[0].source, nginx[0].hidden_by), (ProfileSource::BuiltIn, Some(ProfileSource::File)));
    assert_eq!(
        (nginx[1].hides.as_slice(), nginx[1].file.as_str()),
        (&[ProfileSource::BuiltIn][..], "rules.d/nginx.yml")
    );
    assert_eq!((nginx[1].description.as_str(), nginx[1].checks, nginx[1].hidden_by), ("ours", 1, None));
    assert_eq!(of("redis")[1].hides, [ProfileSource::BuiltIn]);
    assert!(of("plain")[0].hides.is_empty() && of("plain")[0].version == 3);
    assert_eq!(fleet.profile_text("nginx").unwrap(), files[0].1);
    let refused = fleet.plan_profiles(&give("profile: nginx\n")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "web.yml:1: profile `nginx`: profile: the file rules.d/nginx.yml has a profile of this name: change it there, or give this one another name"
    );
    let remove = |names: &[&str]| ProfileChange {
        documents: Vec::new(),
        remove: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let refused = fleet.plan_profiles(&remove(&["nginx", "sshd", "none"])).unwrap_err();
    assert!(refused.kind() == ErrorKind::Input && refused.to_string().lines().count() == 3, "{refused}");
    let removed = apply(&bench, &remove(&["redis"]), at(3));
    assert_eq!((removed.version, fleet.profiles().iter().filter(|view| view.name == "redis").count()), (4, 1));
    // A file with a mistake leaves what was.
    let bad = [("bad.yml".to_owned(), "profile: x\nchecks: 7\n".to_owned())];
    assert!(
        fleet
            .set_profile_files(&bad, &By::file(), at(4))
            .unwrap_err()
            .to_string()
            .starts_with("bad.yml:2: profile `x`: checks: is a number")
    );
    assert_eq!(fleet.profile_text("nginx").unwrap(), files[0].1);
    // What another includes cannot go.
    apply(&bench, &give("profile: shop\ninclude: [plain]\n"), at(5));
    assert!(fleet.plan_profiles(&remove(&["plain"])).unwrap_err().to_string().contains("there is no profile `plain`"));
    assert_eq!(document(&bench, hosts[0]), "", "none of them fits by itself");
}

#[test]
fn an_export_that_is_applied_again_changes_nothing_and_old_versions_are_there() {
    let (bench, _) = bench(1);
    let fleet = &bench.fleet;
    let texts =
        format!("# the shop's\n{}\n\n---\n# next\nprofile: base\nlogs: [{{paths: [/var/log/a]}}]\n\n", web("a"));
    apply(&bench, &give(&texts), at(1));
    let export = fleet.export_profiles();
    assert!(
        export.contains("# the shop's\nprofile: web\n") && export.contains("---\n# next\nprofile: base\n"),
        "{export}"
    );
    let plan = fleet.plan_profiles(&give(&export)).unwrap();
    assert_eq!((plan.added.len() + plan.changed.len() + plan.removed.len(), plan.hosts, plan.rules.len()), (0, 0, 0));
    assert!(!apply(&bench, &give(&export), at(2)).is_changed);
    for at_second in 3..63 {
        apply(&bench, &give(&format!("profile: base\ndescription: number {at_second}\n")), at(at_second));
    }
    // Version 1 is what hosts are on, as long as the first roll-out waits for one.
    let versions: Vec<u64> = fleet.profile_versions().iter().map(|one| one.version).collect();
    assert_eq!((versions[0], versions.len(), versions.last()), (62, 51, Some(&1)));
    assert_eq!(
        fleet.profiles_at(13).unwrap().profiles.iter().find(|own| own.name == "base").unwrap().text,
        "profile: base\ndescription: number 13\n"
    );
    let gone = fleet.profiles_at(3).unwrap_err();
    assert!(gone.kind() == ErrorKind::NotFound && gone.to_string().contains("version 3"), "{gone}");
    let bench = bench.reopen();
    assert_eq!(bench.fleet.profile_versions().iter().map(|one| one.version).collect::<Vec<_>>(), versions);
    assert_eq!(bench.fleet.export_profiles().lines().last(), export.lines().last());
    assert!(!bench.fleet.set_profile_files(&[], &By::MUSTER, at(0)).unwrap().is_changed);
}

#[test]
fn assignments_are_the_hosts_own_change_and_go_out_at_once() {
    let (bench, hosts) = bench(2);
    let fleet = &bench.fleet;
    let mut moved = fleet.subscribe_configurations();
    hosts.iter().for_each(|host| fleet.configuration_connected(*host, true));
    fleet.step_profiles(at(1)).unwrap();
    assert_eq!(
        (fleet.take_configurations_due(), fleet.configuration_for(hosts[0])),
        (vec![], None),
        "nothing was ever to be there"
    );
    assert!(matches!(fleet.assign_profile(hosts[0], "nginks", &ann(), "", at(2)), Err(FleetError::NoProfile { .. })));
    assert!(matches!(
        fleet.assign_profile(HostId([9; 16]), "nginx", &ann(), "", at(2)),
        Err(FleetError::NoHost { .. })
    ));
    let made = fleet.assign_profile(hosts[0], "nginx", &ann(), "shop", at(2)).unwrap();
    assert_eq!((made.by.as_str(), made.reason.as_str()), ("user:ann", "shop"));
    fleet.step_profiles(at(3)).unwrap();
    assert!(moved.has_changed().unwrap());
    moved.mark_unchanged();
    assert_eq!((fleet.take_configurations_due(), fleet.take_configurations_due()), (vec![hosts[0]], vec![]));
    let (number, digest, text) = fleet.configuration_for(hosts[0]).unwrap();
    assert!(number == 1 && text.contains("unit = \"nginx.service\"") && digest == Configuration::digest_of(&text));
    assert_eq!((fleet.rollouts().len(), fleet.configuration_for(hosts[1])), (0, None));
    let view = fleet.configuration_view(hosts[0]).unwrap();
    assert_eq!((view.number, view.profiles, view.reads), (1, vec!["nginx".to_owned()], Some(true)));
    assert_eq!(
        view.checks,
        [("nginx-http".to_owned(), "profile nginx".to_owned()), ("nginx-unit".into(), "profile nginx".into())]
    );
    let nginx = fleet.profiles().into_iter().find(|view| view.name == "nginx").unwrap();
    assert_eq!((nginx.hosts, nginx.assigned, nginx.fits), (1, 1, 0));
    fleet.configuration_told(hosts[0], digest, digest, ConfigurationWord::InForce, &[], at(4));
    fleet.step_profiles(at(4)).unwrap();

    let bench = bench.reopen();
    let fleet = &bench.fleet;
    assert_eq!(fleet.profile_assignments(), [(hosts[0], made)]);
    assert_eq!(fleet.configuration_for(hosts[0]), None, "not composed yet");
    fleet.step_profiles(at(5)).unwrap();
    assert_eq!(fleet.configuration_for(hosts[0]), Some((1, digest, text)), "the same number after a restart");
    assert_eq!(fleet.take_configurations_due(), [hosts[0]]);
    let told = fleet.configuration_view(hosts[0]).unwrap().told.unwrap();
    assert_eq!((told.word, told.in_force), (ConfigurationWord::InForce, digest));
    fleet.unassign_profile(hosts[0], "nginx", &ann(), "moved", at(6)).unwrap();
    assert!(matches!(
        fleet.unassign_profile(hosts[0], "nginx", &ann(), "", at(6)),
        Err(FleetError::NotAssigned { .. })
    ));
    fleet.step_profiles(at(7)).unwrap();
    let empty = fleet.configuration_for(hosts[0]).unwrap();
    assert_eq!((empty.0, empty.1, &*empty.2), (2, [0; 16], ""), "an empty one takes the other away");
    let kinds = bench.kinds();
    assert!(kinds.contains(&EventKind::ProfileAssigned) && kinds.contains(&EventKind::ProfileUnassigned));
    fleet.assign_profile(hosts[0], "nginx", &ann(), "", at(8)).unwrap();
    fleet.retire(hosts[0], "gone", OPERATOR, at(8)).unwrap();
    fleet.step_profiles(at(9)).unwrap();
    assert_eq!((fleet.profile_assignments().len(), fleet.configuration_for(hosts[0])), (0, None));
    assert_eq!(bench.reopen().fleet.profile_assignments().len(), 0);
}

/// The host tells these rows as all that the table has.
fn tell_rows(bench: &Bench, host: HostId, rows: &Rows, second: u64) {
    use muster_common::wire::inventory::{InventoryReport, InventoryWord, TableReport};
    let word = InventoryWord::Whole { part: 0, parts: 1, rows: rows.iter().cloned().collect() };
    let table = TableReport { table: rows.table().number, digest: rows.digest().0, dropped: 0, word };
    let look = InventoryReport { at_ms: at(second).millis(), since_ms: 0, tables: vec![table], extensions: Vec::new() };
    let report =
        muster_common::wire::record::encode_report(&muster_common::wire::message::Report::Inventory(look)).unwrap();
    let records = vec![muster_store::StateRecord::Report(muster_store::ReportRecord { host, report: report.into() })];
    let position = muster_store::Position { generation: 1, entry: second };
    bench.fleet.apply(&[muster_store::ReplayEntry { position, arrived: at(second), live: true, records }]).unwrap();
}

#[test]
fn labels_facts_inventory_and_pieces_of_a_host_change_its_document() {
    let (bench, hosts) = bench(1);
    let fleet = &bench.fleet;
    let profile = |name: &str, selector: &str| {
        format!("profile: {name}\nselector: {{{selector}}}\nchecks: [{{name: {name}, kind: raid}}]\n---\n")
    };
    let all = [
        profile("label", "labels: 'role=\"db\"'"),
        profile("fact", "facts: {os: \"Debian.*\"}"),
        profile("name", "labels: 'host=\"db1\"'"),
        profile("row", "inventory: [{table: packages, where: {name: openssl}}]"),
    ];
    apply(&bench, &give(&all.concat()), at(1));
    let profiles = |second: u64| {
        fleet.step_profiles(at(second)).unwrap();
        fleet.configuration_view(hosts[0]).unwrap().profiles
    };
    assert_eq!(profiles(2), Vec::<String>::new());
    fleet.relabel(hosts[0], &BTreeMap::from([("role".to_owned(), "db".to_owned())]), OPERATOR, at(3)).unwrap();
    assert_eq!(profiles(4), ["label"]);
    assert!(document(&bench, hosts[0]).contains("name = \"label\""), "given at once");
    fleet.rename(hosts[0], "db1", OPERATOR, at(5)).unwrap();
    assert_eq!(profiles(6), ["label", "name"]);
    let mut machine = crate::testing::Machine::new("db1");
    machine.facts.os = "Debian GNU/Linux 13".into();
    machine.facts.machine_id = "machine-of-web0".into();
    fleet.saw(hosts[0], &machine.hello(1, 1, &[]), None, at(7)).unwrap();
    fleet.configuration_connected(hosts[0], true);
    assert_eq!(profiles(8), ["fact", "label", "name"]);
    let table = named("packages").unwrap();
    let rows = Rows::of(table, vec![vec!["dpkg".into(), "openssl".into(), "amd64".into(), "3.0".into()]]).unwrap();
    tell_rows(&bench, hosts[0], &rows, 9);
    assert_eq!(profiles(10), ["fact", "label", "name", "row"]);
    let unit = |name: &str| {
        let cells = [name, "", "loaded", "active", "running", "enabled"];
        cells.map(muster_common::inventory::Value::from).to_vec()
    };
    let units = vec![unit("redis-server.service"), unit("shop.service")];
    tell_rows(&bench, hosts[0], &Rows::of(named("units").unwrap(), units).unwrap(), 11);
    fleet.discover(at(11)).unwrap();
    assert_eq!(profiles(11), ["fact", "label", "name", "row"], "what is found is only proposed");
    let found = ["daemon:redis", "unit:shop.service"].map(|key| (hosts[0], key.to_owned()));
    let hindered = fleet.decide_items(&found, crate::Decision::Accept, OPERATOR, "", at(12)).unwrap();
    assert!(hindered.is_empty(), "{hindered:?}");
    assert_eq!(profiles(12), ["fact", "label", "name", "redis", "row"]);
    let own = fleet.configuration_view(hosts[0]).unwrap().checks;
    assert!(own.iter().any(|(_, origin)| origin == "accepted unit:shop.service"), "{own:?}");
    assert!(document(&bench, hosts[0]).contains("# accepted unit:shop.service\n"), "{}", document(&bench, hosts[0]));
    let gone = [(hosts[0], "unit:shop.service".to_owned())];
    fleet.decide_items(&gone, crate::Decision::Archive, OPERATOR, "moved", at(13)).unwrap();
    profiles(14);
    assert!(!document(&bench, hosts[0]).contains("shop"), "{}", document(&bench, hosts[0]));
}

#[test]
fn numbers_of_a_restored_folder_are_above_those_that_were_given() {
    let (bench, hosts) = bench(1);
    let given = |second: u64| {
        bench.fleet.step_profiles(at(second)).unwrap();
        bench.fleet.configuration_for(hosts[0]).unwrap().0
    };
    bench.fleet.set_incarnation(1, muster_store::Past::default(), at(1)).unwrap();
    bench.fleet.assign_profile(hosts[0], "nginx", &ann(), "", at(1)).unwrap();
    assert_eq!(given(2), 1);
    bench.fleet.set_incarnation(2, muster_store::Past::default(), at(3)).unwrap();
    bench.fleet.assign_profile(hosts[0], "redis", &ann(), "", at(3)).unwrap();
    assert_eq!(given(4), 1_000_002);
    let bench = bench.reopen();
    bench.fleet.step_profiles(at(5)).unwrap();
    assert_eq!(bench.fleet.configuration_for(hosts[0]).unwrap().0, 1_000_002);
}

#[test]
fn rules_count_while_their_profile_does() {
    let (bench, hosts) = bench(1);
    let fleet = &bench.fleet;
    let none = fleet.profile_rules();
    let rules = |accept: &str| {
        format!("profile: r{accept}\naccept: {accept}\nrules:\n  groups: [{{name: g, rules: []}}]\n---\n")
    };
    apply(&bench, &give(&(rules("auto") + &rules("propose"))), at(1));
    let (number, files) = fleet.profile_rules();
    assert!(none.1.is_empty() && number != none.0 && files.len() == 1 && files[0].0 == "rauto", "{files:?}");
    fleet.assign_profile(hosts[0], "rpropose", &ann(), "", at(2)).unwrap();
    fleet.step_profiles(at(3)).unwrap();
    let (later, files) = fleet.profile_rules();
    assert!(later != number && files.len() == 2, "{files:?}");
    assert_eq!(fleet.profile_rules().0, later);
}
