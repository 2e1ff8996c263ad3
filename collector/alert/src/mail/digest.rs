//! The mail of what the hourly cap held back.

use std::fmt::Write as _;

use lettre::message::SinglePart;

use super::letter::MailSettings;
use super::mime::{MailError, start, text_of};
use super::words::{clean, clock, moment};
use crate::outgoing::DigestLetter;

/// A digest as MIME, one entry a line or two, nothing left out.
///
/// # Errors
/// [`MailError`] where an address is none.
pub fn digest(settings: &MailSettings, letter: &DigestLetter) -> Result<String, MailError> {
    let count = letter.entries.len();
    let mut text =
        format!("{count} notices that were held back since you got {} mails within an hour.\n\n", letter.per_hour);
    for entry in &letter.entries {
        let at = clock(entry.at_ms, letter.at_ms, &settings.zone);
        let _ = writeln!(text, "{at}  {}\n          {}", clean(&entry.subject, 200), clean(&entry.summary, 200));
    }
    let _ = writeln!(
        text,
        "\nMuster, {}, for receiver {}",
        moment(letter.at_ms, letter.at_ms, &settings.zone),
        clean(&letter.receiver, 100)
    );
    let headers = [
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("X-Muster-Digest", &count.to_string()),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let subject = format!("{count} more notices");
    Ok(text_of(
        start(&settings.from, &letter.recipient, &subject, letter.at_ms, &headers)?
            .singlepart(SinglePart::plain(text))?
            .formatted(),
    ))
}
