//! Rules over a real file: of the API and of files, on what waits and on what comes.

use super::*;

fn rule(name: &str, kind: &str, items: &str, action: RuleAction) -> RuleSpec {
    RuleSpec { name: name.into(), kind: kind.into(), items: items.into(), hosts: String::new(), action }
}

#[test]
fn a_rule_decides_of_what_waits_and_of_what_comes() {
    let mut world = World::new();
    world.look(100, &[&units(&["a.service", "b.service"]), &ports(&[(80, "x", "")])]);
    let spec = rule("units", "unit", "name=~\"[a-c].service\"", RuleAction::Accept);
    let fleet = &world.bench.fleet;
    let matches = fleet.test_discovery_rule(spec.clone()).unwrap();
    assert_eq!((matches.items, matches.hosts, matches.first[0].1.as_str()), (2, 1, "unit:a.service"));
    assert_eq!(world.items()[1], "proposed unit:a.service", "a test changes nothing");
    let (made, matched) = fleet.put_discovery_rule(spec.clone(), &ann(), at(150)).unwrap();
    assert_eq!((made.by.as_str(), matched), ("user:ann", matches));
    assert_eq!(world.items(), ["proposed port:tcp/80/x", "accepted unit:a.service", "accepted unit:b.service"]);
    assert_eq!(
        (world.view("unit:a.service").by.as_str(), fleet.test_discovery_rule(spec).unwrap().items),
        ("rule:units", 0)
    );
    let told = world.texts(EventKind::DiscoveryRuleSet);
    let expect = "set the rule `units` of discovery: accept units with name=~\"[a-c].service\"; 2 proposals of 1 hosts match now";
    assert_eq!(told, [expect]);
    world.look(200, &[&units(&["a.service", "b.service", "c.service", "d.service"])]);
    assert_eq!(world.items()[3..], ["accepted unit:c.service", "proposed unit:d.service"]);
    let told = world.texts(EventKind::Discovered);
    assert!(told[1].ends_with("unit c.service (A service), which is new: accepted by rule:units"), "{told:?}");

    // What a rule ignores is told to nobody; the first name decides.
    let fleet = &world.bench.fleet;
    fleet.put_discovery_rule(rule("a-quiet", "unit", "name=~\"e.*\"", RuleAction::Ignore), &ann(), at(250)).unwrap();
    fleet.put_discovery_rule(rule("b-all", "unit", "", RuleAction::Accept), &ann(), at(250)).unwrap();
    let count = world.texts(EventKind::Discovered).len();
    world.look(300, &[&units(&["a.service", "b.service", "c.service", "d.service", "e.service"])]);
    assert_eq!(world.items()[4..], ["accepted unit:d.service", "ignored unit:e.service"]);
    assert_eq!(world.texts(EventKind::Discovered).len(), count);

    let fleet = &world.bench.fleet;
    let names = |fleet: &crate::Fleet| fleet.discovery_rules().into_iter().map(|one| one.rule.name).collect::<Vec<_>>();
    assert_eq!(names(fleet), ["a-quiet", "b-all", "units"]);
    fleet.remove_discovery_rule("units", &ann(), at(400)).unwrap();
    let gone = fleet.remove_discovery_rule("units", &ann(), at(400)).unwrap_err();
    assert!(matches!(gone, FleetError::NoDiscoveryRule { .. }), "{gone}");
    assert_eq!(world.items()[1], "accepted unit:a.service", "what it decided stays");
    let bench = world.bench.reopen();
    assert_eq!((names(&bench.fleet), items(&bench).len()), (vec!["a-quiet".to_owned(), "b-all".to_owned()], 6));
    let rows = bench.fleet.audit(&crate::AuditQuery { limit: 10, ..Default::default() }).unwrap();
    assert_eq!((rows[0].action, rows[0].object.as_str()), (EventKind::DiscoveryRuleRemoved, "units"));
}

#[test]
fn the_first_look_counts_what_rules_decided() {
    let mut world = World::new();
    let fleet = &world.bench.fleet;
    fleet.put_discovery_rule(rule("a", "unit", "name=\"a.service\"", RuleAction::Accept), &ann(), at(50)).unwrap();
    fleet.put_discovery_rule(rule("b", "port", "", RuleAction::Ignore), &ann(), at(50)).unwrap();
    world.look(100, &[&units(&["a.service", "b.service", "c.service"]), &ports(&[(80, "x", ""), (81, "x", "")])]);
    let told = world.texts(EventKind::Discovered);
    let expect = "host `web1` was looked at for the first time: 2 units proposed; 1 unit accepted by rules; 2 ports ignored by rules";
    assert_eq!(told, [expect]);
    let fields = &world.events(EventKind::Discovered)[0].fields;
    assert_eq!(fields["count"], "5");
}

#[test]
fn rules_of_files_hide_others_of_their_name_and_are_read_only() {
    let mut world = World::new();
    world.look(100, &[&units(&["a.service", "b.service"])]);
    let fleet = &world.bench.fleet;
    fleet.put_discovery_rule(rule("one", "unit", "name=\"b.service\"", RuleAction::Ignore), &ann(), at(110)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yml");
    let text = "rules:\n  - {name: one, kind: unit, items: 'name=\"a.service\"', action: accept}\n";
    std::fs::write(&path, text).unwrap();
    fleet.set_discovery_files(read_discovery_rules(std::slice::from_ref(&path)).unwrap());
    fleet.discover(at(120)).unwrap();
    assert_eq!(world.items(), ["accepted unit:a.service", "ignored unit:b.service"]);
    let all = fleet.discovery_rules();
    let shown: Vec<_> = all.iter().map(|one| (one.source == RuleSource::Api, one.is_hidden, one.rule.action)).collect();
    assert_eq!(shown, [(false, false, RuleAction::Accept), (true, true, RuleAction::Ignore)]);
    let refused = fleet.put_discovery_rule(rule("one", "unit", "", RuleAction::Accept), &ann(), at(130)).unwrap_err();
    assert!(
        refused.to_string().contains("stands in the file") && refused.to_string().contains("rules.yml"),
        "{refused}"
    );
    // The one of the API that it hides may go.
    fleet.remove_discovery_rule("one", &ann(), at(140)).unwrap();
    let refused = fleet.remove_discovery_rule("one", &ann(), at(140)).unwrap_err();
    assert!(matches!(refused, FleetError::RuleOfFile { .. }), "{refused}");
    world.bench.fleet.set_discovery_files(FileRules::default());
    assert!(world.bench.fleet.discovery_rules().is_empty());
}

#[test]
fn labels_of_hosts_choose_them_and_there_is_a_bound_of_rules() {
    let mut world = World::new();
    let fleet = &world.bench.fleet;
    let db = RuleSpec { hosts: "role=db".into(), ..rule("db", "unit", "", RuleAction::Accept) };
    fleet.put_discovery_rule(db, &ann(), at(50)).unwrap();
    world.look(100, &[&units(&["a.service"])]);
    assert_eq!(world.items(), ["proposed unit:a.service"]);
    let set = std::collections::BTreeMap::from([("role".to_owned(), "db".to_owned())]);
    world.bench.fleet.relabel(world.host, &set, OPERATOR, at(110)).unwrap();
    // Who it is now is judged without a look.
    world.bench.fleet.discover(at(111)).unwrap();
    assert_eq!(world.items(), ["accepted unit:a.service"]);
    world.look(200, &[&units(&["a.service", "b.service"])]);
    assert_eq!(world.items(), ["accepted unit:a.service", "accepted unit:b.service"]);
    let fleet = &world.bench.fleet;
    for number in 1..DISCOVERY_RULES_MAX {
        let spec = rule(&format!("r{number}"), "unit", "name=none", RuleAction::Accept);
        fleet.put_discovery_rule(spec, &ann(), at(300)).unwrap();
    }
    let one_more = rule("zz", "unit", "name=none", RuleAction::Accept);
    let refused = fleet.put_discovery_rule(one_more, &ann(), at(300)).unwrap_err();
    assert!(refused.to_string().contains("200 rules, which is the most"), "{refused}");
    let again = rule("r1", "port", "port=1", RuleAction::Accept);
    fleet.put_discovery_rule(again, &ann(), at(300)).unwrap();
}
