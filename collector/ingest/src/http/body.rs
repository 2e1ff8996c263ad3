//! A request's body: its room in memory before it is used, its bytes, and what it is known by when it comes again.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use http_body_util::LengthLimitError;
use muster_fleet::Grant;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use xxhash_rust::xxh3::Xxh3;

use super::refusal::{RETRY_AFTER, Refusal};
use crate::hub::{DECODING_BYTES_A_PERMIT, Hub};

/// Bodies above this are decoded off the runtime's threads: some milliseconds would hold up others.
pub(crate) const INLINE_BYTES_MAX: usize = 512 << 10;
/// How long a body may take to come.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);

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

/// Why a body cannot be decompressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlainError {
    #[error("the body is no snappy block: {problem}: compress it as one block, without snappy's framing")]
    Snappy { problem: String },
    #[error("the body has {bytes} bytes after decompression, but at most {max} are allowed: send less per request")]
    TooLarge { bytes: usize, max: usize },
}

impl PlainError {
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Snappy { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

/// How many bytes a snappy block will have, read from its first bytes before anything is allocated.
///
/// # Errors
/// [`PlainError`].
pub fn plain_bytes(body: &[u8], limits: BodyLimits) -> Result<usize, PlainError> {
    let bytes = snap::raw::decompress_len(body).map_err(|error| PlainError::Snappy { problem: error.to_string() })?;
    if bytes > limits.plain_bytes_max {
        return Err(PlainError::TooLarge { bytes, max: limits.plain_bytes_max });
    }
    Ok(bytes)
}

/// The bytes of a snappy block: exactly as many as [`plain_bytes`] said.
///
/// # Errors
/// [`PlainError`].
pub fn decompress(body: &[u8], limits: BodyLimits) -> Result<Vec<u8>, PlainError> {
    let mut plain = vec![0; plain_bytes(body, limits)?];
    let written = snap::raw::Decoder::new()
        .decompress(body, &mut plain)
        .map_err(|error| PlainError::Snappy { problem: error.to_string() })?;
    plain.truncate(written);
    Ok(plain)
}

/// A body that came, and the room that it takes until this is dropped.
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// Reads a body for which there is room.
pub(crate) async fn receive(hub: &Hub, headers: &HeaderMap, body: Body) -> Result<Received, Refusal> {
    let max = hub.config.remote_write.body.compressed_bytes_max;
    let told = told_length(headers).unwrap_or(max);
    // First, since a request that can never succeed must not be told to come again.
    if told > max {
        return Err(too_large(max));
    }
    let room = take_room(hub, told)?;
    Ok(Received { bytes: read_body(body, max, BODY_TIMEOUT).await?, _room: room })
}

fn told_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A part of the memory that all requests share, while it is needed.
pub(crate) fn take_room(hub: &Hub, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    let permits = u32::try_from(bytes.div_ceil(DECODING_BYTES_A_PERMIT)).unwrap_or(u32::MAX);
    let full = "too many requests are being read: try again later";
    let taken = hub.decoding.clone().try_acquire_many_owned(permits);
    taken.map_err(|_| Refusal::later(StatusCode::TOO_MANY_REQUESTS, full, RETRY_AFTER))
}

fn too_large(max: usize) -> Refusal {
    let text = format!("the body has more than {max} bytes: send less per request");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// A body that is slow or cut off is the network's fault, not the request's: 503 lets the sender keep it.
pub(crate) async fn read_body(body: Body, max: usize, within: Duration) -> Result<Bytes, Refusal> {
    match timeout(within, to_bytes(body, max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.source().is_some_and(|source| source.is::<LengthLimitError>()) => Err(too_large(max)),
        Ok(Err(error)) => {
            let text = format!("the body was cut off: {error}: send it again");
            Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, RETRY_AFTER))
        }
        Err(_) => {
            let text = format!(
                "the body did not come within {} s: send it again, and less per request if the network is slow",
                within.as_secs()
            );
            Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, RETRY_AFTER))
        }
    }
}

/// Hash of who pushes, where, and what: a repeat of the same body by the same sender is known by it.
pub(crate) fn body_hash(grant: Option<&Grant>, extensions: &Extensions, path: &str, body: &[u8]) -> u128 {
    let mut hash = Xxh3::new();
    match (grant, extensions.get::<ConnectInfo<SocketAddr>>()) {
        (Some(grant), _) => hash.update(grant.id.as_bytes()),
        // The address without its port: a sender that repeats may come over another connection.
        (None, Some(ConnectInfo(peer))) => hash.update(peer.ip().to_string().as_bytes()),
        (None, None) => {}
    }
    hash.update(&[0]);
    hash.update(path.as_bytes());
    hash.update(&[0]);
    hash.update(body);
    hash.digest128()
}

/// Runs a decoding of this many plain bytes: large ones off the runtime's threads.
pub(crate) async fn decoded<T: Send + 'static>(
    plain_bytes: usize,
    decode: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    if plain_bytes <= INLINE_BYTES_MAX {
        return decode();
    }
    tokio::task::spawn_blocking(decode).await.map_err(|error| {
        tracing::error!("a request could not be read: {error}");
        let text = "the request could not be read: it is tried again; the collector's log says why";
        Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, RETRY_AFTER)
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_refused_by_its_first_bytes() {
        let limits = BodyLimits { compressed_bytes_max: 100, plain_bytes_max: 1000 };
        let told = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0];
        assert!(matches!(decompress(&told, limits), Err(PlainError::TooLarge { .. })));
        let bomb = snap::raw::Encoder::new().compress_vec(&vec![0; 1001]).unwrap();
        assert_eq!(decompress(&bomb, limits), Err(PlainError::TooLarge { bytes: 1001, max: 1000 }));
        let fits = snap::raw::Encoder::new().compress_vec(&vec![7; 1000]).unwrap();
        assert_eq!(decompress(&fits, limits), Ok(vec![7; 1000]));
        for cut in 0..fits.len() {
            assert!(decompress(&fits[..cut], limits).is_err(), "cut at {cut}");
        }
        assert!(matches!(decompress(b"\xff\xff\xff\xff\xff\xff", limits), Err(PlainError::Snappy { .. })));
    }
}
