use super::super::parse;
use super::*;
use crate::checks::settings::Work;

fn problems(text: &str) -> Vec<String> {
    match parse("agent.toml", text, &[]) {
        Ok(config) => panic!("accepted: {:?}", config.checks),
        Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
    }
}

const EVERYTHING: &str = r#"
[agent]
name = "web1"
host_checks = false
check_concurrency = 7

[metrics]
proc = "/host/proc"

[[checks]]
name = "disk:root"
command = ["/usr/lib/nagios/plugins/check_disk", "-w", "10%"]
interval = "5m"
retry = "30s"
timeout = "20s"
max_check_attempts = 5
volatile = true
parents = ["router1", "db1/postgres"]
labels = { team = "storage" }
remedy = "https://wiki.example.org/disk"
env = { LANG = "C.UTF-8" }
memory = "64MiB"

[[checks]]
name = "var"
kind = "disk"
path = "/var"
warn = "90"
crit = 95
"#;

#[test]
fn every_key_reaches_its_place() {
    let checks = parse("agent.toml", EVERYTHING, &[]).unwrap().checks;
    assert_eq!((checks.concurrency, checks.host.as_str(), checks.proc.to_str()), (Some(7), "web1", Some("/host/proc")));
    assert!(!checks.host_pack && parse("agent.toml", "", &[]).unwrap().checks.host_pack);
    let [disk, var] = checks.checks.as_slice() else { panic!("two checks") };
    let Work::Plugin(plugin) = &disk.work else { panic!("a plugin") };
    assert_eq!((plugin.command.len(), plugin.env["LANG"].as_str()), (3, "C.UTF-8"));
    assert_eq!((plugin.limits.memory_bytes, plugin.limits.cpu_seconds), (64 << 20, 25));
    let definition = disk.definition();
    assert_eq!(
        (definition.kind, definition.interval_ms, definition.retry_ms, definition.max_attempts),
        (0, 300_000, 30_000, 5)
    );
    assert_eq!((definition.ttl_ms, definition.volatile, definition.parents.len()), (640_000, true, 2));
    assert_eq!(
        (definition.labels[0].value.as_str(), definition.remedy.as_str()),
        ("storage", "https://wiki.example.org/disk")
    );
    let definition = var.definition();
    assert_eq!(
        (definition.kind, definition.interval_ms, definition.retry_ms, definition.max_attempts),
        (1, 60_000, 15_000, 3)
    );
    assert!(matches!(var.work, Work::Native { kind: "disk", .. }));
    let set = ["agent.check_concurrency=3".to_owned()];
    assert_eq!(parse("agent.toml", EVERYTHING, &set).unwrap().checks.concurrency, Some(3));
    assert_eq!(parse("agent.toml", "", &[]).unwrap().checks, ChecksConfig::default());
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let text = "[[checks]]\nname = \"a b\"\ncommand = [\"check_disk\"]\ninterval = \"0s\"\n\n[[checks]]\nname = \"x\"\nkind = \"disc\"\n\n[[checks]]\nname = \"x\"\nkind = \"disk\"\nwarm = \"90\"\ncrit = \"5:1\"\n";
    let told = problems(text);
    for (start, word) in [
        ("agent.toml:2:1: checks.name: `a b` is no name", "letters, digits"),
        ("agent.toml:3:1: checks.command: `check_disk` is no absolute path", "no shell"),
        ("agent.toml:4:1: checks.interval: `0s` lies outside 1s to 7d", "60s"),
        ("agent.toml:8:1: checks.kind: `disc` is none", "did you mean \"disk\""),
        ("agent.toml:11:1: checks.name: `x` stands twice", "of its own"),
        ("agent.toml:13:1: checks.warm: is no setting", "did you mean `checks.warn`"),
        ("agent.toml:14:1: checks.crit: range `5:1` ends before", "such as"),
    ] {
        assert!(told.iter().any(|one| one.starts_with(start) && one.contains(word)), "{start}: {told:#?}");
    }
    assert_eq!(told.len(), 7, "{told:#?}");
}

/// One mistake each in a check that is else good, and a word that its message must hold.
#[test]
fn each_mistake_names_its_remedy() {
    let plugin = "[[checks]]\nname = \"a\"\ncommand = [\"/bin/true\"]\n";
    let native = |kind: &str| format!("[[checks]]\nname = \"a\"\nkind = \"{kind}\"\n");
    for (text, word) in [
        ("[[checks]]\ncommand = [\"/bin/true\"]\n".to_owned(), "write `name"),
        (format!("{plugin}kind = \"disk\"\n"), "keep one"),
        (format!("{plugin}retry = 5\n"), "not a text"),
        (format!("{plugin}timeout = \"2h\"\n"), "100ms to 1h"),
        (format!("{plugin}max_check_attempts = 0\n"), "from 1 to 100"),
        (format!("{plugin}volatile = \"yes\"\n"), "true or false"),
        (format!("{plugin}parents = [\"a b\"]\n"), "neither a host nor host/check"),
        (format!("{plugin}labels = {{ host = \"x\" }}\n"), "another name"),
        (format!("{plugin}remedy = 5\n"), "a sentence or an address"),
        (format!("{plugin}env = {{ A = 5 }}\n"), "checks.env.A"),
        (format!("{plugin}memory = \"1MiB\"\n"), "at least 8 MiB"),
        (format!("{plugin}path = \"/var\"\n"), "kind = \"disk\""),
        (format!("{plugin}shell = true\n"), "[[checks]] has name"),
        ("[[checks]]\nname = \"a\"\ncommand = []\n".to_owned(), "is empty"),
        ("[[checks]]\nname = \"a\"\ncommand = \"/bin/true\"\n".to_owned(), "not a list"),
        ("[[checks]]\nname = \"a\"\ncommand = [\"/bin/true\", 5]\n".to_owned(), "holds an integer"),
        ("[checks]\nconcurrency = 5\n".to_owned(), "check_concurrency = 4` under [agent]"),
        ("[agent]\ncheck_concurrency = 0\n".to_owned(), "from 1 to 256"),
        (native("memory") + "memory = \"1GiB\"\n", "checks with `command` alone"),
        (native("memory") + "path = \"/\"\n", "kind \"memory\" has warn, crit"),
        (native("disk") + "measure = \"percent\"\n", "used_percent, free_percent"),
        (native("disk") + "path = 5\n", "a list, such as"),
        (native("load") + "minutes = \"3\"\n", "\"1\", \"5\" or \"15\""),
        (native("process"), "`process = \"nginx\"`"),
        (native("process") + "pattern = \"(\"\n", "unclosed group"),
        (native("tcp") + "port = 5432\n", "`host = \"db.example.org\"`"),
        (native("tcp") + "host = \"a\"\nport = 0\n", "a port from 1 to 65535"),
        (native("http") + "url = \"ftp://x\"\n", "http or https"),
        (native("http") + "url = \"http://x\"\nstatus = [\"2000\"]\n", "is no status"),
        (native("http") + "url = \"https://x\"\nverify = false\nca_file = \"/x.pem\"\n", "remove one"),
        (native("file_age") + "path = \"/x\"\n", "crit = \"26h\""),
        (native("port") + "port = 53\nprotocol = \"icmp\"\n", "\"tcp\" or \"udp\""),
        (native("unit") + "unit = \"--help\"\n", "nginx.service"),
        (native("time") + "server = \"a:b\"\n", "pool.ntp.org"),
        (native("weather"), "write one of disk, inode"),
    ] {
        let found = problems(&text);
        assert!(found.len() == 1 && found[0].contains(word), "{text:?} gave {found:?}, without {word:?}");
    }
}

#[test]
fn more_checks_than_a_host_may_have_are_refused() {
    let text: String =
        (0..=HOST_CHECKS_MAX).map(|n| format!("[[checks]]\nname = \"c{n}\"\nkind = \"memory\"\n")).collect();
    assert!(problems(&text)[0].contains("at most 1000"));
}
