//! The sign of life for a service outside that tells people when it stays away: so that silence of the collector is noticed.
//!
//! One that only says "this process runs" is worth little: it is given where rules are evaluated, data is taken and mails leave.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, Uri};
use muster_common::time::{Span, Timestamp};
use rustls::ClientConfig;

use super::http::{Message, send, tls, web_address};

/// Rules and status are looked at every second; a round may take the whole of a query's time, which is two minutes.
const ROUND_WITHIN: Duration = Duration::from_secs(180);
/// A server that is started anew is back by then, and one that lets strangers wait has let us in; whoever waits longer for a mail does not
/// know what happens.
const NOTICE_WITHIN: Duration = Duration::from_secs(900);
/// A heartbeat is one small request.
const LIMIT: Duration = Duration::from_secs(15);

/// What the collector knows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signs {
    /// Why it takes no data.
    pub unready: Option<String>,
    /// When rules and status were looked at last, to the end.
    pub round: Timestamp,
    /// When groups and notices were.
    pub look: Timestamp,
    /// Since when the oldest notice waits for its server.
    pub waiting_since: Option<Timestamp>,
}

/// What is told outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    Alive,
    /// Why people would not be told of what happens.
    Failing(Vec<String>),
}

/// Whether alerts would reach people now.
pub fn beat(signs: &Signs, now: Timestamp) -> Beat {
    let span = |at: Timestamp| Span(Duration::from_secs(now.since(at).as_secs()));
    let late = |at: Timestamp, what: &str, within: Duration| {
        (now.since(at) > within).then(|| format!("{what} for {}", span(at)))
    };
    let waiting = signs.waiting_since.and_then(|at| late(at, "a notice waits for its server", NOTICE_WITHIN));
    let reasons: Vec<String> = signs
        .unready
        .clone()
        .into_iter()
        .chain(late(signs.round, "rules and checks have not been evaluated", ROUND_WITHIN))
        .chain(late(signs.look, "notices have not been looked at", ROUND_WITHIN))
        .chain(waiting)
        .collect();
    if reasons.is_empty() { Beat::Alive } else { Beat::Failing(reasons) }
}

/// Where signs of life go. Its path is a secret of its owner's: it is in no error and no log.
#[derive(Clone)]
pub struct HeartbeatUrl {
    uri: Uri,
    tls: Arc<ClientConfig>,
}

impl HeartbeatUrl {
    /// # Errors
    /// Words for people where the text is no address of the web.
    pub fn new(url: &str) -> Result<Self, String> {
        let fail = || "this is no address of the web: write one, such as \"https://hc-ping.com/YOUR-ID\"".to_owned();
        let uri = web_address(url).ok_or_else(fail)?;
        Ok(Self { uri, tls: tls(&[])? })
    }

    /// One GET, as every service of this kind takes it.
    ///
    /// # Errors
    /// Why it was not taken, with the host's name.
    pub async fn send(&self) -> Result<(), String> {
        let headers = [("User-Agent".to_owned(), "muster".to_owned())];
        let message = Message { method: Method::GET, uri: &self.uri, headers: &headers, body: Bytes::new() };
        match send(message, &self.tls, LIMIT).await {
            Ok((200..=299, _)) => Ok(()),
            Ok((code, _)) => Err(format!("{} answers {code}", self.uri.host().unwrap_or_default())),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_collector_that_would_tell_nobody_gives_no_sign_of_life() {
        let good = Signs { unready: None, round: at(995), look: at(999), waiting_since: Some(at(101)) };
        assert_eq!(beat(&good, at(1_000)), Beat::Alive);
        let all =
            Signs { unready: Some("commits fail".to_owned()), round: at(0), look: at(10), waiting_since: Some(at(40)) };
        let Beat::Failing(reasons) = beat(&all, at(1_000)) else { panic!("alive") };
        let told = [
            "commits fail",
            "rules and checks have not been evaluated for 16m40s",
            "notices have not been looked at for 16m30s",
            "a notice waits for its server for 16m",
        ];
        assert_eq!(reasons, told);
        // A clock that was set back is no failure.
        assert_eq!(beat(&good, at(10)), Beat::Alive);
    }

    #[tokio::test]
    async fn a_sign_is_one_get_and_no_error_names_its_path() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            ["204 No Content", "404 Not Found"].map(|status| {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut request, mut part) = (Vec::new(), [0; 512]);
                while !request.ends_with(b"\r\n\r\n") {
                    let count = stream.read(&mut part).unwrap();
                    request.extend_from_slice(&part[..count]);
                }
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
                String::from_utf8(request).unwrap()
            })
        });
        let url = HeartbeatUrl::new(&format!("http://{address}/ping/secret?x=1")).unwrap();
        assert_eq!(url.send().await, Ok(()));
        assert_eq!(url.send().await, Err("127.0.0.1 answers 404".to_owned()));
        let requests = serving.join().unwrap();
        assert!(requests[0].starts_with("GET /ping/secret?x=1 HTTP/1.1\r\n"), "{}", requests[0]);
        let error = url.send().await.unwrap_err();
        assert!(error.contains("127.0.0.1") && !error.contains("secret"), "{error}");
        assert!(HeartbeatUrl::new("ftp://x/y").is_err() && HeartbeatUrl::new("hc-ping.com/id").is_err());
    }
}
