//! Tokens: what lets a host enrol, or a program speak HTTP.
//!
//! A token is an id, by which the collector finds it, and a secret, of which the collector keeps only a hash. It prints as
//! `id.secret`; an enrolment token is handed out as one word `id.secret.pin`.

use std::fmt;

use super::pin::Pin;
use super::{RandomError, hex, random};

/// An id and a secret. `Debug` leaves the secret out, `Display` is the form `id.secret`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    secret: [u8; 16],
}

/// The part of a token that may be shown and logged. Prints as 8 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(pub [u8; 4]);

/// A token for an agent, and the pin of the collector that it is for. `Display` is the word to hand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenWord {
    pub token: Token,
    pub pin: Pin,
}

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error(
        "this is no token word (8, 32 and 64 hexadecimal digits, joined by dots): copy it whole, as `muster token new` printed it"
    )]
    Word,
    #[error(
        "this is no token (8 and 32 hexadecimal digits, joined by a dot): copy it whole, as `muster token new` printed it"
    )]
    Token,
}

impl Token {
    /// A new one from the system's generator.
    ///
    /// # Errors
    /// [`RandomError`] where the system has no random bytes.
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self::from_bytes(random::<4>()?, random::<16>()?))
    }

    pub const fn from_bytes(id: [u8; 4], secret: [u8; 16]) -> Self {
        Self { id: TokenId(id), secret }
    }

    /// Reads `id.secret`; blanks around it are left out.
    ///
    /// # Errors
    /// [`TokenError::Token`] on anything else. The text is not repeated: it may be a secret.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let (id, secret) = text.trim().split_once('.').ok_or(TokenError::Token)?;
        match (hex::parse(id), hex::parse(secret)) {
            (Some(id), Some(secret)) => Ok(Self::from_bytes(id, secret)),
            _ => Err(TokenError::Token),
        }
    }

    /// What the collector keeps: SHA-256 over a fixed prefix, id and secret. One round is enough, since the secret has 128 random bits.
    pub fn hash(&self) -> [u8; 32] {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(b"muster token\0");
        context.update(&self.id.0);
        context.update(&self.secret);
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }

    /// Whether this is the token of which the collector kept `hash`; takes the same time wherever they differ.
    pub fn matches(&self, hash: &[u8; 32]) -> bool {
        self.hash().iter().zip(hash).fold(0, |differs, (ours, theirs)| differs | (ours ^ theirs)) == 0
    }
}

impl TokenWord {
    /// Reads `id.secret.pin`; blanks around it are left out.
    ///
    /// # Errors
    /// [`TokenError::Word`] on anything else. The text is not repeated: it holds a secret.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let (token, pin) = text.trim().rsplit_once('.').ok_or(TokenError::Word)?;
        let pin = Pin::parse(pin).ok_or(TokenError::Word)?;
        Ok(Self { token: Token::parse(token).map_err(|_| TokenError::Word)?, pin })
    }
}

impl TokenId {
    /// Reads the printed form.
    pub fn parse(text: &str) -> Option<Self> {
        hex::parse(text).map(Self)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.id)?;
        hex::write(f, &self.secret)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.(secret)", self.id)
    }
}

impl fmt::Display for TokenWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.token, self.pin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_prints_and_reads_and_nothing_else_reads() {
        let word = TokenWord { token: Token::from_bytes([1, 2, 3, 0xff], [7; 16]), pin: Pin([9; 32]) };
        let text = word.to_string();
        assert_eq!(text.len(), 8 + 1 + 32 + 1 + 64);
        assert_eq!(TokenWord::parse(&format!(" {text}\n")), Ok(word));
        assert_eq!(Token::parse(&word.token.to_string()), Ok(word.token));
        for wrong in [
            "",
            ".",
            "..",
            "a.b.c",
            &text[1..],
            &text[..text.len() - 1],
            &text.replace('.', "-"),
            "\u{e9}.\u{e9}.\u{e9}",
        ] {
            assert_eq!(TokenWord::parse(wrong), Err(TokenError::Word), "{wrong}");
            assert_eq!(Token::parse(wrong), Err(TokenError::Token), "{wrong}");
        }
    }

    #[test]
    fn only_the_same_secret_and_id_match_and_debug_hides_the_secret() {
        let token = Token::generate().unwrap();
        assert!(token.matches(&token.hash()));
        let other = Token::from_bytes(token.id.0, [0; 16]);
        let moved = Token::from_bytes([0; 4], token.secret);
        assert!(!other.matches(&token.hash()) && !moved.matches(&token.hash()));
        assert_eq!(format!("{token:?}"), format!("{}.(secret)", token.id));
        assert_ne!(Token::generate().unwrap(), token);
    }
}
