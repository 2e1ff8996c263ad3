//! The host's own configuration and a remote one: what runs. Pure.
//!
//! The host's own wins: a name of its own cannot be taken (`config::parse_remote` refuses that), its groups of logs come first, so that a file
//! that both name is read as the host says. Remote groups come beside what is read without them: where the host names no logs, the journal or
//! the classic files are read as before. Patterns of redaction add up.

use std::sync::Arc;

use super::document::RemoteDocument;
use crate::config::Config;

/// What runs. `host` is the host's own configuration.
pub fn merge(host: &Config, document: &RemoteDocument) -> Config {
    let mut merged = host.clone();
    let state_dir = &host.agent.state_dir;
    let fence = Arc::new(host.remote.check_fence(state_dir));
    for check in &document.checks {
        let mut check = check.clone();
        check.fence = Some(Arc::clone(&fence));
        merged.checks.checks.push(check);
    }
    if !document.logs.is_empty() {
        merged.logs.remote.groups.clone_from(&document.logs);
        merged.logs.remote.fence = host.remote.log_fence(state_dir);
    }
    for pattern in &document.redaction {
        if !merged.logs.redaction.contains(pattern) {
            merged.logs.redaction.push(pattern.clone());
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{parse, parse_remote};
    use crate::logs::defaults::choose;
    use crate::logs::memory::MemoryFiles;

    const DOCUMENT: &str = "[[logs]]\npaths = [\"/var/log/app/*.log\"]\n\n[[checks]]\nname = \"stamp\"\nkind = \"file_age\"\npath = \"/var/log/stamp\"\ncrit = 5\n\n[redaction]\npatterns = [\"card=(\\\\d+)\", \"pin=(\\\\d+)\"]\n";

    #[test]
    fn a_document_comes_beside_the_hosts_own_and_takes_nothing_away() {
        let own = "[[logs]]\npaths = [\"/srv/x.log\"]\n\n[[checks]]\nname = \"disk\"\nkind = \"disk\"\n\n[redaction]\npatterns = [\"pin=(\\\\d+)\"]\n";
        let host = parse("agent.toml", own, &[]).unwrap();
        let document = parse_remote("c", DOCUMENT, &host, &[]).unwrap();
        let merged = merge(&host, &document);
        let names: Vec<&str> = merged.checks.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["disk", "stamp"]);
        assert!(merged.checks.checks[0].fence.is_none(), "the host's own look where they want");
        assert_eq!(merged.checks.checks[1].fence.as_ref().unwrap().folders(), [std::path::PathBuf::from("/var/log")]);
        assert_eq!(merged.logs.redaction, ["pin=(\\d+)", "card=(\\d+)"]);
        assert_eq!((merged.logs.groups.as_ref().unwrap().len(), merged.logs.remote.groups.len()), (1, 1));
        assert_eq!(merge(&host, &RemoteDocument::default()), host);
    }

    #[test]
    fn a_remote_group_does_not_switch_the_default_off() {
        let host = parse("agent.toml", "", &[]).unwrap();
        let merged = merge(&host, &parse_remote("c", DOCUMENT, &host, &[]).unwrap());
        let files = MemoryFiles::default();
        assert_eq!(choose(&merged.logs, true, &files), choose(&host.logs, true, &files));
        assert_eq!(choose(&merged.logs, false, &files), choose(&host.logs, false, &files));
        assert!(choose(&merged.logs, true, &files).1, "the journal is read");
    }
}
