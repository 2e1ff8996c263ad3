//! One row: what one recipient is to be told by one notice, and how far that has come.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Version of both parts of a row; readers refuse others.
const VERSION: u8 = 1;

/// Which row: rises with the notice, so oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    pub notice: u64,
    /// Number of the recipient within the notice; digests have the highest bit set.
    pub recipient: u32,
}

impl Key {
    const DIGEST: u32 = 1 << 31;

    /// Of the digest whose last entry is this row.
    pub(super) const fn of_digest(last: Self) -> Self {
        Self { notice: last.notice, recipient: last.recipient | Self::DIGEST }
    }

    pub const fn is_digest(self) -> bool {
        self.recipient & Self::DIGEST != 0
    }

    /// Key of a part in the table: `r`, 8 and 4 bytes big endian, then the part.
    fn part(self, part: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(14);
        bytes.push(b'r');
        bytes.extend_from_slice(&self.notice.to_be_bytes());
        bytes.extend_from_slice(&self.recipient.to_be_bytes());
        bytes.push(part);
        bytes
    }

    pub(super) fn head(self) -> Vec<u8> {
        self.part(b'h')
    }

    pub(super) fn body(self) -> Vec<u8> {
        self.part(b'b')
    }

    /// The key and its part; `None` where the bytes are no row's key.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, u8)> {
        let (notice, rest) = bytes.strip_prefix(b"r")?.split_first_chunk::<8>()?;
        let (recipient, part) = rest.split_first_chunk::<4>()?;
        let [part @ (b'h' | b'b')] = part else { return None };
        Some((Self { notice: u64::from_be_bytes(*notice), recipient: u32::from_be_bytes(*recipient) }, *part))
    }
}

/// How far a row has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Never attempted.
    Queued,
    /// An attempt is under way; what became of it is unknown after `until_ms`.
    Leased {
        until_ms: i64,
    },
    /// An attempt failed; the next at `next_ms`.
    Deferred {
        next_ms: i64,
        why: String,
    },
    Accepted {
        at_ms: i64,
    },
    /// Told by another row: the digest, or the mail that also tells the end.
    Within {
        row: Key,
        at_ms: i64,
    },
    Dead {
        at_ms: i64,
        why: String,
    },
}

impl State {
    /// When it was over with; `None`: it is not.
    pub const fn done_ms(&self) -> Option<i64> {
        match self {
            Self::Accepted { at_ms } | Self::Within { at_ms, .. } | Self::Dead { at_ms, .. } => Some(*at_ms),
            Self::Queued | Self::Leased { .. } | Self::Deferred { .. } => None,
        }
    }
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// A mail as MIME, ASCII, without Message-ID, In-Reply-To and References, which the row has.
    Mail(String),
    /// The JSON of a webhook.
    Webhook(String),
}

impl Payload {
    pub const fn size_bytes(&self) -> usize {
        match self {
            Self::Mail(text) | Self::Webhook(text) => text.len(),
        }
    }
}

/// Where to: a server of the table of notifiers, and the address there (a mail address; of a webhook its URL).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub server: String,
    pub recipient: String,
}

/// The small part of a row, written at every change. The payload is a part of its own, written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub incident: u64,
    pub receiver: String,
    pub target: Target,
    /// Taken where the first refuses for good or is away for long.
    pub second: Option<Target>,
    pub uses_second: bool,
    /// Fixed for good: every attempt has it, in angle brackets.
    pub message_id: String,
    /// The incident's first message to this recipient, and the one before; empty: it is the first.
    pub references: Vec<String>,
    pub subject: String,
    /// First line of the body, for digests and lists.
    pub summary: String,
    /// It tells that the incident is over.
    pub is_end: bool,
    pub queued_ms: i64,
    /// When the latest attempt began, as far as any may have reached its server; what the hourly cap counts.
    pub started_ms: Option<i64>,
    pub attempts: u32,
    /// An attempt of it may have arrived although nobody said so.
    pub may_have_arrived: bool,
    pub is_webhook: bool,
    pub size_bytes: usize,
    pub state: State,
}

impl Row {
    /// Where it goes now.
    pub fn current(&self) -> &Target {
        match &self.second {
            Some(second) if self.uses_second => second,
            _ => &self.target,
        }
    }

    /// Whether it is certain that nobody has it, so that another mail may tell its words.
    pub fn is_surely_unsent(&self) -> bool {
        !self.may_have_arrived && matches!(self.state, State::Queued | State::Deferred { .. })
    }
}

/// What is handed to the queue for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRow {
    pub key: Key,
    pub incident: u64,
    pub receiver: String,
    pub target: Target,
    pub second: Option<Target>,
    /// Domain of Message-IDs.
    pub domain: String,
    pub subject: String,
    pub summary: String,
    pub is_end: bool,
    pub payload: Payload,
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u8,
    row: T,
}

/// Why a row of the table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadRow {
    #[error("outgoing row {key}: {source}")]
    Json { key: String, source: serde_json::Error },
    #[error("outgoing row {key} has version {version}, this collector reads {VERSION}: start the newer one again")]
    Version { key: String, version: u8 },
    #[error("outgoing row {key} has a key of another form")]
    Key { key: String },
    #[error("outgoing row {key} has no {part}")]
    Missing { key: String, part: &'static str },
}

pub(super) fn hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A row as it is stored: `{"v":1,"row":...}`.
pub(super) fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    serde_json::to_vec(&Versioned { v: VERSION, row }).unwrap_or_default()
}

pub(super) fn decode<T: for<'a> Deserialize<'a>>(key: &[u8], bytes: &[u8]) -> Result<T, BadRow> {
    #[derive(Deserialize)]
    struct Only {
        v: u8,
    }
    let fail = |source| BadRow::Json { key: hex(key), source };
    let Only { v } = serde_json::from_slice(bytes).map_err(fail)?;
    if v != VERSION {
        return Err(BadRow::Version { key: hex(key), version: v });
    }
    serde_json::from_slice::<Versioned<T>>(bytes).map(|versioned| versioned.row).map_err(fail)
}

/// 16 hexadecimal digits that stand for a recipient in a Message-ID, where an address would leak to all who see it.
pub fn recipient_hash(receiver: &str, recipient: &str) -> String {
    format!("{:016x}", xxh3_64(format!("{receiver}\n{recipient}").as_bytes()))
}

/// The Message-ID of one notice to one recipient, without state, so that the first of an incident is known from any later one.
pub fn message_id(incident: u64, notice: u64, receiver: &str, recipient: &str, domain: &str) -> String {
    format!("<i{incident}.n{notice}.{}@{domain}>", recipient_hash(receiver, recipient))
}
