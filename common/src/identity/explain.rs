//! What went wrong in a handshake, in words that name the remedy.

use rustls::{AlertDescription, Error};

/// One line for people on a handshake that failed.
pub fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(inner) => {
            explain_alert(AlertDescription::from(inner.clone()).into(), &error.to_string())
        }
        Error::AlertReceived(alert) => explain_alert((*alert).into(), "the other end refused the handshake"),
        Error::NoApplicationProtocol => {
            explain_alert(AlertDescription::NoApplicationProtocol.into(), &error.to_string())
        }
        other => explain_alert(AlertDescription::HandshakeFailure.into(), &other.to_string()),
    }
}

/// The same where only the TLS alert's number and a reason are left, as QUIC reports them (its error code minus 0x100).
pub fn explain_alert(alert: u8, reason: &str) -> String {
    let remedy = match AlertDescription::from(alert) {
        AlertDescription::CertificateExpired => {
            "a certificate is not yet valid or expired: check this host's clock and the collector's; a host that was away for more than 90 days enrols again"
        }
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "the certificate is of another CA: check the address, or enrol this host at this collector"
        }
        // The only one that our verifiers give for themselves.
        AlertDescription::AccessDenied => {
            "the collector is not the one that the token is for: check the address, or take a token from this collector (`muster token new`)"
        }
        AlertDescription::UnsupportedCertificate => {
            "the certificate is not for this use: agents need theirs from enrolment, the collector its own"
        }
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "the certificate is not one that Muster issues: check the address, or enrol this host again"
        }
        AlertDescription::NoApplicationProtocol | AlertDescription::ProtocolVersion => {
            "the other end does not speak muster/1: check address and port (agents use 9471), or upgrade the older end"
        }
        _ => "check that address and port are the collector's, and both ends' versions",
    };
    format!("{reason}: {remedy}")
}
