//! Headers and parts.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MessageBuilder, MultiPart, SinglePart};
use xxhash_rust::xxh3::xxh3_128;

use super::letter::Letter;
use super::words::clean;

/// Largest mail. Many servers take 10 MB, people on trains do not.
pub const MAIL_BYTES: usize = 200_000;
/// What is left of a text that alone is too large, as a changed template may make it: with every byte encoded as three it fits.
const TEXT_BYTES: usize = 60_000;
/// Headers that the form of the mail needs, so that no setting may have them.
const FORM: [&str; 12] = [
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];

/// Why a mail cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("`{address}` is no mail address: {source}")]
    Address { address: String, source: lettre::address::AddressError },
    #[error("the mail could not be put together: {0}")]
    Message(#[from] lettre::error::Error),
}

fn mailbox(address: &str) -> Result<Mailbox, MailError> {
    let shown = clean(address, 200);
    shown.parse().map_err(|source| MailError::Address { address: shown.clone(), source })
}

/// Headers that every mail of ours has.
pub(super) fn start(
    from: &str,
    to: &str,
    subject: &str,
    at_ms: i64,
    headers: &[(String, String)],
) -> Result<MessageBuilder, MailError> {
    let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0));
    let mut message = MessageBuilder::new().date(at).from(mailbox(from)?).to(mailbox(to)?).subject(clean(subject, 250));
    for (name, value) in headers {
        if FORM.contains(&name.to_ascii_lowercase().as_str()) {
            continue;
        }
        if let Ok(name) = HeaderName::new_from_ascii(name.clone()) {
            message = message.raw_header(HeaderValue::new(name, value.clone()));
        }
    }
    Ok(message)
}

/// The mail, smaller and smaller until it fits: whole, without picture, text only, cut text.
pub(super) fn write(letter: &Letter, recipient: &str) -> Result<String, MailError> {
    let begin = || start(&letter.from, recipient, &letter.subject, letter.at_ms, &letter.headers);
    let mark = xxh3_128([letter.text.as_bytes(), letter.html.as_bytes()].concat().as_slice());
    let boundary = |part: &str| format!("muster-{part}-{mark:032x}");
    for picture in [letter.picture.as_ref(), None] {
        let mut related =
            MultiPart::related().boundary(boundary("related")).singlepart(SinglePart::html(letter.html.clone()));
        if let Some(picture) = picture {
            let kind = ContentType::parse("image/png").unwrap_or(ContentType::TEXT_PLAIN);
            related = related.singlepart(Attachment::new_inline(letter.cid.clone()).body(picture.clone(), kind));
        }
        let parts = MultiPart::alternative()
            .boundary(boundary("alternative"))
            .singlepart(SinglePart::plain(letter.text.clone()));
        let bytes = begin()?.multipart(parts.multipart(related))?.formatted();
        if bytes.len() <= MAIL_BYTES {
            return Ok(text_of(bytes));
        }
    }
    let mut end = letter.text.len().min(TEXT_BYTES);
    while !letter.text.is_char_boundary(end) {
        end -= 1;
    }
    Ok(text_of(begin()?.singlepart(SinglePart::plain(letter.text[..end].to_owned()))?.formatted()))
}

/// Every part is encoded to ASCII by the builder.
pub(super) fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
