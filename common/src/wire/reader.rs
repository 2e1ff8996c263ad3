//! Cuts a stream of bytes into frames: no sockets, no waiting.

use super::error::FrameError;
use super::frame::Frame;
use super::head::{HEAD_BYTES, Head, decode_head};
use super::{frame, head};
use crate::limits::FRAME_PAYLOAD_BYTES_MAX;

/// What one `push` may bring beside an unfinished frame: a read of any transport is smaller.
const PUSH_BYTES_MAX: usize = 256 << 10;
/// Room that an idle reader keeps.
const KEEP_BYTES: usize = 4 << 10;

/// Takes bytes as they come and gives frames. Its buffer never passes one frame and one push.
///
/// After an error that ends the session it gives that same error for ever; after [`FrameError::Content`] it goes on with
/// the next frame.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// Bytes of `buffer` already given out.
    taken: usize,
    failed: Option<FrameError>,
}

impl FrameReader {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was read. Call [`FrameReader::next`] until it gives `None` before the next push.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.compact();
        let held = self.buffer.len() + bytes.len();
        if held > HEAD_BYTES + FRAME_PAYLOAD_BYTES_MAX + PUSH_BYTES_MAX {
            self.failed = Some(FrameError::Overrun { bytes: held });
            return;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, or `None` until more is pushed.
    ///
    /// # Errors
    /// [`FrameError`]; see the type for which of them end the stream.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would end at None, this goes on after the next push"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((head, head_bytes)) = self.head()? else { return Ok(None) };
        let rest = &self.buffer[self.taken + HEAD_BYTES..];
        let Some(payload) = rest.get(..head.payload_len as usize) else { return Ok(None) };
        let result = frame::decode(&head, &head_bytes, payload);
        self.taken += head.frame_bytes();
        if let Err(error) = &result
            && !matches!(error, FrameError::Content { .. })
        {
            self.failed = Some(error.clone());
        }
        result.map(Some)
    }

    /// Bytes held that no frame was made of yet: zero at a clean end of the stream.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len() - self.taken
    }

    fn head(&mut self) -> Result<Option<(Head, [u8; head::HEAD_BYTES])>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let Some(head_bytes) = self.buffer[self.taken..].first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        match decode_head(head_bytes) {
            Ok(head) => Ok(Some((head, *head_bytes))),
            Err(error) => {
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    fn compact(&mut self) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        if self.buffer.is_empty() {
            self.buffer.shrink_to(KEEP_BYTES);
        }
    }
}
