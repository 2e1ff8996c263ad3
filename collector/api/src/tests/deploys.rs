//! Deploys, services, freezes and webhooks over the API.

use axum::body::Body;
use axum::http::Request;
use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_fleet::{AuditQuery, AuditResult, By, DeployRef, DeployResult, DeployStart, read_deploy_file};
use serde_json::{Value, json};

use super::fixture::{Answer, Fixture, NOW_MS};
use super::inventory::{alerting, asked, changed, packages, two_hosts, whole};
use super::live::Events;
use super::muster::ask;

const DEPLOYS: &str = "/api/muster/v1/deploys";
const FREEZES: &str = "/api/muster/v1/freezes";
const GITHUB: &str = "/api/muster/v1/hooks/github";
const GITLAB: &str = "/api/muster/v1/hooks/gitlab";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// By `openssl dgst -sha256 -hmac SECRET`.
pub(super) const CREATED: (&str, &str, &str) = (
    "deployment",
    include_str!("hooks/github_deployment.json"),
    "67d7ec38f378718984572da061c80fe4b3c19b0e8e3a1e0c4fef3f45c99e520e",
);
const SUCCESS: (&str, &str, &str) = (
    "deployment_status",
    include_str!("hooks/github_deployment_status.json"),
    "19aa0cbc723decdd561718ca0e9a8ad1fdce36117e8e5c9d00983d2629c0cb1b",
);
const PING: (&str, &str, &str) = (
    "ping",
    include_str!("hooks/github_ping.json"),
    "d2272080e265afbb441678167f86f34ef74495f371dcc2417e82787dc483c3cf",
);
pub(super) const GITLAB_RUNNING: &str = include_str!("hooks/gitlab_deployment.json");

/// Two hosts of the shop in staging, of which openssl is a package.
async fn shop_of_packages() -> (Fixture, [HostId; 2]) {
    let (fixture, hosts) = two_hosts().await;
    for name in ["web-1", "web-2"] {
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/labels"), r#"{"set": {"env": "staging"}}"#).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deploy.toml");
    let text = "[[services]]\nname = \"shop\"\nhosts = [\"host=~web-.*\"]\npackages = [\"openssl\"]\n";
    std::fs::write(&path, text).unwrap();
    fixture.fleet().set_deploy_settings(read_deploy_file(&path).unwrap_or_else(|errors| panic!("{errors}")));
    (fixture, hosts)
}

/// Looks at both: on the first openssl changed 600 s ago, and curl is new since 300 s.
fn looks(fixture: &Fixture, [one, other]: [HostId; 2]) {
    let old = packages(&[("bash", "5.2"), ("openssl", "3.0.2")]);
    let new = packages(&[("bash", "5.2"), ("openssl", "3.0.11")]);
    let newest = packages(&[("bash", "5.2"), ("curl", "8"), ("openssl", "3.0.11")]);
    whole(fixture, 1, one, 3_000, &old);
    whole(fixture, 2, other, 2_900, &old);
    changed(fixture, 3, one, 600, (&old, &new));
    changed(fixture, 4, one, 300, (&new, &newest));
}

#[tokio::test]
async fn a_deploy_stands_before_what_changed_among_the_causes_of_an_alert_and_in_its_mail() {
    let (fixture, hosts) = shop_of_packages().await;
    let ago = |seconds: i64| Timestamp::from_millis(NOW_MS - seconds * 1_000);
    let start = |version: &str| DeployStart {
        service: "shop".to_owned(),
        version: version.to_owned(),
        env: "staging".to_owned(),
        ..DeployStart::default()
    };
    let by = &By::Itself("test");
    let first = fixture.fleet().start_deploy(start("3.0.11"), by, ago(700)).unwrap().deploy.id;
    looks(&fixture, hosts);
    fixture.fleet().finish_deploy(&DeployRef::Id(first), DeployResult::Ok, "", by, ago(500)).unwrap();
    fixture.fleet().start_deploy(start("3.0.12"), by, ago(250)).unwrap();
    fixture.fleet().start_deploy(start("3.0.13"), by, ago(100)).unwrap();
    let id = alerting(&fixture, "web-1", 240).await;
    let before = asked(&fixture, &format!("alerts/{id}/changes")).await;
    let told: Vec<String> = before["suspects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}: {}", one["change"]["words"].as_str().unwrap(), one["why"].as_str().unwrap()))
        .collect();
    let on = "on this host and on 1 host without the problem";
    assert_eq!(told.len(), 3, "openssl is a part of the first, and the last came after: {told:?}");
    assert_eq!(told[0], format!("deploy 2 of shop 3.0.12 to staging began: began 10 s before, {on}"));
    let part = "with package openssl 3.0.2 -> 3.0.11";
    assert_eq!(told[1], format!("deploy 1 of shop 3.0.11 to staging ended ok: 4 to 7 min before, {on}, {part}"));
    assert!(told[2].starts_with("package curl 8 is new: "), "{told:?}");
    let one = &before["suspects"][1];
    assert_eq!(
        (&one["deploy"], &one["page"], &one["hosts"], &one["change"]["kind"]),
        (&json!(1), &json!("/deploys?service=shop&env=staging&version=3.0.11"), &json!(["web-1"]), &json!("deploy"))
    );
    assert_eq!((&before["suspects"][2]["deploy"], &before["suspects"][2]["page"]), (&Value::Null, &Value::Null));
    let mail = asked(&fixture, &format!("mail/preview?alert={id}")).await;
    for words in ["deploy 2 of shop 3.0.12 to staging began", "began 10 s before"] {
        assert!(mail["text"].as_str().unwrap().contains(words), "{mail:#}");
        assert!(mail["html"].as_str().unwrap().contains(words), "{mail:#}");
    }
}

#[tokio::test]
async fn an_unannounced_deploy_stands_once_among_the_causes_of_an_alert() {
    let (fixture, hosts) = shop_of_packages().await;
    looks(&fixture, hosts);
    let id = alerting(&fixture, "web-1", 240).await;
    let before = asked(&fixture, &format!("alerts/{id}/changes")).await;
    let words = |at: usize| before["suspects"][at]["change"]["words"].as_str().unwrap();
    assert_eq!(before["suspects_count"], 2, "{before:#}");
    assert_eq!(words(0), "unannounced deploy 1 of shop 3.0.11 to staging");
    let why = before["suspects"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("6 to 7 min before, only on this host"), "{why}");
    assert!(why.ends_with("with package openssl 3.0.2 -> 3.0.11"), "{why}");
    assert!(words(1).starts_with("package curl"), "{before:#}");
}

/// Declares the shop, with secrets for both hooks.
pub(super) fn declare(fixture: &Fixture) {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("deploy.toml"), folder.path().join("secret"));
    std::fs::write(&secret, SECRET).unwrap();
    let text = format!(
        "[[services]]\nname = \"shop\"\nhosts = [\"role=web\"]\nrepositories = [\"acme/shop\"]\n\
         [gate]\nproduction = {{ after = [\"staging\"], soak = \"30m\" }}\n\
         [[freezes]]\nname = \"weekend\"\nmatchers = [\"env=nowhere\"]\nrecurrence = \"daily 00:00-00:00\"\nreason = \"r\"\n\
         [hooks]\ngithub_secret_file = {secret:?}\ngitlab_token_file = {secret:?}\n"
    );
    std::fs::write(&path, text).unwrap();
    fixture.fleet().set_deploy_settings(read_deploy_file(&path).unwrap_or_else(|errors| panic!("{errors}")));
}

async fn with_shop(hosts: &[(&str, &str)]) -> Fixture {
    let fixture = Fixture::new();
    for ((name, env), number) in hosts.iter().zip(1..) {
        ask(&fixture, name, number);
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/approve"), "{}").await;
        let labels = json!({"set": {"env": env, "role": "web"}}).to_string();
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/labels"), &labels).await;
    }
    declare(&fixture);
    fixture
}

async fn post(fixture: &Fixture, path: &str, body: Value) -> (u16, Value) {
    let answer = fixture.post_json(path, &body.to_string()).await;
    (answer.status.as_u16(), answer.json())
}

/// As GitHub sends it.
pub(super) fn github((event, body, signature): (&str, &str, &str)) -> Request<Body> {
    let request = Request::builder().method("POST").uri(GITHUB).header("content-type", "application/json");
    let request = request.header("x-github-event", event).header("x-hub-signature-256", format!("sha256={signature}"));
    request.body(Body::from(body.to_owned())).unwrap()
}

/// As GitLab sends it.
pub(super) fn gitlab(body: &str, token: &str) -> Request<Body> {
    let request = Request::builder().method("POST").uri(GITLAB).header("content-type", "application/json");
    let request = request.header("x-gitlab-event", "Deployment Hook").header("x-gitlab-token", token);
    request.body(Body::from(body.to_owned())).unwrap()
}

fn told(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn deploys_are_told_listed_and_ended() {
    let fixture = with_shop(&[("web-1", "staging"), ("web-2", "staging")]).await;
    let body = json!({"service": "shop", "version": "1.0", "env": "staging", "hosts": ["web-1"], "link": "https://ci.example/7", "note": "n", "key": "run-7"});
    let (status, begun) = post(&fixture, DEPLOYS, body.clone()).await;
    assert_eq!(
        (status, &begun["is_new"], &begun["superseded"], &begun["frozen"]),
        (201, &json!(true), &json!([]), &Value::Null)
    );
    let by = format!("token:{}", fixture.admin_word.split('.').next().unwrap());
    let expect = json!({
        "id": 1, "service": "shop", "version": "1.0", "env": "staging", "state": "running", "source": "api",
        "hosts": ["web-1"], "started_ms": NOW_MS, "ended_ms": null, "by": by, "link": "https://ci.example/7",
        "note": "n", "key": "run-7", "package": null, "announced": null, "unannounced": false, "freeze": null, "override": null,
    });
    assert_eq!(begun["deploy"], expect);
    assert_eq!(post(&fixture, DEPLOYS, body).await.0, 200, "told twice is one");
    let (status, ended) = post(&fixture, &format!("{DEPLOYS}/1/finish"), json!({"result": "ok"})).await;
    assert_eq!((status, &ended["deploy"]["state"], &ended["is_new"]), (200, &json!("ok"), &json!(true)));
    let all = json!({"service": "shop", "version": "1.1", "env": "staging"});
    assert_eq!(post(&fixture, DEPLOYS, all).await.1["deploy"]["hosts"], Value::Null);
    let end = json!({"result": "failed", "service": "shop", "env": "staging", "note": "crash"});
    let (status, ended) = post(&fixture, &format!("{DEPLOYS}/finish"), end).await;
    assert_eq!((status, &ended["deploy"]["id"], &ended["deploy"]["note"]), (200, &json!(2), &json!("crash")));
    let list = fixture.get(&format!("{DEPLOYS}?limit=1")).await.json();
    assert_eq!((&list["deploys"][0]["id"], &list["next"]), (&json!(2), &json!(2)));
    let list = fixture.get(&format!("{DEPLOYS}?limit=1&before=2")).await.json();
    assert_eq!((&list["deploys"][0]["id"], &list["next"]), (&json!(1), &Value::Null));
    for (query, count) in [("state=failed", 1), ("version=1.0&service=shop", 1), ("env=production", 0), ("", 2)] {
        let list = fixture.get(&format!("{DEPLOYS}?{query}")).await.json();
        assert_eq!(list["deploys"].as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(fixture.get(&format!("{DEPLOYS}/1")).await.json()["deploy"]["state"], "ok");

    let services = fixture.get("/api/muster/v1/services").await.json();
    let staging = &services["services"][0]["environments"][0];
    assert_eq!(
        (&services["services"][0]["name"], &staging["env"], &staging["hosts"]),
        (&json!("shop"), &json!("staging"), &json!(2))
    );
    assert_eq!(
        (&staging["versions"][0]["version"], &staging["versions"][0]["hosts"]),
        (&json!("1.0"), &json!(["web-1"]))
    );
    assert!(services["file"].as_str().unwrap().ends_with("deploy.toml"), "{services}");
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_place_and_remedy() {
    let fixture = with_shop(&[("web-1", "staging")]).await;
    let deploy = |service: &str, env: &str| json!({"service": service, "version": "1", "env": env});
    let finish = format!("{DEPLOYS}/finish");
    for (path, body, status, what) in [
        (DEPLOYS, deploy("blog", "staging"), 404, "no service `blog` is declared, declared are shop"),
        (DEPLOYS, deploy("shop", "prod"), 400, "its hosts are in staging"),
        (DEPLOYS, json!({"service": "shop", "env": "staging"}), 400, "missing field `version`"),
        (DEPLOYS, json!({"service": "shop", "version": "", "env": "staging"}), 400, "field `version`"),
        (
            DEPLOYS,
            json!({"service": "shop", "version": "1", "env": "staging", "hosts": ["db-9"]}),
            404,
            "no host `db-9`",
        ),
        (
            DEPLOYS,
            json!({"service": "shop", "version": "1", "env": "staging", "link": "javascript:x"}),
            400,
            "it is no address",
        ),
        (&finish, json!({"result": "ok"}), 400, "it is not clear which deploy is meant"),
        (&finish, json!({"result": "fine", "key": "x"}), 400, "`fine` is none"),
        (&finish, json!({"result": "ok", "key": "x"}), 404, "no deploy with the key `x`"),
        (&format!("{DEPLOYS}/7/finish"), json!({"result": "ok"}), 404, "no deploy 7"),
        (&format!("{DEPLOYS}/7/finish"), json!({"result": "ok", "key": "x"}), 400, "it names another deploy"),
        (&format!("{DEPLOYS}/x/finish"), json!({"result": "ok"}), 400, "`x` is no number of a deploy"),
        (FREEZES, json!({"matchers": ["env=staging"], "reason": "r"}), 400, "it has no end"),
        (FREEZES, json!({"matchers": ["role=web"], "reason": "r", "to_ms": NOW_MS + 1}), 400, "a deploy has no `role`"),
        (
            &format!("{FREEZES}/override"),
            json!({"service": "shop", "env": "staging", "reason": "r"}),
            409,
            "nothing freezes `shop`",
        ),
        (
            &format!("{FREEZES}/override"),
            json!({"service": "shop", "env": "staging", "reason": "r", "for": "2d"}),
            400,
            "at most 24 hours",
        ),
    ] {
        let (found, answer) = post(&fixture, path, body).await;
        let error = &answer["error"];
        let message = error["message"].as_str().unwrap();
        assert!(found == status && message.contains(what), "{path}: {found} {answer}");
        assert!(
            !error["where"].as_str().unwrap_or("").is_empty() && !error["remedy"].as_str().unwrap_or("").is_empty(),
            "{answer}"
        );
    }
    for (query, what) in
        [("state=done", "write one of running, ok"), ("before=x", "give back the `next`"), ("limit=0", "1 to 10000")]
    {
        let answer = fixture.get(&format!("{DEPLOYS}?{query}")).await;
        assert!(answer.status.as_u16() == 400 && answer.text.contains(what), "{}", answer.text);
    }
    assert_eq!(fixture.get(&format!("{DEPLOYS}/9")).await.status.as_u16(), 404);
}

#[tokio::test]
async fn freezes_are_made_lifted_and_ended() {
    let fixture = with_shop(&[("web-1", "production")]).await;
    let freeze = json!({"matchers": ["env=production"], "to_ms": NOW_MS + 86_400_000, "reason": "holidays"});
    let (status, made) = post(&fixture, FREEZES, freeze).await;
    assert_eq!(
        (status, &made["freeze"]["id"], &made["freeze"]["is_on"], &made["freeze"]["source"]),
        (201, &json!("1"), &json!(true), &json!("api"))
    );
    let body = json!({"service": "shop", "version": "1", "env": "production"});
    let (_, begun) = post(&fixture, DEPLOYS, body.clone()).await;
    assert_eq!((&begun["deploy"]["freeze"], &begun["frozen"]["freeze"]["reason"]), (&json!("1"), &json!("holidays")));
    let lift = json!({"service": "shop", "env": "production", "reason": "card payments fail", "for": "30m"});
    let (status, lifted) = post(&fixture, &format!("{FREEZES}/override"), lift).await;
    assert_eq!((status, &lifted["override"]["until_ms"]), (201, &json!(NOW_MS + 1_800_000)));
    let (_, begun) = post(&fixture, DEPLOYS, body).await;
    assert_eq!((&begun["deploy"]["override"], &begun["superseded"]), (&json!(1), &json!([1])));
    let row = fixture.fleet().audit(&AuditQuery { limit: 10, ..AuditQuery::default() }).unwrap();
    let row = row.into_iter().find(|row| row.action.as_str() == "freeze_overridden").unwrap();
    assert!(row.by.starts_with("token:") && row.text.contains("card payments fail"), "{row:?}");
    let all = fixture.get(FREEZES).await.json();
    assert_eq!((&all["freezes"][0]["id"], &all["freezes"][0]["source"]), (&json!("weekend"), &json!("file")));
    assert_eq!(fixture.delete(&format!("{FREEZES}/weekend")).await.status.as_u16(), 409);
    let ended = fixture.delete(&format!("{FREEZES}/1")).await;
    assert_eq!((ended.status.as_u16(), &ended.json()["freeze"]["is_on"]), (200, &json!(false)));
    assert_eq!(fixture.delete(&format!("{FREEZES}/1")).await.status.as_u16(), 404);
}

#[tokio::test]
async fn github_tells_of_deployments_and_repeats_change_nothing() {
    let fixture = with_shop(&[("web-1", "staging")]).await;
    let (status, begun) = told(&fixture.send(github(CREATED)).await);
    let deploy = &begun["deploy"];
    assert_eq!((status, &begun["taken"], &begun["is_new"]), (200, &json!(true), &json!(true)));
    assert_eq!(
        (&deploy["version"], &deploy["by"], &deploy["source"]),
        (&json!("v1.4.2"), &json!("hook:github"), &json!("github"))
    );
    assert_eq!((&deploy["key"], &deploy["note"]), (&json!("github:acme/shop:1171342"), &json!("Release of the week")));
    let (_, again) = told(&fixture.send(github(CREATED)).await);
    assert_eq!((&again["is_new"], &again["deploy"]["id"]), (&json!(false), &json!(1)));
    let (_, ended) = told(&fixture.send(github(SUCCESS)).await);
    assert_eq!(
        (&ended["deploy"]["state"], &ended["deploy"]["id"], &ended["is_new"]),
        (&json!("ok"), &json!(1), &json!(true))
    );
    // Again, and the beginning once more: nothing is begun anew.
    for message in [SUCCESS, CREATED] {
        let (status, again) = told(&fixture.send(github(message)).await);
        assert_eq!((status, &again["is_new"], &again["deploy"]["state"]), (200, &json!(false), &json!("ok")));
    }
    let (status, ping) = told(&fixture.send(github(PING)).await);
    assert_eq!((status, &ping["taken"]), (202, &json!(false)));
    assert_eq!(fixture.get(DEPLOYS).await.json()["deploys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_end_that_comes_alone_is_a_deploy() {
    let fixture = with_shop(&[("web-1", "staging")]).await;
    let (status, ended) = told(&fixture.send(github(SUCCESS)).await);
    assert_eq!((status, &ended["is_new"], &ended["deploy"]["state"]), (200, &json!(true), &json!("ok")));
    assert_eq!(ended["deploy"]["link"], "https://github.com/Acme/shop/actions/runs/77");
}

#[tokio::test]
async fn gitlab_tells_of_deployments() {
    let fixture = with_shop(&[("web-1", "staging")]).await;
    let (status, begun) = told(&fixture.send(gitlab(GITLAB_RUNNING, SECRET)).await);
    assert_eq!(
        (status, &begun["deploy"]["version"], &begun["deploy"]["state"]),
        (200, &json!("1.0.0"), &json!("running"))
    );
    for (status, state, is_new) in [("success", "ok", true), ("success", "ok", false), ("running", "ok", false)] {
        let body = GITLAB_RUNNING.replace("\"running\"", &format!("\"{status}\""));
        let (code, told) = told(&fixture.send(gitlab(&body, SECRET)).await);
        assert_eq!((code, &told["deploy"]["state"], &told["is_new"]), (200, &json!(state), &json!(is_new)));
    }
    let (status, failed) =
        told(&fixture.send(gitlab(&GITLAB_RUNNING.replace("\"running\"", "\"failed\""), SECRET)).await);
    assert_eq!((status, &failed["error"]["code"]), (409, &json!("conflict")));
    // What is sent again long after is passed over, and so is what is about nothing here.
    for body in [
        GITLAB_RUNNING.replace("2023-11-14 23:13:00", "2023-11-12 23:13:00").replace(": 15,", ": 9,"),
        GITLAB_RUNNING.replace("\"deployment\"", "\"pipeline\""),
        GITLAB_RUNNING.replace("\"running\"", "\"created\""),
    ] {
        let (status, passed) = told(&fixture.send(gitlab(&body, SECRET)).await);
        assert_eq!((status, &passed["taken"]), (202, &json!(false)), "{passed}");
    }
    for (body, status, what) in [
        (GITLAB_RUNNING.replace("acme/shop\"", "acme/blog\""), 404, "no service names this repository"),
        (
            GITLAB_RUNNING.replace("\"environment\": \"staging\"", "\"environment\": \"review/7\""),
            400,
            "its hosts are in staging",
        ),
        (
            GITLAB_RUNNING.replace("\"short_sha\"", "\"sha\"").replace("\"1.0.0\"", "\"main\""),
            400,
            "the message has no `short_sha`",
        ),
        ("payload=x".to_owned(), 400, "the body is no JSON"),
        ("[]".to_owned(), 400, "the body is no JSON object"),
    ] {
        // Another deployment: the first is known already.
        let body = body.replace(": 15,", ": 16,");
        let (found, refused) = told(&fixture.send(gitlab(&body, SECRET)).await);
        assert!(found == status && refused.to_string().contains(what), "{found} {refused}");
    }
}

#[tokio::test]
async fn whoever_does_not_know_the_secret_is_refused_and_audited() {
    let fixture = with_shop(&[("web-1", "staging")]).await;
    let (event, body, signature) = CREATED;
    let other = body.replace("v1.4.2", "v6.6.6");
    let unsigned = || {
        let request = Request::builder().method("POST").uri(GITHUB).header("x-github-event", event);
        request.body(Body::from(body.to_owned())).unwrap()
    };
    for request in [
        unsigned(),
        github((event, &other, signature)),
        github((event, body, &signature.replace('6', "7"))),
        github((event, body, "")),
        gitlab(GITLAB_RUNNING, "0123456789abcdef0123456789abcdee"),
        gitlab(GITLAB_RUNNING, ""),
    ] {
        let (status, refused) = told(&fixture.send(request).await);
        let error = refused["error"].to_string();
        assert!(status == 401 && error.contains("secret") && !error.contains(SECRET), "{status} {error}");
    }
    assert_eq!(fixture.get(DEPLOYS).await.json()["deploys"], json!([]));
    let rows = fixture.fleet().audit(&AuditQuery { limit: 10, ..AuditQuery::default() }).unwrap();
    let refused: Vec<_> = rows.iter().filter(|row| row.result == AuditResult::Refused).collect();
    assert!(!refused.is_empty() && refused.iter().all(|row| row.text.contains("/hooks/")), "{rows:?}");
    // More than a megabyte is not read.
    let long = format!("{}{}", " ".repeat(1_100_000), body);
    let answer = fixture.send(github((event, &long, signature))).await;
    assert_eq!(answer.status.as_u16(), 413, "{}", answer.text);
    // Without a secret there is no hook.
    fixture.fleet().set_deploy_settings(muster_fleet::DeploySettings::default());
    let (status, refused) = told(&fixture.send(github(CREATED)).await);
    assert!(status == 404 && refused.to_string().contains("hooks.github_secret_file"), "{refused}");
}

#[tokio::test]
async fn open_pages_are_told_of_deploys() {
    let fixture = with_shop(&[("web-1", "staging")]).await;
    let mut events = Events::open(&fixture, "/api/muster/v1/live?topics=deploys").await;
    assert_eq!(events.next().await.unwrap().data["topics"], json!(["deploys"]));
    post(&fixture, DEPLOYS, json!({"service": "shop", "version": "1", "env": "staging"})).await;
    let told = events.next().await.unwrap();
    let row = &told.data["changed"][0];
    assert_eq!((told.name.as_str(), &row["running"][0]["version"]), ("deploys", &json!("1")));
}
