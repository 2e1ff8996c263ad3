//! What `muster login` keeps: the cookie of a session, in a file that only its owner reads.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::Failure;

/// A login at one collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub user: String,
    /// `NAME=WORD`, as it is sent back.
    pub cookie: String,
    pub ends_ms: i64,
}

/// The logins of a file, by the collector's URL.
#[derive(Debug)]
pub struct Sessions {
    path: PathBuf,
    by_url: BTreeMap<String, Session>,
}

impl Sessions {
    /// Where logins are kept unless another file is named; `None`: the user has no home.
    pub fn usual_path() -> Option<PathBuf> {
        Some(std::env::home_dir()?.join(".local/state/muster/session.json"))
    }

    /// The logins that have not ended. A file that is not there, or that cannot be read, has none.
    pub fn load(path: &Path, now_ms: i64) -> Self {
        let json: Value =
            std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let read = |(url, one): (&String, &Value)| {
            let text = |name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
            let session =
                Session { user: text("user")?, cookie: text("cookie")?, ends_ms: one.get("ends_ms")?.as_i64()? };
            (session.ends_ms > now_ms).then_some((url.clone(), session))
        };
        let by_url = json.as_object().into_iter().flatten().filter_map(read).collect();
        Self { path: path.to_owned(), by_url }
    }

    pub fn find(&self, url: &str) -> Option<&Session> {
        self.by_url.get(key(url))
    }

    /// Keeps this login, or forgets the one that was, and writes the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(&mut self, url: &str, session: Option<Session>) -> Result<(), Failure> {
        match session {
            Some(session) => self.by_url.insert(key(url).to_owned(), session),
            None => self.by_url.remove(key(url)),
        };
        self.write().map_err(|error| {
            let shown = self.path.display();
            Failure::Unknown(format!("failed to write `{shown}`: {error}; name another file with --session FILE"))
        })
    }

    fn write(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let row =
            |session: &Session| json!({"user": session.user, "cookie": session.cookie, "ends_ms": session.ends_ms});
        let all: BTreeMap<&String, Value> = self.by_url.iter().map(|(url, session)| (url, row(session))).collect();
        let new = self.path.with_extension("new");
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(format!("{:#}\n", json!(all)).as_bytes())?;
        drop(file);
        std::fs::rename(&new, &self.path)
    }
}

fn key(url: &str) -> &str {
    url.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_login_is_found_until_it_ends_and_nobody_else_reads_it() {
        let folder = std::env::temp_dir().join(format!("muster-cli-session-{}", std::process::id()));
        let path = folder.join("deep/session.json");
        let mut sessions = Sessions::load(&path, 0);
        assert_eq!(sessions.find("http://a"), None);
        let ann = Session { user: "ann".into(), cookie: "muster=ab".into(), ends_ms: 10 };
        sessions.put("http://a/", Some(ann.clone())).unwrap();
        sessions.put("http://b", Some(ann.clone())).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Sessions::load(&path, 9).find("http://a"), Some(&ann));
        assert_eq!(Sessions::load(&path, 10).find("http://a"), None);
        let mut sessions = Sessions::load(&path, 9);
        sessions.put("http://a", None).unwrap();
        let sessions = Sessions::load(&path, 9);
        assert!(sessions.find("http://a").is_none() && sessions.find("http://b").is_some());
        std::fs::write(&path, "torn").unwrap();
        assert!(Sessions::load(&path, 9).find("http://b").is_none());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
