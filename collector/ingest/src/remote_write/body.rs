//! From an HTTP request to the bytes of a write request: headers, then snappy under a cap.

use axum::http::{HeaderMap, StatusCode, header};

/// Bounds of one request. Prometheus sends 2,000 samples, some 50 KB compressed; backfills send more.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    pub compressed_bytes_max: usize,
    pub plain_bytes_max: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { compressed_bytes_max: 8 << 20, plain_bytes_max: 32 << 20 }
    }
}

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
    #[error("the body is no snappy block: {problem}: compress it as one block, without snappy's framing")]
    Snappy { problem: String },
    #[error(
        "the body has {bytes} bytes after decompression, but at most {max} are allowed: send fewer samples per request"
    )]
    TooLarge { bytes: usize, max: usize },
}

impl BodyError {
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::ContentType { .. } | Self::Proto { .. } | Self::Encoding { .. } | Self::NoEncoding => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::Snappy { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        }
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

/// How many bytes the body will have, read from its first bytes before anything is allocated.
///
/// # Errors
/// [`BodyError::Snappy`] or [`BodyError::TooLarge`].
pub fn plain_bytes(body: &[u8], limits: BodyLimits) -> Result<usize, BodyError> {
    let bytes = snap::raw::decompress_len(body).map_err(|error| BodyError::Snappy { problem: error.to_string() })?;
    if bytes > limits.plain_bytes_max {
        return Err(BodyError::TooLarge { bytes, max: limits.plain_bytes_max });
    }
    Ok(bytes)
}

/// The body's bytes: exactly as many as [`plain_bytes`] said.
///
/// # Errors
/// [`BodyError::Snappy`] or [`BodyError::TooLarge`].
pub fn decompress(body: &[u8], limits: BodyLimits) -> Result<Vec<u8>, BodyError> {
    let mut plain = vec![0; plain_bytes(body, limits)?];
    let written = snap::raw::Decoder::new()
        .decompress(body, &mut plain)
        .map_err(|error| BodyError::Snappy { problem: error.to_string() })?;
    plain.truncate(written);
    Ok(plain)
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

    #[test]
    fn a_bomb_is_refused_by_its_first_bytes() {
        let limits = BodyLimits { compressed_bytes_max: 100, plain_bytes_max: 1000 };
        let told = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0];
        assert!(matches!(decompress(&told, limits), Err(BodyError::TooLarge { .. })));
        let bomb = snap::raw::Encoder::new().compress_vec(&vec![0; 1001]).unwrap();
        assert_eq!(decompress(&bomb, limits), Err(BodyError::TooLarge { bytes: 1001, max: 1000 }));
        let fits = snap::raw::Encoder::new().compress_vec(&vec![7; 1000]).unwrap();
        assert_eq!(decompress(&fits, limits), Ok(vec![7; 1000]));
        for cut in 0..fits.len() {
            assert!(decompress(&fits[..cut], limits).is_err(), "cut at {cut}");
        }
        assert!(matches!(decompress(b"\xff\xff\xff\xff\xff\xff", limits), Err(BodyError::Snappy { .. })));
    }
}
