//! The configuration in force, as files of a snapshot. Files with secrets that it names are named there and not copied.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use muster_common::disk::Disk;
use muster_common::disk::copy::write_new;

use super::error::SnapshotError;
use crate::config::Arguments;

/// What is copied, and what is only named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfigFiles {
    files: Vec<ConfigFile>,
    pub(crate) secret_files: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ConfigFile {
    /// From the snapshot's folder.
    to: String,
    from: PathBuf,
    bytes: Vec<u8>,
}

impl ConfigFiles {
    /// Reads the files that these arguments name, and the profiles, rules of discovery, services and public keys at these paths.
    ///
    /// # Errors
    /// [`SnapshotError::Config`]: one of them cannot be read.
    pub(crate) fn read(
        arguments: &Arguments,
        profiles: Vec<PathBuf>,
        discovery: Vec<PathBuf>,
        deploys: Option<PathBuf>,
        keys: Vec<PathBuf>,
    ) -> Result<Self, SnapshotError> {
        let mut all = Self::default();
        if let Some(path) = arguments.config_file() {
            all.add("config/collector.toml", path)?;
        }
        let named = arguments.alerting_files();
        if let Some(path) = &named.alerting {
            all.add("config/alerting.yml", path.clone())?;
        }
        let folders = [
            ("rules", named.rule_paths()),
            ("templates", named.template_paths()),
            ("profiles", profiles),
            ("discovery", discovery),
            ("deploys", deploys.into_iter().collect()),
            ("tasks", keys),
        ];
        for (folder, paths) in folders {
            for path in paths {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                all.add(&format!("config/{folder}/{name}"), path)?;
            }
        }
        Ok(all)
    }

    fn add(&mut self, to: &str, from: PathBuf) -> Result<(), SnapshotError> {
        let bytes = std::fs::read(&from)
            .map_err(|source| SnapshotError::Config { path: from.display().to_string(), source })?;
        self.secret_files.extend(secret_files(&String::from_utf8_lossy(&bytes)));
        // Files of several folders may have one name.
        let is_taken = |to: &String| self.files.iter().any(|file| file.to == *to);
        let mut names = std::iter::once(to.to_owned()).chain((2_usize..).map(|number| format!("{to}.{number}")));
        let to = names.find(|to| !is_taken(to)).unwrap_or_default();
        self.files.push(ConfigFile { to, from, bytes });
        Ok(())
    }

    /// Where each lay.
    pub(crate) fn origins(&self) -> BTreeMap<String, String> {
        self.files.iter().map(|file| (file.to.clone(), file.from.display().to_string())).collect()
    }

    /// Writes all of them below this folder, durably.
    pub(crate) fn write(&self, disk: &dyn Disk, target: &Path) -> Result<(), SnapshotError> {
        let mut folders = Vec::new();
        for file in &self.files {
            let path = target.join(&file.to);
            let folder = path.parent().unwrap_or(target).to_owned();
            if !folders.contains(&folder) {
                disk.create_dir_all(&folder).map_err(SnapshotError::disk("make folder", &folder))?;
                folders.push(folder);
            }
            write_new(disk, &path, &file.bytes).map_err(SnapshotError::disk("write", &path))?;
        }
        folders.iter().try_for_each(|folder| disk.sync_dir(folder).map_err(SnapshotError::disk("sync folder", folder)))
    }
}

/// The values of keys that end in `_file`, in TOML and YAML alike.
fn secret_files(text: &str) -> impl Iterator<Item = String> {
    let found = text.lines().filter_map(|line| {
        let line = line.trim_start().trim_start_matches("- ").trim_start();
        let end = line.find("_file").map(|at| at + "_file".len())?;
        let is_key = line[..end].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let rest = line[end..].trim_start();
        let value = rest.strip_prefix(':').or_else(|| rest.strip_prefix('=')).filter(|_| is_key)?;
        let value = value.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    });
    found.collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use muster_common::disk::copy::read_all;
    use muster_common::disk::real::RealDisk;

    use super::*;

    #[test]
    fn files_with_secrets_are_named_and_not_copied() {
        let text = "\
global:
  smtp_auth_password_file: /etc/muster/smtp
receivers:
- name: ops
  webhook_configs:
  - url_file: 'hook'
    # url_file: not this
  email_configs: [{to: the_file: x}]
key_file = \"/etc/muster/snapshot.key\"
password_file:
";
        assert_eq!(secret_files(text).collect::<Vec<_>>(), ["/etc/muster/smtp", "hook", "/etc/muster/snapshot.key"]);
    }

    #[test]
    fn what_is_in_force_is_copied_under_names_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["rules", "more", "mail"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::fs::write(at("c.toml"), "[snapshot]\nkey_file = \"k\"\n").unwrap();
        std::fs::write(at("rules/a.yml"), "groups: []\n").unwrap();
        std::fs::write(at("more/a.yml"), "groups: [] # more\n").unwrap();
        std::fs::write(at("mail/email.txt"), "{{ subject }}").unwrap();
        let routes = "route: {receiver: a}\nreceivers: [{name: a}]\nmuster: {templates: mail}\n";
        std::fs::write(at("routes.yml"), routes).unwrap();
        let arguments = Arguments {
            config: Some(at("c.toml")),
            rules: vec![at("rules"), at("more/a.yml")],
            alerting: Some(at("routes.yml")),
            ..Arguments::default()
        };
        std::fs::write(at("p.yml"), "profile: p\n").unwrap();
        let files = ConfigFiles::read(&arguments, vec![at("p.yml")], Vec::new(), None, Vec::new()).unwrap();
        assert_eq!(files.secret_files, ["k"]);
        files.write(&RealDisk, &at("to")).unwrap();
        let text = |name: &str| String::from_utf8(read_all(&RealDisk, &at("to").join(name), 1 << 20).unwrap()).unwrap();
        assert_eq!(text("config/alerting.yml"), routes);
        assert_eq!(text("config/rules/a.yml.2"), "groups: [] # more\n");
        assert_eq!(text("config/templates/email.txt"), "{{ subject }}");
        assert_eq!(text("config/profiles/p.yml"), "profile: p\n");
        assert_eq!(files.origins()["config/rules/a.yml"], at("rules/a.yml").display().to_string());
        let gone = Arguments { config: Some(at("gone.toml")), ..Arguments::default() };
        let told = ConfigFiles::read(&gone, Vec::new(), Vec::new(), None, Vec::new()).unwrap_err().to_string();
        assert!(told.contains("gone.toml` cannot be read"), "{told}");
    }
}
