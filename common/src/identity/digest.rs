//! The hash that people compare with `sha256sum`.

use super::hex;

/// SHA-256 of these bytes as 64 hexadecimal digits, as `sha256sum` prints it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    struct Digits<'a>(&'a [u8]);
    impl std::fmt::Display for Digits<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            hex::write(f, self.0)
        }
    }
    Digits(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_sha256sum_prints() {
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
