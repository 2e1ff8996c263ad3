//! Tokens: what a line is found by without being read.

/// Bits of a token's hash. With a million tokens a foreign one is mistaken for one of them once in a million look-ups.
pub const HASH_BITS: u32 = 40;

/// Whether this byte belongs to a token. Bytes of 0x80 and above do, so that words of any language stay whole.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The runs of token bytes of a text, in order.
pub struct Tokens<'a> {
    rest: &'a [u8],
}

/// The tokens of a text.
pub fn tokens(text: &[u8]) -> Tokens<'_> {
    Tokens { rest: text }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|&byte| is_token_byte(byte))?;
        let rest = &self.rest[start..];
        let end = rest.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(rest.len());
        let (token, rest) = rest.split_at(end);
        self.rest = rest;
        Some(token)
    }
}

/// The tokens of a needle that every text which contains the needle has whole: those with a separator of the needle on both
/// sides. The first and the last may be pieces of longer ones.
pub fn inner_tokens(needle: &[u8]) -> Tokens<'_> {
    let first = needle.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(needle.len());
    let end = needle.iter().rposition(|&byte| !is_token_byte(byte)).map_or(first, |last| last + 1);
    tokens(&needle[first..end])
}

/// Replaces `out` by the text with ASCII letters in lower case: maps know tokens in this form alone, so that they can answer
/// for patterns that ignore case too.
pub fn fold(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(text);
    out.make_ascii_lowercase();
}

/// The hash of a folded token: the low 40 bits of xxh3-64.
pub fn hash(token: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(token) & ((1 << HASH_BITS) - 1)
}
