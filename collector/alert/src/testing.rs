//! What tests of several stages share.

use std::fs;
use std::path::Path;

use crate::rules::Mistake;

/// Every `.yml` of a folder has its mistakes in a `.txt` beside it; `UPDATE_GOLDEN=1` writes them anew.
#[expect(clippy::disallowed_methods, reason = "a switch of the person who runs the test")]
pub(crate) fn every_mistake_is_told(folder: &Path, load: impl Fn(&str) -> Vec<Mistake>) {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yml") {
            continue;
        }
        let mistakes = load(&fs::read_to_string(&path).unwrap());
        assert!(!mistakes.is_empty(), "{} is taken", path.display());
        let told: String = mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
        let golden = path.with_extension("txt");
        if std::env::var("UPDATE_GOLDEN").is_ok() {
            fs::write(&golden, &told).unwrap();
        }
        assert_eq!(told, fs::read_to_string(&golden).unwrap_or_default(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 25, "{count}");
}
