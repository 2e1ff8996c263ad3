use std::fs;
use std::path::{Path, PathBuf};

use muster_common::label::LabelSet;

use super::*;
use crate::alert::HeldReason;
use crate::routing::{Authorization, GroupBy};
use crate::testing::every_mistake_is_told;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/routing/testdata")
}

/// Files with their own name as text, an address where one is wanted.
fn read_file(path: &str) -> Result<String, String> {
    match path {
        "/nowhere" => Err("no such file".to_owned()),
        "/etc/muster/hook_url" => Ok("https://hooks.example.org/b\n".to_owned()),
        _ => Ok(format!("of {path}\n")),
    }
}

fn load(text: &str) -> Result<AlertingConfig, Vec<Mistake>> {
    load_config("a.yml", text, &read_file)
}

fn good() -> String {
    fs::read_to_string(folder().join("good.yml")).unwrap()
}

#[test]
fn every_mistake_is_told_with_place_and_remedy() {
    every_mistake_is_told(&folder().join("mistakes"), |text| load(text).err().unwrap_or_default());
}

#[test]
fn a_configuration_of_an_older_alertmanager_loads_whole() {
    let config = load(&fs::read_to_string(folder().join("good_classic.yml")).unwrap()).unwrap();
    assert_eq!((config.route.all().len(), config.receivers.len(), config.inhibit.len()), (6, 5, 2));
    assert_eq!(config.intervals.iter().count(), 3);
}

#[test]
fn routes_have_the_options_of_their_parents() {
    let config = load(&good()).unwrap();
    let shown: Vec<String> = config
        .route
        .all()
        .iter()
        .map(|own| {
            let times = (own.group_wait_ms / 1_000, own.group_interval_ms / 1_000, own.repeat_interval_ms / 1_000);
            format!(
                "{} {} {:?} {times:?} {:?} {:?} {}",
                own.id, own.receiver, own.group_by, own.mute, own.active, own.is_continued
            )
        })
        .collect();
    let labels = r#"Labels(["alertname", "cluster"])"#;
    let database = r#"{}/{env!="test",service=~"mysql|cassandra",severity=~"warning|critical"}"#;
    let expected = [
        format!("{{}} ops {labels} (30, 300, 10800) [] [] false"),
        format!("{database} databases All (30, 300, 10800) [] [] false"),
        format!("{database}/{{severity=\"critical\"}} pager All (30, 300, 3600) [] [] true"),
        format!(
            "{database}/{{host=~\"^(db|cache)\\\\d+$\"}} databases All (30, 300, 10800) [\"nights\", \"holidays\"] [] false"
        ),
        "{}/{\"host name\"=\"a b\"} ops Labels([]) (0, 300, 10800) [] [\"office\"] false".to_owned(),
        format!("{{}}/{{team=\"web\"}} chat {labels} (30, 300, 10800) [] [] false"),
    ];
    assert_eq!(shown, expected);
    let labels = LabelSet::new([("service", "mysql"), ("severity", "critical"), ("host", "db7")]).unwrap();
    let told: Vec<&str> = config.route.routes_of(&labels).iter().map(|own| own.receiver.as_str()).collect();
    assert_eq!(told, ["pager", "databases"]);
    assert_eq!(config.route.root().group_by, GroupBy::Labels(vec!["alertname".into(), "cluster".into()]));
}

#[test]
fn intervals_and_inhibit_rules_of_a_file_hold() {
    let config = load(&good()).unwrap();
    let ms = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let is_on = |name: &str, at: &str| config.intervals.get(name).unwrap().is_on(ms(at));
    assert!(is_on("office", "2026-07-13T07:00:00Z") && !is_on("office", "2026-01-12T07:00:00Z"));
    assert!(is_on("nights", "2026-01-12T23:59:00Z") && !is_on("nights", "2026-01-12T06:00:00Z"));
    assert!(is_on("holidays", "2026-12-31T12:00:00Z") && is_on("holidays", "2032-09-01T12:00:00Z"));
    assert!(!is_on("holidays", "2031-09-01T12:00:00Z"));
    let routes = config.route.all();
    let held = config.intervals.held_by(routes[3], ms("2026-01-12T23:00:00Z")).unwrap();
    assert_eq!(
        (held.why, held.by.as_str(), held.until_ms),
        (HeldReason::MuteTime, "nights", Some(ms("2026-01-13T06:00:00Z")))
    );
    let down = LabelSet::new([("alertname", "HostDown"), ("host", "h")]).unwrap();
    let target = LabelSet::new([("alertname", "Load"), ("job", "node1"), ("host", "h")]).unwrap();
    let firing = [(crate::AlertId(5), &down)];
    assert_eq!(
        crate::routing::inhibits(&config.inhibit, &target, firing.into_iter()).unwrap().by,
        crate::AlertId(5).to_string()
    );
}

#[test]
fn receivers_have_what_is_global_where_they_say_nothing() {
    let config = load(&good()).unwrap();
    assert_eq!((config.global.resolve_timeout_ms, config.fallback.as_str()), (600_000, "ops"));
    let ops = &config.receiver("ops").unwrap().emails[0];
    assert_eq!((ops.from.as_str(), &ops.smtp), ("alerts@example.org", &config.global.smtp));
    assert_eq!(ops.smtp.smarthost, Some(("mail.example.org".to_owned(), 587)));
    assert_eq!(ops.smtp.auth_password.as_ref().unwrap().reveal(), "of /etc/muster/smtp_password");
    assert_eq!(ops.smtp.tls.as_ref().unwrap().ca.as_deref(), Some("of /etc/ssl/own-ca.pem"));
    assert!(ops.smtp.is_tls_required() && !ops.send_resolved);
    assert_eq!((ops.html.as_deref(), ops.text.as_deref()), (Some(""), Some("{{ len .Alerts }} alerts")));
    assert_eq!(ops.headers["Subject"], "{{ .GroupLabels.alertname }}");
    let databases = config.receiver("databases").unwrap();
    let mail = &databases.emails[0];
    assert_eq!(mail.smtp.smarthost, Some(("2001:db8::1".to_owned(), 25)));
    assert!(!mail.smtp.is_tls_required() && mail.send_resolved && mail.smtp.tls.as_ref().unwrap().insecure_skip_verify);
    assert_eq!(mail.smtp.hello.as_deref(), Some("muster.example.org"));
    let [first, second] = &databases.webhooks[..] else { panic!("two webhooks") };
    assert_eq!((first.url.reveal(), first.send_resolved), ("https://hooks.example.org/a?token=x", true));
    assert_eq!((first.max_alerts, first.timeout_ms), (10, 5_000));
    let Some(Authorization::Token { kind, credentials }) = &first.http.authorization else { panic!("a token") };
    assert_eq!((kind.as_str(), credentials.reveal()), ("Bearer", "of /etc/muster/token"));
    assert!(first.http.tls.as_ref().unwrap().key.is_some());
    assert_eq!((second.url.reveal(), second.send_resolved), ("https://hooks.example.org/b", false));
    assert!(matches!(&second.http.authorization, Some(Authorization::Basic { username, .. }) if username == "u"));
    let shown = format!("{config:?}");
    let is_secret_shown =
        ["smtp_password", "muster/token", "client.key", "token=x"].iter().any(|own| shown.contains(own));
    assert!(!is_secret_shown && shown.contains("client.pem"), "{shown}");
    assert_eq!(config.templates, None, "a folder of ours has a key of ours");
}

#[test]
fn what_cannot_be_told_goes_to_the_fallback_with_a_warning() {
    let config = load(&good()).unwrap();
    let names = |name: &str| config.told_for(name).iter().map(|own| own.name.clone()).collect::<Vec<_>>().join(" ");
    assert_eq!((names("pager"), names("chat"), names("ops")), ("pager ops".into(), "chat ops".into(), "ops".into()));
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "a.yml:13:3: slack_api_url is not used here: it changes nothing",
            "a.yml:15:5: follow_redirects is not used here: it changes nothing",
            "a.yml:18:3: templates of Alertmanager are not used here: a folder with email.html and email.txt is named by `templates` below `muster:` (ALERTING.md)",
            "a.yml:115:5: receiver \"pager\" has pagerduty_configs, which are not sent from here: the fallback receiver \"ops\" is told instead",
            "a.yml:118:5: receiver \"chat\" has slack_configs, which are not sent from here: the fallback receiver \"ops\" is told instead",
        ]
    );
    let own = "muster:\n  fallback: nobody\n  zone: {ops: Europe/Berlin}\n  external_url: https://m.example.org\n";
    let config = load(&format!("{}{own}", good())).unwrap();
    assert_eq!((config.fallback.as_str(), config.external_url.as_deref()), ("nobody", Some("https://m.example.org")));
    let zone = config.receiver("ops").unwrap().zone.as_ref().unwrap();
    assert_eq!(zone.iana_name(), Some("Europe/Berlin"));
    assert!(config.warnings.last().unwrap().remedy.contains("nobody is told"));
}

/// Seeded damage to a good file: it is read, or every mistake has a place in it; nothing else happens.
#[test]
fn damaged_configurations_are_read_or_refused() {
    let good = good().into_bytes();
    let mut random = 17u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + next(4) {
            let at = next(bytes.len());
            match next(5) {
                0 => bytes[at] = b" :-{}[]'\"|>&*!%\n#"[next(17)],
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"{}[]:\"\n \t"[next(9)]),
                3 => {
                    let end = (at + next(40)).min(bytes.len());
                    bytes.drain(at..end);
                }
                _ => bytes.truncate(at.max(bytes.len() / 2)),
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Err(mistakes) = load(&text) {
            refused += 1;
            let lines = text.matches('\n').count() + 2;
            assert!(!mistakes.is_empty() && mistakes.iter().all(|one| one.place.line <= lines), "{mistakes:?}");
        }
    }
    assert!(refused > 5_000, "{refused}");
}
