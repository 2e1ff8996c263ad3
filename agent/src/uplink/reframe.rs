//! The same body under another epoch and seq: contexts of a new epoch, and batches that go again (EXACTLY-ONCE.md rules 9 and 10).
//! Only the header and its checksum change, so nothing is decompressed.

use std::sync::Arc;

use muster_common::wire::frame::{HEAD_BYTES, Head, checksum, decode_head};
use muster_common::wire::message::Epoch;

/// `None` when `frame` is no whole frame with a good checksum.
pub(super) fn reframe(frame: &[u8], epoch: Epoch, seq: u64) -> Option<Arc<[u8]>> {
    let (head_bytes, payload) = frame.split_first_chunk::<HEAD_BYTES>()?;
    let head = decode_head(head_bytes).ok()?;
    if head.payload_len as usize != payload.len() || checksum(head_bytes, payload) != head.crc {
        return None;
    }
    let mut moved = Head { epoch, seq, ..head };
    moved.crc = checksum(&moved.to_bytes(), payload);
    let mut bytes = Vec::with_capacity(frame.len());
    bytes.extend_from_slice(&moved.to_bytes());
    bytes.extend_from_slice(payload);
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_common::wire::frame::{self, Frame, FrameReader};
    use muster_common::wire::message::{Gap, GapReason, Lane};

    #[test]
    fn only_the_place_changes_and_damage_is_refused() {
        let gap = Gap { to: 900, reason: GapReason::Lost, from_ms: 1, to_ms: 2 };
        let bytes = frame::encode(&Frame::gap(Lane::P1, Epoch::new(1, 1), 4, gap.clone())).unwrap();
        let moved = reframe(&bytes, Epoch::new(2, 2), 7).unwrap();
        let mut reader = FrameReader::new();
        reader.push(&moved);
        assert_eq!(reader.next().unwrap(), Some(Frame::gap(Lane::P1, Epoch::new(2, 2), 7, gap)));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(reframe(&damaged, Epoch::new(2, 2), 7), None, "byte {at}");
        }
        assert_eq!(reframe(&bytes[..bytes.len() - 1], Epoch::new(2, 2), 7), None);
    }
}
