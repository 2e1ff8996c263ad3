//! The gate over real deploys, lines, presence and problems.

use std::sync::atomic::AtomicBool;

use muster_common::check::CheckState;
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_fleet::{AuditQuery, By, DeployRef, DeployResult, DeployStart, FreezeSpec, Scope, read_deploy_file};
use serde_json::{Value, json};

use super::alerting::{report, send_as};
use super::fixture::{Fixture, NOW_MS, now};
use super::muster::ask;
use crate::HostPresence;

const GATE: &str = "/api/muster/v1/gate";
const MINUTE_MS: i64 = 60_000;
const BY: &By = &By::Itself("test");
const DECLARED: &str = r#"
[[services]]
name = "shop"
hosts = ["role=web"]
streams = ['{job="shop"}']
[gate]
production = { after = ["staging"], soak = "30m" }
"#;

/// Compared by a rate, and by no lines, since it has none.
const LISTED: &str = r#"
[[services]]
name = "shop"
hosts = ["role=web"]
[[services.rates]]
name = "failed requests"
bad = 'http_requests_total{code=~"5.."}'
all = "http_requests_total"
[gate]
production = { after = ["staging"], soak = "30m" }
"#;

fn ago(minutes: i64) -> Timestamp {
    Timestamp::from_millis(NOW_MS - minutes * MINUTE_MS)
}

/// The shop with one host in staging and three in production, all of them heard.
async fn shop() -> Fixture {
    let fixture = Fixture::new();
    let hosts = [("st-1", "staging"), ("web-1", "production"), ("web-2", "production"), ("web-3", "production")];
    for ((name, env), machine) in hosts.into_iter().zip(1..) {
        ask(&fixture, name, machine);
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/approve"), "{}").await;
        let labels = json!({"set": {"env": env, "role": "web"}}).to_string();
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/labels"), &labels).await;
    }
    declare(&fixture, DECLARED);
    hear(&fixture, &["st-1", "web-1", "web-2", "web-3"]);
    fixture
}

fn declare(fixture: &Fixture, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deploy.toml");
    std::fs::write(&path, text).unwrap();
    fixture.fleet().set_deploy_settings(read_deploy_file(&path).unwrap_or_else(|errors| panic!("{errors}")));
}

fn hear(fixture: &Fixture, names: &[&str]) {
    let heard = |name: &&str| HostPresence {
        host: fixture.fleet().find(name).unwrap(),
        state: "up".to_owned(),
        last_arrival: Some(now()),
        newest_data: Some(now()),
        problems: Vec::new(),
    };
    *fixture.presence.lock().unwrap() = names.iter().map(heard).collect();
}

/// A deploy that began and ended so many minutes ago; `hosts` none: all.
fn deploy(fixture: &Fixture, version: &str, env: &str, hosts: &[&str], [began, ended]: [i64; 2], how: DeployResult) {
    let ids = hosts.iter().map(|name| fixture.fleet().find(name).unwrap().to_string()).collect();
    let (service, version, env) = ("shop".to_owned(), version.to_owned(), env.to_owned());
    let start = DeployStart { service, version, env, hosts: ids, ..DeployStart::default() };
    let id = fixture.fleet().start_deploy(start, BY, ago(began)).unwrap().deploy.id;
    fixture.fleet().finish_deploy(&DeployRef::Id(id), how, "", BY, ago(ended)).unwrap();
}

/// Twenty lines a minute of a host from so many minutes ago to so many, so many of them errors of this text.
fn lines(fixture: &mut Fixture, host: &str, [from, to]: [i64; 2], errors: usize, text: &str) {
    let mut all = Vec::new();
    for minute in to + 1..=from {
        for at in 0..20_usize {
            let after_ns = -minute * MINUTE_MS * 1_000_000 + at as i64 * 1_000_000_000;
            let line = if at < errors { format!("error: {text} {at}") } else { format!("GET /orders/{at} 200") };
            all.push((after_ns, line));
        }
    }
    let rows: Vec<_> = all.iter().map(|(after_ns, line)| (*after_ns, line.as_bytes(), &[][..])).collect();
    fixture.log(&[("host", host), ("job", "shop")], &rows);
}

/// Twenty requests a minute of a host that are answered, and failed ones as many as `failed` says of each minute, by how long ago it is. The
/// program begins anew 40 minutes ago, and its counters with it; that of failed ones is there from the first failure on.
fn requests(fixture: &mut Fixture, host: &str, [from, to]: [i64; 2], failed: impl Fn(i64) -> u64) {
    let (mut answered, mut bad) = ([0_u64; 2], Vec::new());
    let mut good = Vec::new();
    for half in (to * 2..=from * 2).rev() {
        if half == 80 {
            answered = [0, 0];
        }
        let at_ms = NOW_MS - half * MINUTE_MS / 2;
        answered[0] += 10;
        // All of them fail in the first half of their minute.
        answered[1] += if half % 2 == 1 { failed(half / 2) } else { 0 };
        good.push((at_ms, answered[0] as f64));
        if answered[1] > 0 {
            bad.push((at_ms, answered[1] as f64));
        }
    }
    let of = |code| {
        [("__name__", "http_requests_total"), ("host", host), ("job", "shop"), ("instance", host), ("code", code)]
    };
    fixture.store(&of("200"), MetricKind::Counter, &good);
    if !bad.is_empty() {
        fixture.store(&of("503"), MetricKind::Counter, &bad);
    }
}

async fn asked(fixture: &Fixture, version: &str, more: &str) -> Value {
    let answer = fixture.get(&format!("{GATE}?service=shop&version={version}&to=production{more}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// The verdict, and the codes of all reasons.
fn told(answer: &Value) -> String {
    let mut words = vec![answer["verdict"].as_str().unwrap()];
    words.extend(answer["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()));
    words.join(" ")
}

#[tokio::test]
async fn a_version_goes_on_when_it_has_soaked_and_each_thing_that_is_wrong_has_its_code() {
    let mut fixture = shop().await;
    assert_eq!(told(&asked(&fixture, "8", "").await), "unknown never_seen");
    deploy(&fixture, "8", "staging", &[], [42, 40], DeployResult::Ok);
    // No lines yet: what cannot be compared is told.
    assert_eq!(told(&asked(&fixture, "8", "").await), "go since_not_enough");
    lines(&mut fixture, "st-1", [105, 0], 1, "order lost");
    let good = asked(&fixture, "8", "").await;
    assert_eq!(told(&good), "go", "{good:#}");
    assert_eq!(told(&asked(&fixture, "9", "").await), "unknown never_seen");

    hear(&fixture, &["st-1", "web-1", "web-2"]);
    let stale = asked(&fixture, "8", "").await;
    assert_eq!(told(&stale), "unknown stale");
    assert_eq!(stale["reasons"][0]["evidence"], "/hosts/web-3");
    hear(&fixture, &["st-1", "web-1", "web-2", "web-3"]);

    report(&fixture, CheckState::Critical, 0);
    let bad = asked(&fixture, "8", "").await;
    assert_eq!(told(&bad), "no-go problem");
    let page = bad["reasons"][0]["evidence"].as_str().unwrap();
    assert!(page.starts_with("/alerts/"), "{page}");
    // Taken or not, it is wrong.
    fixture.post_json("/api/muster/v1/checks/web-1/disk/ack", r#"{"comment": "mine"}"#).await;
    let taken = asked(&fixture, "8", "").await;
    assert_eq!(told(&taken), "no-go problem");
    assert!(taken["reasons"][0]["text"].as_str().unwrap().contains("acknowledged"), "{taken:#}");
    // Going back is for when things are bad, and only to what worked there.
    assert_eq!(told(&asked(&fixture, "8", "&rollback=true").await), "unknown never_ended_ok problem_told");
    deploy(&fixture, "7", "production", &[], [600, 598], DeployResult::Ok);
    assert_eq!(told(&asked(&fixture, "7", "&rollback=true").await), "go problem_told");

    deploy(&fixture, "10", "staging", &[], [20, 18], DeployResult::Failed);
    assert_eq!(told(&asked(&fixture, "10", "").await), "no-go problem failed_there never_seen");
    let unknown = fixture.get(&format!("{GATE}?service=blog&version=1&to=production")).await.json();
    assert_eq!(told(&unknown), "unknown unknown_service");
    let nowhere = fixture.get(&format!("{GATE}?service=shop&version=1&to=nowhere")).await.json();
    assert_eq!(told(&nowhere), "unknown no_hosts no_order");
}

#[tokio::test]
async fn lines_before_and_after_a_version_are_compared_on_the_same_hosts() {
    let mut fixture = shop().await;
    deploy(&fixture, "8", "staging", &[], [42, 40], DeployResult::Ok);
    lines(&mut fixture, "st-1", [105, 40], 2, "order lost");
    lines(&mut fixture, "st-1", [40, 0], 6, "order lost");
    let more = asked(&fixture, "8", "").await;
    assert_eq!(told(&more), "no-go error_rate", "{more:#}");
    let reason = &more["reasons"][0];
    assert!(reason["text"].as_str().unwrap().contains("240 of 800 against 120 of 1200"), "{reason}");
    assert!(reason["evidence"].as_str().unwrap().starts_with("/logs?q=%7Bjob%3D%22shop%22"), "{reason}");

    let mut fixture = shop().await;
    deploy(&fixture, "8", "staging", &[], [42, 40], DeployResult::Ok);
    lines(&mut fixture, "st-1", [105, 40], 2, "order lost");
    lines(&mut fixture, "st-1", [40, 0], 2, "payment refused");
    let new = asked(&fixture, "8", "").await;
    assert_eq!(told(&new), "no-go new_pattern", "{new:#}");
    assert!(new["reasons"][0]["text"].as_str().unwrap().contains("`error: payment refused <n>`"), "{new:#}");
}

#[tokio::test]
async fn rates_that_a_service_lists_are_compared_by_what_was_counted() {
    let mut fixture = shop().await;
    declare(&fixture, LISTED);
    deploy(&fixture, "8", "staging", &[], [42, 40], DeployResult::Ok);
    requests(&mut fixture, "st-1", [110, 0], |minute| if minute < 40 { 4 } else { 2 });
    let more = asked(&fixture, "8", "").await;
    assert_eq!(told(&more), "no-go error_rate", "{more:#}");
    let reason = &more["reasons"][0];
    // 40 minutes with 20 good ones each, and 60 before: exactly.
    let counted = "failed requests: 160 of 960 against 120 of 1320";
    assert!(reason["text"].as_str().unwrap().contains(counted), "{reason}");
    let page = reason["evidence"].as_str().unwrap();
    let query = page.strip_prefix("/explore?q=").and_then(|rest| rest.split_once("&from=")).unwrap().0;
    let shown = fixture.get(&format!("/api/v1/query?query={query}&time={}", NOW_MS / 1_000)).await.json();
    let series = shown["data"]["result"].as_array().unwrap();
    assert_eq!((series.len(), &series[0]["metric"]), (1, &json!({"host": "st-1"})), "{shown:#}");
    let replay = fixture.get(&format!("{GATE}/decisions/{}/replay", more["decision"]["id"])).await.json();
    assert_eq!((&replay["same"], &replay["reasons"]), (&json!(true), &more["reasons"]));
    assert_eq!(replay["facts"]["before"][0]["since"]["rates"].as_array().unwrap().len(), 1);

    // As before: nothing speaks against it, neither the counters that began anew nor the one that was not there.
    let mut fixture = shop().await;
    declare(&fixture, LISTED);
    deploy(&fixture, "8", "staging", &[], [42, 40], DeployResult::Ok);
    requests(&mut fixture, "st-1", [110, 0], |_| 2);
    let same = asked(&fixture, "8", "").await;
    assert_eq!(told(&same), "go", "{same:#}");
    let services = fixture.get("/api/muster/v1/services").await.json();
    let bad = "http_requests_total{code=~\"5..\"}";
    let rate = json!({"name": "failed requests", "bad": bad, "all": "http_requests_total"});
    assert_eq!(services["services"][0]["rates"], json!([rate]));
}

#[tokio::test]
async fn counters_that_are_not_there_are_too_little_to_say_and_none_that_failed_are_not() {
    let text = |answer: &Value, at: usize| answer["reasons"][at]["text"].as_str().unwrap().to_owned();
    let mut fixture = shop().await;
    declare(&fixture, LISTED);
    deploy(&fixture, "8", "staging", &[], [42, 40], DeployResult::Ok);
    let none = asked(&fixture, "8", "").await;
    assert_eq!(told(&none), "go since_not_enough");
    assert!(text(&none, 0).ends_with("failed requests: no counter http_requests_total of st-1 was there"), "{none:#}");
    // Only since the version came.
    requests(&mut fixture, "st-1", [34, 0], |_| 0);
    let after = asked(&fixture, "8", "").await;
    assert!(text(&after, 0).ends_with("no counter http_requests_total of st-1 was there before"), "{after:#}");

    let mut fixture = shop().await;
    declare(&fixture, LISTED);
    deploy(&fixture, "7", "production", &[], [600, 598], DeployResult::Ok);
    deploy(&fixture, "8", "staging", &[], [142, 140], DeployResult::Ok);
    deploy(&fixture, "8", "production", &["web-1"], [42, 40], DeployResult::Ok);
    for host in ["st-1", "web-1", "web-2", "web-3"] {
        requests(&mut fixture, host, [210, 0], |_| 0);
    }
    // None failed anywhere, which the labels of the others prove.
    let good = asked(&fixture, "8", "").await;
    assert_eq!(told(&good), "go", "{good:#}");
    declare(&fixture, &LISTED.replace("code=~", "status=~"));
    let mistaken = asked(&fixture, "8", "").await;
    assert_eq!(told(&mistaken), "unknown canary_not_enough since_not_enough", "{mistaken:#}");
    let expect = "no counter http_requests_total{status=~\"5..\"} of web-1 was there";
    assert!(text(&mistaken, 0).ends_with(expect), "{mistaken:#}");
    // Streams that are named ought to have lines.
    declare(&fixture, &LISTED.replace("[[services.rates]]", "streams = ['{job=\"shop\"}']\n[[services.rates]]"));
    assert_eq!(told(&asked(&fixture, "8", "").await), "unknown canary_not_enough since_not_enough");
}

#[tokio::test]
async fn a_canary_of_which_twice_as_many_requests_fail_is_found_and_one_like_the_others_is_not() {
    for (after, expect) in [(4, "no-go canary_worse"), (2, "go")] {
        let mut fixture = shop().await;
        declare(&fixture, LISTED);
        deploy(&fixture, "7", "production", &[], [600, 598], DeployResult::Ok);
        deploy(&fixture, "8", "staging", &[], [142, 140], DeployResult::Ok);
        deploy(&fixture, "8", "production", &["web-1"], [42, 40], DeployResult::Ok);
        for host in ["st-1", "web-2", "web-3"] {
            requests(&mut fixture, host, [210, 0], |_| 2);
        }
        requests(&mut fixture, "web-1", [210, 0], |minute| if minute < 40 { after } else { 2 });
        let answer = asked(&fixture, "8", "").await;
        assert_eq!(told(&answer), expect, "{answer:#}");
        if after == 4 {
            let counted = "web-1 against web-2, web-3: failed requests: 160 of 960 against 160 of 1760";
            assert!(answer["reasons"][0]["text"].as_str().unwrap().starts_with(counted), "{answer:#}");
            // What is compared by itself after the soak time sees the same.
            assert_eq!(crate::verify_deploys(&fixture.state, &AtomicBool::new(false)).unwrap(), 1);
            assert_eq!(fixture.fleet().verdict("shop", "production").unwrap().outcome.as_str(), "worse");
        }
    }
}

#[tokio::test]
async fn a_canary_is_compared_with_the_other_hosts_and_the_decision_replays() {
    let mut fixture = shop().await;
    deploy(&fixture, "7", "production", &[], [600, 598], DeployResult::Ok);
    deploy(&fixture, "8", "staging", &[], [142, 140], DeployResult::Ok);
    lines(&mut fixture, "st-1", [205, 0], 2, "order lost");
    for host in ["web-2", "web-3"] {
        lines(&mut fixture, host, [105, 0], 2, "order lost");
    }
    lines(&mut fixture, "web-1", [105, 40], 2, "order lost");
    deploy(&fixture, "8", "production", &["web-1"], [42, 40], DeployResult::Ok);
    let few = asked(&fixture, "8", "").await;
    assert_eq!(told(&few), "unknown canary_not_enough", "{few:#}");
    lines(&mut fixture, "web-1", [40, 0], 6, "order lost");
    let worse = asked(&fixture, "8", "").await;
    assert_eq!(told(&worse), "no-go canary_worse", "{worse:#}");
    assert!(worse["reasons"][0]["text"].as_str().unwrap().starts_with("web-1 against web-2, web-3:"), "{worse:#}");

    let id = worse["decision"]["id"].as_u64().unwrap();
    let replay = fixture.get(&format!("{GATE}/decisions/{id}/replay")).await.json();
    assert_eq!((&replay["same"], &replay["reasons"]), (&json!(true), &worse["reasons"]));
    assert_eq!(replay["again"]["verdict"], "no-go");
    assert_eq!(replay["facts"]["asked"]["version"], "8");
    let listed = fixture.get(&format!("{GATE}/decisions?service=shop&limit=1")).await.json();
    assert_eq!(
        (&listed["decisions"][0]["id"], &listed["decisions"][0]["codes"]),
        (&json!(id), &json!(["canary_worse"]))
    );

    // What a gate would have said is said by itself after the soak time.
    assert_eq!(crate::verify_deploys(&fixture.state, &AtomicBool::new(false)).unwrap(), 1);
    assert_eq!(crate::verify_deploys(&fixture.state, &AtomicBool::new(false)).unwrap(), 0);
    let verdict = fixture.fleet().verdict("shop", "production").unwrap();
    assert_eq!((verdict.outcome.as_str(), verdict.version.as_str()), ("worse", "8"));
    let metrics = fixture.get("/metrics").await.text;
    assert!(metrics.contains("muster_deploy_verdict{"), "{metrics}");
}

#[tokio::test]
async fn an_override_lifts_what_speaks_against_it_with_name_and_reason_and_nothing_unknown() {
    let fixture = shop().await;
    let spec = FreezeSpec {
        matchers: "env=production".to_owned(),
        from_ms: Some(NOW_MS - MINUTE_MS),
        to_ms: Some(NOW_MS + MINUTE_MS),
        reason: "end of the year".to_owned(),
        ..FreezeSpec::default()
    };
    fixture.fleet().add_freeze(spec, BY, now()).unwrap();
    deploy(&fixture, "8", "staging", &[], [42, 40], DeployResult::Ok);
    let frozen = asked(&fixture, "8", "").await;
    assert_eq!(told(&frozen), "no-go freeze since_not_enough");
    assert!(frozen["reasons"][0]["text"].as_str().unwrap().contains("end of the year"), "{frozen:#}");

    let body = |version: &str, codes: Value| {
        json!({"service": "shop", "version": version, "to": "production", "reason": "a leak", "codes": codes})
            .to_string()
    };
    let lifted = fixture.post_json(GATE, &body("8", json!([]))).await.json();
    assert_eq!((told(&lifted).as_str(), &lifted["reasons"][0]["lifted"]), ("go freeze since_not_enough", &json!(true)));
    let other = fixture.post_json(GATE, &body("8", json!(["problem"]))).await.json();
    assert!(told(&other).starts_with("no-go freeze"), "{other:#}");
    let unseen = fixture.post_json(GATE, &body("9", json!([]))).await.json();
    assert_eq!(told(&unseen), "unknown freeze never_seen");

    let rows = fixture.fleet().audit(&AuditQuery { limit: 50, ..AuditQuery::default() }).unwrap();
    let rows: Vec<_> = rows.iter().filter(|row| row.action.as_str() == "gate_decided").collect();
    assert_eq!(rows.len(), 3, "what only asks is no deed");
    assert!(rows[2].text.contains("lifted by token:") && rows[2].text.contains("a leak"), "{}", rows[2].text);
    assert_eq!(rows[2].object, "shop/production");

    let reader = send_as(&fixture, Scope::Read, "POST", GATE, &body("8", json!([]))).await;
    assert_eq!(reader.status, 403);
    for (bad, told) in [
        (json!({"service": "shop", "version": "8", "to": "production", "reason": " "}), "reason"),
        (json!({"service": "shop", "version": "8", "to": "production", "reason": "r", "codes": ["stale"]}), "codes"),
        (json!({"service": "", "version": "8", "to": "production", "reason": "r"}), "service"),
        (json!({"service": "shop", "version": "8", "to": "production"}), "reason"),
    ] {
        let answer = fixture.post_json(GATE, &bad.to_string()).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains(told), "{}", answer.text);
    }
    for bad in
        ["?service=shop&version=8", "?service=shop&version=a%0Ab&to=p", "?service=s&version=8&to=p&rollback=maybe"]
    {
        assert_eq!(fixture.get(&format!("{GATE}{bad}")).await.status, 400, "{bad}");
    }
    for bad in ["/decisions?before=x", "/decisions/x/replay", "/decisions?limit=0"] {
        assert_eq!(fixture.get(&format!("{GATE}{bad}")).await.status, 400, "{bad}");
    }
    assert_eq!(fixture.get(&format!("{GATE}/decisions/999/replay")).await.status, 404);
}
