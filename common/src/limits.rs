//! Every bound that both ends share, each with its reason. Bounds of one crate alone stand in that crate.

/// A frame's compressed payload. Below redb's power-of-two trap (262,144 B) with room for keys and marks.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 250_000;
/// A frame's payload after decompression: what one zstd call may write, allocated only after this check.
pub const FRAME_PLAIN_BYTES_MAX: usize = 4 << 20;
/// What bincode may charge while decoding one payload. It charges decoded sizes, about three times the plain bytes.
pub const FRAME_DECODE_BYTES_MAX: usize = 12 << 20;
/// Labels of one series or stream, host labels included.
pub const LABELS_MAX: usize = 64;
/// Bytes of a label's name.
pub const LABEL_NAME_BYTES_MAX: usize = 1 << 10;
/// Bytes of a label's value.
pub const LABEL_VALUE_BYTES_MAX: usize = 8 << 10;
/// Series of one context: a host with more is told so by a refusal that names the count.
pub const CONTEXT_SERIES_MAX: usize = 50_000;
/// Scrapes of one metric batch: 10 s of linger at one a second, with room.
pub const BATCH_SCRAPES_MAX: usize = 64;
/// Epochs that a hello may list. The agent joins older ones by a gap before it would pass this.
pub const HELLO_EPOCHS_MAX: usize = 32;
/// One log line; longer ones keep their head and are flagged.
pub const LOG_LINE_BYTES_MAX: usize = 256 << 10;
/// How far ahead of the collector's clock a sample's time may lie: beyond it a broken clock would own the future.
pub const FUTURE_MS_MAX: i64 = 10 * 60 * 1000;
/// Bytes of a host's registered name: DNS' own limit.
pub const HOST_NAME_BYTES_MAX: usize = 253;

const _: () = assert!(FRAME_PAYLOAD_BYTES_MAX < 262_144 - 4_096);
const _: () = assert!(FRAME_DECODE_BYTES_MAX >= 3 * FRAME_PLAIN_BYTES_MAX);
const _: () = assert!(LABEL_VALUE_BYTES_MAX <= u16::MAX as usize && LABEL_NAME_BYTES_MAX <= u16::MAX as usize);
