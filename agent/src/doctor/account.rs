//! As whom the agent works: user, groups, capabilities.
//!
//! The first of these that is there: the running agent's process, the unit's user, the owner of the state folder, whoever runs the doctor.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

/// Bits of capabilities, as the kernel numbers them.
pub(super) const CAP_DAC_OVERRIDE: u32 = 1;
pub(super) const CAP_DAC_READ_SEARCH: u32 = 2;

/// A user with all of its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// The user's name, or its number where it has none.
    pub(super) name: String,
    pub(super) uid: u32,
    /// The primary one included.
    pub(super) groups: BTreeSet<u32>,
    /// Bits of what it may do beyond its files' rights.
    pub(super) capabilities: u64,
}

impl Account {
    pub(super) fn has(&self, capability: u32) -> bool {
        self.capabilities & (1 << capability) != 0
    }
}

/// `/etc/passwd` and `/etc/group`, and users of a directory service that were looked up; others of those are known by their numbers only.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    passwd: String,
    group: String,
}

impl Names {
    pub(super) fn read(root: &Path) -> Self {
        let text = |file: &str| std::fs::read_to_string(root.join(file)).unwrap_or_default();
        Self { passwd: text("etc/passwd"), group: text("etc/group") }
    }

    /// Asks the system's other sources of users for this one.
    pub(super) fn look_up(&mut self, user: &str) {
        let output =
            Command::new("getent").args(["passwd", "--", user]).stdin(Stdio::null()).stderr(Stdio::null()).output();
        if let Ok(output) = output
            && output.status.success()
        {
            self.passwd.push('\n');
            self.passwd.push_str(&String::from_utf8_lossy(&output.stdout));
        }
    }

    #[cfg(test)]
    pub(super) fn of(passwd: &str, group: &str) -> Self {
        Self { passwd: passwd.to_owned(), group: group.to_owned() }
    }

    /// A user of this name or number; its groups are those that the files give it.
    pub(super) fn account(&self, user: &str, more_groups: &[String], capabilities: u64) -> Option<Account> {
        let fields = self.passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let found = fields.into_iter().find(|fields| fields.first() == Some(&user) || fields.get(2) == Some(&user));
        let (name, uid, primary) = match found {
            Some(fields) => (fields.first()?.to_string(), fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()),
            None => (user.to_owned(), user.parse().ok()?, None),
        };
        let mut groups: BTreeSet<u32> = primary.into_iter().collect();
        groups.extend(more_groups.iter().filter_map(|group| self.gid(group)));
        for line in self.group.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [_, _, gid, members, ..] = fields.as_slice()
                && members.split(',').any(|member| member == name)
            {
                groups.extend(gid.parse::<u32>().ok());
            }
        }
        Some(Account { name, uid, groups, capabilities })
    }

    pub(super) fn user(&self, uid: u32) -> String {
        name_of(&self.passwd, uid)
    }

    pub(super) fn group(&self, gid: u32) -> String {
        name_of(&self.group, gid)
    }

    pub(super) fn gid(&self, group: &str) -> Option<u32> {
        let line = self.group.lines().find(|line| line.split(':').next() == Some(group));
        line.and_then(|line| line.split(':').nth(2)).unwrap_or(group).parse().ok()
    }
}

fn name_of(text: &str, number: u32) -> String {
    let number = number.to_string();
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(number.as_str()));
    line.and_then(|line| line.split(':').next()).unwrap_or(&number).to_owned()
}

/// The account of a process, of its `/proc/ID/status`.
pub(super) fn of_process(status: &str, names: &Names) -> Option<Account> {
    let words = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::split_ascii_whitespace);
    // Real, effective, saved, of the file system.
    let uid: u32 = words("Uid:")?.nth(1)?.parse().ok()?;
    let gid: u32 = words("Gid:")?.nth(1)?.parse().ok()?;
    let groups = words("Groups:")?.filter_map(|word| word.parse().ok()).chain([gid]).collect();
    let capabilities = u64::from_str_radix(words("CapEff:")?.next()?, 16).ok()?;
    Some(Account { name: names.user(uid), uid, groups, capabilities })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nmuster:x:990:989::/nonexistent:/bin/false\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:syslog,muster\nsystemd-journal:x:999:\nmuster:x:989:\n";

    #[test]
    fn accounts_have_the_groups_of_the_files_and_of_the_unit() {
        let names = Names::of(PASSWD, GROUP);
        let account = names.account("muster", &["systemd-journal".to_owned()], 4).unwrap();
        assert_eq!((account.uid, account.groups), (990, BTreeSet::from([4, 989, 999])));
        assert_eq!(names.account("990", &[], 0).unwrap().name, "muster");
        assert_eq!(names.account("1234", &[], 0).unwrap().name, "1234");
        assert_eq!(names.account("nobody", &[], 0), None);
        assert_eq!((names.user(0), names.group(4), names.group(77)), ("root".into(), "adm".into(), "77".into()));
        assert_eq!((names.gid("adm"), names.gid("88"), names.gid("none")), (Some(4), Some(88), None));
    }

    #[test]
    fn a_user_that_no_file_has_is_looked_up() {
        let mut names = Names::default();
        assert_eq!(names.account("root", &[], 0), None);
        names.look_up("root");
        names.look_up("no-such-user");
        assert_eq!(names.account("root", &[], 0).unwrap().uid, 0);
        assert_eq!(names.account("no-such-user", &[], 0), None);
    }

    #[test]
    fn a_process_tells_its_account() {
        let status = "Name:\tmuster-agent\nUid:\t990\t990\t990\t990\nGid:\t989\t989\t989\t989\nGroups:\t4 999 \nCapInh:\t0\nCapEff:\t0000000000000004\n";
        let account = of_process(status, &Names::of(PASSWD, GROUP)).unwrap();
        assert_eq!((account.name.as_str(), account.uid), ("muster", 990));
        assert!(account.has(CAP_DAC_READ_SEARCH) && !account.has(CAP_DAC_OVERRIDE));
        assert_eq!(account.groups, BTreeSet::from([4, 989, 999]));
        assert_eq!(of_process("", &Names::default()), None);
    }
}
