use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::checks::native::Host;
use crate::checks::native::tests::run;

/// Answers one request by these bytes, then ends; what was asked comes back.
fn serve(answer: &'static str, tls: Option<Arc<ServerConfig>>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        match tls {
            None => answer_one(stream, answer),
            Some(config) => answer_one(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), answer),
        }
    });
    (address, serving)
}

fn answer_one(mut stream: impl Read + Write, answer: &str) -> String {
    let mut request = String::new();
    let mut reader = BufReader::new(&mut stream);
    // A client that does not trust us asks nothing.
    while reader.read_line(&mut request).is_ok_and(|read| read > 2) {}
    drop(reader);
    if !request.is_empty() {
        stream.write_all(answer.as_bytes()).unwrap();
        stream.flush().unwrap();
    }
    request
}

fn asked(values: &[(&str, &str)]) -> Outcome {
    let mut host = Host::new(Path::new("/proc"), time::now(), Duration::ZERO);
    run("http", values, &mut host, &Net::new(), Duration::from_secs(20))
}

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn addresses_are_taken_apart() {
    let url = |text: &str| parse_url(text).map(|url| (url.is_tls, url.host, url.port, url.authority, url.target));
    let expect = |tls, host: &str, port, authority: &str, target: &str| {
        Some((tls, host.to_owned(), port, authority.to_owned(), target.to_owned()))
    };
    assert_eq!(url("http://a"), expect(false, "a", 80, "a", "/"));
    assert_eq!(url("https://a.b:8443/x?y=1#z"), expect(true, "a.b", 8443, "a.b:8443", "/x?y=1"));
    assert_eq!(url("https://[::1]/x"), expect(true, "::1", 443, "[::1]", "/x"));
    assert_eq!(url("http://a?q"), expect(false, "a", 80, "a", "/?q"));
    for text in [
        "a",
        "ftp://a",
        "http://",
        "http://u:p@a/",
        "http://a:0",
        "http://a:x",
        "http://[x]",
        "http://a/b c",
        "http://a\r\nb",
    ] {
        assert_eq!(url(text), None, "{text}");
    }
}

#[test]
fn status_body_and_time_are_judged() {
    for (answer, values, state, words) in [
        (HELLO, &[][..], CheckState::Ok, "status 200 in"),
        (HELLO, &[("body", "hell")], CheckState::Ok, "status 200"),
        (HELLO, &[("body", "heaven")], CheckState::Critical, "but its body lacks `heaven`"),
        (HELLO, &[("status", "301")], CheckState::Critical, "status 200 OK"),
        (HELLO, &[("warn", "~:0")], CheckState::Warning, "(limit 0 ms)"),
        (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            &[],
            CheckState::Critical,
            "status 503 Service Unavailable",
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 302 Found\r\n\r\nto the end",
            &[("body", "the end")],
            CheckState::Ok,
            "status 302",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
            &[("body", "cd")],
            CheckState::Ok,
            "status 200",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", &[], CheckState::Critical, "ended within the body"),
        ("220 mail.example.org ESMTP\r\n\r\n", &[], CheckState::Critical, "not HTTP"),
    ] {
        let (address, serving) = serve(answer, None);
        let url = format!("http://{address}/health");
        let outcome = asked(&[&[("url", url.as_str())], values].concat());
        assert!(outcome.state == state && outcome.output.contains(words), "{answer:?}: {outcome:?}");
        let request = serving.join().unwrap();
        assert!(request.starts_with("GET /health HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
    }
}

#[test]
fn what_does_not_answer_is_critical() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut host = Host::new(Path::new("/proc"), time::now(), Duration::ZERO);
    let outcome = run("http", &[("url", &url)], &mut host, &Net::new(), Duration::from_millis(200));
    assert!(
        outcome.state == CheckState::Critical && outcome.output.ends_with("gave no answer within 200 ms"),
        "{outcome:?}"
    );
    drop(listener);
    let outcome = asked(&[("url", &url)]);
    assert!(outcome.output.contains("takes no connection"), "{outcome:?}");
}

/// A server's settings with a certificate for localhost that ends in so many days, and the file that makes it trusted.
fn certificate(
    days: i64,
    folder: &Path,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> (Arc<ServerConfig>, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let end =
        std::time::UNIX_EPOCH + Duration::from_millis(u64::try_from(time::now().millis() + days * 86_400_000).unwrap());
    params.not_after = end.into();
    let made = params.self_signed(&key).unwrap();
    let file = folder.join("ca.pem");
    std::fs::write(&file, made.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let chain = vec![CertificateDer::from(made.der().to_vec())];
    let config =
        config.with_no_client_auth().with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into());
    (Arc::new(config.unwrap()), file.display().to_string())
}

#[test]
fn certificates_are_verified_and_their_days_judged() {
    let folder = tempfile::tempdir().unwrap();
    for (days, versions, extra, state, words) in [
        (100, &[&rustls::version::TLS13][..], &[][..], CheckState::Ok, "certificate valid for "),
        (100, &[&rustls::version::TLS12], &[], CheckState::Ok, "certificate valid for "),
        (10, &[&rustls::version::TLS13], &[], CheckState::Warning, "(at least 14 days)"),
        (10, &[&rustls::version::TLS13], &[("certificate_crit", "30:")], CheckState::Critical, "(at least 30 days)"),
        (
            -1,
            &[&rustls::version::TLS13],
            &[],
            CheckState::Critical,
            "no TLS that can be trusted: invalid peer certificate: certificate expired",
        ),
    ] {
        let (config, ca) = certificate(days, folder.path(), versions);
        let (address, serving) = serve(HELLO, Some(config));
        let url = format!("https://localhost:{}/", address.port());
        let outcome = asked(&[&[("url", url.as_str()), ("ca_file", ca.as_str())], extra].concat());
        assert!(outcome.state == state && outcome.output.contains(words), "{days} days: {outcome:?}");
        serving.join().unwrap();
    }
    // Nobody has made it trusted: told, unless that is not wanted.
    let (config, _) = certificate(-3, folder.path(), &[&rustls::version::TLS13]);
    let (address, serving) = serve(HELLO, Some(Arc::clone(&config)));
    let (_, other) = certificate(100, folder.path(), &[&rustls::version::TLS13]);
    let outcome = asked(&[("url", &format!("https://localhost:{}/", address.port())), ("ca_file", &other)]);
    assert!(
        outcome.state == CheckState::Critical && outcome.output.contains("no TLS that can be trusted"),
        "{outcome:?}"
    );
    serving.join().unwrap();
    let (address, serving) = serve(HELLO, Some(config));
    let outcome = asked(&[("url", &format!("https://localhost:{}/", address.port())), ("verify", "false")]);
    assert!(outcome.state == CheckState::Critical && outcome.output.contains("certificate valid for -"), "{outcome:?}");
    serving.join().unwrap();
}

#[test]
fn a_host_without_authorities_is_told_what_to_install() {
    use crate::checks::native::tls::Trusted;
    let now = Timestamp::from_millis(1_700_000_000_000);
    let problem = Trusted::new(&["/nonexistent/bundle.pem"]).system(now).unwrap_err();
    assert!(problem.contains("install ca-certificates"), "{problem}");
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing\n").unwrap();
    assert!(with_file(&empty, None).unwrap_err().contains("holds no certificate"));
}
