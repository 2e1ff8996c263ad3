//! The answer to one request of HTTP/1.1 that said `Connection: close`.

use std::io::{Error, ErrorKind, Result};

use super::wire::Wire;

/// Kept of a body; a health page has some hundred bytes. A longer body is not read on.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Status line and headers; servers themselves take no more.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Status and body.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) body: Vec<u8>,
}

/// How the end of the body is found.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Length {
    Known(usize),
    Chunked,
    ToEnd,
}

/// Reads one answer whole, up to the limit of its body.
pub(super) async fn read(wire: &mut Wire) -> Result<Answer> {
    let mut bytes = Vec::new();
    let (mut answer, length, head) = loop {
        if let Some(end) = head_end(&bytes) {
            let (answer, length) = parse_head(&bytes[..end]).ok_or_else(|| fault("what it says is not HTTP"))?;
            // 100 Continue and the like come before the answer itself.
            if (100..200).contains(&answer.status) && answer.status != 101 {
                bytes.drain(..end);
                continue;
            }
            break (answer, length, end);
        }
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(fault("its headers have more than 64 KiB"));
        }
        if wire.read(&mut bytes).await? == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the connection ended before the answer"));
        }
    };
    bytes.drain(..head);
    let is_whole = |body: &[u8]| match length {
        Length::Known(length) => body.len() >= length,
        Length::Chunked => body.ends_with(b"0\r\n\r\n"),
        Length::ToEnd => false,
    };
    while !is_whole(&bytes) && bytes.len() < BODY_BYTES_MAX {
        if wire.read(&mut bytes).await? == 0 {
            if matches!(length, Length::Known(length) if bytes.len() < length) {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the connection ended within the body"));
            }
            break;
        }
    }
    bytes.truncate(BODY_BYTES_MAX);
    answer.body = match length {
        Length::Known(length) => {
            bytes.truncate(length);
            bytes
        }
        Length::Chunked => join_chunks(&bytes),
        Length::ToEnd => bytes,
    };
    Ok(answer)
}

fn fault(text: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, text)
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

fn parse_head(head: &[u8]) -> Option<(Answer, Length)> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.splitn(3, ' ');
    first.next().filter(|version| version.starts_with("HTTP/1."))?;
    let status: u16 = first.next()?.parse().ok().filter(|status| (100..600).contains(status))?;
    let reason = first.next().unwrap_or_default().trim().to_owned();
    let mut length = Length::ToEnd;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("transfer-encoding") && value.to_ascii_lowercase().ends_with("chunked") {
            length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("content-length") && length == Length::ToEnd {
            length = Length::Known(value.parse().ok()?);
        }
    }
    if matches!(status, 204 | 304) {
        length = Length::Known(0);
    }
    Some((Answer { status, reason, body: Vec::new() }, length))
}

/// The chunks' content, as far as they are whole or begun.
fn join_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = memchr::memmem::find(rest, b"\r\n") {
        let size = String::from_utf8_lossy(rest[..end].split(|byte| *byte == b';').next().unwrap_or_default())
            .trim()
            .to_owned();
        let Some(size) = usize::from_str_radix(&size, 16).ok().filter(|size| *size > 0) else { break };
        rest = &rest[end + 2..];
        let there = size.min(rest.len());
        body.extend_from_slice(&rest[..there]);
        rest = rest[there..].strip_prefix(b"\r\n").unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_chunks_of_any_kind_are_read() {
        let head =
            |text: &str| parse_head(text.as_bytes()).map(|(answer, length)| (answer.status, answer.reason, length));
        let ok = |length| Some((200, "OK".to_owned(), length));
        assert_eq!(head("HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\n\r\n"), ok(Length::Known(5)));
        assert_eq!(
            head("HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 5\r\n\r\n"),
            ok(Length::Chunked)
        );
        assert_eq!(head("HTTP/1.1 404\r\n\r\n"), Some((404, String::new(), Length::ToEnd)));
        assert_eq!(head("HTTP/1.1 204 No\r\n\r\n").map(|one| one.2), Some(Length::Known(0)));
        for text in [
            "",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 99 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        ] {
            assert_eq!(head(text), None, "{text:?}");
        }
        for (chunks, body) in [
            ("5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", "hello world"),
            ("A\r\nshort", "short"),
            ("ffffffffffffffff\r\nx", "x"),
            ("zz\r\nx\r\n", ""),
            ("3\r\nabcX", "abc"),
        ] {
            assert_eq!(String::from_utf8_lossy(&join_chunks(chunks.as_bytes())), body, "{chunks:?}");
        }
    }
}
