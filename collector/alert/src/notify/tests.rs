//! Notifiers against real servers on loopback.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mailparse::MailHeaderMap;
use muster_common::label::LabelSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::server::{Fault, Script, Server, Tls, certificate};
use super::{Attempted, Email, Notifiers, SmtpSecurity, SmtpSettings, Webhook, WebhookSettings, webhook_body};
use crate::alert::{Alert, AlertId, Notice, NoticeKind, Origin};
use crate::mail::{Templates, digest, render, samples};
use crate::outgoing::{DigestLetter, Event, Key, Limits, NewRow, Outcome, Parcel, Payload, Queue, Session, Target};

/// base64 of `\0muster\0secret`.
const PLAIN: &str = "AG11c3RlcgBzZWNyZXQ=";

fn settings(server: &Server) -> SmtpSettings {
    SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        hello: "collector.example.org".to_owned(),
        from: "muster@example.org".to_owned(),
        ca_pem: server.ca_pem.clone(),
        server_name: "mail.example.org".to_owned(),
        connect_timeout: Duration::from_millis(1500),
        command_timeout: Duration::from_millis(1500),
        body_timeout: Duration::from_millis(300),
        ..SmtpSettings::default()
    }
}

fn parcel(recipient: &str, number: u32, payload: Payload) -> Parcel {
    Parcel {
        key: Key { notice: 7, recipient: number },
        recipient: recipient.to_owned(),
        message_id: format!("<i5.n7.{number}@example.org>"),
        references: vec!["<i5.n5.a@example.org>".to_owned(), "<i5.n6.a@example.org>".to_owned()],
        payload,
    }
}

fn mail(recipient: &str, number: u32) -> Parcel {
    parcel(recipient, number, Payload::Mail("Subject: x\r\n\r\nline\r\n.dot\r\n".to_owned()))
}

async fn run(notifier: Arc<dyn super::Notifier>, parcels: Vec<Parcel>) -> Vec<Outcome> {
    let mut notifiers = Notifiers::default();
    notifiers.add("it".to_owned(), notifier);
    let mut outcomes = BTreeMap::new();
    let count = parcels.len();
    notifiers
        .run(&Session { server: "it".to_owned(), parcels }, &mut |key, outcome| {
            assert!(outcomes.insert(key, outcome).is_none())
        })
        .await;
    assert_eq!(outcomes.len(), count);
    outcomes.into_values().collect()
}

async fn send(settings: SmtpSettings, recipients: &[&str]) -> Vec<Outcome> {
    let parcels = recipients.iter().zip(0..).map(|(recipient, number)| mail(recipient, number)).collect();
    run(Arc::new(Email::new(settings).unwrap()), parcels).await
}

#[tokio::test]
async fn mails_go_over_one_connection_with_tls_and_their_fixed_headers() {
    let server = Server::start(Script { tls: Tls::Starttls, plain: PLAIN, ..Script::default() }).await;
    let settings = SmtpSettings { username: "muster".to_owned(), password: "secret".to_owned(), ..settings(&server) };
    let outcomes = send(settings, &["a@example.org", "Bea <b@example.org>"]).await;
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Accepted]);
    let taken = server.taken.lock().clone();
    assert_eq!(taken.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), ["a@example.org", "b@example.org"]);
    assert_eq!(*server.connections.lock(), 1);
    assert_eq!(
        taken[0].1,
        "Message-ID: <i5.n7.0@example.org>\r\nIn-Reply-To: <i5.n5.a@example.org>\r\nReferences: <i5.n5.a@example.org>\r\n \
         <i5.n6.a@example.org>\r\nSubject: x\r\n\r\nline\r\n.dot\r\n\r\n"
    );
}

#[tokio::test]
async fn each_recipient_has_an_outcome_of_its_own() {
    let faults = [
        ("grey@x.org", Fault::Greylist),
        ("gone@x.org", Fault::Refuse),
        ("big@x.org", Fault::RefuseBody),
        ("hang@x.org", Fault::Hang),
        ("close@x.org", Fault::Close),
        ("shut@x.org", Fault::Shut),
    ];
    let server = Server::start(Script { tls: Tls::Implicit, faults: faults.into(), ..Script::default() }).await;
    let settings = SmtpSettings { security: SmtpSecurity::Implicit, ..settings(&server) };
    let all = [
        "grey@x.org",
        "a@x.org",
        "gone@x.org",
        "big@x.org",
        "hang@x.org",
        "b@x.org",
        "close@x.org",
        "shut@x.org",
        "c@x.org",
        "no address",
    ];
    let outcomes = send(settings, &all).await;
    let kinds: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Accepted => ("accepted", 0),
            Outcome::Temporary { code, .. } => ("temporary", *code),
            Outcome::Permanent { code, .. } => ("permanent", *code),
            Outcome::Away { .. } => ("away", 0),
            Outcome::Unknown { .. } => ("unknown", 0),
        })
        .collect();
    let expect = [
        ("temporary", 450),
        ("accepted", 0),
        ("permanent", 550),
        ("permanent", 552),
        ("unknown", 0),
        ("accepted", 0),
        ("unknown", 0),
        ("temporary", 421),
        ("accepted", 0),
        ("permanent", 0),
    ];
    assert_eq!(kinds, expect, "{outcomes:#?}");
    let taken: Vec<_> = server.taken.lock().iter().map(|(to, _)| to.clone()).collect();
    assert_eq!(taken, ["a@x.org", "hang@x.org", "b@x.org", "close@x.org", "c@x.org"]);
}

fn away(outcomes: &[Outcome]) -> &str {
    match outcomes {
        [Outcome::Away { text }, rest @ ..] if rest.iter().all(|other| matches!(other, Outcome::Away { .. })) => text,
        other => panic!("not away: {other:?}"),
    }
}

#[tokio::test]
async fn without_a_session_nothing_is_sent_and_everything_waits() {
    let plain = Server::start(Script::default()).await;
    let secure = Server::start(Script { tls: Tls::Starttls, plain: PLAIN, ..Script::default() }).await;
    let mute = Server::start(Script { is_mute: true, ..Script::default() }).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let wrong_password =
        SmtpSettings { username: "muster".to_owned(), password: "guess".to_owned(), ..settings(&secure) };
    let other_ca = SmtpSettings { ca_pem: certificate().0, ..settings(&secure) };
    let machine_roots = SmtpSettings { ca_pem: Vec::new(), ..settings(&secure) };
    let other_name = SmtpSettings { server_name: "other.example.org".to_owned(), ..settings(&secure) };
    let short = SmtpSettings { connect_timeout: Duration::from_millis(200), ..settings(&mute) };
    let implicit_on_plain = SmtpSettings { security: SmtpSecurity::Implicit, ..settings(&plain) };
    for (settings, words) in [
        (settings(&plain), "no STARTTLS"),
        (wrong_password, "wrong password"),
        (other_ca, "certificate"),
        (machine_roots, "certificate"),
        (other_name, "certificate"),
        (short, "no answer"),
        (implicit_on_plain, "connecting"),
        (SmtpSettings { port: closed, ..settings(&plain) }, "connecting"),
    ] {
        let outcomes = send(settings, &["a@x.org", "b@x.org"]).await;
        let text = away(&outcomes);
        assert!(text.contains(words), "{text} lacks {words}");
        assert!(!text.contains("guess"), "{text}");
    }
    assert!(plain.taken.lock().is_empty() && secure.taken.lock().is_empty());
    let outcomes = send(SmtpSettings { security: SmtpSecurity::Opportunistic, ..settings(&plain) }, &["a@x.org"]).await;
    assert_eq!(outcomes, [Outcome::Accepted]);
}

#[tokio::test]
async fn a_try_comes_as_far_as_the_sign_in_and_sends_nothing() {
    let secure = Server::start(Script { tls: Tls::Starttls, plain: PLAIN, ..Script::default() }).await;
    let plain = Server::start(Script::default()).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let user = |password: &str| SmtpSettings {
        username: "muster".to_owned(),
        password: password.to_owned(),
        ..settings(&secure)
    };
    let of = |named: [(&str, SmtpSettings); 2]| {
        let mut notifiers = Notifiers::default();
        named.into_iter().for_each(|(name, one)| notifiers.add(name.to_owned(), Arc::new(Email::new(one).unwrap())));
        notifiers
    };
    let (secure_at, plain_at) = (format!("127.0.0.1:{}", secure.port), format!("127.0.0.1:{}", plain.port));
    // The same server for another sender is tried once.
    let other_sender = SmtpSettings { from: "other@example.org".to_owned(), ..user("secret") };
    let attempted = of([("a", user("secret")), ("b", other_sender)]).attempt().await;
    let good = Ok("it answers, encrypted, and takes the password");
    assert_eq!(attempted, [Attempted { place: format!("{secure_at} as muster"), result: good }]);
    let opportunistic = SmtpSettings { security: SmtpSecurity::Opportunistic, ..settings(&plain) };
    let attempted = of([("a", user("guess")), ("b", opportunistic)]).attempt().await;
    let why = attempted[0].result.clone().unwrap_err();
    assert!(why.contains("wrong password") && !why.contains("guess"), "{why}");
    assert_eq!(attempted[1].place, format!("{plain_at}, encrypted where it can be"));
    assert_eq!(attempted[1].result, Ok("it answers, in clear text"));
    let away = SmtpSettings { port: closed, ..settings(&plain) };
    let attempted = of([("a", settings(&plain)), ("b", away)]).attempt().await;
    let whys: Vec<String> = attempted.into_iter().map(|one| one.result.unwrap_err()).collect();
    assert!(whys[0].contains("no STARTTLS") && whys[1].contains("connecting"), "{whys:?}");
    assert!(secure.taken.lock().is_empty() && plain.taken.lock().is_empty());
}

#[test]
fn a_password_in_clear_text_is_refused_unless_allowed() {
    let clear = SmtpSettings {
        from: "muster@example.org".to_owned(),
        username: "muster".to_owned(),
        security: SmtpSecurity::Opportunistic,
        ..SmtpSettings::default()
    };
    let error = Email::new(clear.clone()).err().unwrap().to_string();
    assert!(error.contains("needs TLS"), "{error}");
    assert!(Email::new(SmtpSettings { allows_clear_password: true, ..clear.clone() }).is_ok());
    let error =
        Email::new(SmtpSettings { from: "nobody".to_owned(), ..SmtpSettings::default() }).err().unwrap().to_string();
    assert!(error.contains("`nobody`"), "{error}");
}

/// Answers every request with these bytes, over TLS where it has one; gives back what it read.
async fn web(answer: &'static str, tls: Option<TlsAcceptor>) -> (u16, tokio::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = tokio::sync::mpsc::channel(100);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            match &tls {
                None => reply(stream, answer, sender).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        reply(stream, answer, sender).await;
                    }
                }
            }
        }
    });
    (port, receiver)
}

async fn reply<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    mut stream: S,
    answer: &str,
    sender: tokio::sync::mpsc::Sender<String>,
) {
    let mut bytes = vec![0; 64 << 10];
    let mut request = String::new();
    // The body of these tests ends with its last brace.
    while !request.ends_with('}') {
        match stream.read(&mut bytes).await {
            Ok(count @ 1..) => request.push_str(&String::from_utf8_lossy(&bytes[..count])),
            _ => break,
        }
    }
    let _ = sender.try_send(request);
    if answer == "hang" {
        let _ = stream.read(&mut bytes).await;
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn hook(url: String, ca_pem: Vec<u8>) -> Outcome {
    let settings = WebhookSettings {
        url,
        ca_pem,
        headers: vec![("Authorization".to_owned(), "Bearer t".to_owned())],
        timeout: Duration::from_millis(500),
    };
    let parcel = parcel("hook", 0, Payload::Webhook("{\"a\":1}".to_owned()));
    run(Arc::new(Webhook::new(settings).unwrap()), vec![parcel]).await.remove(0)
}

#[tokio::test]
async fn webhooks_are_posted_and_their_answers_understood() {
    for (answer, expect) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", "Accepted"),
        ("HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nbad!", "Permanent { code: 400, text: \"bad!\" }"),
        ("HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n\r\n", "Temporary { code: 429, text: \"\" }"),
        ("HTTP/1.1 503 Away\r\ncontent-length: 0\r\n\r\n", "Temporary { code: 503, text: \"\" }"),
        ("hang", "Unknown"),
        ("", "Unknown"),
    ] {
        let (port, mut requests) = web(answer, None).await;
        let outcome = format!("{:?}", hook(format!("http://127.0.0.1:{port}/in?x=1"), Vec::new()).await);
        assert!(outcome.starts_with(expect), "{answer}: {outcome}");
        let request = requests.recv().await.unwrap().to_ascii_lowercase();
        assert!(request.starts_with("post /in?x=1 http/1.1\r\n") && request.ends_with("{\"a\":1}"), "{request}");
        for header in [
            "idempotency-key: i5.n7.0@example.org",
            "content-type: application/json",
            "authorization: bearer t",
            "host: 127.0.0.1:",
        ] {
            assert!(request.contains(header), "{request} lacks {header}");
        }
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert!(matches!(hook(format!("http://127.0.0.1:{closed}/"), Vec::new()).await, Outcome::Away { .. }));
}

#[tokio::test]
async fn webhooks_over_tls_trust_only_whom_they_were_told_to() {
    let (ca_pem, config) = certificate();
    let (port, _requests) = web("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Some(TlsAcceptor::from(config))).await;
    let url = || format!("https://localhost:{port}/");
    assert_eq!(hook(url(), ca_pem.clone()).await, Outcome::Accepted);
    assert!(matches!(hook(url(), certificate().0).await, Outcome::Away { .. }));
    assert!(matches!(hook(format!("https://127.0.0.1:{port}/"), ca_pem).await, Outcome::Away { .. }));
    for url in ["", "example.org", "ftp://example.org/", "http:///x"] {
        let settings = WebhookSettings {
            url: url.to_owned(),
            ca_pem: Vec::new(),
            headers: Vec::new(),
            timeout: Duration::from_secs(1),
        };
        assert!(Webhook::new(settings).is_err(), "{url}");
    }
}

#[test]
fn the_body_of_a_webhook_is_that_of_alertmanager() {
    let alert = |host: &str, ends_ms| {
        let labels = LabelSet::new([("alertname", "Disk"), ("host", host)]).unwrap();
        Alert {
            id: AlertId::of_labels(&labels),
            labels,
            annotations: [("summary".to_owned(), "full".to_owned())].into(),
            origin: Origin::Pushed { by: "test".to_owned() },
            active_ms: 0,
            starts_ms: 1_773_147_780_000,
            ends_ms,
            updated_ms: 0,
            value: None,
            expression: String::new(),
            again: false,
            holds: Vec::new(),
            is_quiet_end: false,
            is_one_of_many: false,
        }
    };
    let notice = Notice {
        id: 9,
        incident: 5,
        kind: NoticeKind::Worse,
        receiver: "hook".to_owned(),
        group_key: "{}:{alertname=\"Disk\"}".to_owned(),
        group_labels: LabelSet::new([("alertname", "Disk")]).unwrap(),
        at_ms: 0,
        firing: vec![alert("db1", None)],
        resolved: vec![alert("db2", Some(1_773_147_790_000)), alert("db3", None)],
    };
    let body: serde_json::Value = serde_json::from_str(&webhook_body(&notice, "https://m.example.org", 2)).unwrap();
    let one = |host: &str, status: &str, ends: &str| {
        let labels = LabelSet::new([("alertname", "Disk"), ("host", host)]).unwrap();
        serde_json::json!({
            "status": status, "labels": {"alertname": "Disk", "host": host}, "annotations": {"summary": "full"},
            "startsAt": "2026-03-10T13:03:00Z", "endsAt": ends, "generatorURL": "https://m.example.org",
            "fingerprint": AlertId::of_labels(&labels).to_string(),
        })
    };
    let expect = serde_json::json!({
        "version": "4", "groupKey": "{}:{alertname=\"Disk\"}", "truncatedAlerts": 1, "status": "firing", "receiver": "hook",
        "groupLabels": {"alertname": "Disk"}, "commonLabels": {"alertname": "Disk"}, "commonAnnotations": {"summary": "full"},
        "externalURL": "https://m.example.org",
        "alerts": [one("db1", "firing", "0001-01-01T00:00:00Z"), one("db2", "resolved", "2026-03-10T13:03:10Z")],
    });
    assert_eq!(body, expect);
}

/// One step of the queue carried out until nothing is left to start.
async fn carry_out(queue: &mut Queue, notifiers: &Notifiers, now: i64, event: Event) {
    let mut sessions = queue.step(now, event).sessions;
    while let Some(session) = sessions.pop() {
        let mut outcomes = Vec::new();
        notifiers.run(&session, &mut |key, outcome| outcomes.push((key, outcome))).await;
        for (key, outcome) in outcomes {
            sessions.extend(queue.step(now, Event::Outcome { key, outcome }).sessions);
        }
    }
}

#[tokio::test]
async fn beginning_and_end_of_an_incident_arrive_as_one_thread() {
    let server = Server::start(Script { tls: Tls::Starttls, ..Script::default() }).await;
    let mut notifiers = Notifiers::default();
    notifiers.add("mx".to_owned(), Arc::new(Email::new(settings(&server)).unwrap()));
    let compose = Arc::new(|letter: &DigestLetter| digest(&samples::settings(), letter).unwrap_or_default());
    let mut queue = Queue::load(Limits::default(), compose, std::iter::empty()).unwrap();
    let (opened, ended) = (samples::opened(), samples::ended());
    for notice in [&opened, &ended] {
        let place = queue.place(notice.incident, &notice.receiver, "anna@example.org");
        let letter = render(&samples::settings(), &Templates::default(), notice, &samples::evidence(), &place);
        let row = NewRow {
            key: Key { notice: notice.id, recipient: 0 },
            incident: notice.incident,
            receiver: notice.receiver.clone(),
            target: Target { server: "mx".to_owned(), recipient: "anna@example.org".to_owned() },
            second: None,
            domain: "muster.example.org".to_owned(),
            subject: letter.subject.clone(),
            summary: letter.first_line.clone(),
            is_end: notice.firing.is_empty(),
            payload: Payload::Mail(letter.mime("anna@example.org").unwrap()),
        };
        carry_out(&mut queue, &notifiers, notice.at_ms, Event::Enqueue(vec![row])).await;
    }
    assert_eq!((queue.counts().accepted, queue.waiting()), (2, (0, 0)));
    let taken = server.taken.lock().clone();
    let mails: Vec<_> = taken.iter().map(|(_, mail)| mailparse::parse_mail(mail.as_bytes()).unwrap()).collect();
    let header = |index: usize, name: &str| mails[index].headers.get_first_value(name);
    let root = header(0, "Message-ID").unwrap();
    assert!(root.starts_with("<i41.n41.") && root.ends_with("@muster.example.org>"), "{root}");
    assert_eq!((header(0, "References"), header(0, "In-Reply-To")), (None, None));
    assert_eq!((header(1, "References"), header(1, "In-Reply-To")), (Some(root.clone()), Some(root.clone())));
    assert_ne!(header(1, "Message-ID"), Some(root));
    assert_eq!(header(0, "Subject"), header(1, "Subject"));
    assert!(mails[1].subparts[0].get_body().unwrap().starts_with("RESOLVED at "));
}
