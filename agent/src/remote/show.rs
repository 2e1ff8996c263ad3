//! What people see of it: `muster-agent remote show` and `remote check`.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::time::Duration;

use muster_common::disk::real::RealDisk;
use muster_common::limits::CONFIGURATION_BYTES_MAX;
use muster_common::time::{Span, Timestamp};
use muster_common::wire::message::{Configuration, Problem};

use super::judge::judge;
use super::machine::name_of;
use super::store::{Kept, Mark, Store, hex_of};
use crate::checks::add_host_pack;
use crate::config::{Config, parse_remote};
use crate::identity_files::IdentityFiles;

/// The host's configuration as the agent has it, with the checks that every host has, and this host's names.
pub fn surroundings(mut host: Config) -> (Config, Vec<String>) {
    add_host_pack(&mut host.checks, Path::new("/run"));
    let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
    // Whoever may not read it judges without the name that the host enrolled under.
    let enrolled =
        IdentityFiles::new(&host.agent.state_dir).load().ok().flatten().map(|enrolled| enrolled.enrolment.name);
    let names = [host.agent.name.clone(), enrolled, Some(own)].into_iter().flatten().collect();
    (host, names)
}

/// The host's configuration with the kept document that the agent would start with, if there is one that fits.
pub fn in_force(host: Config) -> Config {
    let (host, names) = surroundings(host);
    if !host.remote.enabled {
        return host;
    }
    let kept = Store::new(RealDisk, &host.agent.state_dir).load();
    let judged = kept.good.and_then(|text| judge("", &text, &host, &names).ok());
    judged.map_or(host, |judged| judged.config)
}

/// What a document came to.
pub struct Checked {
    /// Lines for people.
    pub text: String,
    pub fits: bool,
}

/// Judges a document by the host's own file: everything that is wrong with it, or what is worth a word.
pub fn check(host: Config, name: &str, text: &str) -> Checked {
    let (host, names) = surroundings(host);
    let told = |problem: &Problem| format!("{}: {}: {}\n", problem.place, problem.message, problem.remedy);
    if text.len() > CONFIGURATION_BYTES_MAX {
        let text = format!(
            "{name}: has {} bytes, but at most {CONFIGURATION_BYTES_MAX} are sent: leave profiles out\n",
            text.len()
        );
        return Checked { text, fits: false };
    }
    // Of the grammar all mistakes, not only as many as travel.
    let document = match parse_remote(name, text, &host, &names) {
        Ok(document) => document,
        Err(errors) => return Checked { text: format!("{errors}\n"), fits: false },
    };
    match judge(name, text, &host, &names) {
        Err(problems) => Checked { text: problems.iter().map(told).collect(), fits: false },
        Ok(judged) => {
            let (groups, checks, patterns) = (document.logs.len(), document.checks.len(), document.redaction.len());
            let fits = format!(
                "{name}: it fits: {groups} groups of logs, {checks} checks, {patterns} patterns; digest {}\n",
                hex_of(&Configuration::digest_of(text))
            );
            let warnings: String = judged.warnings.iter().map(told).collect();
            let disabled =
                if host.remote.enabled { "" } else { "[remote] enabled = false: this host takes none all the same\n" };
            Checked { text: fits + &warnings + disabled, fits: true }
        }
    }
}

/// What is kept on this host.
pub struct Shown {
    host: Config,
    kept: Kept,
    now: Timestamp,
}

/// Reads what is kept.
///
/// # Errors
/// When this user may not look.
pub fn read(host: Config, now: Timestamp) -> io::Result<Shown> {
    let store = Store::new(RealDisk, &host.agent.state_dir);
    match std::fs::read_dir(store.folder()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(Shown { kept: store.load(), host, now }),
    }
}

impl Shown {
    /// For people: what is in force with its text, what is tried, what was refused and why.
    pub fn text(&self) -> String {
        let record = &self.kept.record;
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{name:<12}{value}");
        };
        if !self.host.remote.enabled {
            line(
                "disabled",
                &format!(
                    "[remote] enabled = false in {}: nothing of what follows is used",
                    self.host.remote.written.file
                ),
            );
        }
        match &record.good {
            Some(mark) => line("in force", &self.mark(mark)),
            None => line("in force", "the host's own file alone"),
        }
        if let Some(mark) = &record.trial {
            line("on trial", &self.mark(mark));
        }
        if let Some(refused) = &record.refused {
            line(if refused.is_reverted { "reverted" } else { "refused" }, &self.mark(&refused.mark));
            for told in &refused.problems {
                line("", &format!("{}: {}: {}", told.place, told.message, told.remedy));
            }
        }
        for problem in &self.kept.problems {
            line("PROBLEM", &format!("{}: {}; {}", problem.place, problem.message, problem.remedy));
        }
        if let Some(document) = &self.kept.good {
            let _ = write!(text, "\n{document}");
        }
        text
    }

    fn mark(&self, mark: &Mark) -> String {
        let age = self.now.since(Timestamp::from_millis(mark.since_ms));
        format!(
            "{} ({}), since {}",
            name_of(mark.number),
            hex_of(&mark.digest),
            Span(Duration::from_secs(age.as_secs()))
        )
    }

    /// For programs: the record, the document in force, what is damaged.
    ///
    /// # Errors
    /// Never for what was read.
    pub fn json(&self) -> serde_json::Result<String> {
        let problem = |problem: &Problem| serde_json::json!({"place": problem.place, "message": problem.message, "remedy": problem.remedy});
        let problems: Vec<serde_json::Value> = self.kept.problems.iter().map(problem).collect();
        serde_json::to_string_pretty(&serde_json::json!({
            "enabled": self.host.remote.enabled, "record": self.kept.record, "document": self.kept.good, "problems": problems,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use crate::remote::store::{Record, Refusal, Told};

    #[test]
    fn a_document_is_checked_against_this_hosts_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let host =
            |text: &str| parse("agent.toml", text, &[format!("agent.state_dir={}", folder.path().display())]).unwrap();
        let good = check(
            host(""),
            "f.toml",
            "[[checks]]\nname = \"a\"\nkind = \"load\"\n\n[[logs]]\npaths = [\"/var/log/none-such/*.log\"]\n",
        );
        assert!(
            good.fits && good.text.starts_with("f.toml: it fits: 1 groups of logs, 1 checks, 0 patterns; digest "),
            "{}",
            good.text
        );
        assert!(good.text.contains("none-such/*.log: no file matches"), "{}", good.text);
        let many: String = (0..30).map(|n| format!("[[logs]]\npaths = [\"/etc/{n}\"]\n")).collect();
        let bad = check(host(""), "f.toml", &many);
        assert!(!bad.fits && bad.text.lines().count() == 30, "all of them: {}", bad.text);
        assert!(bad.text.starts_with("f.toml:2:10: logs.paths: `/etc/0` is beyond"), "{}", bad.text);
        assert!(!check(host(""), "f.toml", &"#".repeat(CONFIGURATION_BYTES_MAX + 1)).fits);
        assert!(check(host("[remote]\nenabled = false\n"), "f", "").text.contains("takes none all the same"));
    }

    #[test]
    fn what_is_kept_is_shown_to_people_and_programs() {
        let folder = tempfile::tempdir().unwrap();
        let host = || parse("agent.toml", "", &[format!("agent.state_dir={}", folder.path().display())]).unwrap();
        let now = Timestamp::from_millis(1_700_000_060_000);
        let shown = |host| read(host, now).unwrap();
        assert_eq!(shown(host()).text(), "in force    the host's own file alone\n");
        let document = "[[checks]]\nname = \"a\"\nkind = \"load\"\n";
        let mark = |number, text| Mark { number, digest: Configuration::digest_of(text), since_ms: 1_700_000_000_000 };
        let told = Told { place: "configuration 3:1:1".into(), message: "m".into(), remedy: "r".into() };
        let refused = Some(Refusal { mark: mark(3, "x"), is_reverted: false, problems: vec![told] });
        let record = Record { good: Some(mark(2, document)), refused, ..Record::default() };
        Store::new(RealDisk, folder.path()).confirm(document, &record).unwrap();
        let text = shown(host()).text();
        assert!(
            text.starts_with("in force    configuration 2 (") && text.contains("since 1m\nrefused     configuration 3"),
            "{text}"
        );
        assert!(text.contains("configuration 3:1:1: m: r") && text.ends_with(document), "{text}");
        let json: serde_json::Value = serde_json::from_str(&shown(host()).json().unwrap()).unwrap();
        assert_eq!((json["record"]["good"]["number"].as_u64(), json["document"].as_str()), (Some(2), Some(document)));
        assert_eq!(in_force(host()).checks.checks.iter().filter(|check| check.name == "a").count(), 1);
        let off = Config { remote: crate::remote::bounds::RemoteConfig { enabled: false, ..host().remote }, ..host() };
        assert!(shown(off.clone()).text().starts_with("disabled    [remote] enabled = false in agent.toml"));
        assert_eq!(in_force(off).checks.checks.iter().filter(|check| check.name == "a").count(), 0);
    }
}
