//! The sources over folders made by hand, over hostile ones, and over the machine that the tests run on.

mod bus;
mod fixtures;
mod hostile;
mod machine;

use muster_common::inventory::{Rows, Value, named};

use super::InventoryConfig;
use super::scene::{Problem, Scene};
use super::sources::{SOURCES, look};
use crate::testing::Tree;

fn scene(tree: &Tree) -> Scene {
    Scene::below(&tree.path(""), &InventoryConfig::default())
}

fn rows(scene: &Scene, table: &str) -> Result<Rows, Problem> {
    look(scene, SOURCES.iter().find(|source| source.table.name == table).unwrap())
}

/// The rows of a table, values with `|` between them, `-` for none.
fn shown(scene: &Scene, table: &str) -> Vec<String> {
    let value = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    };
    let row = |row: &Vec<Value>| row.iter().map(value).collect::<Vec<_>>().join("|");
    rows(scene, table).unwrap().iter().map(row).collect()
}

fn told(files: &[(&str, &str)], table: &str) -> Vec<String> {
    shown(&scene(&Tree::new(files)), table)
}

#[test]
fn every_table_has_its_source_at_its_place_and_every_file_its_line() {
    for (place, source) in SOURCES.iter().enumerate() {
        assert_eq!(usize::from(source.table.number), place + 1);
        assert_eq!(named(source.table.name), Some(source.table));
    }
    let text = include_str!("../sources/mod.rs");
    for entry in
        std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/inventory/sources")).unwrap()
    {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_source =
            std::fs::read_to_string(&path).unwrap().contains("(scene: &Scene, rows: &mut Rows) -> Result<(), Problem>");
        // rpm's is a part of that of packages.
        if name != "mod" && name != "packages_rpm" && is_source {
            assert!(text.contains(&format!("read: {name}::read")), "{name} in the table");
        }
    }
}

#[test]
fn built_in_patterns_are_patterns() {
    for text in super::defaults::FILES.iter().chain(super::defaults::CERTIFICATES) {
        assert!(crate::logs::glob::Glob::new(text).is_some(), "{text}");
        assert!(!text.contains("shadow") && !text.contains("private"), "{text}");
    }
}
