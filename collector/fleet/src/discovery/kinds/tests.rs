//! What is found in tables as hosts tell them.

use muster_common::check::is_check_name;
use muster_common::inventory::{Row, Rows};

use super::*;

const HOST: HostId = HostId([7; 16]);

fn rows(table: &str, rows: Vec<Row>) -> Rows {
    Rows::of(named(table).unwrap(), rows).unwrap()
}

fn unit(name: &str, active: &str, sub: &str, file: &str) -> Row {
    let description = format!("About {name}");
    vec![name.into(), description.into(), "loaded".into(), active.into(), sub.into(), file.into(), Value::Null]
}

fn port(protocol: &str, address: &str, port: i64, process: &str, unit: &str) -> Row {
    let text = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
    vec![protocol.into(), address.into(), port.into(), text(process), text(unit), "root".into()]
}

fn mount(path: &str, device: &str, kind: &str) -> Row {
    vec![path.into(), device.into(), kind.into(), "rw".into()]
}

fn find_with(tables: Vec<Rows>, known: &[&str]) -> Vec<Found> {
    let snapshot = InventorySnapshot::of([(HOST, tables)], 1);
    let known = |head: &str| known.iter().filter(|key| key.starts_with(head)).map(|key| (*key).to_owned()).collect();
    Looked { snapshot: &snapshot, host: HOST, known: &known }.find()
}

fn find(tables: Vec<Rows>) -> Vec<Found> {
    find_with(tables, &[])
}

fn offered(found: &[Found]) -> Vec<&str> {
    found.iter().filter(|found| found.offer == Offer::Yes).map(|found| found.what.key.as_str()).collect()
}

fn covered(found: &[Found]) -> Vec<&str> {
    found.iter().filter(|found| found.offer == Offer::Covered).map(|found| found.what.key.as_str()).collect()
}

#[test]
fn a_daemon_stands_for_its_unit_and_its_ports() {
    let units = rows(
        "units",
        vec![
            unit("nginx.service", "active", "running", "enabled"),
            unit("shop.service", "active", "running", "enabled"),
            unit("postgresql@15-main.service", "active", "running", "enabled-runtime"),
            unit("ssh.socket", "active", "listening", "enabled"),
            unit("ssh.service", "inactive", "dead", "disabled"),
        ],
    );
    let ports = rows(
        "listening_ports",
        vec![
            port("tcp", "0.0.0.0", 80, "nginx", "nginx.service"),
            port("tcp", "::", 80, "nginx", "nginx.service"),
            port("tcp", "::", 8_080, "java", "shop.service"),
            port("tcp", "::", 22, "systemd", "init.scope"),
            port("tcp", "127.0.0.1", 5_432, "postgres", "postgresql@15-main.service"),
            port("tcp", "0.0.0.0", 9_000, "docker-proxy", "docker.service"),
        ],
    );
    let found = find(vec![units, ports]);
    let expect = [
        "daemon:nginx",
        "daemon:postgresql",
        "daemon:sshd",
        "port:tcp/8080/java",
        "port:tcp/9000/docker-proxy",
        "unit:shop.service",
    ];
    assert_eq!(offered(&found), expect);
    let expect = ["port:tcp/22/systemd", "port:tcp/80/nginx", "unit:nginx.service", "unit:postgresql@15-main.service"];
    assert_eq!(covered(&found), expect);
    let of = |key: &str| &found.iter().find(|found| found.what.key == key).unwrap().what;
    assert_eq!((of("daemon:nginx").profile(), of("daemon:nginx").checks()), (Some("nginx"), Vec::new()));
    assert_eq!(of("daemon:nginx").words(), "daemon nginx (unit nginx.service, process nginx), which has a profile");
    assert_eq!(of("port:tcp/80/nginx").value("addresses"), "0.0.0.0 ::");
    let java = of("port:tcp/8080/java");
    assert_eq!((java.profile(), java.words().as_str()), (None, "tcp port 8080 (process java, unit shop.service)"));
    let check = &java.checks()[0];
    assert_eq!((&check["name"], &check["kind"]), (&json!("port:tcp:8080"), &json!("port")));
    assert_eq!((&check["port"], &check["protocol"]), (&json!(8080), &json!("tcp")));
    let shop = of("unit:shop.service");
    assert_eq!(shop.checks()[0]["unit"], "shop.service");
    assert_eq!((shop.row.clone(), shop.table), (vec!["shop.service".to_owned()], 7));
}

#[test]
fn services_that_run_are_proposed_and_not_the_systems_own() {
    let all = [
        ("a.service", "active", "running", "disabled", true),
        ("b.service", "active", "exited", "enabled", true),
        ("c.service", "active", "exited", "static", false),
        ("d.service", "failed", "failed", "enabled", true),
        ("e.service", "inactive", "dead", "enabled", false),
        ("f.socket", "active", "running", "enabled", false),
        ("systemd-journald.service", "active", "running", "static", false),
        ("getty@tty1.service", "active", "running", "enabled", false),
        ("muster-agent.service", "active", "running", "enabled", false),
        ("run-u12.service", "active", "running", "transient", false),
        ("cron.service", "active", "running", "enabled", true),
        ("my app.service", "active", "running", "enabled", false),
        ("-rf.service", "active", "running", "enabled", false),
    ];
    let found = find(vec![rows("units", all.iter().map(|(name, a, b, c, _)| unit(name, a, b, c)).collect())]);
    let expect: Vec<String> = all.iter().filter(|one| one.4).map(|one| format!("unit:{}", one.0)).collect();
    let mut expect: Vec<&str> = expect.iter().map(String::as_str).collect();
    expect.sort_unstable();
    assert_eq!(offered(&found), expect);
    // Where systemd could not be asked nothing says that one runs.
    let by_files = vec!["x.service".into(), Value::Null, Value::Null, Value::Null, Value::Null, "enabled".into()];
    let found = find(vec![rows("units", vec![by_files])]);
    assert_eq!((offered(&found).len(), found.len()), (0, 1), "it is there all the same");
    let id = format!("{}-5.service", "a".repeat(64));
    assert!(offered(&find(vec![rows("units", vec![unit(&id, "active", "running", "enabled")])])).is_empty());
}

#[test]
fn ports_beyond_loopback_are_proposed_with_their_process() {
    let all = vec![
        port("tcp", "127.0.0.1", 1_000, "a", ""),
        port("tcp", "::1", 1_001, "a", ""),
        port("tcp", "::ffff:127.0.0.2", 1_002, "a", ""),
        port("tcp", "10.0.0.1", 1_003, "a", ""),
        port("udp", "0.0.0.0", 68, "dhclient", ""),
        port("udp", "0.0.0.0", 514, "rsyslogd", "rsyslog.service"),
        port("tcp", "::", 40_000, "java", ""),
        port("tcp", "::", 0, "x", ""),
        port("sctp", "::", 9, "x", ""),
    ];
    let found = find(vec![rows("listening_ports", all)]);
    assert_eq!(offered(&found), ["port:tcp/1003/a", "port:udp/514/rsyslogd"]);
    let keys: Vec<&str> = found.iter().map(|found| found.what.key.as_str()).collect();
    assert_eq!(keys, ["port:tcp/1003/a", "port:tcp/40000/java", "port:udp/514/rsyslogd", "port:udp/68/dhclient"]);
}

#[test]
fn a_port_stays_the_same_thing_when_its_process_comes_into_sight_or_goes_out_of_it() {
    let unseen = || vec![rows("listening_ports", vec![port("tcp", "::", 80, "", "")])];
    let seen = || vec![rows("listening_ports", vec![port("tcp", "::", 80, "x", "x.service")])];
    let keys = |tables, known: &[&str]| -> Vec<String> {
        find_with(tables, known).into_iter().map(|found| found.what.key).collect()
    };
    assert_eq!(keys(unseen(), &[]), ["port:tcp/80/-"]);
    assert_eq!(keys(seen(), &["port:tcp/80/-"]), ["port:tcp/80/-"]);
    assert_eq!(find_with(seen(), &["port:tcp/80/-"])[0].what.value("process"), "x");
    assert_eq!(keys(unseen(), &["port:tcp/80/x"]), ["port:tcp/80/x"]);
    assert_eq!(keys(seen(), &["port:tcp/80/x", "port:tcp/8080/-"]), ["port:tcp/80/x"]);
    assert_eq!(keys(seen(), &["port:tcp/80/y"]), ["port:tcp/80/x"], "another process is another thing");
}

#[test]
fn file_systems_that_stay_are_proposed_with_their_units() {
    let all = vec![
        mount("/", "/dev/sda1", "ext4"),
        mount("/srv/data", "/dev/sdb1", "xfs"),
        mount("/mnt/nas", "nas:/x", "nfs4"),
        mount("/run", "tmpfs", "tmpfs"),
        mount("/snap/core/1", "/dev/loop0", "ext4"),
        mount("/net", "auto.net", "autofs"),
        mount("/net/nas", "nas:/y", "nfs4"),
        mount("/network", "/dev/sdd1", "ext4"),
        mount("/var/lib/docker/overlay2/x", "overlay", "ext4"),
        mount("/etc/hosts", "/dev/sda1", "ext4"),
        mount("/srv/\u{1b}[2J", "/dev/sdc1", "ext4"),
    ];
    let found = find(vec![rows("mounts", all.clone())]);
    assert_eq!(offered(&found), ["mount:/mnt/nas", "mount:/network", "mount:/srv/data"]);
    let checks = |found: &[Found]| {
        let one = found.iter().find(|found| found.what.key == "mount:/srv/data").unwrap();
        one.what.checks()
    };
    let alone = checks(&found);
    assert_eq!(
        (alone.len(), &alone[0]["path"], &alone[0]["name"]),
        (1, &json!(["/srv/data"]), &json!("disk:srv:data"))
    );
    let systemd = rows("units", vec![unit("a.service", "active", "running", "enabled")]);
    let both = checks(&find(vec![rows("mounts", all), systemd]));
    assert_eq!((&both[1]["kind"], &both[1]["unit"]), (&json!("unit"), &json!("srv-data.mount")));
    assert_ne!(both[0]["name"], both[1]["name"]);
}

fn certificate(path: &str, serial: &str, days: (i64, i64), sha256: &str) -> Row {
    let time = |days: i64| Value::Integer(days * 86_400);
    let subject = format!("CN={serial}");
    vec![
        path.into(),
        serial.into(),
        subject.into(),
        "CN=ca".into(),
        "a.example".into(),
        time(days.0),
        time(days.1),
        sha256.into(),
    ]
}

#[test]
fn a_chain_stands_for_its_parts_and_for_what_of_it_ends_first() {
    let all = vec![
        certificate("/etc/a/cert.pem", "1", (0, 90), "aa"),
        certificate("/etc/a/chain.pem", "2", (0, 3_000), "bb"),
        certificate("/etc/a/fullchain.pem", "1", (0, 90), "aa"),
        certificate("/etc/a/fullchain.pem", "2", (0, 3_000), "bb"),
        certificate("/etc/b/one.pem", "3", (0, 10), "cc"),
        certificate("/etc/b/two.pem", "3", (0, 10), "cc"),
        certificate("/etc/ssl/certs/ssl-cert-snakeoil.pem", "4", (0, 3_650), "dd"),
    ];
    let found = find(vec![rows("certificates", all)]);
    assert_eq!(offered(&found), ["certificate:/etc/a/fullchain.pem", "certificate:/etc/b/one.pem"]);
    assert_eq!(covered(&found).len(), 3);
    let of = |key: &str| &found.iter().find(|found| found.what.key == key).unwrap().what;
    let chain = of("certificate:/etc/a/fullchain.pem");
    assert_eq!((chain.value("subject"), chain.value("not_after")), ("CN=1", "7776000"), "what ends first counts");
    assert_eq!((chain.certificate(), chain.checks().len()), (Some(("/etc/a/fullchain.pem", 90 * 86_400)), 0));
}

#[test]
fn containers_are_known_by_their_names() {
    let container = |id: &str, name: Value, state: &str| -> Row {
        vec![id.into(), name, "docker".into(), "nginx:1.25".into(), state.into(), 5.into()]
    };
    let all = vec![
        container("aa", "web".into(), "running"),
        container("bb", "old".into(), "exited"),
        container("cc", Value::Null, "running"),
        container("dd", "k8s_POD_x".into(), "running"),
        container("ee", "web".into(), "exited"),
    ];
    let found = find(vec![rows("containers", all)]);
    assert_eq!(offered(&found), ["container:web"]);
    let words = found.iter().find(|found| found.what.key == "container:web").unwrap().what.words();
    assert_eq!(words, "container web (docker, image nginx:1.25)");
}

#[test]
fn each_of_the_ten_daemons_is_known_on_both_families_of_systems() {
    let expect = [
        ("sshd", "ssh.service", "sshd.service"),
        ("nginx", "nginx.service", "nginx.service"),
        ("apache", "apache2.service", "httpd.service"),
        ("postgresql", "postgresql@15-main.service", "postgresql-16.service"),
        ("mysql", "mysql.service", "mariadb.service"),
        ("redis", "redis-server.service", "redis.service"),
        ("docker", "docker.service", "docker.service"),
        ("postfix", "postfix@-.service", "postfix.service"),
        ("bind", "named.service", "named-chroot.service"),
        ("haproxy", "haproxy.service", "haproxy.service"),
    ];
    for (profile, debian, red_hat) in expect {
        for name in [debian, red_hat] {
            let found = find(vec![rows("units", vec![unit(name, "active", "running", "enabled")])]);
            assert_eq!(offered(&found), [format!("daemon:{profile}")], "{name}");
        }
    }
    for name in ["nginx-debug.service", "xssh.service", "postgresqlx@1.service"] {
        let found = find(vec![rows("units", vec![unit(name, "active", "running", "enabled")])]);
        assert_eq!(offered(&found), [format!("unit:{name}")]);
    }
}

#[test]
fn names_of_checks_are_good_whatever_a_host_calls_its_things() {
    let long = "x".repeat(1_024);
    let hostile = ["", "/", "a b", "<script>", "\0\u{1b}[2J", "\u{e9}", "../../etc", "a:b/c", "a@b\\x2d", &long];
    let mut names: Vec<String> = hostile.iter().map(|text| check_name("unit", text)).collect();
    assert!(names.iter().all(|name| is_check_name(name)), "{names:?}");
    // The root's own path and no text at all are one text.
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), hostile.len() - 1, "{names:?}");
    assert_eq!(
        (check_name("unit", "a.service"), check_name("disk", "/srv/a")),
        ("unit:a.service".into(), "disk:srv:a".into())
    );
}

#[test]
fn hostile_texts_are_data_and_break_no_sentence() {
    let evil = "x\u{1b}[2J\n<b>&\0";
    let long = "y".repeat(1_024);
    let found = find(vec![
        rows("listening_ports", vec![port("tcp", "::", 80, evil, evil), port("tcp", "::", 81, &long, "")]),
        rows("units", vec![unit("a.service", "active", "running", "enabled")]),
        rows("mounts", vec![mount(&format!("/srv/{}", &long[5..]), evil, "ext4")]),
        rows(
            "containers",
            vec![vec!["id".into(), evil.into(), "docker".into(), long.as_str().into(), "running".into()]],
        ),
    ]);
    assert!(found.iter().any(|found| found.what.key == format!("port:tcp/80/{evil}")));
    for found in &found {
        let words = found.what.words();
        assert!(!words.contains(char::is_control) && words.len() < 500, "{words}");
        for check in found.what.checks() {
            assert!(is_check_name(check["name"].as_str().unwrap()), "{check}");
            assert!(!check["remedy"].as_str().unwrap().contains(char::is_control));
        }
    }
}

#[test]
fn kinds_name_tables_that_there_are() {
    for kind in &KINDS {
        assert!(kind.tables.iter().all(|table| named(table).is_some()), "{}", kind.name);
        assert!(kind_name(&format!("{}:x", kind.name)) == kind.name && !kind.fields.is_empty());
    }
}
