//! Tasks over the API: asked for, approved by somebody else, watched, steered.

use muster_common::task::{Catalogue, Order, SigningKey};
use muster_common::wire::message::{TaskCall, TaskOutput, TaskState, TaskWord};
use muster_fleet::{Scope, TaskDue};
use serde_json::{Value, json};

use super::fixture::{Answer, Fixture, NOW_MS, now};
use super::muster::ask;

const ORDERS: &str = "/api/muster/v1/tasks/orders";
const DOCUMENT: &str = "version = 3\nexpires = 2027-01-01T00:00:00Z\n\
    [tasks.restart]\nabout = \"Restarts a unit\"\nargv = [\"/bin/systemctl\", \"restart\", \"{unit}\"]\naccount = \"root\"\nmaintenance = \"10m\"\n\
    [tasks.restart.parameters.unit]\nkind = \"text\"\npattern = \"[a-z]+\"\nbytes_max = 20\n";

async fn with_hosts(names: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    for (name, number) in names.iter().zip(1..) {
        ask(&fixture, name, number);
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/approve"), "{}").await;
        fixture.fleet().task_connected(fixture.fleet().find(name).unwrap(), true);
    }
    let key = SigningKey::from_pem(&SigningKey::generate_pem().unwrap()).unwrap();
    let signature = key.sign(&Catalogue::signed_bytes(DOCUMENT)).to_string();
    let body = json!({"document": DOCUMENT, "signature": signature});
    let added = fixture.post_json("/api/muster/v1/tasks/catalogue", &body.to_string()).await;
    assert_eq!(added.status.as_u16(), 201, "{}", added.text);
    fixture
}

async fn post(fixture: &Fixture, path: &str, body: &Value) -> Answer {
    fixture.post_json(path, &body.to_string()).await
}

/// As the bearer of a token of this scope.
async fn post_as(fixture: &Fixture, scope: Scope, path: &str, body: &Value) -> Answer {
    use axum::body::Body;
    use axum::http::{Request, header};
    let request = Request::builder().method("POST").uri(path);
    let request = request.header(header::AUTHORIZATION, format!("Bearer {}", fixture.word(scope)));
    fixture.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn due_call(fixture: &Fixture) -> TaskCall {
    fixture.fleet().step_tasks(now()).unwrap();
    let due = fixture.fleet().take_tasks_due();
    let call = due.into_iter().find_map(|(_, due)| if let TaskDue::Call(call) = due { Some(call.call) } else { None });
    call.expect("a call is due")
}

#[tokio::test]
async fn a_task_is_asked_for_approved_by_another_and_shown_with_its_output() {
    let fixture = with_hosts(&["web-1", "web-2", "db-1"]).await;
    let catalogue = fixture.get("/api/muster/v1/tasks/catalogue").await.json();
    let task = &catalogue["catalogue"]["tasks"][0];
    assert_eq!((&task["task"], &task["parameters"][0]["kind"]), (&json!("restart"), &json!("text")));
    assert_eq!(task["maintenance_ms"], 600_000);
    assert_eq!(catalogue["catalogue"]["signer"], Value::Null, "no key is known here");

    let wanted =
        json!({"task": "restart", "parameters": {"unit": "nginx"}, "matchers": ["host=~\"web-.*\""], "soak": "0s"});
    let asked = post_as(&fixture, Scope::TaskRequest, ORDERS, &wanted).await;
    assert_eq!(asked.status.as_u16(), 201, "{}", asked.text);
    let order = asked.json()["order"].clone();
    assert_eq!(
        (&order["hosts"], &order["state"], &order["counts"]["waiting"]),
        (&json!(2), &json!("requested"), &json!(2))
    );
    let text = order["text"].as_str().unwrap();
    let key = SigningKey::from_pem(&SigningKey::generate_pem().unwrap()).unwrap();
    let approval = json!({"approver": "bob", "signature": key.sign(&Order::signed_bytes(text)).to_string()});
    let approved = post_as(&fixture, Scope::TaskApprove, &format!("{ORDERS}/1/approve"), &approval).await;
    assert_eq!(approved.status.as_u16(), 200, "{}", approved.text);
    assert_eq!(approved.json()["order"]["state"], "running");

    let (web1, call) = (fixture.fleet().find("web-1").unwrap(), due_call(&fixture));
    let state = |number: u32, word: TaskWord| TaskState {
        call,
        number,
        at_ms: NOW_MS,
        word,
        problem: String::new(),
        chunks: 1,
        output_bytes: 10,
        dropped_bytes: 0,
        extensions: Vec::new(),
    };
    let shown = fixture.get(&format!("{ORDERS}/1")).await.json();
    let order = &shown["order"];
    assert_eq!((&order["maintenance_ms"], &order["unmaintained"]), (&json!(600_000), &Value::Null));
    let maintenance = &shown["maintenances"][0];
    assert_eq!((&maintenance["reference"], &maintenance["state"]), (&json!("task 1 wave 1"), &json!("open")));
    assert_eq!((&maintenance["hosts"], &maintenance["by"]), (&json!(["web-1"]), &order["by"]));
    let all = fixture.get("/api/muster/v1/maintenances").await.json();
    assert_eq!(all["maintenances"], shown["maintenances"]);
    let finish = format!("/api/muster/v1/maintenances/{}/finish", maintenance["id"]);
    let refused = post(&fixture, &finish, &json!({})).await;
    assert!(refused.status.as_u16() == 409 && refused.text.contains("belongs to task 1 wave 1"), "{}", refused.text);
    fixture.fleet().task_told(web1, state(1, TaskWord::Accepted));
    let output = TaskOutput { call, chunk: 0, text: "restarted\n".into(), extensions: Vec::new() };
    fixture.fleet().task_wrote(web1, output);
    fixture.fleet().task_told(web1, state(2, TaskWord::Ended { code: 4 }));
    fixture.fleet().step_tasks(now()).unwrap();
    let shown = fixture.get(&format!("{ORDERS}/1")).await.json();
    assert_eq!(
        (&shown["order"]["state"], &shown["order"]["counts"]),
        (&json!("paused"), &json!({"failed": 1, "waiting": 1}))
    );
    let why = shown["order"]["why"].as_str().unwrap();
    assert!(why.starts_with("1 of 1 canaries failed") && why.ends_with("exit code 4"), "{why}");
    assert_eq!(shown["maintenances"][0]["state"], "settling", "its wave has ended");
    let first = &shown["hosts"][0];
    assert_eq!((&first["host"], &first["run"]["exit"], &first["back"]), (&json!("web-1"), &json!(4), &Value::Null));
    let wrote = fixture.get(&format!("{ORDERS}/1/output?host=web-1")).await.json();
    assert_eq!((&wrote["text"], &wrote["output_bytes"]), (&json!("restarted\n"), &json!(10)));

    let resumed = post(&fixture, &format!("{ORDERS}/1/resume"), &json!({})).await;
    assert_eq!(resumed.json()["order"]["state"], "running", "{}", resumed.text);
    let stopped = post(&fixture, &format!("{ORDERS}/1/stop"), &json!({"reason": "enough"})).await;
    assert_eq!(stopped.json()["order"]["state"], "stopped", "{}", stopped.text);
    let list = fixture.get(ORDERS).await.json();
    assert_eq!((&list["orders"][0]["order"], &list["paused"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_place_and_remedy() {
    let fixture = with_hosts(&["web-1"]).await;
    let wanted = |more: Value| {
        let mut body = json!({"task": "restart", "parameters": {"unit": "nginx"}, "hosts": ["web-1"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (more, message) in [
        (json!({"task": "reboot"}), "the catalogue has no task `reboot`"),
        (json!({"parameters": {"unit": "../x"}}), "unit"),
        (json!({"hosts": ["nobody"]}), "no host `nobody` is registered"),
        (json!({"batch": "much"}), "`much` is no size of a wave"),
        (json!({"on_trouble": "roll_back"}), "nothing takes the task back"),
        (json!({"soak": "long"}), "`long` is no duration"),
        (json!({"matchers": ["a="], "extra": 1}), "extra"),
    ] {
        let answer = post(&fixture, ORDERS, &wanted(more)).await;
        let error = answer.json()["error"].clone();
        assert!((400..500).contains(&answer.status.as_u16()) && error["remedy"].is_string(), "{}", answer.text);
        assert!(answer.text.contains(message), "{message}: {}", answer.text);
    }
    let asked = post(&fixture, ORDERS, &wanted(json!({}))).await;
    assert_eq!(asked.status.as_u16(), 201);
    let approval = json!({"approver": "bob", "signature": "ab".repeat(64)});
    let own = post(&fixture, &format!("{ORDERS}/1/approve"), &approval).await;
    assert!(own.status.as_u16() == 400 && own.text.contains("somebody else must approve it"), "{}", own.text);
    assert_eq!(fixture.get(&format!("{ORDERS}/9")).await.status.as_u16(), 404);
    assert_eq!(fixture.get(&format!("{ORDERS}/x")).await.status.as_u16(), 400);
    assert_eq!(post(&fixture, &format!("{ORDERS}/1/resume"), &json!({})).await.status.as_u16(), 409);
    for bad in ["output", "output?host=nobody", "output?host=web-1&step=2"] {
        assert!(fixture.get(&format!("{ORDERS}/1/{bad}")).await.status.is_client_error(), "{bad}");
    }
    let paused = post(&fixture, "/api/muster/v1/tasks/pause", &json!({"reason": "a freeze"})).await;
    assert!(paused.json()["paused"].as_str().unwrap().ends_with(": a freeze"), "{}", paused.text);
    let resumed = post(&fixture, "/api/muster/v1/tasks/resume", &json!({})).await;
    assert_eq!(resumed.json()["paused"], Value::Null);
}
