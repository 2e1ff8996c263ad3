//! Why bytes are no frame, or a message cannot become one. Every text names the place and the remedy.

use super::head::Head;
use super::message::{FrameKind, RefusalCode, SourceRange};

/// Why bytes are refused. All but [`FrameError::Content`] lose the frame's borders or its sender: they end the session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("bytes {found:02x?} where a frame should begin: this peer does not speak muster/1; check the address")]
    Magic { found: [u8; 2] },
    #[error("frame format {found} is unknown here (known: 1): upgrade the older of agent and collector")]
    Format { found: u8 },
    #[error("frame kind 0x{number:02x} is unknown here: upgrade the older of agent and collector")]
    Kind { number: u8 },
    #[error("{} frame with flags 0x{flags:02x}, of which only bit 0 is known here: upgrade the older of agent and collector", kind.name())]
    Flags { kind: FrameKind, flags: u8 },
    #[error("{} frame whose header does not fit its kind: {problem}; this is a fault of the sender, upgrade it", kind.name())]
    Head { kind: FrameKind, problem: &'static str },
    #[error("{} frame tells {what} of {bytes} bytes, but at most {max} are allowed: send less in one frame", kind.name())]
    TooLarge { kind: FrameKind, what: &'static str, bytes: usize, max: usize },
    #[error("{} frame tells a payload of {told} bytes, but {given} are there: it was cut; connect again", kind.name())]
    Length { kind: FrameKind, told: usize, given: usize },
    #[error("{} frame with checksum {told:08x}, but its bytes have {computed:08x}: it was damaged; connect again", kind.name())]
    Checksum { kind: FrameKind, told: u32, computed: u32 },
    #[error("{bytes} bytes were pushed without taking the frames in them out: call `next` after each `push`")]
    Overrun { bytes: usize },
    /// The frame's bytes are whole, what they say is not acceptable. A batch's seq is taken by the refusal.
    #[error("{} frame of lane {}, seq {}: {reason}", head.kind.name(), head.lane_name(), head.seq)]
    Content {
        head: Head,
        reason: ContentError,
        /// Of a batch of lines, where these could be read all the same: the ranges whose lines are refused.
        ranges: Box<[SourceRange]>,
    },
}

/// Why the body of a whole frame is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    #[error("its payload is no single zstd frame of the {raw_len} bytes told: {problem}; upgrade the sender")]
    Zstd { raw_len: usize, problem: String },
    #[error("its body cannot be decoded: {problem}; upgrade the sender")]
    Body { problem: String },
    #[error("{bytes} bytes are left over after its body: upgrade the older of agent and collector")]
    Trailing { bytes: usize },
    #[error("{place}: {problem}; {remedy}")]
    Invalid { place: String, problem: String, remedy: &'static str },
}

impl FrameError {
    /// The batch whose seq the refusal takes; `None`: the session ends with [`FrameError::refusal`].
    pub fn refused_batch(&self) -> Option<&Head> {
        match self {
            Self::Content { head, .. } if head.kind.is_batch() => Some(head),
            _ => None,
        }
    }

    /// What the session's last word is about.
    pub const fn refusal(&self) -> RefusalCode {
        match self {
            Self::Format { .. } | Self::Kind { .. } | Self::Flags { .. } => RefusalCode::Version,
            _ => RefusalCode::Protocol,
        }
    }
}

/// Why a message does not become a frame: what a reader would refuse is never sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("{} frame whose lane, epoch or seq does not fit its kind: {problem}", kind.name())]
    Head { kind: FrameKind, problem: &'static str },
    #[error("{} frame of {} {bytes} bytes {what}, but at most {max} are allowed: put less into one", kind.name(), if *at_least { "over" } else { "" })]
    TooLarge { kind: FrameKind, what: &'static str, bytes: usize, at_least: bool, max: usize },
    #[error("{} frame: {reason}", kind.name())]
    Content { kind: FrameKind, reason: ContentError },
    #[error("{} frame cannot be compressed: {problem}", kind.name())]
    Zstd { kind: FrameKind, problem: String },
}

impl EncodeError {
    /// Whether fewer rows, reports or lines in the frame would help.
    pub const fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. })
    }
}
