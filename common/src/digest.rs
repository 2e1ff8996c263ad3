//! SHA-256 of bytes that come in parts, and its text.

use std::fmt;

/// The sum of all bytes so far.
#[derive(Clone)]
pub struct Sha256(ring::digest::Context);

/// 32 bytes; as text 64 lower-case hexadecimal digits, as `sha256sum` prints them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sum(pub [u8; 32]);

impl Sha256 {
    pub fn new() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> Sum {
        let mut sum = [0; 32];
        sum.copy_from_slice(self.0.finish().as_ref());
        Sum(sum)
    }

    /// Of bytes that are all there.
    pub fn of(bytes: &[u8]) -> Sum {
        let mut sum = Self::new();
        sum.update(bytes);
        sum.finish()
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sum {
    /// What [`Sum`]'s `Display` wrote; `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |pair: &[u8]| {
            let digit = |byte: u8| match byte {
                b'0'..=b'9' => Some(byte - b'0'),
                b'a'..=b'f' => Some(byte - b'a' + 10),
                _ => None,
            };
            Some(digit(pair[0])? << 4 | digit(pair[1])?)
        };
        let bytes: Option<Vec<u8>> =
            text.as_bytes().chunks(2).map(|pair| (pair.len() == 2).then(|| digits(pair))?).collect();
        Some(Self(bytes?.try_into().ok()?))
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_standard_and_read_back() {
        // FIPS 180-2, B.1.
        let sum = Sha256::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((sum.to_string().as_str(), Sum::parse(text)), (text, Some(sum)));
        let mut parts = Sha256::default();
        parts.update(b"a");
        parts.update(b"bc");
        assert_eq!(parts.finish(), sum);
        for wrong in ["", &text[1..], &text[2..], &text.to_uppercase(), &format!("{text}00"), &text.replace('b', "g")] {
            assert_eq!(Sum::parse(wrong), None, "{wrong}");
        }
    }
}
