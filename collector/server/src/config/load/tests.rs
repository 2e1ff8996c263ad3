use std::time::Duration;

use super::*;
use crate::config::needs_restart;

fn with(text: &str, sets: &[&str]) -> Result<Config, ConfigErrors> {
    let arguments = Arguments { sets: sets.iter().map(|&set| set.to_owned()).collect(), ..Arguments::default() };
    load_text(Some(Source { path: "c.toml", text }), &arguments)
}

fn errors(text: &str, sets: &[&str]) -> Vec<String> {
    with(text, sets).unwrap_err().to_string().lines().map(str::to_owned).collect()
}

#[test]
fn no_key_is_needed() {
    assert_eq!(with("", &[]), Ok(Config::default()));
    assert_eq!(with("[http]\n[query]\n", &[]), Ok(Config::default()));
}

#[test]
fn file_then_set_then_flag() {
    let text = "[http]\nlisten = \"127.0.0.1:1\"\n[retention]\nmetrics = \"30d\"\n[query]\nrunning_max = 4\n";
    let arguments = Arguments {
        sets: vec!["query.running_max=8".into(), "log.level=debug".into(), "retention.metrics=100y".into()],
        http: Some("[::1]:2".parse().unwrap()),
        data: Some("/d".into()),
        ..Arguments::default()
    };
    let config = load_text(Some(Source { path: "c.toml", text }), &arguments).unwrap();
    assert_eq!(config.http.listen, "[::1]:2".parse().unwrap());
    assert_eq!((config.query.running_max, config.log.level.as_str()), (8, "debug"));
    assert_eq!(config.retention.metrics, Duration::from_secs(100 * 365 * 86_400));
    assert_eq!(config.data, PathBuf::from("/d"));
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = "\
[htttp]
listen = \"x\"
[http]
lsiten = \"127.0.0.1:1\"
connections_max = 0
[retention]
metrics = \"90x\"
logs = \"1h\"
[query]
timeout = 5
colour = 1
";
    assert_eq!(
        errors(text, &["query.timeout", "a=b", "nosuch.key=1", "query.lookback=0s"]),
        [
            "c.toml:1:2: unknown section `[htttp]`: did you mean `[http]`?",
            "c.toml:4:1: unknown key `http.lsiten`: did you mean `listen`?",
            "c.toml:5:19: http.connections_max: 0 is out of bounds: write a whole number from 1 to 100000",
            "c.toml:7:11: retention.metrics: `90x` is no duration: write a number and a unit, such as `10s`, `5m`, `1h30m` or `90d`",
            "c.toml:8:8: retention.logs: `1h` is out of bounds: write a duration from 1d to 36500d",
            "c.toml:10:11: query.timeout: this must be a duration in quotes, such as \"30s\", not a whole number",
            "c.toml:11:1: unknown key `query.colour`: [query] has timeout, lookback, series_max, samples_max, running_max, waiting_max",
            "--set query.timeout: there is no `=`: write `--set section.key=value`, such as `--set retention.metrics=90d`",
            "--set a=b: there is no section: write `--set section.key=value`, such as `--set retention.metrics=90d`",
            "--set nosuch.key=1: unknown section `[nosuch]`: there are storage, http, agents, install, retention, store, query, runtime, profiles, discovery, deploys, tasks, heartbeat, snapshot, log",
            "--set query.lookback=0s: query.lookback: `0s` is out of bounds: write a duration from 1s to 1d",
        ]
    );
}

#[test]
fn snapshots_are_off_until_they_are_asked_for() {
    assert_eq!(Config::default().snapshot.every, Duration::ZERO);
    let config = with("[snapshot]\nfolder = \"/s\"\nkey_file = \"/k\"\nevery = \"24h\"\nkeep = 3\n", &[]).unwrap();
    let snapshot = config.snapshot;
    assert_eq!((snapshot.folder, snapshot.key_file), (Some(PathBuf::from("/s")), Some(PathBuf::from("/k"))));
    assert_eq!((snapshot.every, snapshot.keep), (Duration::from_secs(86_400), 3));
    assert_eq!(with("", &["snapshot.every=off"]), Ok(Config::default()));
    let told = errors("[snapshot]\nevery = \"1s\"\nkeep = 0\n", &[]);
    assert!(
        told[0].contains("snapshot.every: `1s` is out of bounds") && told[1].contains("snapshot.keep: 0"),
        "{told:?}"
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_place_and_the_rest_is_checked_too() {
    let told = errors("[query]\ntimeout = \nlookback = \"x\"\n", &[]);
    assert!(told[0].starts_with("c.toml:2:"), "{told:?}");
    assert!(told[0].contains("this is not TOML"), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("c.toml:3:12: query.lookback:")), "{told:?}");
    let told = errors("loose = 1\n", &[]);
    assert_eq!(
        told,
        ["c.toml:1:1: `loose` must be a section: write `[loose]` on a line of its own and its keys below"]
    );
}

#[test]
fn values_of_the_wrong_kind_are_named_by_kind() {
    for (set, expect) in [
        ("http.listen=[1]", "http.listen: this must be a text in quotes, not a list"),
        ("http.listen=9470", "http.listen: this must be a text in quotes, not a whole number"),
        (
            "http.listen=localhost:1",
            "http.listen: `localhost:1` is no address: write ADDRESS:PORT with a numeric address, such as \"127.0.0.1:9470\" or \"[::1]:9470\"",
        ),
        ("query.series_max=many", "query.series_max: this must be a whole number from 1 to 100000000, not a text"),
        ("query.series_max=1.5", "query.series_max: this must be a whole number from 1 to 100000000, not a number"),
        ("runtime.workers=true", "runtime.workers: this must be a whole number from 1 to 256, not true or false"),
        ("log.level=", "log.level: this must not be empty"),
        (
            "log.level=info,=",
            "log.level: `info,=` is no log level (invalid filter directive): write error, warn, info, debug or trace",
        ),
    ] {
        assert_eq!(errors("", &[set]), [format!("--set {set}: {expect}")], "{set}");
    }
}

#[test]
fn http_beyond_loopback_is_https_and_asks_for_tokens() {
    let http = |text: &str| with(text, &[]).unwrap().http;
    assert!(!http("").is_tls(), "on loopback it is plain unless it is told otherwise");
    assert!(http("[http]\nlisten = \"0.0.0.0:9470\"\n").is_tls());
    assert!(http("[http]\ntls = true\n").is_tls());
    let named = http("[http]\ncert = \"/c.pem\"\nkey = \"/k.pem\"\n");
    assert!(named.is_tls() && named.certificate().is_some(), "who names a certificate wants it");
    assert_eq!(http("[http]\ntls = true\n").certificate(), None);
    let told = errors("[http]\nlisten = \"0.0.0.0:9470\"\ntls = false\n", &[]);
    assert_eq!(
        told,
        [
            "c.toml:3:1: http.tls = false with 0.0.0.0:9470: tokens would cross the network in plain; take the key out, or listen on 127.0.0.1:9470 and put a TLS proxy before it"
        ]
    );
    let arguments = Arguments { http: Some("10.0.0.1:80".parse().unwrap()), no_auth: true, ..Arguments::default() };
    let told = load_text(None, &arguments).unwrap_err().to_string();
    assert_eq!(
        told,
        "--http 10.0.0.1:80: --no-auth with 10.0.0.1:80 would let anyone on the network do everything: use a loopback address, such as 127.0.0.1"
    );
}

#[test]
fn a_certificate_is_two_files_or_none() {
    for (text, expect) in [
        ("cert = \"x\"", "c.toml:2:1: http.cert without http.key: name the file of its private key too"),
        ("key = \"x\"", "c.toml:2:1: http.key without http.cert: name the file of its certificate too"),
        (
            "tls = false\ncert = \"x\"\nkey = \"y\"",
            "c.toml:2:1: http.tls = false, and yet http.cert is named: take one of them out",
        ),
        ("tls = \"yes\"", "c.toml:2:7: http.tls: this must be true or false, not a text"),
    ] {
        assert_eq!(errors(&format!("[http]\n{text}\n"), &[]), [expect]);
    }
    assert_eq!(
        errors("", &["agents.advertise=a b"]),
        [
            "--set agents.advertise=a b: agents.advertise: `a b` is no host: write a name or an address without a port, such as \"collector.example\""
        ]
    );
}

#[test]
fn lines_and_events_have_a_retention_of_their_own() {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let default = Config::default().retention;
    assert_eq!((default.metrics, default.logs, default.events), (days(90), days(30), days(730)));
    let told = with("[retention]\nlogs = \"7d\"\nevents = \"5y\"\n", &[]).unwrap().retention;
    assert_eq!((told.metrics, told.logs, told.events), (days(90), days(7), days(5 * 365)));
}

#[test]
fn a_named_file_must_exist() {
    let arguments = Arguments { config: Some("/nonexistent/collector.toml".into()), ..Arguments::default() };
    let told = load(&arguments).unwrap_err().to_string();
    assert!(told.starts_with("--config: failed to read `/nonexistent/collector.toml`: No such file"), "{told}");
}

#[test]
fn every_key_that_a_reload_cannot_take_is_named() {
    let old = Config::default();
    let values = [
        ("storage.data", "/x"),
        ("http.listen", "127.0.0.1:1"),
        ("http.connections_max", "7"),
        ("http.tls", "true"),
        ("http.cert", "/c.pem"),
        ("http.key", "/k.pem"),
        ("http.socket", "/s"),
        ("agents.listen", "127.0.0.1:2"),
        ("agents.spread", "7s"),
        ("agents.silent_after", "17s"),
        ("agents.advertise", "collector.example"),
        ("install.packages", "/p"),
        ("retention.metrics", "7d"),
        ("retention.logs", "7d"),
        ("retention.events", "7d"),
        ("store.maintenance_interval", "7s"),
        ("query.timeout", "7s"),
        ("query.lookback", "7s"),
        ("query.series_max", "7"),
        ("query.samples_max", "7"),
        ("query.running_max", "7"),
        ("query.waiting_max", "7"),
        ("runtime.workers", "7"),
        ("profiles.folder", "/p"),
        ("discovery.rules", "/d.yml"),
        ("discovery.gone_days", "9"),
        ("deploys.file", "/d.toml"),
        ("tasks.keys", "/t.keys"),
        ("tasks.calls_a_minute", "7"),
        ("tasks.approvals", "3"),
        ("heartbeat.url", "https://hc-ping.com/x"),
        ("heartbeat.fail_url", "http://localhost:1/x"),
        ("heartbeat.interval", "7s"),
        ("snapshot.folder", "/s"),
        ("snapshot.key_file", "/k"),
        ("snapshot.every", "70s"),
        ("snapshot.keep", "8"),
        ("log.level", "debug"),
    ];
    assert_eq!(values.len(), RULES.len(), "a new key needs its line here");
    for (name, value) in values {
        let set = format!("{name}={value}");
        let mut sets = vec![set.as_str()];
        // The two that go together.
        sets.extend((name == "http.cert").then_some("http.key=/k.pem"));
        sets.extend((name == "http.key").then_some("http.cert=/c.pem"));
        let new = with("", &sets).unwrap();
        assert_ne!(new, old, "{name}");
        let rule = RULES.iter().find(|rule| format!("{}.{}", rule.section, rule.key) == name).unwrap();
        let expect: Vec<String> = if rule.reloads { Vec::new() } else { vec![name.to_owned()] };
        assert_eq!(needs_restart(&old, &new), expect, "{name}");
    }
}
