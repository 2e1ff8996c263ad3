//! The one command that makes a host out of a machine: pinned to the collector's key, and checking the installer's hash before it runs.
//!
//! It is one `sh -c '...'`, so that it can be pasted, put behind `sudo` or sent over ssh. Everything in it that did not come from this
//! file has passed [`Host::parse`], is base64 or hexadecimal, or is refused: nothing can end a quote.

use std::fmt::Write as _;
use std::path::Path;

use muster_common::digest::Sha256;
use muster_common::identity::SERVER_NAME;

use super::address::{Host, choose};
use super::files::small;
use crate::error::{ApiError, ErrorKind};
use crate::state::{Https, State};

/// The installer in the packages' folder, and the most that it may have: a script, not a package.
const SCRIPT: &str = "install.sh";
const SCRIPT_BYTES_MAX: u64 = 1 << 20;

/// Whom the command is for.
pub(crate) struct Asked<'a> {
    /// The token's word.
    pub(crate) word: &'a str,
    /// The one name that the host will have, where the token names one.
    pub(crate) name: Option<&'a str>,
    /// The `Host` that the request came by; `None` where it came by the unix socket.
    pub(crate) host: Option<&'a str>,
}

/// The command; `None` where the collector has no packages. Reads a file, so it blocks.
///
/// # Errors
/// Why a host could not use one: HTTP or the agents' port is not to be reached, or nothing names the collector.
pub(crate) fn for_token(state: &State, asked: &Asked<'_>) -> Option<Result<String, ApiError>> {
    let script = hash(&state.install.packages)?;
    Some(facts(state, asked, &script).map(|facts| facts.command()))
}

fn hash(packages: &Path) -> Option<String> {
    small(packages, SCRIPT, SCRIPT_BYTES_MAX).map(|script| Sha256::of(&script).to_string())
}

fn refuse(message: impl Into<String>, remedy: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::Conflict, message).place("the command for a host").remedy(remedy)
}

fn facts<'a>(state: &'a State, asked: &'a Asked<'_>, script_sha256: &'a str) -> Result<Facts<'a>, ApiError> {
    if state.http.ip().is_loopback() {
        return Err(refuse(
            format!("HTTP is listened for on {} only, so no other machine can fetch the installer", state.http),
            "set http.listen to an address of the network, such as \"0.0.0.0:9470\" (it is HTTPS then)",
        ));
    }
    if state.agents.ip().is_loopback() {
        return Err(refuse(
            format!("agents are listened for on {} only", state.agents),
            "set agents.listen to an address of the network, such as \"0.0.0.0:9471\"",
        ));
    }
    let https = (state.hooks.https)().ok_or_else(|| refuse("HTTP has no TLS here", "start the collector anew"))?;
    let install = &state.install;
    let host = choose(install.advertise.as_deref(), asked.host, &install.machine).ok_or_else(|| {
        refuse("nothing names this collector to other machines", "set agents.advertise to its name or address")
    })?;
    let verified = verified(&https, &host)?;
    for text in [Some(asked.word), asked.name].into_iter().flatten() {
        if !is_word(text) {
            return Err(refuse(format!("`{text}` cannot stand in a command"), "enrol this host by hand"));
        }
    }
    Ok(Facts {
        host,
        verified,
        https,
        http_port: state.http.port(),
        agents_port: state.agents.port(),
        word: asked.word,
        name: asked.name,
        script_sha256,
    })
}

/// Names of hosts and words of tokens have no other characters; what a quote or a shell could take for its own is none of them.
fn is_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_plain)
}

/// The name by which the certificate is verified, whatever is dialled.
fn verified(https: &Https, host: &Host) -> Result<Host, ApiError> {
    let named = https.dns_names.iter().any(|dns| host.is_named_by(dns));
    let numbered = host.address().is_some_and(|address| https.addresses.contains(&address));
    if !https.is_own_ca && (named || numbered) {
        return Ok(host.clone());
    }
    let other = if https.is_own_ca {
        Host::parse(SERVER_NAME)
    } else {
        https.dns_names.iter().find_map(|dns| Host::parse(dns))
    };
    other.ok_or_else(|| {
        refuse(
            format!("the certificate of http.cert is for {}, and not for `{host}`", https.dns_names.join(", ")),
            "set agents.advertise to a name that the certificate has",
        )
    })
}

/// All that stands in the command.
struct Facts<'a> {
    host: Host,
    verified: Host,
    https: Https,
    http_port: u16,
    agents_port: u16,
    word: &'a str,
    name: Option<&'a str>,
    script_sha256: &'a str,
}

impl Facts<'_> {
    fn command(&self) -> String {
        let (host, port) = (&self.host, self.http_port);
        let base = format!("https://{}:{port}/install", self.verified);
        let mut trust = String::new();
        if self.https.ca_pem.is_some() {
            trust.push_str(" --cacert \"$d/ca.pem\"");
        }
        if self.verified != self.host {
            let _ = write!(trust, " --connect-to \"{}:{port}:{host}:{port}\"", self.verified);
        }
        let mut text = "sh -c 'set -eu; umask 077; command -v curl >/dev/null || { echo \"curl is needed: install it and run this again\" >&2; exit 1; }; \
             d=$(mktemp -d); trap \"rm -rf \\\"$d\\\"\" EXIT; "
            .to_owned();
        if let Some(pem) = &self.https.ca_pem {
            text.push_str("printf \"%s\\n\"");
            for line in pem.lines() {
                let _ = write!(text, " \"{line}\"");
            }
            text.push_str(" > \"$d/ca.pem\"; ");
        }
        let _ = write!(
            text,
            "curl -fsS --max-time 120{trust} --pinnedpubkey \"{}\" -o \"$d/{SCRIPT}\" \"{base}/{SCRIPT}\"; \
             echo \"{}  $d/{SCRIPT}\" | sha256sum -c - >/dev/null; \
             sh \"$d/{SCRIPT}\" --collector \"{host}:{}\" --token \"{}\"",
            self.https.pin.to_curl(),
            self.script_sha256,
            self.agents_port,
            self.word,
        );
        if let Some(name) = self.name {
            let _ = write!(text, " --name \"{name}\"");
        }
        let _ = write!(text, " --base \"{base}\"{trust}'");
        text
    }
}

#[cfg(test)]
mod tests {
    use muster_common::identity::Pin;
    use muster_common::time::Timestamp;

    use super::*;

    fn https(is_own_ca: bool, dns_names: &[&str]) -> Https {
        Https {
            pin: Pin([7; 32]),
            ca_pem: is_own_ca.then(|| "-----BEGIN CERTIFICATE-----\nMIIB+/A=\n-----END CERTIFICATE-----\n".to_owned()),
            dns_names: dns_names.iter().map(|&name| name.to_owned()).collect(),
            addresses: vec!["192.0.2.9".parse().unwrap()],
            is_own_ca,
            expires: Timestamp::from_millis(0),
        }
    }

    fn command(https: Https, host: &str, name: Option<&str>) -> String {
        let host = Host::parse(host).unwrap();
        let verified = verified(&https, &host).unwrap();
        let (http_port, agents_port) = (9470, 9471);
        Facts { host, verified, https, http_port, agents_port, word: "ab.cd.ef", name, script_sha256: "00ff" }.command()
    }

    #[test]
    fn with_the_own_ca_the_name_verified_is_the_collectors_whatever_is_dialled() {
        let text = command(https(true, &[SERVER_NAME]), "192.0.2.7", Some("web-1"));
        let pin = Pin([7; 32]).to_curl();
        assert_eq!(
            text,
            format!(
                "sh -c 'set -eu; umask 077; command -v curl >/dev/null || {{ echo \"curl is needed: install it and run this again\" >&2; exit 1; }}; \
                 d=$(mktemp -d); trap \"rm -rf \\\"$d\\\"\" EXIT; \
                 printf \"%s\\n\" \"-----BEGIN CERTIFICATE-----\" \"MIIB+/A=\" \"-----END CERTIFICATE-----\" > \"$d/ca.pem\"; \
                 curl -fsS --max-time 120 --cacert \"$d/ca.pem\" --connect-to \"collector.muster:9470:192.0.2.7:9470\" \
                 --pinnedpubkey \"{pin}\" -o \"$d/install.sh\" \"https://collector.muster:9470/install/install.sh\"; \
                 echo \"00ff  $d/install.sh\" | sha256sum -c - >/dev/null; \
                 sh \"$d/install.sh\" --collector \"192.0.2.7:9471\" --token \"ab.cd.ef\" --name \"web-1\" \
                 --base \"https://collector.muster:9470/install\" --cacert \"$d/ca.pem\" \
                 --connect-to \"collector.muster:9470:192.0.2.7:9470\"'"
            )
        );
        assert!(!text.contains(" -k") && !text.contains("--insecure"));
        assert_eq!(text.matches('\'').count(), 2, "one quoted word");
    }

    #[test]
    fn with_a_certificate_of_ones_own_its_names_are_used() {
        let text = command(https(false, &["*.example", "m.example"]), "collector.example", None);
        assert!(text.contains("\"https://collector.example:9470/install/install.sh\""), "{text}");
        assert!(!text.contains("--cacert") && !text.contains("--connect-to") && !text.contains("--name"), "{text}");
        let text = command(https(false, &["*.example", "m.example"]), "192.0.2.7", None);
        assert!(text.contains("--connect-to \"m.example:9470:192.0.2.7:9470\""), "{text}");
        let text = command(https(false, &["m.example"]), "192.0.2.9", None);
        assert!(
            text.contains("\"https://192.0.2.9:9470/install/install.sh\"") && !text.contains("--connect-to"),
            "{text}"
        );
        let only_pattern = https(false, &["*.example"]);
        let told = verified(&only_pattern, &Host::parse("192.0.2.7").unwrap()).unwrap_err();
        assert_eq!(told.message(), "the certificate of http.cert is for *.example, and not for `192.0.2.7`");
    }

    #[test]
    fn nothing_that_ends_a_quote_is_a_word() {
        for (text, is_good) in [
            ("ab12.secret.pin", true),
            ("web-1", true),
            ("", false),
            ("a'b", false),
            ("a\"b", false),
            ("$(x)", false),
            ("a b", false),
            ("a\\b", false),
            ("-x", false),
            ("a\nb", false),
        ] {
            assert_eq!(is_word(text), is_good, "{text:?}");
        }
    }
}
