//! The part about people: a process that a check watches dies, a mail comes with its evidence, somebody takes the problem, the process is
//! back, and the end comes in the same thread.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::mailbox::{Mail, Mailbox};
use super::run::{Demo, HOST, STEP};
use crate::process::{Kept, output};

/// The name of the check, and the process that it watches: a service stands for itself.
const CHECK: &str = "service";
const SERVICE: [&str; 2] = ["sleep", "86399.5"];
/// Lines of the mail that are printed.
const SHOWN: usize = 24;

/// What the agent's configuration says of the check.
pub(super) fn agent_config() -> String {
    format!(
        "[[checks]]\nname = \"{CHECK}\"\nkind = \"process\"\npattern = \"{} 86399[.]5\"\ninterval = \"2s\"\nretry = \"1s\"\nmax_check_attempts = 2\n\
         remedy = \"start it again: {}\"\n",
        SERVICE[0],
        SERVICE.join(" ")
    )
}

/// Whom to tell: one person, at once.
pub(super) fn alerting(mailbox: &Mailbox) -> String {
    format!(
        "global:\n  smtp_smarthost: {}\n  smtp_from: Muster <muster@demo.example>\n  smtp_require_tls: false\n\
         route:\n  receiver: ops\n  group_by: [alertname, host]\n  group_wait: 0s\n  group_interval: 2s\n  repeat_interval: 4h\n\
         receivers:\n- name: ops\n  email_configs:\n  - to: ann@demo.example\n    send_resolved: true\n",
        mailbox.address
    )
}

pub(super) fn start_service() -> Result<Kept> {
    Kept::start(Command::new(SERVICE[0]).arg(SERVICE[1]))
}

impl Demo {
    /// Kills what the check watches, and shows what follows.
    pub(super) fn kill_and_repair(&mut self) -> Result<()> {
        self.wait_for_state("OK")?;
        let told = self.mailbox.mails().len();
        self.service.take().context("the service runs")?.kill()?;
        println!("\nkilled      the process that check `{CHECK}` watches");
        let opened = self.mail_of_check(told, "the mail that tells of it")?;
        println!("\n$ muster checks list");
        // Exit code 1 says that there is a problem, which there is.
        let listed = self.muster(&["checks", "list"]).output()?;
        print!("{}", String::from_utf8_lossy(&listed.stdout));
        println!("\nmail        to {}: {}", opened.to.join(", "), opened.header("subject").unwrap_or_default());
        let parts = Parts::of(&opened)?;
        if !parts.text.contains("start it again") {
            bail!("the mail does not say what to do");
        }
        for line in parts.text.lines().take(SHOWN) {
            println!("  | {line}");
        }
        let folder = crate::build::root().join("target/demo");
        for path in parts.save(&folder, &opened)? {
            println!("saved       {}", path.display());
        }
        println!("\n$ muster checks ack {HOST} {CHECK} --comment 'starting it again'");
        print!("{}", output(&mut self.muster(&["checks", "ack", HOST, CHECK, "--comment", "starting it again"]))?);
        let told = self.mailbox.mails().len();
        self.service = Some(start_service()?);
        let ended = self.mail_of_check(told, "the mail that tells its end")?;
        let (of, first) = (ended.header("in-reply-to"), opened.header("message-id"));
        if of != first || first.is_none() {
            bail!("the end is no answer to the first mail: {of:?} to {first:?}");
        }
        let line = Parts::of(&ended)?.text.lines().next().unwrap_or_default().to_owned();
        println!("mail        the process is back: {line}, in the same thread");
        Ok(())
    }

    /// The next mail about the check.
    fn mail_of_check(&self, after: usize, what: &str) -> Result<Mail> {
        for count in after + 1..after + 20 {
            let mails = self.mailbox.wait(count, STEP).with_context(|| what.to_owned())?;
            let found = mails[after..].iter().find(|mail| mail.header("x-muster-alert").as_deref() == Some(CHECK));
            if let Some(mail) = found {
                return Ok(mail.clone());
            }
        }
        bail!("{what} did not come among 20 others")
    }

    fn wait_for_state(&self, state: &str) -> Result<()> {
        self.wait_for(&["checks", "list"], &format!("check `{CHECK}` that is {state}"), |text| {
            let line = text.lines().find(|line| line.contains(CHECK));
            line.is_some_and(|line| line.split_whitespace().nth(2) == Some(state))
        })
    }
}

/// The parts of a mail.
struct Parts {
    text: String,
    html: String,
    png: Option<Vec<u8>>,
}

impl Parts {
    fn of(mail: &Mail) -> Result<Self> {
        let whole = String::from_utf8_lossy(&mail.bytes).into_owned();
        let part = |kind: &str| {
            let start = whole.find(&format!("Content-Type: {kind}"))?;
            let (head, rest) = whole[start..].split_once("\r\n\r\n")?;
            let body = rest.split("\r\n--").next()?;
            Some(decoded(head, body))
        };
        let text = part("text/plain").context("the mail has no text")?;
        let html = part("text/html").context("the mail has no HTML")?;
        Ok(Self {
            text: String::from_utf8_lossy(&text).replace("\r\n", "\n"),
            html: String::from_utf8_lossy(&html).into_owned(),
            png: part("image/png"),
        })
    }

    fn save(&self, folder: &Path, mail: &Mail) -> Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder)?;
        let mut saved = Vec::new();
        let mut keep = |name: &str, bytes: &[u8]| -> Result<()> {
            let path = folder.join(name);
            std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
            saved.push(path);
            Ok(())
        };
        keep("mail.eml", &mail.bytes)?;
        keep("mail.html", self.html.as_bytes())?;
        if let Some(png) = &self.png {
            keep("plot.png", png)?;
        }
        Ok(saved)
    }
}

/// A part's bytes: base64, quoted-printable or as they are (RFC 2045).
fn decoded(head: &str, body: &str) -> Vec<u8> {
    let head = head.to_ascii_lowercase();
    if head.contains("base64") {
        return base64(body);
    }
    if !head.contains("quoted-printable") {
        return body.as_bytes().to_vec();
    }
    super::mailbox::unquoted(body)
}

fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut group, mut bits) = (0_u32, 0);
    for value in text.bytes().filter_map(|byte| LETTERS.iter().position(|letter| *letter == byte)) {
        group = (group << 6) | value as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((group >> bits) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_mail_are_found_and_decoded() {
        let bytes = b"Subject: x\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4 is=\r\n it\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b\r\n\
            Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBO\r\nRw==\r\n--b--\r\n";
        let mail = Mail {
            at: muster_common::time::Timestamp::default(),
            from: String::new(),
            to: Vec::new(),
            bytes: bytes.to_vec(),
        };
        let parts = Parts::of(&mail).unwrap();
        assert_eq!((parts.text.as_str(), parts.html.as_str()), ("\u{e4} is it", "<p>"));
        assert_eq!(parts.png.as_deref(), Some(b"\x89PNG".as_slice()));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(parts.save(folder.path(), &mail).unwrap().len(), 3);
    }
}
