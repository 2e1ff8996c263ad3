//! Parameters of a request: the query string and, for POST, the form in the body, each name as often as it stands there.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::error::{ApiError, ErrorKind};

/// Bytes of a body of these routes. Grafana sends the longest expressions by POST; ten thousand of them would fit.
const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a body may stand still, and take in all: at the rate that the second allows, 30 kbit/s, everything still passes.
const PIECE_WITHIN: Duration = Duration::from_secs(30);
const BODY_WITHIN: Duration = Duration::from_secs(300);
/// Parameters of one request: bounds what a hostile body can make of its bytes.
const PARAMETERS_MAX: usize = 10_000;

/// Names and values in order, body before query string, as Go's `r.Form` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query string, and the body when it is a form.
    ///
    /// # Errors
    /// `bad_data` where an escape is broken, the body is too long, too slow or no form.
    pub(crate) async fn of(request: Request) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let is_form = head
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.trim_start().starts_with("application/x-www-form-urlencoded"));
        let mut all = Vec::new();
        if is_form {
            let bytes = body_bytes(body).await?;
            let text = std::str::from_utf8(&bytes).map_err(|_| bad_form("the body is not UTF-8"))?;
            parse_into(text, &mut all)?;
        }
        parse_into(head.uri.query().unwrap_or(""), &mut all)?;
        Ok(Self(all))
    }

    /// Of the query string alone.
    ///
    /// # Errors
    /// `bad_data` where an escape is broken.
    pub(crate) fn of_uri(uri: &axum::http::Uri) -> Result<Self, ApiError> {
        let mut all = Vec::new();
        parse_into(uri.query().unwrap_or(""), &mut all)?;
        Ok(Self(all))
    }

    #[cfg(test)]
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let mut all = Vec::new();
        parse_into(text, &mut all)?;
        Ok(Self(all))
    }

    /// The first value of this name; absent and empty are the same, as in Prometheus.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that is true or false; absent: `otherwise`.
    ///
    /// # Errors
    /// `bad_data` on any other word.
    pub(crate) fn truth(&self, name: &str, otherwise: bool) -> Result<bool, ApiError> {
        match self.first(name) {
            None => Ok(otherwise),
            Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(other) => Err(ApiError::new(ErrorKind::BadData, format!("`{other}` is neither true nor false"))
                .place(format!("parameter `{name}`"))
                .remedy("write true or false")),
        }
    }

    /// Every value of this name, empty ones included.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// The whole body of a question or a command, within bytes and time.
pub(crate) async fn body_bytes(body: Body) -> Result<Bytes, ApiError> {
    body_bytes_within(body, BODY_BYTES_MAX).await
}

/// As [`body_bytes`], where more than a question is sent.
pub(crate) async fn body_bytes_within(body: Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    read_body(body, bytes_max, PIECE_WITHIN, BODY_WITHIN).await
}

async fn read_body(
    body: Body,
    bytes_max: usize,
    piece_within: Duration,
    all_within: Duration,
) -> Result<Bytes, ApiError> {
    let refuse = |kind, message: String| {
        let remedy = format!("send at most {bytes_max} bytes, and without a pause of {} s", piece_within.as_secs());
        ApiError::new(kind, message).place("the request's body").remedy(remedy)
    };
    let too_slow = |_| refuse(ErrorKind::TooSlow, "the body came too slowly".to_owned());
    let mut pieces = body.into_data_stream();
    let mut bytes = Vec::new();
    let all = async {
        while let Some(piece) = timeout(piece_within, pieces.next()).await.map_err(too_slow)? {
            let piece =
                piece.map_err(|error| refuse(ErrorKind::BadData, format!("the body could not be read: {error}")))?;
            if bytes.len() + piece.len() > bytes_max {
                return Err(refuse(ErrorKind::TooLarge, "the body is too long".to_owned()));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Bytes::from(bytes))
    };
    timeout(all_within, all).await.map_err(too_slow)?
}

fn bad_form(message: impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorKind::BadData, format!("error parsing form values: {message}"))
        .place("the request's parameters")
        .remedy("escape them as application/x-www-form-urlencoded")
}

fn parse_into(text: &str, all: &mut Vec<(String, String)>) -> Result<(), ApiError> {
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        if all.len() >= PARAMETERS_MAX {
            return Err(bad_form(format!("more than {PARAMETERS_MAX} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        all.push((unescape(name)?, unescape(value)?));
    }
    Ok(())
}

fn unescape(text: &str) -> Result<String, ApiError> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let pair = bytes.get(at..at + 2).and_then(|pair| Some(hex(pair[0])? << 4 | hex(pair[1])?));
                let Some(value) = pair else {
                    let shown = String::from_utf8_lossy(&bytes[at - 1..bytes.len().min(at + 2)]);
                    return Err(bad_form(format!("invalid URL escape {shown:?}")));
                };
                out.push(value);
                at += 2;
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).map_err(|_| bad_form("a value is not UTF-8"))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_stand_several_times_and_empty_is_absent() {
        let form = Parameters::parse("match%5B%5D=up&match[]=a%7Bb%3D%22c+d%22%7D&time=&limit=5&limit=6").unwrap();
        assert_eq!(form.all("match[]").collect::<Vec<_>>(), ["up", "a{b=\"c d\"}"]);
        assert_eq!((form.first("time"), form.first("limit"), form.first("x")), (None, Some("5"), None));
    }

    #[test]
    fn broken_escapes_are_named() {
        for (text, expect) in [
            ("a=%zz", "error parsing form values: invalid URL escape \"%zz\""),
            ("a=%", "error parsing form values: invalid URL escape \"%\""),
            ("a=%4", "error parsing form values: invalid URL escape \"%4\""),
            ("a=%ff", "error parsing form values: a value is not UTF-8"),
        ] {
            assert_eq!(Parameters::parse(text).unwrap_err().message(), expect, "{text}");
        }
    }

    #[tokio::test]
    async fn the_body_comes_before_the_query_string_and_is_bounded() {
        let post = |body: Body| {
            let kind = "application/x-www-form-urlencoded; charset=utf-8";
            Request::builder().uri("/x?a=1&b=2").header(header::CONTENT_TYPE, kind).body(body).unwrap()
        };
        let form = Parameters::of(post(Body::from("a=3"))).await.unwrap();
        assert_eq!((form.first("a"), form.first("b")), (Some("3"), Some("2")));
        let error = Parameters::of(post(Body::from(vec![b'a'; BODY_BYTES_MAX + 1]))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    #[tokio::test]
    async fn a_body_that_stands_still_or_never_ends_is_too_slow() {
        type Piece = Result<Bytes, std::io::Error>;
        let begun = || futures_util::stream::iter([Piece::Ok(Bytes::from_static(b"begun"))]);
        let (short, long) = (Duration::from_millis(20), Duration::from_secs(60));
        let stalled = || Body::from_stream(begun().chain(futures_util::stream::pending::<Piece>()));
        let error = read_body(stalled(), 10, short, long).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::TooSlow, "the body came too slowly"));
        assert_eq!(error.kind().status().as_u16(), 408);
        let endless = futures_util::stream::repeat_with(|| Piece::Ok(Bytes::new())).then(|piece| async {
            tokio::task::yield_now().await;
            piece
        });
        let error = read_body(Body::from_stream(endless), 10, long, short).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooSlow, "pieces come, but no end");
        assert_eq!(read_body(Body::from_stream(begun()), 5, long, long).await.unwrap(), "begun");
        assert_eq!(read_body(stalled(), 4, long, long).await.unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
