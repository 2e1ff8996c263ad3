//! A mail server on loopback that keeps what it is given: SMTP (RFC 5321) as far as a client needs it, with faults on demand.
//!
//! Each connection has a thread of its own; both end with the mailbox.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_common::time::{Timestamp, monotonic, now};
use parking_lot::{Condvar, Mutex};

/// Bytes of one mail: far above what Muster may send.
const MAIL_BYTES_MAX: u64 = 8 << 20;
/// Connections at a time.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// One accepted message.
#[derive(Clone, Debug)]
pub struct Mail {
    /// When its end was read, just before the answer.
    pub at: Timestamp,
    pub from: String,
    pub to: Vec<String>,
    /// As sent, dots unstuffed, line ends CR LF.
    pub bytes: Vec<u8>,
}

impl Mail {
    /// A header's value, unfolded; encoded words as they are.
    pub fn header(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        let head = text.split("\r\n\r\n").next().unwrap_or("").replace("\r\n ", " ").replace("\r\n\t", " ");
        head.split("\r\n").find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// The whole as text, quoted-printable undone where it is: for looking for words in it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&unquoted(&String::from_utf8_lossy(&self.bytes))).into_owned()
    }
}

/// Quoted-printable undone (RFC 2045, 6.7).
pub fn unquoted(text: &str) -> Vec<u8> {
    let text = text.replace("=\r\n", "");
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let coded = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match coded.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| byte == b'=') {
            Some(value) => {
                out.push(value);
                rest = &after[2..];
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

/// What goes wrong with the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `450` to every recipient.
    Greylist,
    /// `550` to every recipient.
    Reject,
    /// The message is kept, and the connection closed before the answer: its sender cannot know.
    LostReply,
    /// The connection is closed at the greeting.
    Hangup,
}

#[derive(Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    came: Condvar,
    faults: Mutex<VecDeque<Fault>>,
    is_away: AtomicBool,
    is_over: AtomicBool,
    connections: AtomicUsize,
    folder: Option<PathBuf>,
}

/// A running mail server.
pub struct Mailbox {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Mailbox {
    /// Listens on a free port. With a folder each mail is a file `N.eml` in it too.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(folder: Option<PathBuf>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to listen for mail")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { folder, ..Shared::default() });
        let serving = Arc::clone(&shared);
        std::thread::Builder::new().name("mailbox".into()).spawn(move || serve(&listener, &serving))?;
        Ok(Self { address, shared })
    }

    /// All mails so far, in the order in which they came.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().clone()
    }

    /// The next messages go wrong like this, one after another.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.faults.lock().extend(faults);
    }

    /// What was to go wrong and has not yet goes well.
    pub fn heal(&self) {
        self.shared.faults.lock().clear();
    }

    /// While away every connection is closed at once.
    pub fn set_away(&self, away: bool) {
        self.shared.is_away.store(away, Ordering::Relaxed);
    }

    /// Waits until there are so many mails.
    ///
    /// # Errors
    /// When they do not come in time: with the subjects of those that did.
    pub fn wait(&self, count: usize, within: Duration) -> Result<Vec<Mail>> {
        let end = monotonic() + within;
        let mut mails = self.shared.mails.lock();
        while mails.len() < count {
            let left = end.saturating_sub(monotonic());
            if left.is_zero() {
                let subjects: Vec<_> = mails.iter().filter_map(|mail| mail.header("subject")).collect();
                bail!("{} of {count} mails came within {within:?}: {subjects:?}", mails.len());
            }
            self.shared.came.wait_for(&mut mails, left);
        }
        Ok(mails.clone())
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if shared.is_away.load(Ordering::Relaxed) || shared.connections.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            continue;
        }
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(shared);
        let spawned = std::thread::Builder::new().name("mailbox-client".into()).spawn(move || {
            // A client that breaks off is the client's matter.
            let _ = converse(stream, &shared);
            shared.connections.fetch_sub(1, Ordering::Relaxed);
        });
        drop(spawned);
    }
}

fn converse(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_nodelay(true)?;
    let mut say = stream.try_clone()?;
    let mut hear = BufReader::new(stream.take(64 * MAIL_BYTES_MAX));
    let mut answer = |text: &str| say.write_all(format!("{text}\r\n").as_bytes());
    if shared.faults.lock().front() == Some(&Fault::Hangup) {
        shared.faults.lock().pop_front();
        return Ok(());
    }
    answer("220 mailbox.example ESMTP")?;
    let (mut from, mut to) = (String::new(), Vec::new());
    let mut line = String::new();
    loop {
        line.clear();
        if hear.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let words = line.trim_end();
        let verb = words.get(..4).unwrap_or(words).to_ascii_uppercase();
        let fault = shared.faults.lock().front().copied();
        match verb.as_str() {
            "EHLO" => answer("250-mailbox.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 8388608")?,
            "HELO" | "NOOP" => answer("250 mailbox.example")?,
            "MAIL" => {
                from = path(words);
                answer("250 2.1.0 Ok")?;
            }
            "RCPT" => match fault {
                Some(Fault::Greylist | Fault::Reject) => {
                    shared.faults.lock().pop_front();
                    let text =
                        if fault == Some(Fault::Reject) { "550 5.1.1 No such user" } else { "450 4.2.0 Try later" };
                    answer(text)?;
                }
                _ => {
                    to.push(path(words));
                    answer("250 2.1.5 Ok")?;
                }
            },
            "DATA" if to.is_empty() => answer("503 5.5.1 No recipients")?,
            "DATA" => {
                answer("354 End with a line of a single dot")?;
                let bytes = message(&mut hear)?;
                keep(shared, Mail { at: now(), from: from.clone(), to: std::mem::take(&mut to), bytes });
                if fault == Some(Fault::LostReply) {
                    shared.faults.lock().pop_front();
                    return Ok(());
                }
                answer("250 2.0.0 Kept")?;
            }
            "RSET" => {
                to.clear();
                answer("250 2.0.0 Ok")?;
            }
            "QUIT" => return answer("221 2.0.0 Bye"),
            _ => answer("502 5.5.2 Not here")?,
        }
    }
}

/// The address between angle brackets.
fn path(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or("", |(address, _)| address).to_owned()
}

/// Lines up to the single dot.
fn message(hear: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut line = Vec::new();
        if hear.take(MAIL_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(bytes);
        }
        bytes.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        if bytes.len() as u64 > MAIL_BYTES_MAX {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
    }
}

fn keep(shared: &Shared, mail: Mail) {
    let mut mails = shared.mails.lock();
    if let Some(folder) = &shared.folder {
        let path = folder.join(format!("{}.eml", mails.len() + 1));
        if let Err(error) = std::fs::write(&path, &mail.bytes) {
            panic!("failed to keep a mail in {}: {error}", path.display());
        }
    }
    mails.push(mail);
    shared.came.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(address: SocketAddr, lines: &[&str]) -> Vec<String> {
        let mut stream = TcpStream::connect(address).unwrap();
        let mut answers = BufReader::new(stream.try_clone().unwrap());
        let mut said = Vec::new();
        let mut hear = |answers: &mut BufReader<TcpStream>| {
            let mut line = String::new();
            while answers.read_line(&mut line).unwrap_or(0) > 0 && line.as_bytes().get(3) == Some(&b'-') {
                line.clear();
            }
            said.push(line.get(..3).unwrap_or("").to_owned());
        };
        hear(&mut answers);
        for line in lines {
            stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
            hear(&mut answers);
        }
        said
    }

    #[test]
    fn mails_are_kept_and_faults_happen_once() {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::start(Some(folder.path().to_path_buf())).unwrap();
        let mail = [
            "EHLO me",
            "MAIL FROM:<a@example.org>",
            "RCPT TO:<b@example.org>",
            "DATA",
            "Subject: one\r\n two\r\nX: y\r\n\r\n..dots =C3=A4=\r\n end\r\n.",
            "QUIT",
        ];
        assert_eq!(talk(mailbox.address, &mail), ["220", "250", "250", "250", "354", "250", "221"]);
        mailbox.fail([Fault::Greylist, Fault::Reject]);
        let refused =
            ["EHLO me", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>", "RCPT TO:<b@example.org>", "DATA"];
        assert_eq!(talk(mailbox.address, &refused), ["220", "250", "250", "450", "550", "503"]);
        mailbox.fail([Fault::LostReply]);
        assert_eq!(talk(mailbox.address, &mail[..5]), ["220", "250", "250", "250", "354", ""]);
        let mails = mailbox.wait(2, Duration::from_secs(10)).unwrap();
        assert_eq!(
            (mails[0].from.as_str(), mails[0].to.as_slice()),
            ("a@example.org", &["b@example.org".to_owned()][..])
        );
        assert_eq!(mails[0].header("subject").as_deref(), Some("one two"));
        assert!(mails[0].text().contains(".dots \u{e4} end"), "{}", mails[0].text());
        assert_eq!(std::fs::read(folder.path().join("2.eml")).unwrap(), mails[1].bytes);
        mailbox.set_away(true);
        assert_eq!(talk(mailbox.address, &[]), [""]);
        assert!(mailbox.wait(3, Duration::from_millis(10)).unwrap_err().to_string().contains("2 of 3 mails"));
    }
}
