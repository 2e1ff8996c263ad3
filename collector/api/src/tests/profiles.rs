//! Profiles: planned, applied, rolled out, taken back, and what a host runs by because of them.

use axum::body::Body;
use muster_fleet::{By, ConfigurationWord};
use serde_json::{Value, json};

use super::fixture::{Answer, Fixture, now};
use super::muster::ask;

const PATH: &str = "/api/muster/v1/profiles";
const SHOP: &str = "profile: shop\ndescription: The shop's own logs.\nselector:\n  labels: '{host=~\"web-.*\"}'\nlogs:\n- paths: [/var/log/shop/*.log]\n  labels: {service: shop}\n";

/// Two hosts that read configurations, and the built-in profiles.
async fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.fleet().set_profile_files(&[], &By::MUSTER, now()).unwrap();
    for (name, number) in [("db-1", 1), ("web-1", 2)] {
        ask(&fixture, name, number);
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/approve"), "{}").await;
        fixture.fleet().configuration_connected(fixture.fleet().find(name).unwrap(), true);
    }
    fixture.fleet().step_profiles(now()).unwrap();
    fixture
}

async fn get(fixture: &Fixture, path: &str) -> Value {
    let answer = fixture.get(path).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
    answer.json()
}

async fn send(fixture: &Fixture, method: &str, path: &str, body: Value) -> Answer {
    fixture.send(fixture.request(method, path).body(Body::from(body.to_string())).unwrap()).await
}

async fn done(fixture: &Fixture, method: &str, path: &str, body: Value) -> Value {
    let answer = send(fixture, method, path, body).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
    answer.json()
}

fn documents(text: &str) -> Value {
    json!([{"name": "shop.yml", "text": text}])
}

#[tokio::test]
async fn a_profile_is_planned_applied_rolled_out_and_taken_back() {
    let fixture = fixture().await;
    let all = get(&fixture, PATH).await;
    let names: Vec<&str> =
        all["profiles"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"nginx") && names.contains(&"sshd") && names.len() == 10, "{names:?}");
    let plan = done(&fixture, "POST", &format!("{PATH}/plan"), json!({"documents": documents(SHOP)})).await;
    let plan = &plan["plan"];
    assert_eq!((&plan["added"], &plan["hosts"]), (&json!(["shop"]), &json!(1)));
    assert_eq!(plan["shown"][0]["name"], "web-1");
    assert!(plan["shown"][0]["diff"].as_str().unwrap().contains("+paths = [\"/var/log/shop/*.log\"]"), "{plan}");
    assert_eq!(get(&fixture, PATH).await["profiles"].as_array().unwrap().len(), 10, "a plan changes nothing");

    let base = plan["base"].clone();
    let body = json!({"documents": documents(SHOP), "base": base, "reason": "a shop opens"});
    let applied = done(&fixture, "POST", &format!("{PATH}/apply"), body.clone()).await["applied"].clone();
    assert_eq!((&applied["changed"], &applied["rollout"]["hosts"]), (&json!(true), &json!(1)));
    let again = send(&fixture, "POST", &format!("{PATH}/apply"), body).await;
    assert!(again.status.as_u16() == 409 && again.text.contains("plan again"), "{}", again.text);

    fixture.fleet().step_profiles(now()).unwrap();
    let host = fixture.fleet().find("web-1").unwrap();
    let (number, digest, document) = fixture.fleet().configuration_for(host).unwrap();
    assert!(document.contains("/var/log/shop/*.log"), "{document}");
    let said = ["web-1: logs: it is outside: allow it".to_owned()];
    fixture.fleet().configuration_told(host, [0; 16], digest, ConfigurationWord::Refused, &said, now());
    fixture.fleet().step_profiles(now()).unwrap();
    let rollouts = get(&fixture, &format!("{PATH}/rollouts")).await;
    let open = &rollouts["rollouts"][0];
    assert_eq!((&open["state"], &open["failed"][0]["host"]), (&json!("stopped"), &json!("web-1")));
    let own = get(&fixture, "/api/muster/v1/hosts/web-1/configuration").await["configuration"].clone();
    assert_eq!((&own["told"]["word"], &own["told"]["problems"]), (&json!("refused"), &json!(said)));
    assert!(
        !own["set_back"].is_null() && own["reads"] == json!(true) && own["number"].as_u64() >= Some(number),
        "{own}"
    );
    let stop = send(&fixture, "POST", &format!("{PATH}/rollouts/stop"), json!({"reason": "r"})).await;
    assert!(stop.status.as_u16() == 409 && stop.text.contains("no roll-out is running"), "{}", stop.text);
    let reverted = done(&fixture, "POST", &format!("{PATH}/rollouts/revert"), json!({"reason": "it is wrong"})).await;
    assert_eq!(reverted["applied"]["changed"], true);
    let versions = get(&fixture, &format!("{PATH}/versions")).await["versions"].clone();
    assert_eq!((&versions[0]["reason"], &versions[1]["reason"]), (&json!("it is wrong"), &json!("a shop opens")));
    let then = get(&fixture, &format!("{PATH}/versions/{}", versions[1]["set"])).await;
    assert!(then["profiles"].as_array().unwrap().iter().any(|one| one["name"] == "shop"), "{then}");
    let gone = fixture.get(&format!("{PATH}/named/shop")).await;
    assert!(gone.status.as_u16() == 404 && gone.text.contains("muster profiles list"), "{}", gone.text);
}

#[tokio::test]
async fn what_is_exported_and_applied_again_changes_nothing() {
    let fixture = fixture().await;
    let body = json!({"documents": documents(SHOP), "reason": "a shop opens"});
    done(&fixture, "POST", &format!("{PATH}/apply"), body).await;
    let text = get(&fixture, &format!("{PATH}/export")).await["text"].as_str().unwrap().to_owned();
    let plan = done(&fixture, "POST", &format!("{PATH}/plan"), json!({"documents": documents(&text)})).await;
    let plan = &plan["plan"];
    assert_eq!((&plan["added"], &plan["changed"], &plan["hosts"]), (&json!([]), &json!([]), &json!(0)), "{plan}");
    let again = json!({"documents": documents(&text), "reason": "once more"});
    let again = done(&fixture, "POST", &format!("{PATH}/apply"), again).await;
    assert_eq!(again["applied"]["changed"], false);
    let one = get(&fixture, &format!("{PATH}/named/shop")).await;
    assert_eq!((&one["profile"]["text"], &one["profile"]["source"]), (&json!(SHOP), &json!("api")));
    let removed =
        done(&fixture, "POST", &format!("{PATH}/apply"), json!({"remove": ["shop"], "reason": "it closes"})).await;
    assert_eq!(removed["applied"]["changed"], true);
}

#[tokio::test]
async fn mistakes_are_told_with_place_and_remedy_and_nothing_is_changed() {
    let fixture = fixture().await;
    let command = "profile: x\nchecks:\n- name: a\n  command: [/bin/sh]\n";
    let rules = "profile: x\nrules:\n  groups:\n  - name: g\n    rules:\n    - alert: A\n      expr: up ==\n";
    for (body, told) in [
        (json!({"documents": documents(command)}), vec!["shop.yml:4", "command", "brings no command"]),
        (json!({"documents": documents("profile: x\ninclude: [x]\n")}), vec!["include", "includes itself"]),
        (json!({"documents": documents(rules)}), vec!["x:", "rules of profiles"]),
        (json!({"documents": documents("profile: X!\n")}), vec!["shop.yml:1", "profile"]),
        (json!({"remove": ["nginx"]}), vec!["nginx", "built-in ones cannot"]),
        (json!({}), vec!["nothing is to change"]),
    ] {
        for verb in ["plan", "apply"] {
            let mut body = body.clone();
            body["reason"] = json!("r");
            let answer = send(&fixture, "POST", &format!("{PATH}/{verb}"), body).await;
            let is_told = told.iter().all(|word| answer.text.contains(word));
            assert!(answer.status.as_u16() == 400 && is_told, "{verb} {told:?}: {}", answer.text);
        }
    }
    let no_reason = send(&fixture, "POST", &format!("{PATH}/apply"), json!({"documents": documents(SHOP)})).await;
    assert!(no_reason.status.as_u16() == 400 && no_reason.text.contains("say why"), "{}", no_reason.text);
    assert_eq!(get(&fixture, PATH).await["profiles"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn a_profile_is_assigned_to_a_host_by_hand() {
    let fixture = fixture().await;
    let path = "/api/muster/v1/hosts/db-1/profiles/postgresql";
    let made = done(&fixture, "PUT", path, json!({"reason": "it will be one"})).await["assignment"].clone();
    assert_eq!((&made["host"], &made["profile"]), (&json!("db-1"), &json!("postgresql")));
    fixture.fleet().step_profiles(now()).unwrap();
    let own = get(&fixture, "/api/muster/v1/hosts/db-1/configuration").await["configuration"].clone();
    assert_eq!(own["profiles"], json!(["postgresql"]));
    assert!(
        own["checks"].as_array().unwrap().iter().all(|check| check["of"].as_str().unwrap().contains("postgresql")),
        "{own}"
    );
    let all = get(&fixture, &format!("{PATH}/assigned")).await;
    assert_eq!(all["assignments"][0]["reason"], "it will be one");
    done(&fixture, "DELETE", path, json!({})).await;
    let twice = send(&fixture, "DELETE", path, json!({})).await;
    assert!(twice.status.as_u16() == 404 && twice.text.contains("is not assigned"), "{}", twice.text);
    for (path, told) in
        [("hosts/db-1/profiles/nothing", "no profile `nothing`"), ("hosts/nobody/profiles/nginx", "nobody")]
    {
        let answer = send(&fixture, "PUT", &format!("/api/muster/v1/{path}"), json!({})).await;
        assert!(answer.status.as_u16() == 404 && answer.text.contains(told), "{path}: {}", answer.text);
    }
    let retry = send(&fixture, "POST", "/api/muster/v1/hosts/db-1/configuration/retry", json!({})).await;
    assert!(retry.status.as_u16() == 400 && retry.text.contains("set back"), "{}", retry.text);
}
