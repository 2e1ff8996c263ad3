//! Whether an account may use a file: mode bits and access control lists, as the kernel judges them (POSIX.1e, draft 17, 23.1.5). Pure.

use super::account::{Account, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH};

/// What is asked of a file or folder; the numbers are the bits of a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    Read = 4,
    Write = 2,
    /// Of a folder: to go through it.
    Execute = 1,
}

/// What the file system says of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) owner: u32,
    pub(super) group: u32,
    /// Twelve bits.
    pub(super) mode: u32,
    pub(super) is_folder: bool,
    /// Its access control list, where it has one beyond the mode.
    pub(super) list: Vec<Entry>,
}

/// One entry of an access control list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Owner(u32),
    User(u32, u32),
    Group(u32),
    NamedGroup(u32, u32),
    /// No named entry, and not the group's, gives more.
    Mask(u32),
    Other(u32),
}

/// Reads the value of the attribute `system.posix_acl_access`; empty where it is none that is known.
pub(super) fn read_list(bytes: &[u8]) -> Vec<Entry> {
    let Some((version, rest)) = bytes.split_first_chunk::<4>() else { return Vec::new() };
    if u32::from_le_bytes(*version) != 2 {
        return Vec::new();
    }
    let entry = |entry: &[u8]| {
        let tag = u16::from_le_bytes([entry[0], entry[1]]);
        let bits = u32::from(u16::from_le_bytes([entry[2], entry[3]]));
        let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        Some(match tag {
            0x01 => Entry::Owner(bits),
            0x02 => Entry::User(id, bits),
            0x04 => Entry::Group(bits),
            0x08 => Entry::NamedGroup(id, bits),
            0x10 => Entry::Mask(bits),
            0x20 => Entry::Other(bits),
            _ => return None,
        })
    };
    rest.chunks_exact(8).filter_map(entry).collect()
}

/// Whether the account has this right on it.
pub(super) fn allows(account: &Account, node: &Node, right: Right) -> bool {
    let any_execute = node.is_folder || node.mode & 0o111 != 0;
    let by_override = account.has(CAP_DAC_OVERRIDE) && (right != Right::Execute || any_execute);
    let by_search =
        account.has(CAP_DAC_READ_SEARCH) && (right == Right::Read || (right == Right::Execute && node.is_folder));
    by_override || by_search || bits(account, node) & right as u32 != 0
}

/// The bits that apply to the account: exactly one class decides, but of several groups any that gives the right.
fn bits(account: &Account, node: &Node) -> u32 {
    if account.uid == node.owner {
        return node.mode >> 6 & 7;
    }
    let is_in = |group: u32| account.groups.contains(&group);
    if node.list.is_empty() {
        return if is_in(node.group) { node.mode >> 3 & 7 } else { node.mode & 7 };
    }
    let mask = node.list.iter().find_map(|entry| if let Entry::Mask(bits) = entry { Some(*bits) } else { None });
    let mask = mask.unwrap_or(7);
    let user = node.list.iter().find_map(|entry| match entry {
        Entry::User(uid, bits) if *uid == account.uid => Some(bits & mask),
        _ => None,
    });
    if let Some(bits) = user {
        return bits;
    }
    let groups: Vec<u32> = node
        .list
        .iter()
        .filter_map(|entry| match entry {
            Entry::Group(bits) if is_in(node.group) => Some(bits & mask),
            Entry::NamedGroup(gid, bits) if is_in(*gid) => Some(bits & mask),
            _ => None,
        })
        .collect();
    if groups.is_empty() { node.mode & 7 } else { groups.into_iter().fold(0, |all, bits| all | bits) }
}

/// Whether anybody may write to it who is neither its owner nor root.
pub(super) fn is_world_writable(node: &Node) -> bool {
    // In a folder with the sticky bit nobody replaces what is another's.
    node.mode & 0o002 != 0 && !(node.is_folder && node.mode & 0o1000 != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn account(uid: u32, groups: &[u32], capabilities: u64) -> Account {
        Account { name: "x".to_owned(), uid, groups: groups.iter().copied().collect::<BTreeSet<_>>(), capabilities }
    }

    fn file(owner: u32, group: u32, mode: u32) -> Node {
        Node { owner, group, mode, ..Node::default() }
    }

    #[test]
    fn one_class_of_the_mode_decides() {
        let me = account(990, &[4], 0);
        for (node, expect) in [
            (file(990, 0, 0o400), true),
            (file(990, 4, 0o044), false),
            (file(0, 4, 0o640), true),
            (file(0, 4, 0o604), false),
            (file(0, 0, 0o644), true),
            (file(0, 0, 0o640), false),
        ] {
            assert_eq!(allows(&me, &node, Right::Read), expect, "{node:?}");
        }
        assert!(!allows(&me, &file(0, 4, 0o640), Right::Write));
    }

    #[test]
    fn capabilities_go_past_the_mode() {
        let folder = Node { is_folder: true, ..file(0, 0, 0o700) };
        let reader = account(990, &[], 1 << CAP_DAC_READ_SEARCH);
        assert!(allows(&reader, &folder, Right::Execute) && allows(&reader, &file(0, 0, 0), Right::Read));
        assert!(
            !allows(&reader, &file(0, 0, 0o600), Right::Write) && !allows(&reader, &file(0, 0, 0o700), Right::Execute)
        );
        let root = account(0, &[0], u64::MAX);
        assert!(allows(&root, &file(5, 5, 0), Right::Write) && !allows(&root, &file(5, 5, 0o644), Right::Execute));
        // Root in a container without the capability is an ordinary owner.
        assert!(!allows(&account(0, &[0], 0), &file(5, 5, 0o640), Right::Read));
    }

    #[test]
    fn an_access_control_list_gives_and_its_mask_takes() {
        let entry = |tag: u16, bits: u16, id: u32| {
            [tag.to_le_bytes().as_slice(), &bits.to_le_bytes(), &id.to_le_bytes()].concat()
        };
        let bytes = [
            2_u32.to_le_bytes().to_vec(),
            entry(0x01, 6, u32::MAX),
            entry(0x02, 4, 990),
            entry(0x04, 0, u32::MAX),
            entry(0x08, 6, 4),
            entry(0x10, 4, u32::MAX),
            entry(0x20, 0, u32::MAX),
        ];
        let list = read_list(&bytes.concat());
        assert_eq!(list.len(), 6);
        let node = Node { list, ..file(0, 0, 0o640) };
        assert!(allows(&account(990, &[], 0), &node, Right::Read));
        assert!(allows(&account(7, &[4], 0), &node, Right::Read));
        assert!(!allows(&account(7, &[4], 0), &node, Right::Write), "the mask takes it");
        assert!(!allows(&account(7, &[0], 0), &node, Right::Read));
        assert!(!allows(&account(7, &[9], 0), &node, Right::Read));
        assert!(read_list(&[1, 0, 0, 0]).is_empty() && read_list(&[2]).is_empty());
    }

    #[test]
    fn the_sticky_bit_keeps_a_shared_folder_safe() {
        let folder = |mode| Node { is_folder: true, ..file(0, 0, mode) };
        assert!(is_world_writable(&file(0, 0, 0o666)) && is_world_writable(&folder(0o777)));
        assert!(!is_world_writable(&folder(0o1777)) && !is_world_writable(&file(0, 0, 0o664)));
    }
}
