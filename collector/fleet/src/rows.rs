//! The rows of state.redb: a version byte, then JSON. STATE.md describes every table and field.
//!
//! Small and seldom written, so readable beats compact: what an operator finds in a damaged file can be read with any tool.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::wire::message::HostFacts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::host::HostState;
use crate::machines::Trace;
use crate::standing::Absence;

/// The version byte of the rows this collector writes. A changed meaning is a new number, read beside the old one.
pub(crate) const ROW_VERSION: u8 = 1;
/// A host's own words are kept up to this many bytes each: facts come from the host, and the registry lies in memory.
pub(crate) const FACT_BYTES_MAX: usize = 256;

/// The bytes of a row.
pub(crate) fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    let mut bytes = vec![ROW_VERSION];
    // Rows are structs of texts, numbers and maps with text keys, for all of which JSON has a form; a Vec takes every write.
    let written = serde_json::to_writer(&mut bytes, row);
    debug_assert!(written.is_ok(), "a row that JSON cannot write");
    bytes
}

/// The row in these bytes, or what is wrong with them.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        Some((&ROW_VERSION, json)) => serde_json::from_slice(json).map_err(|error| error.to_string()),
        Some((version, _)) => Err(format!("row version {version} is unknown")),
        None => Err("the row is empty".to_owned()),
    }
}

/// A host as it is registered: table `hosts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registration {
    #[serde(with = "host_id")]
    pub id: HostId,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub state: HostState,
    /// As the machine that bears this identity told it; empty until told.
    pub machine_id: String,
    /// Hash of the key that waits for a certificate: set while pending, and when approved but not yet collected.
    pub key: Option<Sha256>,
    /// Issued and not yet past renewing, newest last, at most `CERTIFICATES_MAX`.
    pub certificates: Vec<CertificateRow>,
    /// The token that let it in; `None`: an operator's approval.
    pub token: Option<String>,
    /// When it first asked, and from where.
    pub asked_ms: i64,
    pub peer: String,
    /// First certificate.
    pub enrolled_ms: Option<i64>,
    /// Retires by itself after this long a silence.
    pub ephemeral_ms: Option<i64>,
    pub replaced_ms: Option<i64>,
    pub retired_ms: Option<i64>,
    /// Why it waits, is set aside or is retired.
    pub reason: String,
    /// It was told to be silent or stopped.
    pub absence: Option<Absence>,
    /// Quarantined: the identity that this machine used.
    #[serde(with = "host_id_option")]
    pub of: Option<HostId>,
    /// Quarantined: what this machine is known by.
    pub traces: Vec<Trace>,
}

impl Registration {
    /// The certificate issued last.
    pub(crate) fn certificate(&self) -> Option<&CertificateRow> {
        self.certificates.last()
    }
}

/// A certificate of a host: enough to deny it and to know its key, not the certificate itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CertificateRow {
    pub serial: String,
    pub key: Sha256,
    pub issued_ms: i64,
    pub expires_ms: i64,
    /// The number of the CA that issued it.
    pub authority: u64,
}

/// What a host last told of itself: table `sightings`, apart from `hosts` since hello changes it and no operator does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sighting {
    pub last_hello_ms: i64,
    pub agent_version: String,
    /// Hexadecimal; empty: not yet heard.
    pub boot_id: String,
    pub started_ms: i64,
    pub facts: Facts,
}

/// [`HostFacts`] as a row, each text cut to `FACT_BYTES_MAX`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facts {
    host_name: String,
    machine_id: String,
    os: String,
    kernel: String,
    architecture: String,
    processors: u32,
    memory_bytes: u64,
    virtualisation: String,
}

impl Facts {
    pub(crate) fn from_wire(facts: &HostFacts) -> Self {
        Self {
            host_name: cut(&facts.host_name),
            machine_id: cut(&facts.machine_id),
            os: cut(&facts.os),
            kernel: cut(&facts.kernel),
            architecture: cut(&facts.architecture),
            processors: facts.processors,
            memory_bytes: facts.memory_bytes,
            virtualisation: cut(&facts.virtualisation),
        }
    }

    pub(crate) fn to_wire(&self) -> HostFacts {
        HostFacts {
            host_name: self.host_name.clone(),
            machine_id: self.machine_id.clone(),
            os: self.os.clone(),
            kernel: self.kernel.clone(),
            architecture: self.architecture.clone(),
            processors: self.processors,
            memory_bytes: self.memory_bytes,
            virtualisation: self.virtualisation.clone(),
        }
    }
}

/// A foreign text, cut to what is kept of it.
pub(crate) fn cut(text: &str) -> String {
    cut_to(text, FACT_BYTES_MAX)
}

/// The beginning of a text, so many bytes at most, whole characters.
pub(crate) fn cut_to(text: &str, bytes_max: usize) -> String {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// A serial that is denied, and why: table `denied`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DenyRow {
    pub serial: String,
    #[serde(with = "host_id_option")]
    pub host: Option<HostId>,
    pub reason: String,
    pub since_ms: i64,
    /// From then on the certificate could not be renewed anyway, so the row goes.
    pub until_ms: i64,
}

/// A SHA-256: of a SubjectPublicKeyInfo, which is what a key is known by, or of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Sha256(pub [u8; 32]);

impl Sha256 {
    pub(crate) fn of(spki_der: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, spki_der).as_ref());
        Self(hash)
    }
}

impl From<Sha256> for String {
    fn from(hash: Sha256) -> Self {
        hex(&hash.0)
    }
}

impl TryFrom<String> for Sha256 {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        unhex::<32>(&text).map(Self).ok_or_else(|| "a hash is 64 hexadecimal digits".to_owned())
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [char::from(DIGITS[usize::from(byte >> 4)]), char::from(DIGITS[usize::from(byte & 15)])])
        .collect()
}

/// Exactly `N` bytes from hexadecimal digits.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    unhex_any(text)?.try_into().ok()
}

/// Any number of bytes from hexadecimal digits.
pub(crate) fn unhex_any(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// Bytes as hexadecimal text.
pub(crate) mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::hex(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(input)?;
        super::unhex_any(&text).ok_or_else(|| serde::de::Error::custom("not hexadecimal"))
    }
}

/// A check's state by its word.
pub(crate) mod check_state {
    use muster_common::check::CheckState;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde's `with` asks for")]
    pub(crate) fn serialize<S: Serializer>(state: &CheckState, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(state.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<CheckState, D::Error> {
        let text = String::deserialize(input)?;
        let found = (0..4).filter_map(CheckState::from_u8).find(|state| state.as_str() == text);
        found.ok_or_else(|| serde::de::Error::custom("not a check's state"))
    }
}

/// An epoch as 32 hexadecimal digits.
pub(crate) mod epoch_hex {
    use muster_common::wire::message::Epoch;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(epoch: &Epoch, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::hex(&epoch.0))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Epoch, D::Error> {
        let text = String::deserialize(input)?;
        let bytes = super::unhex_any(&text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Epoch).ok_or_else(|| serde::de::Error::custom("not an epoch"))
    }
}

/// A host id as its hyphenated text.
pub(crate) mod host_id {
    use muster_common::host::HostId;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(id: &HostId, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(id)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<HostId, D::Error> {
        let text = String::deserialize(input)?;
        HostId::parse(&text).ok_or_else(|| serde::de::Error::custom("not a host id"))
    }
}

/// A host id or nothing.
pub(crate) mod host_id_option {
    use muster_common::host::HostId;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "the signature that serde's `with` asks for")]
    pub(crate) fn serialize<S: Serializer>(id: &Option<HostId>, out: S) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => out.collect_str(id),
            None => out.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<HostId>, D::Error> {
        match Option::<String>::deserialize(input)? {
            None => Ok(None),
            Some(text) => HostId::parse(&text).map(Some).ok_or_else(|| serde::de::Error::custom("not a host id")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_carry_their_version_and_others_are_named() {
        let row = DenyRow { serial: "40".into(), host: None, reason: "lost".into(), since_ms: 1, until_ms: 2 };
        let bytes = encode(&row);
        assert_eq!(decode::<DenyRow>(&bytes), Ok(row));
        assert_eq!(decode::<DenyRow>(&[9, b'{', b'}']), Err("row version 9 is unknown".to_owned()));
        assert!(decode::<DenyRow>(&[]).is_err() && decode::<DenyRow>(&[ROW_VERSION]).is_err());
        for end in 0..bytes.len() {
            assert!(decode::<DenyRow>(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn foreign_words_are_cut_between_characters() {
        let long = "\u{20ac}".repeat(200);
        assert_eq!(cut(&long).len(), 255);
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn hexadecimal_reads_back_and_nothing_else_reads() {
        assert_eq!(unhex::<3>(&hex(&[0, 0xab, 0xff])), Some([0, 0xab, 0xff]));
        for bad in ["0", "0g", "+1", "0000"] {
            assert_eq!(unhex::<3>(bad), None, "{bad}");
        }
    }
}
