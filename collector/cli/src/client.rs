//! The collector's HTTP API as this command sees it: JSON in, JSON out, failures in one line.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error as WebSocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::error::Failure;

/// Longer than the longest query the collector lets run.
const ANSWER_WITHIN: Duration = Duration::from_secs(3_700);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// An open WebSocket.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection to one collector, with what to show it.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<Token>,
}

/// A token and where it came from, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub word: String,
    pub from: String,
}

/// Where packages put the collector's data.
const DATA: &str = "/var/lib/muster-collector";

impl Token {
    /// The folder whose token may be sent to this URL: the given one, else the usual one, but never unasked to another machine: HTTP here
    /// is in clear, and what listens there need not be this machine's collector.
    pub fn folder<'a>(url: &str, data: Option<&'a Path>) -> Option<&'a Path> {
        let is_here = || match Url::parse(url).ok()?.host_str()? {
            "localhost" => Some(true),
            host => host.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|address| address.is_loopback()),
        };
        data.or_else(|| is_here().unwrap_or(false).then_some(Path::new(DATA)))
    }

    /// The given one (argument or variable), else the file `admin.token` in this folder; `None` when there is none.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn find(given: Option<&str>, folder: Option<&Path>) -> Result<Option<Self>, Failure> {
        if let Some(word) = given {
            return Ok(Some(Self { word: word.trim().to_owned(), from: "--token or MUSTER_TOKEN".to_owned() }));
        }
        let Some(path) = folder.map(|folder| folder.join("admin.token")) else { return Ok(None) };
        let shown = path.display();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self { word: text.trim().to_owned(), from: format!("`{shown}`") })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
            Err(error) => Err(Failure::Usage(format!("failed to read `{shown}`: {error}; give a token by --token"))),
        }
    }
}

impl Client {
    /// # Errors
    /// The URL is none, or of a kind that this version does not speak.
    pub fn new(url: &str, token: Option<Token>) -> Result<Self, Failure> {
        let base = Url::parse(url).map_err(|error| {
            Failure::Usage(format!("--url `{url}`: {error}; write one such as http://127.0.0.1:9470"))
        })?;
        if base.scheme() != "http" {
            return Err(Failure::Usage(format!(
                "--url `{url}`: this version speaks plain http only; run muster on the collector's machine, or through a tunnel to it"
            )));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Failure::Unknown(format!("failed to set up HTTP: {error}")))?;
        Ok(Self { http, base, token })
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(self.http.request(Method::GET, self.url(path)?)).await
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn post_form(&self, path: &str, form: &[(&str, String)]) -> Result<Value, Failure> {
        self.send(self.http.request(Method::POST, self.url(path)?).form(form)).await
    }

    /// As [`Client::post_form`], with one more header.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn post_form_with(
        &self,
        path: &str,
        form: &[(&str, String)],
        (name, value): (&'static str, &str),
    ) -> Result<Value, Failure> {
        self.send(self.http.request(Method::POST, self.url(path)?).form(form).header(name, value)).await
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn post_json(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(self.http.request(Method::POST, self.url(path)?).json(body)).await
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.send(self.http.request(Method::DELETE, self.url(path)?)).await
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        let base = self.base.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}{path}"))
            .map_err(|error| Failure::Usage(format!("`{base}{path}` is no URL: {error}")))
    }

    /// The JSON of the answer.
    ///
    /// # Errors
    /// [`Failure`] with the collector's own words where it answered.
    async fn send(&self, mut request: reqwest::RequestBuilder) -> Result<Value, Failure> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(&token.word);
        }
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let is_text = is_text(answer.headers());
        let bytes = answer.bytes().await.map_err(|error| {
            Failure::Unknown(format!("the answer of {} broke off: {}; try again", self.base, innermost(&error)))
        })?;
        let json: Option<Value> = serde_json::from_slice(&bytes).ok();
        match json {
            Some(json) if status.is_success() => Ok(json),
            json => Err(self.refusal(status.as_u16(), said(json.as_ref(), is_text, &bytes), &bytes)),
        }
    }

    /// A WebSocket to this path, with what the URL's query says.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn socket(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        flag: (&'static str, &str),
    ) -> Result<Socket, Failure> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().extend_pairs(parameters);
        let unusable = |error: &dyn std::fmt::Display| Failure::Usage(format!("`{}` is no URL: {error}", self.base));
        // Of a URL with the scheme http, so this cannot fail.
        let _ = url.set_scheme("ws");
        let mut request = url.as_str().into_client_request().map_err(|error| unusable(&error))?;
        let headers = request.headers_mut();
        headers.insert(flag.0, HeaderValue::from_str(flag.1).map_err(|error| unusable(&error))?);
        if let Some(token) = &self.token {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", token.word)).map_err(|_| {
                Failure::Usage(format!("the token from {} has characters that no token has", token.from))
            })?;
            headers.insert("authorization", bearer);
        }
        match tokio::time::timeout(CONNECT_WITHIN, connect_async(request)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(WebSocketError::Http(answer))) => {
                let bytes = answer.body().clone().unwrap_or_default();
                let told = said(None, is_text(answer.headers()), &bytes);
                Err(self.refusal(answer.status().as_u16(), told, &bytes))
            }
            Ok(Err(error)) => Err(self.no_answer(innermost(&error))),
            Err(_) => Err(self.no_answer(format!("not within {} s", CONNECT_WITHIN.as_secs()))),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        self.no_answer(innermost(error))
    }

    fn no_answer(&self, why: String) -> Failure {
        Failure::Unknown(format!(
            "no answer from {}: {why}; is muster-collector running there? name another place with --url",
            self.base
        ))
    }

    fn refusal(&self, status: u16, told: Option<String>, bytes: &[u8]) -> Failure {
        let line = match (&told, status) {
            (_, 401) => {
                let said = told.as_deref().unwrap_or("not authorised");
                match &self.token {
                    Some(token) => format!("{said} (the token is from {})", token.from),
                    None => format!(
                        "{said}; there is no token: give --token or MUSTER_TOKEN, or run muster as a user who can read admin.token in the collector's data folder (--data DIR)"
                    ),
                }
            }
            (Some(said), _) => said.clone(),
            (None, _) => {
                let start: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
                format!(
                    "{} answered {status} with {start:?}: is that a muster-collector? name it with --url",
                    self.base
                )
            }
        };
        match status {
            // 404 is of a host or token when the collector says so in its own words.
            404 | 409 | 422 if told.is_some() => Failure::Refused(line),
            400 => Failure::Usage(line),
            _ => Failure::Unknown(line),
        }
    }
}

/// What an error says: its JSON's text, or its one line where it is plain text.
fn said(json: Option<&Value>, is_text: bool, bytes: &[u8]) -> Option<String> {
    let line =
        || std::str::from_utf8(bytes).ok().map(|text| text.trim_end().to_owned()).filter(|text| !text.is_empty());
    json.and_then(told).or_else(|| is_text.then(line).flatten())
}

fn is_text(headers: &HeaderMap) -> bool {
    headers.get("content-type").and_then(|value| value.to_str().ok()).is_some_and(|kind| kind.starts_with("text/plain"))
}

/// One line of an error in either dialect: message, place, remedy.
fn told(json: &Value) -> Option<String> {
    if let Some(text) = json.get("error").and_then(Value::as_str) {
        return Some(text.to_owned());
    }
    let error = json.get("error")?;
    let part = |name: &str| error.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let message = part("message")?;
    Some(match (part("where"), part("remedy")) {
        (None, None) => message.to_owned(),
        (Some(place), None) => format!("{message} ({place})"),
        (None, Some(remedy)) => format!("{message}: {remedy}"),
        (Some(place), Some(remedy)) => format!("{message} ({place}): {remedy}"),
    })
}

/// The cause at the bottom: "connection refused" says more than the layers above it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_of_both_dialects_become_one_line() {
        for (json, expect) in [
            (json!({"status": "error", "errorType": "bad_data", "error": "parse error"}), Some("parse error")),
            (
                json!({"error": {"code": "not_found", "message": "no host `x`", "where": "path", "remedy": "look"}}),
                Some("no host `x` (path): look"),
            ),
            (json!({"error": {"message": "no host `x`", "where": "", "remedy": "look"}}), Some("no host `x`: look")),
            (json!({"error": {"message": "m", "where": "w", "remedy": ""}}), Some("m (w)")),
            (json!({"x": 1}), None),
        ] {
            assert_eq!(told(&json).as_deref(), expect);
        }
    }

    #[test]
    fn the_status_decides_between_no_and_unknown() {
        let client = Client::new("http://127.0.0.1:1", None).unwrap();
        let told = json!({"error": "said"});
        for (status, json, expect) in [
            (400, Some(&told), 2),
            (401, Some(&told), 2),
            (403, Some(&told), 2),
            (404, Some(&told), 1),
            (404, None, 2),
            (409, Some(&told), 1),
            (422, Some(&told), 1),
            (503, Some(&told), 2),
        ] {
            let refusal = client.refusal(status, said(json, false, b"<html>"), b"<html>");
            assert_eq!(refusal.exit_code(), expect, "{status}");
        }
        let plain = client.refusal(400, said(None, true, b"parse error at line 1\n"), b"");
        assert_eq!(plain.to_string(), "parse error at line 1");
        let told = client.refusal(401, said(Some(&told), false, b""), b"").to_string();
        assert!(told.starts_with("said; there is no token: give --token or MUSTER_TOKEN"), "{told}");
        let told = client.refusal(200, None, b"<html>").to_string();
        assert_eq!(
            told,
            "http://127.0.0.1:1/ answered 200 with \"<html>\": is that a muster-collector? name it with --url"
        );
    }

    #[test]
    fn wrong_urls_are_named() {
        for (url, expect) in [
            ("127.0.0.1:9470", "--url `127.0.0.1:9470`: "),
            ("https://x", "--url `https://x`: this version speaks plain http only"),
            ("ftp://x", "--url `ftp://x`: this version speaks plain http only"),
        ] {
            let told = Client::new(url, None).map(|_| ()).unwrap_err().to_string();
            assert!(told.starts_with(expect), "{told}");
        }
    }

    #[tokio::test]
    async fn a_collector_that_is_not_there_is_said_with_its_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let client = Client::new(&format!("http://{address}"), None).unwrap();
        let error = client.get("/x").await.unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let told = error.to_string();
        assert!(told.starts_with(&format!("no answer from http://{address}/: Connection refused")), "{told}");
        assert!(told.ends_with("name another place with --url"), "{told}");
    }

    #[test]
    fn the_token_is_the_given_one_then_the_file_then_none() {
        let folder = std::env::temp_dir().join(format!("muster-cli-token-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(Token::find(None, Some(&folder)).unwrap(), None);
        std::fs::write(folder.join("admin.token"), "abc\n").unwrap();
        assert_eq!(Token::find(None, Some(&folder)).unwrap().unwrap().word, "abc");
        assert_eq!(Token::find(Some("x"), Some(&folder)).unwrap().unwrap().word, "x");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_token_of_this_machine_goes_unasked_only_to_this_machine() {
        let usual = Some(Path::new(DATA));
        for (url, folder) in [
            ("http://127.0.0.1:9470", usual),
            ("http://127.9.9.9:1/x", usual),
            ("http://[::1]:9470", usual),
            ("http://localhost:9470", usual),
            ("http://LOCALHOST", usual),
            ("http://192.0.2.7:9470", None),
            ("http://collector.example:9470", None),
            ("http://127.0.0.1.example", None),
            ("http://127.0.0.1@collector.example", None),
            ("no url", None),
        ] {
            assert_eq!(Token::folder(url, None), folder, "{url}");
            assert_eq!(Token::folder(url, Some(Path::new("d"))), Some(Path::new("d")), "{url}");
        }
        assert_eq!(Token::find(None, None).unwrap(), None);
    }
}
