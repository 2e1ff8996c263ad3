//! Public keys that the operator gave this collector, so that a mistake is told before a host is asked. The hosts are the judges: they have their
//! own files, and trust none of this.

use std::collections::BTreeMap;

use muster_common::task::{PublicKey, Signature};

/// Keys of those who sign catalogues and of those who approve orders, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskKeys {
    pub signers: BTreeMap<String, PublicKey>,
    pub approvers: BTreeMap<String, PublicKey>,
}

impl TaskKeys {
    /// Reads a file of lines `signer NAME ed25519:DIGITS` and `approver NAME ed25519:DIGITS`; `#` begins a comment.
    ///
    /// # Errors
    /// Every line that is neither, with its number.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let (mut keys, mut mistakes) = (Self::default(), Vec::new());
        for (number, line) in (1..).zip(text.lines()) {
            let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            let (what, name, key) = match words[..] {
                [] => continue,
                [what, name, key] => (what, name, key),
                _ => {
                    mistakes.push(format!(
                        "line {number}: write `signer NAME ed25519:DIGITS` or `approver NAME ed25519:DIGITS`"
                    ));
                    continue;
                }
            };
            let table = match what {
                "signer" => &mut keys.signers,
                "approver" => &mut keys.approvers,
                _ => {
                    mistakes.push(format!("line {number}: `{what}` is neither `signer` nor `approver`"));
                    continue;
                }
            };
            match PublicKey::parse(key) {
                Ok(key) if !table.contains_key(name) => drop(table.insert(name.to_owned(), key)),
                Ok(_) => mistakes.push(format!("line {number}: there is a key of `{name}` already")),
                Err(error) => mistakes.push(format!("line {number}: {error}")),
            }
        }
        if mistakes.is_empty() { Ok(keys) } else { Err(mistakes) }
    }

    /// Whose key signed these bytes; `None`: nobody's that is known here.
    pub(super) fn signer_of(&self, bytes: &[u8], signature: &Signature) -> Option<&str> {
        self.signers.iter().find(|(_, key)| key.signed(bytes, signature)).map(|(name, _)| name.as_str())
    }
}

/// What the configuration says of tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSettings {
    pub keys: TaskKeys,
    /// Calls to all hosts together within a minute.
    pub calls_a_minute: u32,
    /// Approvals that each order needs; 0: it begins when it is asked for, and hosts that demand one refuse it.
    pub approvals: u8,
}

impl Default for TaskSettings {
    fn default() -> Self {
        Self { keys: TaskKeys::default(), calls_a_minute: 600, approvals: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_every_mistake_is_told_with_its_line() {
        let key = format!("ed25519:{}", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let keys = TaskKeys::parse(&format!("# ours\nsigner release {key}\n\napprover bob {key} # his\n")).unwrap();
        assert_eq!((keys.signers.len(), keys.approvers.len(), keys.approvers.contains_key("bob")), (1, 1, true));
        let text = format!("signer a\nowner a {key}\nsigner a ed25519:00\nsigner a {key}\nsigner a {key}");
        let mistakes = TaskKeys::parse(&text).unwrap_err();
        let lines: Vec<&str> = mistakes.iter().filter_map(|mistake| mistake.split(':').next()).collect();
        assert_eq!(lines, ["line 1", "line 2", "line 3", "line 5"]);
    }
}
