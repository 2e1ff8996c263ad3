//! One question that every QUIC server answers before any handshake: a packet of a version that does not exist (RFC 9000, sections 6 and 15;
//! RFC 8999). Bytes only; both ends' doctors send them.

/// A version of the kind that is reserved for making servers list what they speak.
const NO_VERSION: u32 = 0x3a4a_5a6a;
/// QUIC version 1, which agents speak.
pub const VERSION_1: u32 = 1;
/// A server may drop what is smaller than a first packet must be.
pub const PACKET_BYTES: usize = 1_200;
const ID_BYTES: usize = 8;

/// Tells answers of one question from others'; no secret.
pub type ProbeId = [u8; ID_BYTES];

/// The id of a question from this local port.
pub fn id_of(port: u16) -> ProbeId {
    let [high, low] = port.to_be_bytes();
    [b'd', b'o', b'c', b't', b'o', b'r', high, low]
}

/// A long header of no version: destination and source id, then nothing that anybody could read.
pub fn question(id: ProbeId) -> Vec<u8> {
    let mut packet = vec![0xc0];
    packet.extend(NO_VERSION.to_be_bytes());
    packet.push(ID_BYTES as u8);
    packet.extend([0; ID_BYTES]);
    packet.push(ID_BYTES as u8);
    packet.extend(id);
    packet.resize(PACKET_BYTES, 0);
    packet
}

/// The versions of a version negotiation packet that answers the question of this id; `None`: it is none.
pub fn read_answer(bytes: &[u8], id: ProbeId) -> Option<Vec<u32>> {
    let (&first, rest) = bytes.split_first()?;
    let (version, rest) = rest.split_first_chunk::<4>()?;
    if first & 0x80 == 0 || *version != [0; 4] {
        return None;
    }
    let (&length, rest) = rest.split_first()?;
    let (destination, rest) = rest.split_at_checked(usize::from(length))?;
    let (&length, rest) = rest.split_first()?;
    let (_, versions) = rest.split_at_checked(usize::from(length))?;
    let mut list: Vec<u32> =
        versions.chunks_exact(4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]])).collect();
    // Those of the reserved kind are there to keep readers honest.
    list.retain(|version| version & 0x0f0f_0f0f != 0x0a0a_0a0a);
    (destination == id).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(id: &[u8], versions: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0x80, 0, 0, 0, 0, id.len() as u8];
        bytes.extend(id);
        bytes.extend([3, 1, 2, 3]);
        versions.iter().for_each(|version| bytes.extend(version.to_be_bytes()));
        bytes
    }

    #[test]
    fn an_answer_lists_the_versions_and_hostile_bytes_are_none() {
        let id = id_of(7);
        assert_eq!(read_answer(&answer(&id, &[0x1a2a_3a4a, 1, 0x6b33_43cf]), id), Some(vec![1, 0x6b33_43cf]));
        assert_eq!(read_answer(&answer(&id_of(8), &[1]), id), None, "of another's question");
        let good = answer(&id, &[1]);
        for end in 0..good.len() {
            assert_eq!(read_answer(&good[..end], id).unwrap_or_default(), [0; 0], "{end}");
        }
        assert_eq!(read_answer(&[0xff; 40], id), None);
        assert_eq!(read_answer(b"HTTP/1.1 400 Bad Request", id), None);
        assert_eq!(question(id).len(), PACKET_BYTES);
    }
}
