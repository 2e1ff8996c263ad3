//! Receivers that hang and words that are hostile hold nobody else up; signs of life go out while people would be told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use muster_common::time::monotonic;
use muster_tests::harness::agent::until;
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::mailbox::Mailbox;
use muster_tests::harness::programs;
use serde_json::json;

use super::LIMIT;

/// A server that lets everybody in and says nothing; its connections stay open until the test ends.
fn hanging() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    address
}

/// A web server that says yes and hands on what was asked for.
fn listening() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (tell, told)) = (listener.local_addr().unwrap(), sync_channel(100));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut request, mut part) = (Vec::new(), [0; 4096]);
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(count) if count > 0 => request.extend_from_slice(&part[..count]),
                    _ => break,
                }
            }
            let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
            if write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() || tell.send(line).is_err() {
                return;
            }
        }
    });
    (address, told)
}

fn start(folder: &Path, alerting: &str, sets: &[String]) -> Collector {
    let path = folder.join("alerting.yml");
    std::fs::write(&path, alerting).unwrap();
    let mut options = Options::new(&programs::folder(), &folder.join("data"));
    options.arguments = vec!["--alerting".to_owned(), path.to_string_lossy().into_owned()];
    options.arguments.extend(sets.iter().flat_map(|set| ["--set".to_owned(), set.clone()]));
    Collector::start(&options).unwrap()
}

fn push(collector: &Collector, alerts: &serde_json::Value) -> u16 {
    collector.request("POST", "/api/v2/alerts", alerts.to_string().as_bytes()).unwrap().status
}

#[test]
fn receivers_that_hang_hold_up_neither_the_others_nor_the_end() {
    let (folder, mailbox) = (tempfile::tempdir().unwrap(), Mailbox::start(None).unwrap());
    let (mute, deaf) = (hanging(), hanging());
    let collector = start(
        folder.path(),
        &format!(
            "global:\n  smtp_from: muster@example.org\n  smtp_require_tls: false\n\
             route:\n  receiver: good\n  group_by: [alertname]\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 1h\n\
             \x20 routes:\n  - {{receiver: mute, continue: true}}\n  - {{receiver: deaf, continue: true}}\n  - {{receiver: good}}\n\
             receivers:\n- name: good\n  email_configs:\n  - {{to: ann@example.org, smarthost: '{}'}}\n\
             - name: mute\n  email_configs:\n  - {{to: bob@example.org, smarthost: '{mute}'}}\n\
             - name: deaf\n  webhook_configs:\n  - {{url: 'http://{deaf}/hook'}}\n",
            mailbox.address
        ),
        &[],
    );
    // More at once would be a storm, which is told in few.
    for count in 1..=2 {
        let alert = json!([{"labels": {"alertname": format!("A{count}"), "host": "web1", "severity": "critical"}}]);
        assert_eq!(push(&collector, &alert), 200);
    }
    let mails = mailbox.wait(2, LIMIT).unwrap();
    assert!(mails.iter().all(|mail| mail.to == ["ann@example.org"]));
    // Two wait for each that hangs; that the others were taken is written a moment after the server said so.
    let waiting = || {
        let numbers = collector.get("/metrics")?.text();
        Ok(numbers.lines().any(|line| line == "muster_collector_notices_waiting 4").then_some(()))
    };
    until("what waits", LIMIT, waiting).unwrap();
    let began = monotonic();
    assert!(collector.stop().unwrap().success());
    assert!(monotonic().saturating_sub(began) < Duration::from_secs(20), "an open session does not hold up the end");
}

#[test]
fn hostile_words_arrive_harmless_or_are_refused_by_name() {
    let (folder, mailbox) = (tempfile::tempdir().unwrap(), Mailbox::start(None).unwrap());
    let collector = start(
        folder.path(),
        &format!(
            "global:\n  smtp_smarthost: {}\n  smtp_from: muster@example.org\n  smtp_require_tls: false\n\
             route: {{receiver: ops, group_by: [alertname, host], group_wait: 0s}}\n\
             receivers:\n- name: ops\n  email_configs:\n  - {{to: ann@example.org}}\n",
            mailbox.address
        ),
        &[],
    );
    let name = "x\r\nBcc: eve@example.org\r\n\r\n<script>alert(1)</script>{{ .GroupLabels }}";
    let hostile = json!([{
        "labels": {"alertname": name, "host": "web1\r\nTo: eve@example.org", "severity": "critical"},
        "annotations": {"summary": "<img src=x onerror=alert(2)>{% raw %}{{ $labels }}", "runbook_url": "javascript:alert(3)"},
    }]);
    assert_eq!(push(&collector, &hostile), 200);
    let mail = mailbox.wait(1, LIMIT).unwrap().remove(0);
    assert_eq!(mail.to, ["ann@example.org"]);
    let (head, text) = (String::from_utf8_lossy(&mail.bytes).into_owned(), mail.text());
    let head = head.split("\r\n\r\n").next().unwrap();
    let named = |name: &str| head.lines().filter(|line| line.to_lowercase().starts_with(name)).count();
    assert_eq!((named("to:"), named("bcc:"), named("subject:")), (1, 0, 1), "{head}");
    // As words it stands in the text; in the HTML it must be no markup.
    let html = text.split("Content-Type: text/html").nth(1).unwrap();
    let is_markup = ["<script", "<img src=x", "javascript:"].map(|code| html.to_lowercase().contains(code));
    assert_eq!(is_markup, [false; 3], "{html}");
    assert!(text.contains("{{ $labels }}") || text.contains("{{ .GroupLabels }}"), "template code is words: {text}");
    assert!(mail.bytes.len() <= 200_000);

    let large = json!([{"labels": {"alertname": "Large"}, "annotations": {"summary": "x".repeat(1 << 20)}}]);
    let answer = collector.request("POST", "/api/v2/alerts", large.to_string().as_bytes()).unwrap();
    assert!(answer.status == 400 && answer.text().contains("at most 8192 are taken"), "{}", answer.text());
}

#[test]
fn signs_of_life_go_out_while_people_would_be_told() {
    let (folder, (address, told)) = (tempfile::tempdir().unwrap(), listening());
    let sets = [format!("heartbeat.url=http://{address}/alive"), "heartbeat.interval=5s".to_owned()];
    let collector = start(folder.path(), "route: {receiver: ops}\nreceivers: [{name: ops}]\n", &sets);
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), "GET /alive HTTP/1.1");
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), "GET /alive HTTP/1.1");
    let count = collector.get("/metrics").unwrap().text();
    assert!(count.contains("muster_collector_heartbeats_total{result=\"not_taken\"} 0"), "{count}");
    collector.kill().unwrap();
    // One may have been on its way.
    while let Ok(line) = told.try_recv() {
        assert_eq!(line, "GET /alive HTTP/1.1");
    }
    assert!(told.recv_timeout(Duration::from_secs(7)).is_err(), "a dead collector is silent");
}
