//! As much of D-Bus as a question needs: one connection to the system bus, some calls, their answers.
//!
//! Asking systemd so costs no process; `systemctl` starts one to do the same. Source: the D-Bus Specification, "Message Protocol" and
//! "Authentication Protocol".

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// A line of the bus while it lets us in.
const LINE_BYTES_MAX: usize = 256;
/// A message to us: answers have some hundred bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Messages read before the answers are there: signals may come between.
const MESSAGES_MAX: usize = 64;
/// Numbers of the first two calls.
const GREETING_SERIAL: u32 = 1;
const FIRST_SERIAL: u32 = 2;
/// Numbers of message types and header fields.
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// Why the bus tells nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BusError {
    #[error("the system bus cannot be used: {0}")]
    Io(#[from] std::io::Error),
    #[error("the system bus does not let this user in: {0}")]
    Refused(String),
    #[error("the system bus says what is not understood")]
    Malformed,
}

/// Asks an object for properties, each (interface, name): `None` where it has none of this name, or not as a text or a number.
pub(super) async fn properties<const N: usize>(
    socket: &Path,
    destination: &str,
    path: &str,
    wanted: [(&str, &str); N],
) -> Result<[Option<String>; N], BusError> {
    let mut stream = let_in(socket).await?;
    let object = Call { destination, path, interface: "org.freedesktop.DBus.Properties" };
    let mut bytes = greeting();
    let first = FIRST_SERIAL;
    for (serial, (interface, name)) in (first..).zip(wanted) {
        bytes.extend(object.encode(serial, "Get", &[interface, name]));
    }
    stream.write_all(&bytes).await?;
    let mut answers = [const { None }; N];
    let mut missing = N;
    for _ in 0..MESSAGES_MAX {
        if missing == 0 {
            return Ok(answers);
        }
        let message = read_message(&mut stream, MESSAGE_BYTES_MAX).await?;
        let place = message.reply_serial.and_then(|serial| usize::try_from(serial.checked_sub(first)?).ok());
        match (message.kind, place.and_then(|place| answers.get_mut(place))) {
            (METHOD_RETURN, Some(answer)) => {
                *answer = message.variant();
                missing -= 1;
            }
            (ERROR, Some(_)) => missing -= 1,
            // The bus refuses the greeting itself.
            (ERROR, None) if message.reply_serial == Some(GREETING_SERIAL) => {
                return Err(BusError::Refused("its greeting failed".to_owned()));
            }
            _ => {}
        }
    }
    Err(BusError::Malformed)
}

/// A method without arguments.
pub(crate) struct Method<'m> {
    pub(crate) destination: &'m str,
    pub(crate) path: &'m str,
    pub(crate) interface: &'m str,
    pub(crate) member: &'m str,
}

/// Calls a method; its answer has at most `bytes_max`.
pub(crate) async fn call(socket: &Path, method: Method<'_>, bytes_max: usize) -> Result<Answer, BusError> {
    let mut stream = let_in(socket).await?;
    let Method { destination, path, interface, member } = method;
    let mut bytes = greeting();
    bytes.extend(Call { destination, path, interface }.encode(FIRST_SERIAL, member, &[]));
    stream.write_all(&bytes).await?;
    for _ in 0..MESSAGES_MAX {
        let message = read_message(&mut stream, bytes_max).await?;
        match (message.kind, message.reply_serial) {
            (METHOD_RETURN, Some(FIRST_SERIAL)) => {
                return Ok(Answer { body: message.body, is_little: message.is_little });
            }
            (ERROR, Some(FIRST_SERIAL)) => return Err(BusError::Refused(format!("{member} failed"))),
            (ERROR, Some(GREETING_SERIAL)) => return Err(BusError::Refused("its greeting failed".to_owned())),
            _ => {}
        }
    }
    Err(BusError::Malformed)
}

/// What a method answered.
pub(crate) struct Answer {
    body: Vec<u8>,
    is_little: bool,
}

impl Answer {
    pub(crate) fn reader(&self) -> AnswerReader<'_> {
        AnswerReader { answer: self, at: 0 }
    }
}

/// Reads an answer value by value, by the signature that the method is known to have. `None`: these bytes are not of that signature.
pub(crate) struct AnswerReader<'a> {
    answer: &'a Answer,
    at: usize,
}

impl AnswerReader<'_> {
    /// How far it is.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Structures begin at multiples of 8.
    pub(crate) fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    pub(crate) fn number(&mut self) -> Option<u32> {
        self.align(4);
        let number = number_at(&self.answer.body, self.at, self.answer.is_little)?;
        self.at += 4;
        Some(number)
    }

    /// A text, or an object's path.
    pub(crate) fn text(&mut self) -> Option<String> {
        let length = self.number()? as usize;
        let end = self.at.checked_add(length)?;
        let text = String::from_utf8_lossy(self.answer.body.get(self.at..end)?).into_owned();
        self.at = end + 1;
        Some(text)
    }

    /// The place where an array of values that begin at multiples of `element` ends.
    pub(crate) fn array(&mut self, element: usize) -> Option<usize> {
        let bytes = self.number()? as usize;
        self.align(element);
        self.at.checked_add(bytes).filter(|end| *end <= self.answer.body.len())
    }
}

/// Connects as this user.
async fn let_in(socket: &Path) -> Result<UnixStream, BusError> {
    let mut stream = UnixStream::connect(socket).await?;
    let user = rustix::process::geteuid().as_raw().to_string();
    let user: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
    stream.write_all(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes()).await?;
    let line = read_line(&mut stream).await?;
    if line.starts_with("OK") { Ok(stream) } else { Err(BusError::Refused(line)) }
}

/// What the bus wants to hear first.
fn greeting() -> Vec<u8> {
    let bus =
        Call { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
    let mut bytes = b"BEGIN\r\n".to_vec();
    bytes.extend(bus.encode(GREETING_SERIAL, "Hello", &[]));
    bytes
}

/// The object path's last part for any name, as systemd makes it.
pub(super) fn escape(name: &str) -> String {
    let mut path = String::new();
    for (place, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (place > 0 && byte.is_ascii_digit()) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

async fn read_line(stream: &mut UnixStream) -> Result<String, BusError> {
    let mut line = Vec::new();
    // Byte by byte, since what follows the line is not ours to read yet; it is one short line.
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE_BYTES_MAX {
            return Err(BusError::Malformed);
        }
        line.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&line).trim().to_owned())
}

struct Call<'c> {
    destination: &'c str,
    path: &'c str,
    interface: &'c str,
}

impl Call<'_> {
    /// One message in this machine's byte order, with texts as its arguments.
    fn encode(&self, serial: u32, member: &str, arguments: &[&str]) -> Vec<u8> {
        let mut body = Vec::new();
        arguments.iter().for_each(|argument| push_text(&mut body, argument));
        let order = if cfg!(target_endian = "little") { b'l' } else { b'B' };
        let mut message = vec![order, METHOD_CALL, 0, 1];
        message.extend((body.len() as u32).to_ne_bytes());
        message.extend(serial.to_ne_bytes());
        // The length of the fields comes here.
        message.extend([0; 4]);
        for (code, kind, text) in [
            (PATH, b'o', self.path),
            (DESTINATION, b's', self.destination),
            (INTERFACE, b's', self.interface),
            (MEMBER, b's', member),
        ] {
            align(&mut message, 8);
            message.extend([code, 1, kind, 0]);
            push_text(&mut message, text);
        }
        if !arguments.is_empty() {
            align(&mut message, 8);
            message.extend([SIGNATURE, 1, b'g', 0, arguments.len() as u8]);
            message.extend(std::iter::repeat_n(b's', arguments.len()));
            message.push(0);
        }
        let fields = (message.len() - 16) as u32;
        message[12..16].copy_from_slice(&fields.to_ne_bytes());
        align(&mut message, 8);
        message.extend(body);
        message
    }
}

fn align(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    align(bytes, 4);
    bytes.extend((text.len() as u32).to_ne_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

/// What we read of a message.
struct Message {
    kind: u8,
    is_little: bool,
    reply_serial: Option<u32>,
    body: Vec<u8>,
}

async fn read_message(stream: &mut UnixStream, bytes_max: usize) -> Result<Message, BusError> {
    let mut head = [0; 16];
    stream.read_exact(&mut head).await?;
    let is_little = match head[0] {
        b'l' => true,
        b'B' => false,
        _ => return Err(BusError::Malformed),
    };
    let number = |at: usize| number_at(&head, at, is_little).unwrap_or(u32::MAX) as usize;
    let (body, fields) = (number(4), number(12));
    if body > bytes_max || fields > MESSAGE_BYTES_MAX {
        return Err(BusError::Malformed);
    }
    let mut rest = vec![0; fields.next_multiple_of(8) + body];
    stream.read_exact(&mut rest).await?;
    let reply_serial = reply_serial(&rest[..fields], is_little);
    Ok(Message { kind: head[1], is_little, reply_serial, body: rest.split_off(fields.next_multiple_of(8)) })
}

fn number_at(bytes: &[u8], at: usize, is_little: bool) -> Option<u32> {
    let word: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(if is_little { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) })
}

/// The field with the number of the call that this answers. The fields begin at a multiple of 8.
fn reply_serial(fields: &[u8], is_little: bool) -> Option<u32> {
    let mut at = 0;
    loop {
        at = usize::next_multiple_of(at, 8);
        let (code, length) = (*fields.get(at)?, usize::from(*fields.get(at + 1)?));
        let kind = fields.get(at + 2..at + 2 + length)?;
        at += 3 + length;
        match kind {
            b"u" => {
                at = at.next_multiple_of(4);
                let number = number_at(fields, at, is_little)?;
                if code == REPLY_SERIAL {
                    return Some(number);
                }
                at += 4;
            }
            b"s" | b"o" => {
                at = at.next_multiple_of(4);
                at += 4 + number_at(fields, at, is_little)? as usize + 1;
            }
            b"g" => at += 1 + usize::from(*fields.get(at)?) + 1,
            _ => return None,
        }
    }
}

impl Message {
    /// The body's variant as a text.
    fn variant(&self) -> Option<String> {
        let length = usize::from(*self.body.first()?);
        let kind = self.body.get(1..1 + length)?;
        let at = (2 + length).next_multiple_of(4);
        let number = number_at(&self.body, at, self.is_little)?;
        match kind {
            b"u" => Some(number.to_string()),
            b"s" => {
                let text = self.body.get(at + 4..at.checked_add(4)?.checked_add(number as usize)?)?;
                Some(String::from_utf8_lossy(text).into_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::net::UnixListener;
    use std::thread::JoinHandle;

    /// A bus on this socket for one client. Whoever asks for a property whose name is in `answers` gets its text or, with `#` before it, its
    /// number, in the other byte order than this machine's if wanted; other names are errors. What was asked comes back.
    pub(in super::super) fn fake_bus(
        socket: &Path,
        answers: &'static [(&'static str, &'static str)],
        swapped: bool,
    ) -> JoinHandle<Vec<u8>> {
        let listener = UnixListener::bind(socket).unwrap();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let (mut reader, mut writer, mut line) =
                (BufReader::new(stream.try_clone().unwrap()), stream, String::new());
            reader.read_line(&mut line).unwrap();
            assert!(line.starts_with("\0AUTH EXTERNAL 3"), "{line:?}");
            writer.write_all(b"OK 1234deadbeef\r\n").unwrap();
            line.clear();
            reader.read_line(&mut line).unwrap();
            assert_eq!(line, "BEGIN\r\n");
            let mut asked = Vec::new();
            let is_little = cfg!(target_endian = "little") != swapped;
            let word = |number: u32| if is_little { number.to_le_bytes() } else { number.to_be_bytes() };
            let own = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().unwrap());
            loop {
                let mut head = [0; 16];
                if reader.read_exact(&mut head).is_err() {
                    return asked;
                }
                let mut rest = vec![0; own(&head[12..]).next_multiple_of(8) as usize + own(&head[4..8]) as usize];
                reader.read_exact(&mut rest).unwrap();
                let text = String::from_utf8_lossy(&rest).into_owned();
                let answer =
                    answers.iter().find(|(name, _)| text.ends_with(&format!("{name}\0"))).map(|(_, value)| *value);
                let body = match answer.map(|answer| (answer, answer.strip_prefix('#'))) {
                    Some((_, Some(number))) => [&b"\x01u\0\0"[..], &word(number.parse().unwrap())].concat(),
                    Some((text, None)) => [b"\x01s\0\0", &word(text.len() as u32)[..], text.as_bytes(), b"\0"].concat(),
                    None => Vec::new(),
                };
                let is_hello = text.contains("Hello");
                let kind = if answer.is_some() || is_hello { METHOD_RETURN } else { ERROR };
                let mut reply = vec![if is_little { b'l' } else { b'B' }, kind, 1, 1];
                reply.extend([word(body.len() as u32), word(7), word(20)].concat());
                // Destination `:1` first, then the number that it answers; ends at 20 of 24.
                reply.extend([&[6, 1, b's', 0][..], &word(2), b":1\0\0\0\0\0\0"].concat());
                reply.extend([&[5, 1, b'u', 0][..], &word(own(&head[8..12]))].concat());
                let fields = (reply.len() - 16) as u32;
                reply[12..16].copy_from_slice(&word(fields));
                reply.resize(reply.len().next_multiple_of(8), 0);
                reply.extend(body);
                writer.write_all(&reply).unwrap();
                asked.extend(rest);
            }
        })
    }

    #[test]
    fn properties_are_read_in_either_byte_order() {
        for swapped in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let socket = folder.path().join("bus");
            let bus = fake_bus(&socket, &[("ActiveState", "active"), ("NRestarts", "#3")], swapped);
            let wanted = [("a.Unit", "ActiveState"), ("a.Unit", "Unheard"), ("a.Service", "NRestarts")];
            let runtime = crate::checks::worker::runtime().unwrap();
            let answers = runtime.block_on(properties(&socket, "a.b", "/a/b", wanted)).unwrap();
            assert_eq!(answers, [Some("active".to_owned()), None, Some("3".to_owned())]);
            drop(runtime);
            let asked = String::from_utf8_lossy(&bus.join().unwrap()).into_owned();
            assert!(asked.contains("/a/b\0") && asked.contains("org.freedesktop.DBus.Properties\0"), "{asked:?}");
        }
    }

    #[test]
    fn names_are_escaped_as_systemd_does() {
        assert_eq!(escape("nginx.service"), "nginx_2eservice");
        assert_eq!(escape("7zip@a-b.service"), "_37zip_40a_2db_2eservice");
    }

    #[test]
    fn no_bytes_break_the_reader_of_fields() {
        let mut rng = fastrand::Rng::with_seed(9);
        let good = [&[6, 1, b's', 0, 2, 0, 0, 0][..], b":1\0\0\0\0\0\0", &[5, 1, b'u', 0, 9, 0, 0, 0]].concat();
        assert_eq!(reply_serial(&good, true), Some(9));
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
            }
            bytes.truncate(rng.usize(..=bytes.len()));
            let _ = reply_serial(&bytes, rng.bool());
            let message = Message { kind: METHOD_RETURN, is_little: rng.bool(), reply_serial: None, body: bytes };
            let _ = message.variant();
        }
    }
}
