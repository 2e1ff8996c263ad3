//! Questions to hosts, with somebody in the place of ingest who answers for them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt;
use muster_common::inventory::Row;
use muster_common::time::monotonic;
use muster_common::wire::message::{Answer, AnswerWord, Ask};
use muster_fleet::{Fleet, MissingWhy, Scope};
use serde_json::{Value, json};

use super::fixture::Fixture;
use super::muster::ask as enrol;

const PATH: &str = "/api/muster/v1/ask";

/// Hosts that are let in, with labels.
async fn fixture(hosts: &[(&str, &str)]) -> Fixture {
    let fixture = Fixture::new();
    for (number, (name, role)) in (1..).zip(hosts) {
        enrol(&fixture, name, number);
        let labels = json!({"labels": {"role": role}}).to_string();
        let answer = fixture.post_json(&format!("/api/muster/v1/hosts/{name}/approve"), &labels).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    }
    fixture
}

fn told(ask: &Ask, columns: &[&str], rows: Vec<Row>) -> Answer {
    Answer {
        id: ask.id,
        word: AnswerWord::Rows,
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        rows,
        dropped: 0,
        problem: String::new(),
        extensions: Vec::new(),
    }
}

/// Gives each host that is asked what `answer` has for its name; `None`: it says nothing.
fn serve(fixture: &Fixture, answer: impl Fn(&str, &Ask) -> Option<Result<Answer, MissingWhy>> + Send + 'static) {
    let fleet: Arc<Fleet> = Arc::clone(fixture.fleet());
    let mut due = fleet.subscribe_questions();
    due.mark_changed();
    tokio::spawn(async move {
        while due.changed().await.is_ok() {
            due.borrow_and_update();
            for question in fleet.take_questions() {
                for host in question.hosts {
                    let name = fleet.host(host).unwrap().name;
                    match answer(&name, &question.ask) {
                        Some(Ok(answer)) => fleet.answered(host, answer, monotonic()),
                        Some(Err(why)) => fleet.unasked(host, question.ask.id, why, monotonic()),
                        None => {}
                    }
                }
            }
        }
    });
}

async fn asked(fixture: &Fixture, body: Value) -> Value {
    let answer = fixture.post_json(PATH, &body.to_string()).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    answer.json()
}

async fn audit(fixture: &Fixture) -> Vec<Value> {
    let answer = fixture.get("/api/muster/v1/audit?action=fleet_asked").await;
    answer.json()["rows"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone()
}

#[tokio::test]
async fn equal_rows_are_one_and_the_missing_are_named() {
    let fixture = fixture(&[("db-1", "db"), ("web-1", "web"), ("web-2", "web"), ("web-3", "web")]).await;
    serve(&fixture, |name, ask| {
        let rows =
            |users: &[(&str, i64)]| users.iter().map(|(user, uid)| vec![(*user).into(), (*uid).into()]).collect();
        match name {
            "web-1" => Some(Ok(told(ask, &["name", "uid"], rows(&[("root", 0), ("ann", 1_000)])))),
            "web-2" => Some(Ok(told(ask, &["name", "uid"], rows(&[("root", 0)])))),
            "web-3" => Some(Err(MissingWhy::Silent)),
            _ => None,
        }
    });
    let body = json!({"table": "users", "columns": ["name", "uid"], "matchers": ["role=web"], "where": ["uid < 5000"]});
    let answer = asked(&fixture, body).await;
    let expect = json!([
        {"values": ["root", 0], "count": 2, "on_hosts": 2, "hosts": ["web-1", "web-2"]},
        {"values": ["ann", 1_000], "count": 1, "on_hosts": 1, "hosts": ["web-1"]},
    ]);
    assert_eq!((&answer["rows"], &answer["asked"], &answer["answered"]), (&expect, &json!(3), &json!(2)));
    let missing = json!([{"host": "web-3", "why": "silent", "problem": "it is not connected"}]);
    assert_eq!((&answer["missing"], &answer["columns"][1]), (&missing, &json!({"name": "uid", "kind": "integer"})));
    let rows = audit(&fixture).await;
    let text = "asked for name, uid of users where uid < 5000 on 3 hosts (role=web): 2 of 3 answered";
    assert_eq!((rows.len(), &rows[0]["text"], &rows[0]["object"]), (1, &json!(text), &json!("users")));
    // A host by name, beside no matcher; its time is over before it says anything.
    let late = asked(&fixture, json!({"table": "agent", "hosts": ["db-1"], "timeout": "100ms"})).await;
    assert_eq!((&late["answered"], &late["missing"][0]["why"], &late["rows"]), (&json!(0), &json!("late"), &json!([])));
    assert!((75..5_000).contains(&late["took_ms"].as_u64().unwrap()));
    // What is beyond the rows wanted is told.
    let few =
        asked(&fixture, json!({"table": "users", "columns": ["name", "uid"], "hosts": ["web-1"], "limit": 1})).await;
    assert_eq!((few["rows"].as_array().unwrap().len(), &few["left_out"]), (1, &json!(1)));
}

#[tokio::test]
async fn conditions_go_to_the_hosts_as_they_were_asked() {
    let fixture = fixture(&[("web-1", "web")]).await;
    let (say, mut seen) = tokio::sync::mpsc::channel(10);
    serve(&fixture, move |_, ask| {
        say.try_send(ask.clone()).unwrap();
        Some(Ok(told(ask, &["name"], Vec::new())))
    });
    let filters =
        json!([{"column": "shell", "test": "!=", "value": null}, {"column": "uid", "test": ">=", "value": 1_000}]);
    asked(&fixture, json!({"table": "users", "filters": filters, "where": ["name starts_with a"], "timeout": "10s"}))
        .await;
    let ask = seen.recv().await.unwrap();
    let shown: Vec<String> =
        ask.filters.iter().map(|one| format!("{} {:?} {:?}", one.column, one.test, one.value)).collect();
    assert_eq!(shown, ["shell NotEqual Null", "uid GreaterOrEqual Integer(1000)", "name StartsWith Text(\"a\")"]);
    assert_eq!((ask.table.as_str(), ask.columns.len(), ask.within_ms, ask.rows_max), ("users", 0, 7_500, 1_000));
}

#[tokio::test]
async fn what_cannot_be_asked_says_where_and_what_to_do_and_asks_nobody() {
    let fixture = fixture(&[("web-1", "web")]).await;
    let one = json!({"column": "uid", "test": "=", "value": 1});
    let nine = json!({"table": "users", "filters": vec![one; 8], "where": ["uid = 1"]});
    for (body, told) in [
        (json!({}), "missing field `table`"),
        (json!({"table": "porcesses"}), "there is no table `porcesses` to ask"),
        (json!({"table": "users", "columns": ["pid"]}), "table users has no column `pid`"),
        (json!({"table": "users", "columns": ["uid", "uid"]}), "asked for twice"),
        (json!({"table": "users", "where": ["uid ~ 5"]}), "is no condition"),
        (json!({"table": "users", "where": ["uid contains 5"]}), "does not fit column `uid`"),
        (
            json!({"table": "users", "filters": [{"column": "uid", "test": "contains", "value": "5"}]}),
            "does not fit column `uid`",
        ),
        (json!({"table": "users", "filters": [{"column": "uid", "test": "like", "value": "5"}]}), "`like` is no test"),
        (json!({"table": "users", "filters": [{"column": "uid", "test": "=", "value": 1.5}]}), "no value of a row"),
        (json!({"table": "users", "filters": [{"column": "uid", "test": "=", "value": [1]}]}), "no value of a row"),
        (
            json!({"table": "users", "filters": [{"column": "name", "test": "=", "value": "x".repeat(5_000)}]}),
            "text of 5000 bytes",
        ),
        (nine, "there are 9 conditions"),
        (json!({"table": "users", "timeout": "1h"}), "so much or so little time"),
        (json!({"table": "users", "timeout": "soon"}), "is no duration"),
        (json!({"table": "users", "limit": 0}), "is no number of rows"),
        (json!({"table": "users", "hosts": ["nosuch"]}), "nosuch"),
        (json!({"table": "users", "matchers": ["role=db"]}), "no registered host fits"),
        (json!({"table": "users", "matchers": ["role=~("]}), "cannot be used"),
        (json!({"table": "users", "command": "rm -rf /"}), "unknown field `command`"),
    ] {
        let answer = fixture.post_json(PATH, &body.to_string()).await;
        let error = answer.json();
        let said = format!("{} {}", error["error"]["message"], error["error"]["where"]);
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{body}: {}", answer.text);
        assert!(said.contains(told), "{body}: {}", answer.text);
        assert_ne!(error["error"]["remedy"], "", "{body}");
    }
    assert_eq!((fixture.fleet().take_questions(), audit(&fixture).await.len()), (vec![], 0));
    fixture.post_json("/api/muster/v1/hosts/web-1/retire", "{}").await;
    let answer = fixture.post_json(PATH, r#"{"table": "users"}"#).await;
    assert!(answer.text.contains("no registered host fits"), "{}", answer.text);
}

#[tokio::test]
async fn beyond_eight_questions_people_are_told_to_come_again_and_who_goes_is_in_the_audit() {
    let fixture = fixture(&[("web-1", "web")]).await;
    let send = || {
        let request =
            fixture.request("POST", PATH).body(Body::from(r#"{"table": "users", "timeout": "30s"}"#)).unwrap();
        fixture.send(request)
    };
    let mut waiting: Vec<_> = (0..8).map(|_| Box::pin(send())).collect();
    for one in &mut waiting {
        // Up to where it waits for the host.
        assert!(one.as_mut().now_or_never().is_none());
    }
    let refused = send().await;
    assert_eq!((refused.status.as_u16(), refused.headers["retry-after"].to_str().unwrap()), (429, "1"));
    assert!(refused.text.contains("8 questions are under way"), "{}", refused.text);
    drop(waiting);
    for _ in 0..6_000 {
        let rows = audit(&fixture).await;
        if rows.len() == 8 {
            let text = rows[0]["text"].as_str().unwrap();
            assert!(text.ends_with("on 1 hosts (all): who asked did not wait for the answer"), "{text}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", audit(&fixture).await);
}

#[tokio::test]
async fn tables_are_listed_and_only_scope_ask_asks() {
    let fixture = fixture(&[("web-1", "web")]).await;
    serve(&fixture, |_, ask| Some(Ok(told(ask, &["name"], vec![vec!["root".into()]]))));
    let all = fixture.get("/api/muster/v1/ask/tables").await.json();
    let tables = all["tables"].as_array().unwrap();
    let live: Vec<&str> =
        tables.iter().filter(|table| table["is_live"] == true).map(|table| table["table"].as_str().unwrap()).collect();
    assert_eq!(live, ["processes", "connections", "disk_usage", "logged_in", "agent"]);
    assert!(tables.len() == 26 && tables.iter().any(|table| table["table"] == "packages"));
    for (scope, status) in [(Scope::Ask, 200), (Scope::Read, 403), (Scope::Silence, 403)] {
        let request = axum::http::Request::post(PATH)
            .header("authorization", format!("Bearer {}", fixture.word(scope)))
            .body(Body::from(r#"{"table": "users"}"#))
            .unwrap();
        assert_eq!(fixture.send(request).await.status.as_u16(), status, "{scope:?}");
    }
}
