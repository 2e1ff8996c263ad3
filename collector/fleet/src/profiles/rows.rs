//! What state.redb has of profiles and configurations; STATE.md tells the bytes.

use muster_common::host::HostId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bounds::SET_BYTES_MAX;
use super::compose::ConfigurationDigest;
use super::rollout::{ConfigurationWord, Stage};
use super::set::ProfileSet;
use crate::rows::{hex, unhex};

/// The first byte of a packed set.
const SET_VERSION: u8 = 1;
/// What JSON makes of a set's documents: quotes, line ends and the other fields.
const JSON_BYTES_MAX: usize = 8 * SET_BYTES_MAX;
/// Documents are alike and written seldom.
const LEVEL: i32 = 9;

/// Row `profiles` of `meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// The version that every host is on whose row names no other.
    pub(super) settled: u64,
    /// What the next document that is offered to any host gets.
    pub(super) next: u64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { settled: 0, next: 1 }
    }
}

/// A profile assigned to a host by hand: table `profile_assignments`, key host id and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    pub profile: String,
    pub by: String,
    pub reason: String,
    pub made_ms: i64,
}

/// How a host stands: table `host_configurations`, key its id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostRow {
    /// Of the document that it is to have; 0: none was ever offered.
    pub(super) number: u64,
    #[serde(with = "digest_hex", default)]
    pub(super) digest: ConfigurationDigest,
    /// The version of the set that it is composed of, where that is not the settled one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<u64>,
    /// How far it is in the open roll-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<Part>,
    /// Why it was set back to the version above; empty: it was not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) problem: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told: Option<ToldRow>,
}

/// A host in a roll-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) stage: Stage,
    pub(super) wave: u8,
    /// The version it was on before it was released.
    pub(super) from: u64,
}

/// What a host told last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToldRow {
    pub(super) word: ConfigurationWord,
    #[serde(with = "digest_hex")]
    pub(super) in_force: ConfigurationDigest,
    #[serde(with = "digest_hex")]
    pub(super) offered: ConfigurationDigest,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) problems: Vec<String>,
    /// By the collector's clock.
    pub(super) ms: i64,
}

/// Key of an assignment.
pub(super) fn assignment_key(host: HostId, profile: &str) -> Vec<u8> {
    [&host.0[..], profile.as_bytes()].concat()
}

/// The host and the rest of a key.
pub(super) fn split_key(key: &[u8]) -> Result<(HostId, &[u8]), String> {
    let (host, rest) = key.split_first_chunk::<16>().ok_or("the key begins with no host")?;
    Ok((HostId(*host), rest))
}

/// A set as it is written: version byte, bytes of the JSON (u32 LE), one zstd frame.
///
/// # Errors
/// What JSON or zstd says when there is no memory.
pub(super) fn pack_set(set: &ProfileSet) -> Result<Vec<u8>, String> {
    let json = serde_json::to_vec(set).map_err(|error| error.to_string())?;
    let length = u32::try_from(json.len()).map_err(|error| error.to_string())?;
    let mut bytes = vec![SET_VERSION];
    bytes.extend(length.to_le_bytes());
    bytes.extend(zstd::bulk::compress(&json, LEVEL).map_err(|error| error.to_string())?);
    Ok(bytes)
}

/// A set as [`pack_set`] wrote it, or what is wrong with it.
pub(super) fn unpack_set(bytes: &[u8]) -> Result<ProfileSet, String> {
    let (version, rest) = bytes.split_first().ok_or("the row is empty")?;
    if *version != SET_VERSION {
        return Err(format!("row version {version} is unknown"));
    }
    let (length, frame) = rest.split_first_chunk::<4>().ok_or("it ends within its head")?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > JSON_BYTES_MAX {
        return Err(format!("it tells {length} bytes"));
    }
    let json = zstd::bulk::decompress(frame, length).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}

/// A digest as 32 hexadecimal digits.
mod digest_hex {
    use super::{ConfigurationDigest, Deserialize, Deserializer, Serializer, hex, unhex};

    pub(super) fn serialize<S: Serializer>(digest: &ConfigurationDigest, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&hex(digest))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<ConfigurationDigest, D::Error> {
        let text = String::deserialize(input)?;
        unhex(&text).ok_or_else(|| serde::de::Error::custom("not a digest"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles::set::{ProfileSource, ProfileText};

    #[test]
    fn sets_are_the_same_after_packing_and_damage_is_named() {
        let text = |name: &str, source| ProfileText {
            name: name.into(),
            source,
            file: String::new(),
            text: format!("profile: {name}\n"),
        };
        let profiles =
            vec![text("a", ProfileSource::BuiltIn), text("a", ProfileSource::File), text("b", ProfileSource::Api)];
        let set = ProfileSet { version: 7, made_ms: 5, by: "user:ann".into(), reason: "web".into(), profiles };
        let bytes = pack_set(&set).unwrap();
        assert_eq!(unpack_set(&bytes), Ok(set));
        for end in 0..bytes.len() {
            assert!(unpack_set(&bytes[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(unpack_set(&[9, 0]), Err("row version 9 is unknown".to_owned()));
        assert!(unpack_set(&[1, 0xff, 0xff, 0xff, 0xff, 0]).unwrap_err().starts_with("it tells"));
    }

    #[test]
    fn rows_of_hosts_read_back_and_the_shortest_is_good() {
        let told = ToldRow {
            word: ConfigurationWord::Refused,
            in_force: [1; 16],
            offered: [2; 16],
            problems: vec!["x".into()],
            ms: 9,
        };
        let part = Some(Part { stage: Stage::Released, wave: 1, from: 3 });
        let row = HostRow { number: 4, digest: [9; 16], version: Some(8), part, problem: "p".into(), told: Some(told) };
        assert_eq!(crate::rows::decode::<HostRow>(&crate::rows::encode(&row)), Ok(row));
        assert_eq!(crate::rows::decode::<HostRow>(b"\x01{\"number\":0}"), Ok(HostRow::default()));
    }
}
