//! What the headers of a write request must say.

use axum::http::{HeaderMap, StatusCode, header};

/// Why a request is answered at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("content type `{found}` is not taken here: send `application/x-protobuf`, remote write version 1")]
    ContentType { found: String },
    #[error(
        "content type asks for `{found}`: this is remote write version 1; set `protobuf_message: prometheus.WriteRequest` in the sender's remote_write"
    )]
    Proto { found: String },
    #[error("content encoding `{found}` is not taken here: compress the body with snappy's block format")]
    Encoding { found: String },
    #[error(
        "header `Content-Encoding` is missing: compress the body with snappy's block format and send `snappy` there"
    )]
    NoEncoding,
}

impl BodyError {
    pub const fn status(&self) -> StatusCode {
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    }
}

/// Whether the headers say what is taken. A missing content type means version 1, as the specification says of old senders;
/// without an encoding nothing tells a body in snappy from a plain one.
///
/// # Errors
/// [`BodyError`] with what to send instead.
pub fn check_headers(headers: &HeaderMap) -> Result<(), BodyError> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if let Some(found) = text(header::CONTENT_TYPE) {
        let mut parts = found.split(';').map(str::trim);
        if !parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-protobuf")) {
            return Err(BodyError::ContentType { found: short(&found) });
        }
        let proto = parts.find_map(|part| part.strip_prefix("proto="));
        if proto.is_some_and(|proto| proto != "prometheus.WriteRequest") {
            return Err(BodyError::Proto { found: short(proto.unwrap_or_default()) });
        }
    }
    match text(header::CONTENT_ENCODING) {
        Some(found) if !found.eq_ignore_ascii_case("snappy") => Err(BodyError::Encoding { found: short(&found) }),
        Some(_) => Ok(()),
        None => Err(BodyError::NoEncoding),
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(kind: Option<&str>, encoding: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::CONTENT_TYPE, kind), (header::CONTENT_ENCODING, encoding)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        headers
    }

    #[test]
    fn only_version_one_in_snappy_is_taken() {
        let protobuf = Some("application/x-protobuf");
        let snappy = Some("snappy");
        let status = |kind, encoding| check_headers(&headers(kind, encoding)).map_err(|error| error.status().as_u16());
        assert_eq!(status(protobuf, snappy), Ok(()));
        assert_eq!(status(Some("application/x-protobuf;proto=prometheus.WriteRequest"), snappy), Ok(()));
        assert_eq!(status(None, snappy), Ok(()));
        assert_eq!(status(protobuf, None), Err(415));
        assert_eq!(status(Some("application/x-protobuf;proto=io.prometheus.write.v2.Request"), snappy), Err(415));
        assert_eq!(status(Some("application/json"), snappy), Err(415));
        assert_eq!(status(protobuf, Some("gzip")), Err(415));
    }
}
