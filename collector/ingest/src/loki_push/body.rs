//! What the headers of a push say of its body, and the body's plain bytes.

use std::io::Read;

use axum::http::{HeaderMap, StatusCode, header};
use flate2::read::GzDecoder;

use crate::http::body::{BodyLimits, PlainError, decompress, plain_bytes};

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    JsonGzip,
    /// In one snappy block, whether or not the headers say so: Promtail does not.
    Protobuf,
}

/// Why a request is answered at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("content type `{found}` is not taken here: send `application/json` or `application/x-protobuf`")]
    ContentType { found: String },
    #[error("header `Content-Type` is missing: send `application/json` or `application/x-protobuf`")]
    NoContentType,
    #[error("content encoding `{found}` is not taken here: send JSON plain or as `gzip`, protobuf as `snappy`")]
    Encoding { found: String },
    #[error("the body is no gzip file: {problem}: compress it as one member")]
    Gzip { problem: String },
    #[error(transparent)]
    Plain(#[from] PlainError),
}

impl BodyError {
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::ContentType { .. } | Self::NoContentType | Self::Encoding { .. } => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::Gzip { .. } => StatusCode::BAD_REQUEST,
            Self::Plain(error) => error.status(),
        }
    }
}

impl Form {
    /// # Errors
    /// [`BodyError`] with what to send instead.
    pub fn of(headers: &HeaderMap) -> Result<Self, BodyError> {
        let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let kind = text(header::CONTENT_TYPE).ok_or(BodyError::NoContentType)?;
        let encoding = text(header::CONTENT_ENCODING).unwrap_or_default().to_ascii_lowercase();
        let name = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match (name.as_str(), encoding.as_str()) {
            ("application/json", "" | "identity") => Ok(Self::Json),
            ("application/json", "gzip") => Ok(Self::JsonGzip),
            ("application/x-protobuf", "" | "snappy") => Ok(Self::Protobuf),
            ("application/json" | "application/x-protobuf", _) => Err(BodyError::Encoding { found: short(&encoding) }),
            _ => Err(BodyError::ContentType { found: short(&kind) }),
        }
    }

    /// How many plain bytes the body says that it has, before anything is allocated.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn plain_bytes(self, body: &[u8], limits: BodyLimits) -> Result<usize, BodyError> {
        match self {
            Self::Json => Ok(body.len()),
            Self::Protobuf => Ok(plain_bytes(body, limits)?),
            Self::JsonGzip => {
                // RFC 1952: the last four bytes are the plain length. What does not keep to it is refused when it is read.
                let told = body.last_chunk::<4>().map(|told| u32::from_le_bytes(*told) as usize);
                let bytes = told.ok_or_else(|| BodyError::Gzip { problem: "it is cut off".to_owned() })?;
                let max = limits.plain_bytes_max;
                if bytes > max { Err(PlainError::TooLarge { bytes, max }.into()) } else { Ok(bytes) }
            }
        }
    }

    /// The plain bytes of a body that is compressed; exactly as many as [`Form::plain_bytes`] said.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn decompress(self, body: &[u8], limits: BodyLimits) -> Result<Option<Vec<u8>>, BodyError> {
        let told = self.plain_bytes(body, limits)?;
        match self {
            Self::Json => Ok(None),
            Self::Protobuf => Ok(Some(decompress(body, limits)?)),
            Self::JsonGzip => {
                let mut plain = Vec::with_capacity(told);
                let mut decoder = GzDecoder::new(body).take(told as u64 + 1);
                let problem = |problem: String| BodyError::Gzip { problem };
                decoder.read_to_end(&mut plain).map_err(|error| problem(error.to_string()))?;
                if plain.len() == told {
                    Ok(Some(plain))
                } else {
                    Err(problem("its length is not what it says".into()))
                }
            }
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loki_push::tests::gzip;

    #[test]
    fn json_may_be_gzip_and_protobuf_is_snappy() {
        let form = |kind: Option<&str>, encoding: Option<&str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in [(header::CONTENT_TYPE, kind), (header::CONTENT_ENCODING, encoding)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            Form::of(&headers).map_err(|error| error.status().as_u16())
        };
        let (json, protobuf) = (Some("application/json; charset=utf-8"), Some("application/x-protobuf"));
        assert_eq!(form(json, None), Ok(Form::Json));
        assert_eq!(form(json, Some("gzip")), Ok(Form::JsonGzip));
        assert_eq!(form(protobuf, None), Ok(Form::Protobuf));
        assert_eq!(form(protobuf, Some("snappy")), Ok(Form::Protobuf));
        for (kind, encoding) in
            [(json, Some("snappy")), (protobuf, Some("gzip")), (None, None), (Some("text/plain"), None)]
        {
            assert_eq!(form(kind, encoding), Err(415), "{kind:?} {encoding:?}");
        }
    }

    #[test]
    fn a_gzip_body_has_the_length_that_it_tells_or_is_refused() {
        let limits = BodyLimits { compressed_bytes_max: 1000, plain_bytes_max: 1000 };
        let fits = gzip(&vec![7; 1000]);
        assert_eq!(Form::JsonGzip.decompress(&fits, limits), Ok(Some(vec![7; 1000])));
        let status = |body: &[u8]| Form::JsonGzip.decompress(body, limits).map_err(|error| error.status().as_u16());
        assert_eq!(status(&gzip(&vec![7; 1001])), Err(413));
        let mut bomb = gzip(&vec![7; 1_000_000]);
        let end = bomb.len() - 4;
        bomb[end..].copy_from_slice(&10u32.to_le_bytes());
        assert_eq!(status(&bomb), Err(400), "not more than it told is ever written");
        assert_eq!(status(&[fits.clone(), fits.clone()].concat()), Ok(Some(vec![7; 1000])), "one member is read");
        for cut in 0..fits.len() {
            assert!(status(&fits[..cut]).is_err(), "cut at {cut}");
        }
    }
}
