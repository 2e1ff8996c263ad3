//! Rules of discovery in files: YAML, read as a whole before any of them is in force.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::rules::{DISCOVERY_RULES_MAX, FileRules, ReadRule, RuleSpec};

/// Bytes of one file: two hundred rules have some 40 kB.
pub const RULE_FILE_BYTES_MAX: usize = 256 << 10;
/// Nodes of one file: some 12 a rule.
const NODES_MAX: usize = 20_000;
/// How deep it may nest; rules need four levels.
const DEPTH_MAX: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rules: Vec<Spanned<RuleSpec>>,
}

/// Reads these files, and of folders all `*.yml` and `*.yaml` in the order of their names.
///
/// # Errors
/// All that is wrong with them, each with file, line and what to do.
pub fn read_discovery_rules(paths: &[PathBuf]) -> Result<FileRules, Vec<String>> {
    let (mut all, mut wrong) = (BTreeMap::new(), Vec::new());
    for path in paths.iter().flat_map(|path| files_of(path, &mut wrong)).collect::<Vec<_>>() {
        match read_file(&path) {
            Ok(text) => read_rules(&path.display().to_string(), &text, &mut all, &mut wrong),
            Err(why) => wrong.push(why),
        }
    }
    if all.len() > DISCOVERY_RULES_MAX {
        wrong.push(format!(
            "the files have {} rules of discovery, more than {DISCOVERY_RULES_MAX}: join some",
            all.len()
        ));
    }
    if wrong.is_empty() { Ok(FileRules(all)) } else { Err(wrong) }
}

fn files_of(path: &Path, wrong: &mut Vec<String>) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_path_buf()];
    }
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yml" || end == "yaml");
    match std::fs::read_dir(path) {
        Ok(entries) => {
            let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_yaml).collect();
            files.sort();
            files
        }
        Err(error) => {
            wrong.push(format!("{}: the folder cannot be read ({error}): check its rights", path.display()));
            Vec::new()
        }
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let length = std::fs::metadata(path).map(|file| file.len());
    let length =
        length.map_err(|error| format!("{shown}: the file cannot be read ({error}): check name and rights"))?;
    if length > RULE_FILE_BYTES_MAX as u64 {
        return Err(format!("{shown}: the file has {length} bytes, more than {RULE_FILE_BYTES_MAX}: split it"));
    }
    std::fs::read_to_string(path).map_err(|error| {
        format!("{shown}: the file cannot be read ({error}): it must be UTF-8 that this user may read")
    })
}

/// Takes in the rules of one file's text.
pub(super) fn read_rules(
    path: &str,
    text: &str,
    all: &mut BTreeMap<String, (String, Arc<ReadRule>)>,
    wrong: &mut Vec<String>,
) {
    if text.len() > RULE_FILE_BYTES_MAX {
        return wrong
            .push(format!("{path}: the file has {} bytes, more than {RULE_FILE_BYTES_MAX}: split it", text.len()));
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_nodes: NODES_MAX,
            max_depth: DEPTH_MAX,
            max_total_scalar_bytes: 2 * RULE_FILE_BYTES_MAX,
            max_documents: 1,
        },
    };
    let file = match serde_saphyr::from_str_with_options::<RuleFile>(text, options) {
        Ok(file) => file,
        Err(error) => {
            let line = error.location().map_or(1, |place| place.line().max(1));
            let remedy = "a file has `rules:` with a list, and a rule name, kind, items, hosts and action";
            return wrong.push(format!("{path}:{line}: {}: {remedy}", error.without_snippet()));
        }
    };
    for rule in file.rules {
        let line = rule.referenced.line().max(1);
        match ReadRule::new(rule.value) {
            Ok(rule) => {
                let name = rule.spec.name.clone();
                if let Some((other, _)) = all.get(&name) {
                    wrong.push(format!("{path}:{line}: rule `{name}` stands in {other} already: give another name"));
                    continue;
                }
                all.insert(name, (path.to_owned(), Arc::new(rule)));
            }
            Err(why) => wrong.push(format!("{path}:{line}: a rule of discovery cannot be taken: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, Vec<String>> {
        let (mut all, mut wrong) = (BTreeMap::new(), Vec::new());
        read_rules("a.yml", text, &mut all, &mut wrong);
        if wrong.is_empty() { Ok(all.into_keys().collect()) } else { Err(wrong) }
    }

    #[test]
    fn all_mistakes_of_a_file_are_told_with_their_lines() {
        let good = "rules:\n  - name: web\n    kind: port\n    items: 'port=~\"80|443\"'\n    hosts: role=web\n    action: accept\n  - {name: any, items: 'key=\"unit:x\"', action: ignore}\n";
        assert_eq!(read(good).unwrap(), ["any", "web"]);
        let bad = "rules:\n  - {name: Web, kind: port, action: accept}\n  - {name: b, kind: ports, action: accept}\n  - name: c\n    items: 'colour=red'\n    action: ignore\n  - {name: d, action: accept}\n  - {name: e, items: 'port=~\"(\"', action: accept}\n";
        let told = read(bad).unwrap_err();
        for (line, what) in [
            (2, "its name is none"),
            (3, "no kind `ports`"),
            (4, "no item has a field `colour`"),
            (7, "matches everything"),
            (8, "cannot be read"),
        ] {
            assert!(
                told.iter().any(|one| one.starts_with(&format!("a.yml:{line}:")) && one.contains(what)),
                "{told:#?}"
            );
        }
        assert_eq!(told.len(), 5);
        for (text, what) in [
            ("rules:\n  - {name: a, kind: port, action: drop}\n", "a.yml:2:"),
            ("rules:\n  - {name: a, kind: port, action: accept, color: red}\n", "a.yml:2:"),
            ("rule: []\n", "a.yml:1:"),
            ("- x\n", "a.yml:1:"),
            ("rules: [\n", "a.yml:"),
            (
                "rules:\n  - {name: a, kind: port, action: accept}\n  - {name: a, kind: unit, action: accept}\n",
                "a.yml:3: rule `a` stands in a.yml",
            ),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.len() == 1 && told[0].starts_with(what), "{told:?}");
        }
        assert!(read(&"#".repeat(RULE_FILE_BYTES_MAX + 1)).unwrap_err()[0].contains("split it"));
    }

    #[test]
    fn folders_are_read_in_the_order_of_names_and_what_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for (name, rule) in [("b.yml", "b"), ("a.yaml", "a"), ("c.txt", "c")] {
            let text = format!("rules:\n  - {{name: {rule}, kind: unit, action: ignore}}\n");
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let read = read_discovery_rules(&[folder.path().to_owned()]).unwrap();
        assert_eq!(read.0.keys().collect::<Vec<_>>(), ["a", "b"]);
        let none = folder.path().join("none.yml");
        let told = read_discovery_rules(&[none, folder.path().join("a.yaml")]).unwrap_err();
        assert!(told.len() == 1 && told[0].contains("none.yml: the file cannot be read"), "{told:?}");
        assert!(read_discovery_rules(&[]).unwrap().0.is_empty());
    }
}
