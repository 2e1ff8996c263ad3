//! Output as it leaves the host: text, without secrets, within its bound, in chunks. Pure.
//!
//! Secrets are looked for line by line, so a line is held back until it is whole or too long. Bytes beyond the bound are counted and cost nothing.

use std::fmt::Write as _;

use muster_common::limits::TASK_CHUNK_BYTES_MAX;
use muster_common::redact::{KeyState, Redactor};

/// A line that is longer is cut there: secrets across the cut may be seen in halves, which none of a usual length are.
const LINE_BYTES_MAX: usize = 16 << 10;
/// Chunks that are told before they are full, so that people see what happens: after so many only full ones are.
const EARLY_CHUNKS_MAX: u32 = 512;

/// What one run writes.
pub struct Shaper {
    redactor: Redactor,
    key: KeyState,
    bytes_max: u64,
    /// The line that is not whole yet.
    line: Vec<u8>,
    /// Text that is in no chunk yet.
    text: String,
    kept_bytes: u64,
    output_bytes: u64,
    dropped_bytes: u64,
    chunks: u32,
    is_said: bool,
}

impl Shaper {
    /// Keeps so many bytes of text.
    ///
    /// # Errors
    /// The built-in patterns cannot be compiled, which a test would have told.
    pub fn new(bytes_max: u64) -> Result<Self, String> {
        let redactor = Redactor::new(&[]).map_err(|(_, reason)| reason)?;
        Ok(Self {
            redactor,
            key: KeyState::default(),
            bytes_max,
            line: Vec::new(),
            text: String::new(),
            kept_bytes: 0,
            output_bytes: 0,
            dropped_bytes: 0,
            chunks: 0,
            is_said: false,
        })
    }

    /// What the process wrote.
    pub fn output_bytes(&self) -> u64 {
        self.output_bytes
    }

    /// What of it is in no chunk.
    pub fn dropped_bytes(&self) -> u64 {
        self.dropped_bytes
    }

    /// Takes what was read, and gives the chunks that are full by it.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<String> {
        self.output_bytes += bytes.len() as u64;
        let mut full = Vec::new();
        while !bytes.is_empty() {
            if self.kept_bytes >= self.bytes_max {
                self.dropped_bytes += bytes.len() as u64;
                break;
            }
            let room = LINE_BYTES_MAX - self.line.len();
            let end = bytes.iter().take(room).position(|byte| *byte == b'\n').map(|at| at + 1);
            let taken = end.unwrap_or(room.min(bytes.len()));
            self.line.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if end.is_some() || self.line.len() >= LINE_BYTES_MAX {
                self.end_line();
                self.cut(&mut full);
            }
        }
        full
    }

    /// What there is by now, for those who watch; `None`: nothing new, or too many such chunks already.
    pub fn early(&mut self) -> Option<String> {
        if self.text.is_empty() || self.chunks >= EARLY_CHUNKS_MAX {
            return None;
        }
        self.chunks += 1;
        Some(std::mem::take(&mut self.text))
    }

    /// The rest, with a word on what is not there.
    pub fn finish(&mut self) -> Vec<String> {
        let mut chunks = Vec::new();
        if !self.line.is_empty() {
            self.end_line();
        }
        if self.dropped_bytes > 0 && !self.is_said {
            self.is_said = true;
            let _ = write!(self.text, "\n[{} bytes more were written and are not kept]\n", self.dropped_bytes);
        }
        self.cut(&mut chunks);
        if !self.text.is_empty() {
            self.chunks += 1;
            chunks.push(std::mem::take(&mut self.text));
        }
        chunks
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        let written = line.len() as u64;
        let is_whole = line.pop_if(|byte| *byte == b'\n').is_some();
        self.redactor.redact(&mut line, &mut self.key);
        let mut safe = make_text(&line);
        if is_whole {
            safe.push('\n');
        }
        let room = usize::try_from(self.bytes_max.saturating_sub(self.kept_bytes)).unwrap_or(usize::MAX);
        if safe.len() > room {
            let mut end = room;
            while !safe.is_char_boundary(end) {
                end -= 1;
            }
            // Counted in bytes as they were written, at least one, so that the cut is never silent.
            self.dropped_bytes += written.saturating_sub(end as u64).max(1).min(written);
            safe.truncate(end);
            self.kept_bytes = self.bytes_max;
        } else {
            self.kept_bytes += safe.len() as u64;
        }
        self.text.push_str(&safe);
        line.clear();
        self.line = line;
    }

    fn cut(&mut self, chunks: &mut Vec<String>) {
        while self.text.len() >= TASK_CHUNK_BYTES_MAX {
            let mut end = TASK_CHUNK_BYTES_MAX;
            while !self.text.is_char_boundary(end) {
                end -= 1;
            }
            let rest = self.text.split_off(end);
            self.chunks += 1;
            chunks.push(std::mem::replace(&mut self.text, rest));
        }
    }
}

/// Text that neither terminals nor pages are steered by: what is no UTF-8, control characters but the tab, and characters that turn others, as
/// their bytes in hexadecimal.
fn make_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let escape = |text: &mut String, bytes: &[u8]| {
        bytes.iter().for_each(|byte| {
            let _ = write!(text, "\\x{byte:02x}");
        });
    };
    for piece in bytes.utf8_chunks() {
        for letter in piece.valid().chars() {
            if letter == '\t' || muster_common::task::is_plain(letter.encode_utf8(&mut [0; 4])) {
                text.push(letter);
            } else {
                escape(&mut text, letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        escape(&mut text, piece.invalid());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(shaper: &mut Shaper, parts: &[&[u8]]) -> String {
        let mut chunks: Vec<String> = parts.iter().flat_map(|part| shaper.push(part)).collect();
        chunks.extend(shaper.finish());
        assert!(chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= TASK_CHUNK_BYTES_MAX));
        chunks.concat()
    }

    #[test]
    fn text_stays_and_what_is_none_is_written_out() {
        let mut shaper = Shaper::new(1 << 20).unwrap();
        let text = all(&mut shaper, &["gr\u{fc}n\tok\r\n".as_bytes(), b"\x1b[31m\xff\0\n", "\u{202e}x".as_bytes()]);
        assert_eq!(text, "gr\u{fc}n\tok\\x0d\n\\x1b[31m\\xff\\x00\n\\xe2\\x80\\xaex");
        assert_eq!((shaper.output_bytes(), shaper.dropped_bytes()), (22, 0));
    }

    #[test]
    fn secrets_are_cut_out_however_the_pipe_cut_them() {
        let line = b"login password=hunter2hunter2 ok\n";
        for at in 1..line.len() {
            let mut shaper = Shaper::new(1 << 20).unwrap();
            assert_eq!(all(&mut shaper, &[&line[..at], &line[at..]]), "login password=<redacted> ok\n");
        }
    }

    #[test]
    fn what_is_beyond_the_bound_is_counted_and_said() {
        let mut shaper = Shaper::new(100_000).unwrap();
        let block = b"y\n".repeat(32_768);
        let (mut kept, mut rounds) = (Vec::new(), 0u64);
        for _ in 0..16_384 {
            kept.extend(shaper.push(&block));
            rounds += 1;
        }
        kept.extend(shaper.finish());
        let text = kept.concat();
        assert_eq!((shaper.output_bytes(), shaper.dropped_bytes()), (rounds << 16, (rounds << 16) - 100_000));
        assert!(text.ends_with("\n[1073641824 bytes more were written and are not kept]\n"), "{}", text.len());
        assert!(text.len() < 100_100);
    }

    #[test]
    fn a_line_without_an_end_and_a_bound_within_a_letter_are_cut() {
        let mut shaper = Shaper::new(40_001).unwrap();
        let text = all(&mut shaper, &["\u{e4}".repeat(50_000).as_bytes()]);
        let (letters, rest) = text.split_once('\n').unwrap();
        assert!(letters.len() == 40_000 && letters.chars().all(|letter| letter == '\u{e4}'), "{}", letters.len());
        assert!(
            rest.starts_with('[') && shaper.output_bytes() == 100_000 && shaper.dropped_bytes() == 60_000,
            "{rest}"
        );
    }

    #[test]
    fn those_who_watch_see_what_there_is_and_no_more_chunks_than_bounded() {
        let mut shaper = Shaper::new(4 << 20).unwrap();
        assert_eq!(shaper.early(), None);
        shaper.push(b"one\ntwo");
        assert_eq!((shaper.early().as_deref(), shaper.early()), (Some("one\n"), None));
        for _ in 0..EARLY_CHUNKS_MAX {
            shaper.push(b"x\n");
            shaper.early();
        }
        shaper.push(b"x\n");
        assert_eq!(shaper.early(), None);
        assert!(shaper.finish().concat().ends_with("x\n"));
    }
}
