//! What rules match, and how they are refused.

use super::*;

fn spec(name: &str, kind: &str, items: &str, hosts: &str) -> RuleSpec {
    RuleSpec {
        name: name.into(),
        kind: kind.into(),
        items: items.into(),
        hosts: hosts.into(),
        action: RuleAction::Accept,
    }
}

fn port(number: &str, process: &str) -> What {
    let values = ["tcp", number, process, "", "::"].map(str::to_owned).to_vec();
    What { key: format!("port:tcp/{number}/{process}"), values, table: 9, row: Vec::new() }
}

#[test]
fn patterns_are_anchored_and_all_of_a_rule_must_match() {
    let labels = BTreeMap::from([("role".to_owned(), "web".to_owned())]);
    let matches = |spec: RuleSpec, what: &What| ReadRule::new(spec).unwrap().is_about(what, "web1", &labels);
    let http = port("80", "nginx");
    for (kind, items, hosts, expect) in [
        ("port", "", "", true),
        ("unit", "", "", false),
        ("", "kind=port", "", true),
        ("", "key=\"port:tcp/80/nginx\"", "", true),
        ("port", "port=~\"80|443\"", "", true),
        ("port", "port=~\"8\"", "", false),
        ("port", "process=~\"ng.*\",port=80", "role=web", true),
        ("port", "process=~\"ng.*\",port=81", "role=web", false),
        ("port", "unit=\"\"", "", true),
        ("port", "unit!=\"\"", "", false),
        ("port", "", "host=~\"web.*\",role!=db", true),
        ("port", "", "site=b", false),
    ] {
        assert_eq!(matches(spec("r", kind, items, hosts), &http), expect, "{kind} {items} {hosts}");
    }
}

#[test]
fn the_first_by_name_decides() {
    let read = |name: &str, items: &str, action| {
        let rule = ReadRule::new(RuleSpec { action, ..spec(name, "port", items, "") }).unwrap();
        (name.to_owned(), Arc::new(rule))
    };
    let all: RuleSet = [read("b", "", RuleAction::Accept), read("a", "process=java", RuleAction::Ignore)].into();
    let labels = BTreeMap::new();
    let first = |what: &What| first_rule(&all, what, ("h", &labels)).map(|rule| rule.name.clone());
    assert_eq!((first(&port("80", "nginx")).as_deref(), first(&port("80", "java")).as_deref()), (Some("b"), Some("a")));
    let other = What { key: "unit:x.service".into(), ..port("80", "x") };
    assert_eq!(first(&other), None);
}

#[test]
fn what_is_wrong_with_a_rule_is_said() {
    let long = "x".repeat(MATCHERS_BYTES_MAX + 1);
    for (rule, told) in [
        (spec("", "port", "", ""), "its name is none"),
        (spec("a/b", "port", "", ""), "its name is none"),
        (spec(&"a".repeat(64), "port", "", ""), "63 at most"),
        (spec("a", "socket", "", ""), "write one of daemon, unit, port"),
        (spec("a", "port", "path=x", ""), "match key, kind, addresses, port, process, protocol, unit"),
        (spec("a", "", "colour=x", ""), "no item has a field `colour`"),
        (spec("a", "port", "port=~\"(\"", ""), "matchers of items cannot be read"),
        (spec("a", "port", "", "role"), "matchers of hosts cannot be read"),
        (spec("a", "port", "", &long), "shorten them"),
        (spec("a", "", "", ""), "matches everything"),
    ] {
        let why = ReadRule::new(rule).unwrap_err();
        assert!(why.contains(told), "{why}");
    }
}
