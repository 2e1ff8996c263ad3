//! What is read when nothing is configured: the journal where there is one, else the classic files of the system.
//!
//! Never both: on a host with a journal rsyslog writes the classic files from it, so each line would come twice.

use muster_common::wire::message::WireLabel;

use super::files::Files;
use super::glob::Glob;
use super::settings::{From, LogGroup, LogsConfig};

/// Debian's and Red Hat's names of the same things; those that exist are read.
const CLASSIC: [&str; 12] = [
    "/var/log/syslog",
    "/var/log/messages",
    "/var/log/auth.log",
    "/var/log/secure",
    "/var/log/kern.log",
    "/var/log/daemon.log",
    "/var/log/user.log",
    "/var/log/mail.log",
    "/var/log/maillog",
    "/var/log/cron.log",
    "/var/log/cron",
    "/var/log/dpkg.log",
];
/// Debian's rsyslog writes these beside syslog, which has their lines too.
const IN_SYSLOG: [&str; 6] = [
    "/var/log/kern.log",
    "/var/log/daemon.log",
    "/var/log/user.log",
    "/var/log/mail.log",
    "/var/log/cron.log",
    "/var/log/messages",
];

/// What this host's reader follows, and whether the journal is read. `has_journal`: journalctl answered.
pub fn choose<F: Files>(config: &LogsConfig, has_journal: bool, files: &F) -> (Vec<LogGroup>, bool) {
    let wants_journal = config.journal.enabled.unwrap_or(config.groups.is_none());
    let reads_journal = wants_journal && has_journal;
    match &config.groups {
        Some(groups) => (groups.clone(), reads_journal),
        None if reads_journal || config.journal.enabled == Some(false) => (Vec::new(), reads_journal),
        None => (vec![classic(files)], false),
    }
}

/// The classic files as one group, begun at their ends: what a host logged in the weeks before is no news.
fn classic<F: Files>(files: &F) -> LogGroup {
    let has_syslog = files.stat(std::path::Path::new("/var/log/syslog")).is_ok_and(|stat| stat.is_file);
    let is_read = |path: &&str| !(has_syslog && IN_SYSLOG.contains(path));
    LogGroup {
        paths: CLASSIC.into_iter().filter(is_read).filter_map(Glob::new).collect(),
        exclude: Vec::new(),
        labels: vec![WireLabel { name: "job".to_owned(), value: "system".to_owned() }],
        from: From::End,
        multiline: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::memory::MemoryFiles;
    use crate::logs::settings::JournalConfig;

    #[test]
    fn the_journal_or_the_classic_files_are_read_and_never_both() {
        let files = MemoryFiles::default();
        files.write("/var/log/syslog", b"x\n");
        files.write("/var/log/kern.log", b"x\n");
        let nothing = LogsConfig::default();
        assert_eq!(choose(&nothing, true, &files), (Vec::new(), true));
        let (groups, reads_journal) = choose(&nothing, false, &files);
        let texts: Vec<&str> = groups[0].paths.iter().map(Glob::text).collect();
        assert!(!reads_journal && texts.contains(&"/var/log/syslog") && texts.contains(&"/var/log/auth.log"));
        assert!(!texts.contains(&"/var/log/kern.log"), "its lines are in syslog");
        let off = LogsConfig { journal: JournalConfig { enabled: Some(false), from: None }, ..LogsConfig::default() };
        assert_eq!(choose(&off, true, &files), (Vec::new(), false));
        let own =
            LogsConfig { groups: Some(vec![crate::logs::tests::group(&["/srv/*.log"])]), ..LogsConfig::default() };
        assert!(!choose(&own, true, &files).1, "own groups alone, unless the journal is asked for");
        let both = LogsConfig { journal: JournalConfig { enabled: Some(true), from: None }, ..own };
        assert!(choose(&both, true, &files).1 && choose(&both, true, &files).0.len() == 1);
    }
}
