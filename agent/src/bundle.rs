//! `muster-agent bundle`: what somebody who helps needs to see, in one archive, without secrets.
//!
//! What goes in is named here and nothing else does: never the identity's files, tokens, or the environment. Each text goes through
//! [`muster_common::redact_value`] before it is packed.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use muster_common::archive::Archive;
use muster_common::finding::Finding;
use muster_common::redact::{MARK, Redactor};
use muster_common::redact_value::{redact_text, redact_value};
use muster_common::time::Timestamp;
use serde_json::{Value, json};

use crate::doctor::{self, Scene};
use crate::facts;

/// The folder that all files of the archive lie in.
const FOLDER: &str = "muster-agent-bundle";
/// The newest lines of the agent's own log.
const LOG_LINES: &str = "1000";
/// Bytes of the configuration: far above any that the agent would load in reasonable time.
const CONFIG_BYTES_MAX: u64 = 4 << 20;

/// Texts as they are on this host, before anything is cut out of them.
#[derive(Clone, Debug, Default)]
struct Inputs {
    config: Option<String>,
    status: Value,
    findings: Vec<Finding>,
    log: String,
    versions: Value,
}

/// Gathers, redacts and packs: a `tar.gz`. Blocks, as the doctor does.
///
/// # Errors
/// When the archive cannot be compressed, which memory alone hinders.
pub fn make(scene: &Scene, now: Timestamp) -> io::Result<Vec<u8>> {
    let inputs = Inputs {
        config: read(scene.config_file()),
        status: scene.status_json(),
        findings: doctor::examine(scene),
        log: own_log(),
        versions: versions(scene),
    };
    pack(&inputs, &scene.own_patterns(), now)
}

fn read(path: &Path) -> Option<String> {
    let size = std::fs::metadata(path).ok()?.len();
    if size > CONFIG_BYTES_MAX {
        return None;
    }
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The unit's newest lines; the reason where there are none.
fn own_log() -> String {
    let words = ["-u", "muster-agent", "-n", LOG_LINES, "--no-pager", "--quiet", "-o", "short-iso"];
    let output = Command::new("journalctl").args(words).stdin(Stdio::null()).stderr(Stdio::piped()).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(output) => format!("journalctl gave nothing: {}\n", String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => format!("journalctl cannot be started: {error}\n"),
    }
}

fn versions(scene: &Scene) -> Value {
    let facts = facts::read_host_facts();
    // Without the machine's id, which services derive keys from.
    json!({
        "agent": env!("CARGO_PKG_VERSION"), "os": facts.os, "kernel": facts.kernel, "architecture": facts.architecture,
        "processors": facts.processors, "memory_bytes": facts.memory_bytes, "virtualisation": facts.virtualisation,
        "works_as": scene.account_name(), "unit": scene.unit_file(),
    })
}

fn pack(inputs: &Inputs, own_patterns: &[String], now: Timestamp) -> io::Result<Vec<u8>> {
    // Patterns that do not load cut nothing out; the built-in ones always do.
    let redactor = Redactor::new(own_patterns)
        .or_else(|_| Redactor::new(&[]))
        .map_err(|(_, problem)| io::Error::other(problem))?;
    let shown = |mut value: Value| {
        redact_value(&mut value, &redactor);
        format!("{value:#}\n")
    };
    let files = [
        ("configuration.json", configuration(inputs.config.as_deref(), &redactor)),
        ("status.json", shown(inputs.status.clone())),
        ("doctor.json", shown(doctor::to_json(&inputs.findings.iter().map(without_values).collect::<Vec<_>>()))),
        ("versions.json", shown(inputs.versions.clone())),
        ("agent.log", redact_text(&inputs.log, &redactor)),
    ];
    let mut archive = Archive::default();
    let seconds = u64::try_from(now.millis() / 1_000).unwrap_or(0);
    for (name, text) in files {
        archive.add(&format!("{FOLDER}/{name}"), text.as_bytes(), seconds);
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&archive.finish())?;
    packed.finish()
}

/// The file as data: comments, which may hold anything, are not part of it. One that is no TOML is left out; the doctor says what is wrong.
fn configuration(text: Option<&str>, redactor: &Redactor) -> String {
    let told = |what: &str| format!("{:#}\n", json!({"left_out": what}));
    let Some(text) = text else { return told("there is no configuration file, or it cannot be read") };
    let Ok(table) = toml::from_str::<toml::Table>(text) else { return told("the file is no TOML") };
    match serde_json::to_value(table) {
        Ok(mut value) => {
            redact_value(&mut value, redactor);
            format!("{value:#}\n")
        }
        Err(_) => told("the file has values that JSON has not"),
    }
}

/// A finding quotes what is wrong between backticks, and commands with their arguments: both may be secrets in a wrong place.
fn without_values(finding: &Finding) -> Finding {
    let mark = String::from_utf8_lossy(MARK);
    let quoted = |text: &str| {
        let parts = text.split('`').enumerate();
        let parts = parts.map(|(number, part)| if number % 2 == 1 { format!("`{mark}`") } else { part.to_owned() });
        parts.collect::<String>()
    };
    let argued = |line: &str| match line.split_once(" --plugin -- ") {
        Some((head, _)) => format!("{head} --plugin -- {mark}"),
        None => line.to_owned(),
    };
    let what = if finding.examination == "configuration" { quoted(&finding.what) } else { finding.what.clone() };
    let remedy = finding.remedy.lines().map(argued).collect::<Vec<_>>().join("\n");
    let place = if finding.place.starts_with("--set ") { "--set".to_owned() } else { finding.place.clone() };
    Finding { what, remedy, place, ..finding.clone() }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn unpacked(bytes: &[u8]) -> String {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
        String::from_utf8(plain).unwrap()
    }

    #[test]
    fn no_secret_of_any_input_is_in_the_archive() {
        let config = "\
# comment-s3cret
[collector]
addresses = [\"collector.example:9471\"]
[agent]
api_key = \"key-s3cret\"
[[checks]]
name = \"mysql\"
command = [\"/p/check_mysql\", \"-u\", \"user-s3cret\", \"-p\", \"argument-s3cret\", \"word-s3cret\", \"--token=option-s3cret\", \"-w\", \"10\"]
env = { PGPASSWORD = \"env-s3cret\", OTHER = \"other-s3cret\" }
[[checks]]
name = \"web\"
kind = \"http\"
url = \"https://nag:url-s3cret@web.example/x?sig=query-s3cret\"
[redaction]
patterns = [\"pattern-s3cret\", \"own-[a-z]+[0-9]cret\"]
";
        let finding = Finding::problem(
            "checks.memory: `quoted-s3cret` is no size; password=found-s3cret",
            "--set checks.x=set-s3cret",
            "let root run: muster-agent exec it --plugin -- -p plugin-s3cret",
        );
        let inputs = Inputs {
            config: Some(config.to_owned()),
            status: json!({
                "collector": {"problem": "Authorization: Bearer status-s3cret", "address": "collector.example:9471"},
                "token": "token-s3cret",
            }),
            findings: vec![finding.of("configuration")],
            log: "started\npassword=log-s3cret\n-----BEGIN PRIVATE KEY-----\nMIIs3cret\n-----END PRIVATE KEY-----\nsaw own-abcs3cret\n".to_owned(),
            versions: json!({"agent": "0.1.0"}),
        };
        let packed =
            pack(&inputs, &["own-[a-z]+[0-9]cret".to_owned()], Timestamp::from_millis(1_700_000_000_000)).unwrap();
        let text = unpacked(&packed);
        assert!(!text.contains("s3cret"), "{text}");
        assert!(!packed.windows(6).any(|window| window == b"s3cret"));
        for kept in [
            "collector.example:9471",
            "/p/check_mysql",
            "\"-w\"",
            "PGPASSWORD",
            "web.example/x",
            "started",
            "checks.memory",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
    }

    #[test]
    fn a_file_that_is_no_toml_is_left_out() {
        let inputs = Inputs { config: Some("password = s3cret\n".to_owned()), ..Inputs::default() };
        let text = unpacked(&pack(&inputs, &["(".to_owned()], Timestamp::default()).unwrap());
        assert!(text.contains("the file is no TOML") && !text.contains("s3cret"), "{text}");
        let text = unpacked(&pack(&Inputs::default(), &[], Timestamp::default()).unwrap());
        assert!(text.contains("there is no configuration file"), "{text}");
    }
}
