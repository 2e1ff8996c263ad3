//! This machine, against the programs that tell the same. Where one is missing there is nothing to compare.

use std::collections::BTreeSet;
use std::process::Command;

use super::super::show::{Asked, show};
use super::*;

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The given columns of a table of this host.
fn columns(table: &str, wanted: &[&str]) -> BTreeSet<String> {
    let scene = Scene::of_host(&InventoryConfig::default());
    let rows = rows(&scene, table).unwrap();
    let at: Vec<usize> = wanted.iter().map(|name| rows.table().column(name).unwrap()).collect();
    let value = |value: &Value| match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    };
    rows.iter().map(|row| at.iter().map(|at| value(&row[*at])).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn packages_are_those_of_dpkg_query() {
    let format = "--showformat=${Package} ${Architecture} ${Version} ${source:Package} ${db:Status-Status}\\n";
    let Some(text) = output("dpkg-query", &["-W", format]) else { return };
    let expect: BTreeSet<String> =
        text.lines().map(str::to_owned).filter(|line| !line.ends_with("not-installed")).collect();
    let found = columns("packages", &["name", "architecture", "version", "source", "status"]);
    assert_eq!(found, expect);
}

#[test]
fn users_and_groups_are_those_of_the_files() {
    let Some(text) = output("getent", &["-s", "files", "passwd"]) else { return };
    let field = |line: &str, at: usize| line.split(':').nth(at).unwrap_or_default().to_owned();
    let expect: BTreeSet<String> =
        text.lines().map(|line| format!("{} {} {}", field(line, 0), field(line, 2), field(line, 6))).collect();
    assert_eq!(columns("users", &["name", "uid", "shell"]), expect);
    let Some(text) = output("getent", &["-s", "files", "group"]) else { return };
    let expect: BTreeSet<String> = text.lines().map(|line| format!("{} {}", field(line, 0), field(line, 2))).collect();
    assert_eq!(columns("groups", &["name", "gid"]), expect);
}

#[test]
fn a_listener_of_this_process_is_told_as_ss_tells_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let scene = Scene::of_host(&InventoryConfig::default());
    let found = rows(&scene, "listening_ports").unwrap();
    let row = found.get(&["tcp".into(), "127.0.0.1".into(), i64::from(port).into()]).expect("the listener");
    let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(row[3], comm.trim().into());
    if let Some(text) = output("ss", &["-ltnH"]) {
        let is_it = |line: &str| line.contains(&format!("127.0.0.1:{port} "));
        assert!(text.lines().any(is_it), "{text}");
        // Others may come and go beside it; those that both saw before and after are told.
        let ports = |text: &str| -> BTreeSet<i64> {
            let port = |line: &str| line.split_ascii_whitespace().nth(3)?.rsplit(':').next()?.parse().ok();
            text.lines().filter_map(port).collect()
        };
        let (before, told) = (ports(&text), rows(&scene, "listening_ports").unwrap());
        let told: BTreeSet<i64> = told
            .iter()
            .filter(|row| row[0] == "tcp".into())
            .filter_map(|row| if let Value::Integer(port) = row[2] { Some(port) } else { None })
            .collect();
        let after = ports(&output("ss", &["-ltnH"]).unwrap());
        let stayed: BTreeSet<i64> = before.intersection(&after).copied().collect();
        assert!(stayed.is_subset(&told), "{stayed:?} {told:?}");
    }
    drop(listener);
}

#[test]
fn every_table_of_this_machine_can_be_looked_at_and_printed() {
    let config = InventoryConfig::default();
    let text = show(&config, None, Asked::Text).unwrap();
    assert!(!text.has_failed, "{:?}", text.problems);
    let json: serde_json::Value = serde_json::from_str(&show(&config, None, Asked::Json).unwrap().text).unwrap();
    for source in &SOURCES {
        assert!(text.text.contains(&format!("{} (", source.table.name)), "{}", source.table.name);
        assert!(json[source.table.name].is_array(), "{}", source.table.name);
    }
    assert_eq!(json["kernel"][0]["release"], rustix::system::uname().release().to_str().unwrap());
    assert!(!json["interfaces"].as_array().unwrap().is_empty() && !json["addresses"].as_array().unwrap().is_empty());
    let one = show(&config, Some("os"), Asked::Text).unwrap().text;
    assert!(one.starts_with("ID ") && one.lines().count() == 2, "{one}");
    let cost = show(&config, None, Asked::Cost).unwrap().text;
    assert!(cost.lines().count() == SOURCES.len() + 2 && cost.contains("of CPU an hour"), "{cost}");
    let unknown = show(&config, Some("nothing"), Asked::Text).unwrap_err().to_string();
    assert!(unknown.starts_with("`nothing` is no table") && unknown.contains("listening_ports"), "{unknown}");
}
