//! Live streams over the real router: what changes comes, and nothing else.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use futures_util::StreamExt;
use muster_common::check::CheckState;
use muster_common::time::{Timestamp, monotonic};
use muster_fleet::{By, PasswordHash, Role, Scope};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::alerting::report;
use super::fixture::{Fixture, NOW_MS, now};
use super::muster::ask;
use crate::{HostPresence, router};

const LIMIT: Duration = Duration::from_secs(20);
/// The bound on what a page may lag.
const SOON: Duration = Duration::from_secs(1);

/// One event as it was read.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) id: Option<u64>,
    pub(super) data: Value,
}

/// The events of an open stream.
pub(super) struct Events {
    body: axum::body::BodyDataStream,
    text: String,
    pub(super) comments: usize,
}

impl Events {
    pub(super) async fn open(fixture: &Fixture, path: &str) -> Self {
        Self::of(fixture, fixture.request("GET", path).body(Body::empty()).unwrap()).await
    }

    async fn of(fixture: &Fixture, request: Request<Body>) -> Self {
        fixture.run_live();
        let response = router(&fixture.state).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        Self { body: response.into_body().into_data_stream(), text: String::new(), comments: 0 }
    }

    /// The next event; `None`: the stream has ended.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if block.starts_with(':') {
                    self.comments += 1;
                    continue;
                }
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let data = serde_json::from_str(&field("data: ").unwrap()).unwrap();
                let id = field("id: ").map(|id| id.parse().unwrap());
                return Some(Event { name: field("event: ").unwrap(), id, data });
            }
            let piece = tokio::time::timeout(LIMIT, self.body.next()).await.expect("nothing comes")?;
            self.text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        }
    }

    /// The next event of this topic.
    pub(super) async fn of_topic(&mut self, topic: &str) -> Event {
        loop {
            let event = self.next().await.expect("the stream has ended");
            if event.name == topic {
                return event;
            }
        }
    }
}

fn ids(event: &Event, field: &str) -> Vec<String> {
    let text = |row: &Value| row.as_str().or_else(|| row["id"].as_str()).unwrap_or_default().to_owned();
    event.data[field].as_array().unwrap().iter().map(text).collect()
}

async fn with_host() -> Fixture {
    let fixture = Fixture::new();
    ask(&fixture, "web-1", 1);
    assert_eq!(fixture.post_json("/api/muster/v1/hosts/web-1/approve", "{}").await.status, 200);
    fixture
}

async fn push(fixture: &Fixture, name: &str, ends: &str) {
    let body = json!([{"labels": {"alertname": name}, "startsAt": "2023-11-14T22:00:00Z", "endsAt": ends}]);
    assert_eq!(fixture.post_json("/api/v2/alerts", &body.to_string()).await.status, 200);
}

#[tokio::test]
async fn a_problem_is_on_an_open_stream_within_a_second_and_goes_with_its_end() {
    let fixture = with_host().await;
    report(&fixture, CheckState::Ok, 0);
    let mut events = Events::open(&fixture, "/api/muster/v1/live?topics=alerts,checks").await;
    let hello = events.next().await.unwrap();
    assert_eq!(hello.name, "hello");
    assert_eq!(hello.data["topics"], json!(["alerts", "checks"]));
    assert_eq!((hello.data["revision"].as_u64(), hello.data["is_resumed"].as_bool()), (hello.id, Some(false)));

    let began = monotonic();
    report(&fixture, CheckState::Critical, 1_000);
    let check = events.of_topic("checks").await;
    assert!(monotonic().saturating_sub(began) <= SOON);
    let row = &check.data["changed"][0];
    assert_eq!((&row["state"], &row["check"]), (&json!("CRITICAL"), &json!("disk")));
    assert_eq!(row, &fixture.get("/api/muster/v1/checks").await.json()["checks"][0], "as the list has it");
    assert_eq!(fixture.get("/api/muster/v1/alerts").await.json()["alerts"].as_array().unwrap().len(), 1);

    // The same once more is no change: only what comes after is told.
    report(&fixture, CheckState::Critical, 2_000);
    report(&fixture, CheckState::Ok, 3_000);
    let check = events.of_topic("checks").await;
    assert_eq!(check.data["changed"][0]["state"], "OK");
    assert!(check.id > hello.id);
    assert_eq!(fixture.delete("/api/muster/v1/checks/web-1/disk").await.status, 200);
    let host = fixture.fleet().find("web-1").unwrap();
    let gone = events.of_topic("checks").await;
    assert_eq!((ids(&gone, "gone"), &gone.data["changed"]), (vec![format!("{host}/disk")], &json!([])));
}

#[tokio::test]
async fn alerts_silences_downtimes_hosts_and_events_are_told_as_their_lists_have_them() {
    let fixture = with_host().await;
    let mut events = Events::open(&fixture, "/api/muster/v1/live?topics=alerts,silences,downtimes,hosts,events").await;
    assert_eq!(events.next().await.unwrap().name, "hello");
    let began = monotonic();
    push(&fixture, "Slow", "2033-01-01T00:00:00Z").await;
    let alert = events.of_topic("alerts").await;
    assert!(monotonic().saturating_sub(began) <= SOON);
    let listed = fixture.get("/api/muster/v1/alerts").await.json();
    assert_eq!(alert.data["changed"], listed["alerts"]);

    let silence = json!({"matchers": [{"name": "alertname", "value": "Slow", "isRegex": false}], "createdBy": "ann",
        "comment": "known", "startsAt": "2023-11-14T22:00:00Z", "endsAt": "2033-01-01T00:00:00Z"});
    assert_eq!(fixture.post_json("/api/v2/silences", &silence.to_string()).await.status, 200);
    let (mut silenced, mut held) = (None, None);
    while silenced.is_none() || held.is_none() {
        let event = events.next().await.unwrap();
        match event.name.as_str() {
            "silences" => silenced = Some(event),
            "alerts" => held = Some(event),
            _ => {}
        }
    }
    assert_eq!(silenced.unwrap().data["changed"], fixture.get("/api/v2/silences").await.json());
    assert_eq!(held.unwrap().data["changed"][0]["holds"][0]["why"], "silenced");

    let downtime = json!({"matchers": ["host=\"web-1\""], "reason": "x", "ends_ms": NOW_MS + 60_000});
    assert_eq!(fixture.post_json("/api/muster/v1/downtimes", &downtime.to_string()).await.status, 201);
    let planned = events.of_topic("downtimes").await;
    assert_eq!(planned.data["changed"], fixture.get("/api/muster/v1/downtimes").await.json()["downtimes"]);
    assert_eq!(fixture.delete("/api/muster/v1/downtimes/1").await.status, 200);
    assert_eq!(ids(&events.of_topic("downtimes").await, "gone"), ["1"]);

    push(&fixture, "Slow", "2023-11-14T22:01:00Z").await;
    let ended = events.of_topic("alerts").await;
    assert_eq!(ids(&ended, "gone"), ids(&alert, "changed"));
}

#[tokio::test]
async fn a_host_is_told_when_its_presence_or_its_row_changes_and_not_when_something_arrives() {
    let fixture = with_host().await;
    let host = fixture.fleet().find("web-1").unwrap();
    let heard = |state: &str, after_ms: i64| HostPresence {
        host,
        state: state.to_owned(),
        last_arrival: Some(Timestamp::from_millis(NOW_MS + after_ms)),
        newest_data: None,
        problems: Vec::new(),
    };
    *fixture.presence.lock().unwrap() = vec![heard("up", 0)];
    let mut events = Events::open(&fixture, "/api/muster/v1/live?topics=hosts").await;
    assert_eq!(events.next().await.unwrap().name, "hello");
    *fixture.presence.lock().unwrap() = vec![heard("up", 5)];
    *fixture.presence.lock().unwrap() = vec![heard("silent", 5)];
    let began = monotonic();
    let told = events.of_topic("hosts").await;
    assert!(monotonic().saturating_sub(began) <= SOON);
    let row = &told.data["changed"][0];
    assert_eq!((&row["presence"], &row["name"]), (&json!("silent"), &json!("web-1")));
    assert_eq!(fixture.post_json("/api/muster/v1/hosts/web-1/rename", r#"{"name": "web-2"}"#).await.status, 200);
    assert_eq!(events.of_topic("hosts").await.data["changed"][0]["name"], "web-2");
    assert_eq!(fixture.post_json("/api/muster/v1/hosts/web-2/retire", "{}").await.status, 200);
    assert_eq!(ids(&events.of_topic("hosts").await, "gone"), [host.to_string()]);
}

#[tokio::test]
async fn a_page_that_comes_back_goes_on_where_it_was_if_that_is_still_held() {
    let fixture = with_host().await;
    let path = "/api/muster/v1/live?topics=alerts";
    let mut events = Events::open(&fixture, path).await;
    let hello = events.next().await.unwrap();
    push(&fixture, "One", "2033-01-01T00:00:00Z").await;
    let one = events.of_topic("alerts").await;
    drop(events);
    push(&fixture, "Two", "2033-01-01T00:00:00Z").await;
    let again = |id: u64| {
        let request = fixture.request("GET", path).header("last-event-id", id.to_string());
        Events::of(&fixture, request.body(Body::empty()).unwrap())
    };
    let mut events = again(one.id.unwrap()).await;
    let greeting = events.next().await.unwrap();
    assert_eq!((greeting.id, &greeting.data["is_resumed"]), (one.id, &json!(true)));
    assert_eq!(events.of_topic("alerts").await.data["changed"][0]["labels"]["alertname"], "Two");
    for id in [0, hello.id.unwrap() - 1_000, u64::MAX] {
        let mut events = again(id).await;
        assert_eq!(events.next().await.unwrap().data["is_resumed"], false);
        let resync = events.next().await.unwrap();
        assert_eq!((resync.name.as_str(), &resync.data["topics"]), ("resync", &json!(["alerts"])));
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_session_its_token_and_the_collector() {
    let fixture = with_host().await;
    let fleet = fixture.fleet();
    let (by, password) = (By::Itself("test"), PasswordHash::of_nobody());
    fleet.add_user("ann", Role::Viewer, password.clone(), &by, now()).unwrap();
    let session = fleet.open_session("ann", &password, "test", now()).unwrap();
    let path = "/api/muster/v1/live?topics=events";
    let with = |name: header::HeaderName, value: String| {
        let request = Request::builder().uri(path).header(header::HOST, "127.0.0.1:9470").header(name, value);
        Events::of(&fixture, request.body(Body::empty()).unwrap())
    };
    let mut of_session = with(header::COOKIE, format!("muster={session}")).await;
    assert_eq!(of_session.next().await.unwrap().name, "hello");
    let word = fixture.word(Scope::Read);
    let mut of_token = with(header::AUTHORIZATION, format!("Bearer {word}")).await;
    assert_eq!(of_token.next().await.unwrap().name, "hello");
    let mut of_admin = Events::open(&fixture, path).await;
    assert_eq!(of_admin.next().await.unwrap().name, "hello");

    let id = fleet.sessions(Some("ann"), now())[0].id.clone();
    fleet.end_session(&id, None, &by, now()).unwrap();
    fleet.revoke_token(word.split('.').next().unwrap(), &by, now()).unwrap();
    for events in [&mut of_session, &mut of_token] {
        let bye = events.of_topic("bye").await;
        assert!(bye.data["why"].as_str().unwrap().contains("no longer good"), "{bye:?}");
        assert!(events.next().await.is_none());
    }
    let (bye, ()) = tokio::join!(
        async {
            let bye = of_admin.of_topic("bye").await;
            assert!(of_admin.next().await.is_none());
            drop(of_admin);
            bye
        },
        fixture.state.live.end()
    );
    assert_eq!(bye.data["why"], "the collector stops");
    let text = fixture.get("/metrics").await.text;
    assert!(text.contains("\nmuster_collector_live_dropped_total{reason=\"no_longer_allowed\"} 2\n"), "{text}");
    assert!(text.contains("\nmuster_collector_live_streams 0\n"), "{text}");
}

#[tokio::test]
async fn there_are_so_many_streams_and_topics_have_names() {
    let fixture = Fixture::new();
    let path = "/api/muster/v1/live?topics=silences";
    let mut open = Vec::new();
    for _ in 0..128 {
        open.push(Events::open(&fixture, path).await);
    }
    let refused = fixture.get(path).await;
    assert_eq!(refused.status, 503);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("128"), "{}", refused.text);
    open.truncate(64);
    assert_eq!(fixture.get(path).await.status, 200);
    let unknown = fixture.get("/api/muster/v1/live?topics=hosts,nosuch").await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["error"]["where"]), (400, &json!("parameter `topics`")));
    let text = fixture.get("/metrics").await.text;
    assert!(text.contains("\nmuster_collector_live_dropped_total{reason=\"too_many\"} 1\n"), "{text}");
}

const TAIL: &str = "/api/muster/v1/logs/tail?query=%7Bapp%3D%22web%22%7D%20%7C%3D%20%22x%22";
const WEB: [(&str, &str); 1] = [("app", "web")];

#[tokio::test]
async fn a_tail_tells_labels_apart_for_who_can_send_no_header() {
    let mut fixture = Fixture::new();
    fixture.log(&WEB, &[(-3, b"x old", &[("trace", "7")])]);
    let categorized = json!([{"stream": {"app": "web"}, "values": [
        [(NOW_MS * 1_000_000 - 3).to_string(), "x old", {"structuredMetadata": {"trace": "7"}}],
    ]}]);
    let mut events = Events::open(&fixture, &format!("{TAIL}&encoding_flags=other,categorize-labels")).await;
    assert_eq!(events.next().await.unwrap().data["streams"], categorized);
    fixture.log(&WEB, &[(5, b"x new", &[("trace", "8")])]);
    let next = events.next().await.unwrap().data;
    assert_eq!(next["streams"][0]["values"][0][2], json!({"structuredMetadata": {"trace": "8"}}));
    let mut plain = Events::open(&fixture, &format!("{TAIL}&encoding_flags=other")).await;
    let first = plain.next().await.unwrap().data;
    assert_eq!(first["streams"][0]["stream"], json!({"app": "web", "trace": "7"}), "as Loki has it by itself");
}

#[tokio::test]
async fn lines_are_tailed_as_events() {
    let mut fixture = Fixture::new();
    fixture.log(&WEB, &[(-3, b"x old", &[]), (-2, b"y", &[])]);
    let mut events = Events::open(&fixture, TAIL).await;
    let first = events.next().await.unwrap();
    let at = |after: i64| (NOW_MS * 1_000_000 + after).to_string();
    let streams = |at_ns: String, line: &str| json!([{"stream": {"app": "web"}, "values": [[at_ns, line]]}]);
    assert_eq!((first.name.as_str(), &first.data["streams"]), ("lines", &streams(at(-3), "x old")));
    fixture.log(&[("app", "db")], &[(0, b"x of another", &[])]);
    fixture.log(&WEB, &[(5, b"x new\r\n\xff", &[]), (6, b"none", &[])]);
    let next = events.next().await.unwrap();
    assert_eq!(next.data, json!({"version": 1, "streams": streams(at(5), "x new\r\n\u{fffd}")}));
    // Nobody drains while these come: more than may wait.
    let many: Vec<super::fixture::Line<'_>> = (0..10_500).map(|after| (after, &b"x"[..], &[][..])).collect();
    fixture.log(&WEB, &many);
    let (mut got, mut dropped) = (0, 0);
    while got + dropped < 10_500 {
        let event = events.next().await.unwrap();
        match event.name.as_str() {
            "dropped" => dropped += event.data["count"].as_u64().unwrap(),
            _ => got += event.data["streams"][0]["values"].as_array().unwrap().len() as u64,
        }
    }
    assert_eq!((got, dropped), (10_000, 500));
    let (bye, ()) = tokio::join!(
        async {
            let bye = events.next().await;
            assert!(events.next().await.is_none());
            drop(events);
            bye
        },
        fixture.state.tails.end()
    );
    assert_eq!(bye.unwrap().name, "bye");
    assert_eq!(fixture.get("/api/muster/v1/logs/tail?query=%7B").await.status, 400);
}
