//! What is shown to the collector, and to whom it may be shown.

use std::path::Path;

use super::target::is_this_machine;
use crate::error::Failure;

/// Where packages put the collector's data.
pub const DATA: &str = "/var/lib/muster-collector";

/// A token and where it came from, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub word: String,
    pub from: String,
}

impl Token {
    /// The folder whose token may be sent to this URL: the given one, else the usual one, but never unasked to another machine, where
    /// what listens need not be this machine's collector.
    pub fn folder<'a>(url: &str, data: Option<&'a Path>) -> Option<&'a Path> {
        data.or_else(|| is_this_machine(url).then_some(Path::new(DATA)))
    }

    /// The given one (argument or variable), else the file `admin.token` in this folder; `None` when there is none.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn find(given: Option<&str>, folder: Option<&Path>) -> Result<Option<Self>, Failure> {
        if let Some(word) = given {
            return Ok(Some(Self { word: word.trim().to_owned(), from: "--token or MUSTER_TOKEN".to_owned() }));
        }
        let Some(path) = folder.map(|folder| folder.join("admin.token")) else { return Ok(None) };
        let shown = path.display();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self { word: text.trim().to_owned(), from: format!("`{shown}`") })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
            Err(error) => Err(Failure::Usage(format!("failed to read `{shown}`: {error}; give a token by --token"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_the_given_one_then_the_file_then_none() {
        let folder = std::env::temp_dir().join(format!("muster-cli-token-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(Token::find(None, Some(&folder)).unwrap(), None);
        std::fs::write(folder.join("admin.token"), "abc\n").unwrap();
        assert_eq!(Token::find(None, Some(&folder)).unwrap().unwrap().word, "abc");
        assert_eq!(Token::find(Some("x"), Some(&folder)).unwrap().unwrap().word, "x");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_token_of_this_machine_goes_unasked_only_to_this_machine() {
        let usual = Some(Path::new(DATA));
        for (url, folder) in [
            ("http://127.0.0.1:9470", usual),
            ("http://127.9.9.9:1/x", usual),
            ("http://[::1]:9470", usual),
            ("https://[::1]:9470", usual),
            ("http://localhost:9470", usual),
            ("http://LOCALHOST", usual),
            ("http://192.0.2.7:9470", None),
            ("https://192.0.2.7:9470", None),
            ("http://collector.example:9470", None),
            ("http://127.0.0.1.example", None),
            ("http://127.0.0.1@collector.example", None),
            ("no url", None),
        ] {
            assert_eq!(Token::folder(url, None), folder, "{url}");
            assert_eq!(Token::folder(url, Some(Path::new("d"))), Some(Path::new("d")), "{url}");
        }
        assert_eq!(Token::find(None, None).unwrap(), None);
    }
}
