//! Who a task runs as: the line of `/etc/passwd`. Accounts that only a directory service knows are not found: they come and go with the network.

use std::path::Path;

/// A user of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: String,
}

/// The account of this name; `None`: there is none.
///
/// # Errors
/// The file cannot be read.
pub fn find(passwd: &Path, name: &str) -> std::io::Result<Option<Account>> {
    Ok(std::fs::read_to_string(passwd)?.lines().find_map(|line| read(line, name)))
}

fn read(line: &str, name: &str) -> Option<Account> {
    let fields: Vec<&str> = line.split(':').collect();
    let [own, _, uid, gid, _, home, _] = fields[..] else { return None };
    (own == name && !name.is_empty()).then_some(())?;
    Some(Account { name: own.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()?, home: home.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let line = "www-data:x:33:34:www:/var/www:/usr/sbin/nologin";
        let found = Account { name: "www-data".into(), uid: 33, gid: 34, home: "/var/www".into() };
        assert_eq!(read(line, "www-data"), Some(found));
        for name in ["www", "", "x"] {
            assert_eq!(read(line, name), None);
        }
        assert_eq!(read("a:x:-1:0:::", "a"), None);
        assert_eq!(read("", ""), None);
        assert_eq!(find(Path::new("/etc/passwd"), "root").unwrap().unwrap().uid, 0);
    }
}
