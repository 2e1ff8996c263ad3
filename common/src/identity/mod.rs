//! Identity pieces that both ends share: tokens, keys and certificates, TLS settings.
