//! Live tail over real WebSockets.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use futures_util::StreamExt;
use muster_fleet::Scope;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::fixture::{Fixture, Line, NOW_MS, now};
use crate::router;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const LIMIT: Duration = Duration::from_secs(20);
const WEB: [(&str, &str); 1] = [("app", "web")];

/// The fixture's routes behind a real listener; the URL of its tail.
async fn served(fixture: &Fixture) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(&fixture.state);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("ws://{address}/loki/api/v1/tail")
}

async fn connect(url: &str, word: &str, parameters: &str) -> Result<Socket, Error> {
    let mut request = format!("{url}?{parameters}").into_client_request().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {word}").parse().unwrap());
    connect_async(request).await.map(|(socket, _)| socket)
}

/// The next frame.
async fn frame(socket: &mut Socket) -> Value {
    loop {
        let message = tokio::time::timeout(LIMIT, socket.next()).await.expect("no frame in time").unwrap().unwrap();
        if let Message::Text(text) = message {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

fn lines(frame: &Value) -> Vec<String> {
    let streams = frame["streams"].as_array().unwrap().iter();
    let values = streams.flat_map(|stream| stream["values"].as_array().unwrap());
    values.map(|pair| pair[1].as_str().unwrap().to_owned()).collect()
}

const QUERY: &str = "query=%7Bapp%3D%22web%22%7D%20%7C%3D%20%22x%22";

async fn until_tails(fixture: &Fixture, count: f64) {
    let tails = || fixture.state.stats().iter().find(|stat| stat.name == "muster_collector_tails").unwrap().value;
    let waiting = async {
        while tails() != count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.expect("the number of tails");
}

#[tokio::test]
async fn a_tail_begins_with_what_is_there_and_goes_on_with_what_comes() {
    let mut fixture = Fixture::new();
    fixture.log(&WEB, &[(-4, b"x old", &[]), (-3, b"x 1", &[]), (-2, b"y", &[]), (-1, b"x 2", &[("trace", "7")])]);
    let url = served(&fixture).await;
    let word = fixture.word(Scope::Read);
    let mut socket = connect(&url, &word, &format!("{QUERY}&limit=2")).await.unwrap();
    let first = frame(&mut socket).await;
    let at = |after: i64| (NOW_MS * 1_000_000 + after).to_string();
    assert_eq!(
        first,
        json!({"streams": [
            {"stream": {"app": "web"}, "values": [[at(-3), "x 1"]]},
            {"stream": {"app": "web", "trace": "7"}, "values": [[at(-1), "x 2"]]},
        ]})
    );
    fixture.log(&[("app", "db")], &[(0, b"x of another", &[])]);
    fixture.log(&WEB, &[(5, b"x \xff", &[]), (6, b"none", &[])]);
    assert_eq!(
        frame(&mut socket).await,
        json!({"streams": [{"stream": {"app": "web"}, "values": [[at(5), "x \u{fffd}"]]}]})
    );
    until_tails(&fixture, 1.0).await;
    socket.close(None).await.unwrap();
    until_tails(&fixture, 0.0).await;
    // Late lines are live lines as well.
    let mut socket = connect(&url, &word, &format!("{QUERY}&limit=1&delay_for=0")).await.unwrap();
    frame(&mut socket).await;
    fixture.log(&WEB, &[(-1_000, b"x late", &[])]);
    assert_eq!(lines(&frame(&mut socket).await), ["x late"]);
    fixture.state.tails.end().await;
    let last = tokio::time::timeout(LIMIT, socket.next()).await.unwrap().unwrap().unwrap();
    let Message::Close(Some(goodbye)) = last else { panic!("{last:?}") };
    assert_eq!((u16::from(goodbye.code), goodbye.reason.as_str()), (1001, "the collector stops"));
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_between_what_is_there_and_what_comes() {
    const LINES: usize = 300;
    let mut fixture = Fixture::new();
    let url = served(&fixture).await;
    let word = fixture.word(Scope::Read);
    let state = Arc::clone(&fixture.state);
    let tails: Vec<_> = (0..8)
        .map(|index: u64| {
            let (url, word, state) = (url.clone(), word.clone(), Arc::clone(&state));
            tokio::spawn(async move {
                // Each begins at another moment of the writing, by how much is written.
                while state.reader.view().lines_end().is_none() || written(&state) < index * 30 {
                    tokio::task::yield_now().await;
                }
                let mut socket = connect(&url, &word, &format!("{QUERY}&limit=5000")).await.unwrap();
                let mut seen = Vec::new();
                while seen.len() < LINES {
                    seen.extend(lines(&frame(&mut socket).await));
                }
                seen
            })
        })
        .collect();
    let writing = tokio::task::spawn_blocking(move || {
        for index in 0..LINES {
            let line = format!("x {index:03}");
            fixture.log(&WEB, &[(index as i64 - 1_000, line.as_bytes(), &[])]);
            if index % 100 == 50 {
                fixture.state.admin.flush(false, now()).unwrap();
            }
        }
        fixture
    });
    let expect: Vec<String> = (0..LINES).map(|index| format!("x {index:03}")).collect();
    for tail in tails {
        let mut seen = tail.await.unwrap();
        seen.sort();
        assert_eq!(seen, expect);
    }
    drop(writing.await.unwrap());
}

fn written(state: &crate::State) -> u64 {
    let stats = state.admin.stats();
    let lines = stats.iter().find(|stat| stat.name == "muster_collector_store_lines_committed_total");
    lines.unwrap().value as u64
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_what_was_dropped() {
    let mut fixture = Fixture::new();
    let url = served(&fixture).await;
    let mut socket = connect(&url, &fixture.word(Scope::Read), QUERY).await.unwrap();
    until_tails(&fixture, 1.0).await;
    // On this one thread nobody drains while these come: more than may wait.
    let many: Vec<Line<'_>> = (0..10_500).map(|after| (after, &b"x"[..], &[][..])).collect();
    fixture.log(&WEB, &many);
    let (mut got, mut dropped) = (0, 0);
    while got + dropped < 10_500 {
        let frame = frame(&mut socket).await;
        got += lines(&frame).len() as u64;
        for entry in frame["dropped_entries"].as_array().into_iter().flatten() {
            assert!(entry["timestamp"].as_str().unwrap().parse::<i64>().is_ok() && entry["labels"] == json!({}));
            dropped += entry["count"].as_u64().unwrap();
        }
    }
    assert_eq!((got, dropped), (10_000, 500));
    let text = fixture.get("/metrics").await.text;
    assert!(text.contains("\nmuster_collector_store_tail_lines_dropped_total 500\n"), "{text}");
}

#[tokio::test]
async fn a_tail_takes_the_scope_read_and_there_are_so_many() {
    let fixture = Fixture::new();
    let url = served(&fixture).await;
    let status = |error: Error| match error {
        Error::Http(response) => response.status().as_u16(),
        other => panic!("{other}"),
    };
    assert_eq!(status(connect(&url, "wrong", QUERY).await.unwrap_err()), 401);
    assert_eq!(status(connect(&url, &fixture.word(Scope::Ingest), QUERY).await.unwrap_err()), 403);
    let word = fixture.word(Scope::Read);
    assert_eq!(status(connect(&url, &word, "query=%7B").await.unwrap_err()), 400);
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(connect(&url, &word, QUERY).await.unwrap());
    }
    assert_eq!(status(connect(&url, &word, QUERY).await.unwrap_err()), 429);
    open.clear();
    until_tails(&fixture, 0.0).await;
}
