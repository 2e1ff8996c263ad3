//! What is done without a collector: keys, and signatures of catalogues. Private keys never leave this machine.

use std::io::{BufRead, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use muster_common::task::{Catalogue, SigningKey};

use crate::arguments::{KeyVerb, TaskVerb};
use crate::commands::Printed;
use crate::error::Failure;
use crate::table::plain;

/// Does what needs no collector; `None`: it needs one.
///
/// # Errors
/// [`Failure`] with the file that cannot be read or written, or what is wrong with it.
pub fn run(verb: &TaskVerb) -> Option<Result<Printed, Failure>> {
    match verb {
        TaskVerb::Key(KeyVerb::New { file }) => Some(new_key(file)),
        TaskVerb::Key(KeyVerb::Show { file }) => {
            Some(read_key(file).map(|key| Printed::text(format!("{}\n", key.public()))))
        }
        TaskVerb::Sign { file, key } => Some(sign(file, key)),
        _ => None,
    }
}

fn new_key(file: &Path) -> Result<Printed, Failure> {
    let pem = SigningKey::generate_pem().map_err(|error| Failure::Unknown(error.to_string()))?;
    let key = SigningKey::from_pem(&pem).map_err(|error| Failure::Unknown(error.to_string()))?;
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let written = made.and_then(|mut out| out.write_all(pem.as_bytes()).and_then(|()| out.sync_all()));
    written.map_err(|error| {
        Failure::Usage(format!("failed to make `{}`: {error}; name a file that is not there yet", file.display()))
    })?;
    let notes = vec![format!("the private key is in {}: keep it off collectors and hosts", file.display())];
    Ok(Printed { text: format!("{}\n", key.public()), notes, is_unknown: false, is_problem: false })
}

fn sign(file: &Path, key: &Path) -> Result<Printed, Failure> {
    let document = read_file(file)?;
    let read = Catalogue::parse(&document).map_err(|error| Failure::Refused(error.to_string()))?;
    let key = read_key(key)?;
    let signature = key.sign(&Catalogue::signed_bytes(&document));
    let path = signature_path(file);
    std::fs::write(&path, format!("{signature}\n"))
        .map_err(|error| Failure::Usage(format!("failed to write `{}`: {error}", path.display())))?;
    let told = format!(
        "signed version {} with {} tasks by {}: {}\n",
        read.version,
        read.tasks.len(),
        key.public(),
        path.display()
    );
    Ok(Printed::text(told))
}

/// Where the signature of a catalogue lies.
pub(super) fn signature_path(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".sig");
    path.into()
}

pub(super) fn read_file(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("failed to read `{}`: {error}", path.display())))
}

pub(super) fn read_key(path: &Path) -> Result<SigningKey, Failure> {
    SigningKey::from_pem(&read_file(path)?).map_err(|error| Failure::Usage(format!("`{}`: {error}", path.display())))
}

/// Shows what is going to be signed and asks.
pub(super) fn confirm(text: &str) -> Result<bool, Failure> {
    let shown: Vec<String> = text.lines().map(plain).collect();
    let mut out = std::io::stderr().lock();
    let asked = write!(out, "{}\nApprove this order? Write yes: ", shown.join("\n")).and_then(|()| out.flush());
    asked.map_err(|error| Failure::Unknown(format!("failed to ask: {error}")))?;
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::Unknown(format!("failed to read the answer: {error}")))?;
    Ok(line.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use muster_common::task::{PublicKey, Signature};

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_signs_a_catalogue() {
        let folder = tempfile::tempdir().unwrap();
        let (key, file) = (folder.path().join("release.key"), folder.path().join("tasks.toml"));
        let made = new_key(&key).unwrap();
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(new_key(&key).is_err(), "one that is there is not overwritten");
        let public = PublicKey::parse(&made.text).unwrap();
        assert!(sign(&file, &key).is_err());
        std::fs::write(&file, "version = 1\nexpires = 2027-01-01T00:00:00Z\n").unwrap();
        sign(&file, &key).unwrap();
        let signature = Signature::parse(&read_file(&signature_path(&file)).unwrap()).unwrap();
        assert!(public.signed(&Catalogue::signed_bytes(&read_file(&file).unwrap()), &signature));
        std::fs::write(&file, "version = 0\n").unwrap();
        assert!(sign(&file, &key).is_err(), "what no host would take is not signed");
    }
}
