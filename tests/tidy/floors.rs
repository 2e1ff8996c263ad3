//! The floors of ARCHITECTURE.md against what the crates really import.

use std::collections::BTreeMap;

use super::files;

/// One row of the floors table.
struct Floor {
    number: u32,
    /// Short names of the crates it may import.
    imports: Vec<String>,
}

/// Rows of the floors table, `| 3 | \`collector/query\` | store, common | ... |`, by folder.
fn floors() -> BTreeMap<String, Floor> {
    let mut floors = BTreeMap::new();
    for line in files::read("ARCHITECTURE.md").lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, number, folder, imports, ..] = cells.as_slice()
            && let Ok(number) = number.parse()
        {
            let imports = imports.split(',').map(|name| name.trim().to_owned()).collect();
            floors.insert(folder.trim_matches('`').to_owned(), Floor { number, imports });
        }
    }
    floors
}

/// Folder of each workspace crate, and the workspace crates that its manifest names (development ones included).
fn edges() -> BTreeMap<String, Vec<String>> {
    let manifests: Vec<String> = files::all().into_iter().filter(|path| path.ends_with("/Cargo.toml")).collect();
    let folder_of = |name: &str| {
        let wanted = format!("name = \"{name}\"");
        let manifest = manifests.iter().find(|path| files::read(path).lines().any(|line| line == wanted));
        manifest.map(|path| path.trim_end_matches("/Cargo.toml").to_owned())
    };
    let mut edges = BTreeMap::new();
    for manifest in &manifests {
        let text = files::read(manifest);
        let own = |line: &&str| line.starts_with("muster-") && line.contains("workspace = true");
        let names = text.lines().filter(own).map(|line| line.split(['.', ' ']).next().unwrap_or_default());
        let folders = names.map(|name| folder_of(name).unwrap_or_else(|| panic!("{manifest}: no crate {name}")));
        edges.insert(manifest.trim_end_matches("/Cargo.toml").to_owned(), folders.collect());
    }
    edges
}

#[test]
fn crates_import_only_lower_floors() {
    let floors = floors();
    for (folder, imports) in edges() {
        let Some(own) = floors.get(&folder) else { panic!("ARCHITECTURE.md's floors table does not name `{folder}`") };
        for import in imports {
            let below = floors.get(&import).unwrap_or_else(|| panic!("no floor for `{import}`"));
            let (high, low) = (own.number, below.number);
            assert!(low < high, "`{folder}` (floor {high}) imports `{import}` (floor {low}): only lower floors may be");
            let name = import.rsplit('/').next().unwrap_or(&import);
            let allowed = own.imports.iter().any(|one| one == name);
            assert!(allowed, "`{folder}` imports `{import}`, which its row of the floors table does not allow");
        }
    }
}

#[test]
fn every_floor_row_is_a_crate() {
    let edges = edges();
    for folder in floors().keys() {
        assert!(edges.contains_key(folder), "ARCHITECTURE.md names crate folder `{folder}`, which has no Cargo.toml");
    }
}

#[test]
fn every_member_follows_the_workspace_settings() {
    for folder in edges().keys() {
        let text = files::read(&format!("{folder}/Cargo.toml"));
        for line in [
            "version.workspace = true",
            "rust-version.workspace = true",
            "license.workspace = true",
            "publish.workspace = true",
        ] {
            assert!(text.contains(line), "{folder}/Cargo.toml lacks `{line}`");
        }
        assert!(text.contains("[lints]\nworkspace = true"), "{folder}/Cargo.toml does not take the workspace's lints");
    }
}

#[test]
fn shared_versions_name_their_features() {
    let text = files::read("Cargo.toml");
    let section = text.split("[workspace.dependencies]").nth(1).and_then(|rest| rest.split("\n[").next()).unwrap_or("");
    for line in section.lines().filter(|line| line.contains("version = ")) {
        assert!(line.contains("default-features = false"), "Cargo.toml: `{line}` lacks default-features = false");
    }
}
