//! `muster bundle`: what somebody who helps needs to see of the collector, in one archive, without secrets.
//!
//! What is asked for is named here; each answer goes through [`muster_common::redact_value`] before it is packed. Of addresses of people only the domains stay.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use muster_common::archive::Archive;
use muster_common::redact::Redactor;
use muster_common::redact_value::{redact_text, redact_value};
use muster_common::time::Timestamp;
use serde_json::{Value, json};

use super::{Printed, doctor};
use crate::client::Client;
use crate::error::Failure;

/// The folder that all files of the archive lie in.
const FOLDER: &str = "muster-bundle";
/// What is asked, and the file that the answer becomes.
const ASKED: [(&str, &str); 9] = [
    ("doctor.json", doctor::PATH),
    ("status.json", "/api/muster/v1/status"),
    ("hosts.json", "/api/muster/v1/hosts?all=true"),
    ("checks.json", "/api/muster/v1/checks"),
    ("alerts.json", "/api/muster/v1/alerts"),
    ("mail.json", "/api/muster/v1/mail"),
    ("events.json", "/api/muster/v1/events?limit=1000"),
    ("rules.json", "/api/v1/rules"),
    ("alerting.json", "/api/v2/status"),
];
/// The newest lines of the collector's own log.
const LOG_LINES: &str = "2000";

/// # Errors
/// [`Failure`] when the file cannot be made, or the collector answers nothing at all.
pub async fn run(client: &Client, to: Option<&Path>, is_here: bool, now: Timestamp) -> Result<Printed, Failure> {
    let seconds = now.millis() / 1_000;
    let file = to.map_or_else(|| PathBuf::from(format!("muster-bundle-{seconds}.tar.gz")), Path::to_path_buf);
    let mut answers = Vec::new();
    let mut notes = Vec::new();
    for (name, path) in ASKED {
        match client.get(path).await {
            Ok(answer) => answers.push((name, answer)),
            // One that a token may not ask, or that fails just now, is no reason to go without the others.
            Err(failure) => {
                notes.push(format!("{name} is left out: {failure}"));
                answers.push((name, json!({"left_out": failure.to_string()})));
            }
        }
    }
    if notes.len() == ASKED.len() {
        return Err(Failure::Unknown(notes.remove(0)));
    }
    let log = if is_here { own_log() } else { "the collector is on another machine\n".to_owned() };
    let bytes =
        pack(&answers, &log, now).map_err(|why| Failure::Unknown(format!("the archive cannot be made: {why}")))?;
    write_new(&file, &bytes).map_err(|error| {
        Failure::Usage(format!("{} cannot be written: {error}; name a new file with --to", file.display()))
    })?;
    Ok(Printed { text: format!("{}\n", file.display()), notes, ..Printed::default() })
}

/// The unit's newest lines; the reason where there are none.
fn own_log() -> String {
    let words = ["-u", "muster-collector", "-n", LOG_LINES, "--no-pager", "--quiet", "-o", "short-iso"];
    match Command::new("journalctl").args(words).stdin(Stdio::null()).stderr(Stdio::null()).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => format!("journalctl cannot be started: {error}\n"),
    }
}

fn pack(answers: &[(&str, Value)], log: &str, now: Timestamp) -> Result<Vec<u8>, String> {
    let redactor = Redactor::new(&[]).map_err(|(_, problem)| problem)?;
    let mut archive = Archive::default();
    let seconds = u64::try_from(now.millis() / 1_000).unwrap_or(0);
    for (name, answer) in answers {
        let mut answer = answer.clone();
        redact_value(&mut answer, &redactor);
        hide_people(&mut answer);
        archive.add(&format!("{FOLDER}/{name}"), format!("{answer:#}\n").as_bytes(), seconds);
    }
    let log = without_people(&redact_text(log, &redactor));
    archive.add(&format!("{FOLDER}/collector.log"), log.as_bytes(), seconds);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&archive.finish()).and_then(|()| packed.finish()).map_err(|error| error.to_string())
}

fn hide_people(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(hide_people),
        Value::Array(items) => items.iter_mut().for_each(hide_people),
        Value::String(text) => *text = without_people(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `ann@example.org` becomes `<somebody>@example.org`.
fn without_people(text: &str) -> String {
    let is_local = |one: char| one.is_ascii_alphanumeric() || "._%+-".contains(one);
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('@').peekable();
    while let Some(part) = parts.next() {
        let Some(next) = parts.peek() else {
            out.push_str(part);
            break;
        };
        let kept = part.trim_end_matches(is_local);
        let is_address = kept.len() < part.len() && next.starts_with(|one: char| one.is_ascii_alphanumeric());
        if is_address {
            out.push_str(kept);
            out.push_str("<somebody>@");
        } else {
            out.push_str(part);
            out.push('@');
        }
    }
    out
}

/// A new file that its owner alone may read.
fn write_new(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut opened = options.write(true).create_new(true).mode(0o600).open(file)?;
    opened.write_all(bytes)?;
    opened.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn no_secret_and_no_person_of_any_answer_is_in_the_archive() {
        let planted = json!({
            "token": "a-s3cret", "settings": "url: https://x:b-s3cret@h/p?c-s3cret", "list": [{"password": "d-s3cret"}],
            "text": "Authorization: Bearer eeeeeeee-s3cret", "recipient": "ann.x@example.org, Bob <bob@example.org>",
            "kept": "node_load1 5 @ 7",
        });
        let answers: Vec<(&str, Value)> = ASKED.iter().map(|(name, _)| (*name, planted.clone())).collect();
        let log = "ready\npassword=f-s3cret\nmail to ann@example.org failed\n";
        let packed = pack(&answers, log, Timestamp::from_millis(1_700_000_000_000)).unwrap();
        let mut plain = String::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut plain).unwrap();
        for secret in ["s3cret", "ann", "bob@"] {
            assert!(!plain.contains(secret), "{secret}: {plain}");
        }
        for kept in ["<somebody>@example.org", "node_load1 5 @ 7", "ready", "muster-bundle/rules.json", "https://x:"] {
            assert!(plain.contains(kept), "{kept}: {plain}");
        }
    }

    #[test]
    fn only_what_looks_like_an_address_is_one() {
        for (text, expect) in
            [("a@b", "<somebody>@b"), ("@ a @", "@ a @"), ("x @b", "x @b"), ("10% @ 5", "10% @ 5"), ("", "")]
        {
            assert_eq!(without_people(text), expect);
        }
    }

    #[test]
    fn a_file_that_is_there_is_not_overwritten() {
        let folder = std::env::temp_dir().join(format!("muster-cli-bundle-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("x");
        write_new(&file, b"one").unwrap();
        assert_eq!(write_new(&file, b"two").unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&file).unwrap(), b"one");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
