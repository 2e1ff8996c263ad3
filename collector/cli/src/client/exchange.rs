//! One request and its answer over a stream.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::form::encode;
use super::refusal::innermost;
use super::target::Wire;

/// What goes with a request beside its body.
pub(super) type Headers = Vec<(&'static str, HeaderValue)>;

/// What is sent along.
pub(super) enum Body {
    Nothing,
    /// Its kind, and its bytes.
    Some(&'static str, Vec<u8>),
}

impl Body {
    pub(super) fn form(pairs: &[(&str, String)]) -> Self {
        Self::Some("application/x-www-form-urlencoded", encode(pairs).into_bytes())
    }

    pub(super) fn json(value: &Value) -> Self {
        Self::Some("application/json", value.to_string().into_bytes())
    }
}

/// A request.
pub(super) struct Question<'a> {
    pub(super) method: Method,
    /// With its query.
    pub(super) path: &'a str,
    pub(super) host: &'a str,
    pub(super) headers: Headers,
    pub(super) body: Body,
}

/// An answer, whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
}

/// # Errors
/// Why there is no answer, in a few words.
pub(super) async fn ask(stream: Box<dyn Wire>, question: Question<'_>) -> Result<Answer, String> {
    let Question { method, path, host, headers, body } = question;
    let mut request = Request::builder().method(method).uri(path).header(HOST, host);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let bytes = match body {
        Body::Nothing => Vec::new(),
        Body::Some(kind, bytes) => {
            request = request.header(CONTENT_TYPE, kind);
            bytes
        }
    };
    let request = request.body(Full::new(Bytes::from(bytes))).map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| innermost(&error))?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(|error| innermost(&error))?;
        let (head, body) = answer.into_parts();
        let bytes = body.collect().await.map_err(|error| format!("it broke off: {}", innermost(&error)))?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, bytes })
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It ends with what it has handed on, or without: the answer knows.
        _ = connection => answer.await,
    }
}
